/**
 * XREADGROUP GROUP group consumer [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] [CLAIM min-idle] [NOACK] STREAMS key … id …
 *
 *   `>`    what the group has not delivered yet: moves its position, makes pending entries (unless NOACK); with CLAIM first what is pending for long
 *          enough (claim-read.ts); of a group with a retry first what is to be handed out again (retry-read.ts)
 *   an id  the consumer's own pending entries behind it: counts a delivery, never blocks, ignores NOACK and BLOCK, and CLAIM for itself and all
 *          streams behind it
 *
 * The consumer is created by the call even when there is nothing to deliver (Redis ≥ 7.2). Its seen time is set when the call first comes
 * in; its active time whenever a stream answers. Source: t_stream.c xreadCommand, streamReplyWithRange.
 */
import { digitCount } from "@headrace/bytes";
import { countUp, entriesReadAfterDelivery, MAX_ID } from "@headrace/engine";
import type { EntryRange, GroupView, StreamKeyView, PendingEntry, StreamId } from "@headrace/engine";
import { isByte, readStrictId } from "../args.ts";
import { Flag, ReadMode } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { outboxIsFull } from "../dead-letters/giving-up.ts";
import { Errors, noKeyOrGroupInRead } from "../errors.ts";
import { findStreamsKeys } from "../keys.ts";
import { defineCommand } from "../record.ts";
import { claimableFromMs, idsOf, NEW_TAIL_BYTES, pickClaims, writeClaimed, writeNew } from "./claim-read.ts";
import { isIdleFor } from "./claim-batch.ts";
import { effectBytes, ID_BYTES } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { ReadBudget } from "./read-budget.ts";
import { ReadOptions } from "./read-options.ts";
import { pickDue } from "./retry-read.ts";
import { isStreamError, refuseStream, StreamsReply } from "./streams-reply.ts";
import type { StreamError } from "./streams-reply.ts";
import { writeId } from "./write-id.ts";

/** How long a call that waits is not asked again while dead letters can't leave. */
const FULL_OUTBOX_MS = 1000;
const DOLLAR = 36;
const PLUS = 43;
const GREATER = 62;
const OPTION_VALUES: ReadonlyMap<string, number> = new Map([
  ["BLOCK", 1],
  ["CLAIM", 1],
  ["COUNT", 1],
  ["GROUP", 2],
  ["MAXCOUNT", 1],
  ["MAXSIZE", 1],
  ["NOACK", 0],
]);

/** Of a stream: pending entries are dropped, the consumer is created or touched, gets pending entries and new ones, is touched. */
const EFFECTS_MAX = 5;

const options = new ReadOptions();
const answer = new StreamsReply();
const budget = new ReadBudget();
/** What the log entry has room for: claimed entries, and ids of delivered and dropped ones. */
let roomBytes = 0;

export const xreadgroup = defineCommand({
  name: "xreadgroup",
  arity: -7,
  flags: Flag.write | Flag.blocking | Flag.movablekeys,
  since: "5.0.0",
  group: "stream",
  summary:
    "Return new entries from a stream using a consumer group, or access the history of the pending entries for a given consumer. Can block.",
  complexity:
    "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
  syntax:
    "GROUP group consumer [COUNT count] [MAXCOUNT count] [MAXSIZE bytes] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]",
  categories: ["stream"],
  keys: {
    first: 0,
    last: -1,
    step: 1,
    access: ["RO", "access"],
    targetAccess: [],
    notes: "",
    keyword: { word: "STREAMS", startFrom: 4 },
    countAt: 0,
    find: (request, into) => findStreamsKeys(request, OPTION_VALUES, into),
  },
  execute,
  fanOut: { by: "streams" },
  handsOutData: true,
  timeOut: (reply) => reply.nullArray(),
});

/** One stream of the call. `after` null: `>`. */
interface GroupRead {
  readonly keyArgument: number;
  readonly found: StreamKeyView;
  readonly group: GroupView;
  readonly after: StreamId | null;
  readonly claims: boolean;
  /** It also gets what the group hands out again by itself. NOACK does not: nobody would acknowledge it then. */
  readonly retries: boolean;
}

function execute(context: ShardContext): void {
  const { request, reply } = context;
  const error = options.read(request, true);
  if (error !== null) return reply.error(error);
  const reads = findReads(context);
  if (isStreamError(reads)) return refuseStream(context, reads);
  if (context.readMode === ReadMode.check) return reply.ok();
  if (context.looksOnly) return look(context, reads);
  const consumer = request.latin1(options.groupArgument + 1);
  let effectBytesMax = 0;
  for (const { found, group } of reads) effectBytesMax += effectBytes(EFFECTS_MAX, found.key, group.name, consumer);
  if (effectBytesMax > context.effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
  context.isUncounted = true;
  answer.begin(context, options);
  budget.begin(options.maxCount, options.maxSize, context.used.entries, context.used.bytes);
  roomBytes = context.effectRoomBytes - effectBytesMax;
  for (const read of reads) {
    if (!read.found.stream.hasCold) continue;
    if (standsBehind(context, read)) obtainableFrom(context, read);
    else needEntries(context, read, consumer);
  }
  const onlyMeets = context.readMode === ReadMode.offered && context.resumed === null;
  for (const read of reads) {
    meetConsumer(context, read, consumer);
    if (onlyMeets || budget.isSpent) continue;
    if (read.after !== null) serveHistory(context, read, consumer);
    else if (!standsBehind(context, read)) serveNew(context, read, consumer);
  }
  if (answer.finish()) return;
  if (!options.blocks || context.denyBlocking) return reply.nullArray();
  block(context, reads);
}

/** What the call will read, before it changes anything: until then it can be run again when some of it is not in memory. */
function needEntries(context: ShardContext, read: GroupRead, consumer: string): void {
  const { nowMs, denyBlocking } = context;
  const { found, group, after, claims, retries } = read;
  const ids: StreamId[] = [];
  const start = after === null ? null : after.next();
  if (start !== null) group.pending.visit(start, MAX_ID, consumer, ({ id }) => ids.push(id) < options.count);
  if (claims) {
    group.pending.visitOldest((entry) => {
      return isIdleFor(entry, options.claimMinIdleMs, nowMs) && ids.push(entry.id) < options.count;
    });
  }
  if (retries && group.pending.dueFromMs <= nowMs)
    group.pending.visitDue(({ id }, dueMs) => dueMs <= nowMs && ids.push(id) < options.count);
  found.stream.needEntries(ids);
  if (after !== null) return;
  const range = undelivered(read, options.count);
  if (range !== null) entriesReadAfterDelivery(found.stream, group, range);
  // Nothing is for it now: it will ask from when on there will be.
  else if (ids.length === 0 && options.blocks && !denyBlocking) obtainableFrom(context, read);
}

function block(context: ShardContext, reads: readonly GroupRead[]): void {
  context.block({
    keys: reads.map((read) => read.found.key),
    timeoutMs: options.blockMs,
    kind: "group",
    resolvedIds: reads.map(() => null),
    readsFromState: false,
    claimMinIdleMs: options.claimMinIdleMs,
    takesDue: reads.some(takesDue),
    wakeAtMs: reads.reduce(
      (firstMs, read) => Math.min(firstMs, obtainableFrom(context, read)),
      Number.POSITIVE_INFINITY,
    ),
  });
}

/** When something that is pending now will be for the call. */
function obtainableFrom(context: ShardContext, { found, group, claims, retries }: GroupRead): number {
  if (!claims && !retries) return Number.POSITIVE_INFINITY;
  const fromMs = claims ? claimableFromMs(found, group, options.claimMinIdleMs) : group.pending.dueFromMs;
  // What is to be given up stands before all others then, and waits too.
  if (group.deadLetters !== null && outboxIsFull(context)) return Math.max(fromMs, context.nowMs + FULL_OUTBOX_MS);
  return fromMs;
}

/** Whether it would get what the group hands out again, if the group did. */
function takesDue({ after, claims }: GroupRead): boolean {
  return after === null && !claims && !options.noAck;
}

/** A call that waits in a queue: whether it would be given anything now. */
function look(context: ShardContext, reads: readonly GroupRead[]): void {
  if (reads.some((read) => hasNew(context, read) || hasPending(context, read))) context.offer();
  else block(context, reads);
}

function hasPending(context: ShardContext, read: GroupRead): boolean {
  const { found, group, retries } = read;
  if (obtainableFrom(context, read) > context.nowMs) return false;
  if (!retries) return true;
  const bounds = { countMax: 1, roomBytes: context.effectRoomBytes, budget: new ReadBudget() };
  return pickDue(context, found, group, bounds).picked.length > 0;
}

function hasNew(context: ShardContext, { found, group, after }: GroupRead): boolean {
  if (after !== null || context.isHeldUp(found.key, group.name)) return false;
  const start = group.lastDeliveredId.next();
  return start !== null && found.stream.length > 0 && found.stream.range(start, MAX_ID, 1, false).count > 0;
}

/** A call that may wait does not pass by one that waits longer and is being asked whether it takes what there is, or reads it from the disk. */
function standsBehind(context: ShardContext, { found, group, after }: GroupRead): boolean {
  if (after !== null) return false;
  const mayWait = (options.blocks && !context.denyBlocking) || context.readMode === ReadMode.partBehind;
  return mayWait && context.isHeldUp(found.key, group.name);
}

/** All streams with their groups and ids, checked one after the other; or the error. */
function findReads({ request, keyspace }: ShardContext): GroupRead[] | StreamError {
  const groupName = request.latin1(options.groupArgument);
  const reads: GroupRead[] = [];
  let { claims } = options;
  for (let k = 0; k < options.streamCount; k++) {
    const keyArgument = options.firstKey + k;
    const i = keyArgument + options.streamCount;
    const key = request.latin1(keyArgument);
    const found = findStream(keyspace, key);
    if (typeof found === "string") return { stream: k, text: found };
    const group = found === null ? null : found.stream.group(groupName);
    if (found === null || group === null) return { stream: k, text: noKeyOrGroupInRead(key, groupName) };
    if (isByte(request, i, DOLLAR)) return { stream: k, text: Errors.dollarInReadGroup };
    if (isByte(request, i, PLUS)) return { stream: k, text: Errors.plusInReadGroup };
    let after: StreamId | null = null;
    if (!isByte(request, i, GREATER)) {
      after = readStrictId(request, i);
      if (after === null) return { stream: k, text: Errors.invalidStreamId };
      // Redis writes `>` as the greatest id inside: whoever sends that id gets what `>` gets.
      if (after.equals(MAX_ID)) after = null;
    }
    if (after !== null) claims = false;
    const read = { keyArgument, found, group, after, claims, retries: false };
    reads.push(group.retry !== null && takesDue(read) ? { ...read, retries: true } : read);
  }
  return reads;
}

/** Creates the consumer if it is new, and marks it as seen. A call that was woken has done so before: who was deleted since is not there until it gets something. */
function meetConsumer(context: ShardContext, read: GroupRead, consumer: string): void {
  const { effects, nowMs, resumed } = context;
  if (resumed !== null) return;
  const { found, group } = read;
  const known = group.consumer(consumer);
  if (known === null) createIfNew(context, read, consumer);
  else if (known.seenTimeMs !== nowMs) effects.touchConsumer(found.key, group.name, consumer, nowMs, -1);
}

function createIfNew(context: ShardContext, { found, group }: GroupRead, consumer: string): void {
  if (group.consumer(consumer) !== null) return;
  context.effects.createConsumer(found.key, group.name, consumer, context.nowMs);
  context.isUncounted = false;
}

function serveNew(context: ShardContext, read: GroupRead, consumer: string): void {
  const { reply, effects, nowMs } = context;
  const { found, group } = read;
  const hasDue = read.retries && group.pending.dueFromMs <= nowMs;
  if (options.isBounded || read.claims || hasDue) return serveChosen(context, read, consumer);
  const range = undelivered(read, deliverable(options.count));
  if (range === null) return;
  noteDelivered(range.count);
  context.isUncounted = false;
  const entriesRead = entriesReadAfterDelivery(found.stream, group, range);
  answer.open(context.request, read.keyArgument);
  reply.array(range.count);
  range.writeTo(reply.writer);
  createIfNew(context, read, consumer);
  effects.deliver(found.key, group.name, consumer, range.lastId, entriesRead, nowMs, options.noAck);
  effects.touchConsumer(found.key, group.name, consumer, nowMs, nowMs);
}

/** The first entries that the group has not delivered; null when there are none. */
function undelivered({ found, group }: GroupRead, count: number): EntryRange | null {
  const start = group.lastDeliveredId.next();
  if (start === null || found.stream.length === 0 || count < 1) return null;
  const range = found.stream.range(start, MAX_ID, count, false);
  return range.count === 0 ? null : range;
}

/** The effect names what it hands out: never more than there is room for. */
function deliverable(count: number): number {
  return options.noAck ? count : Math.min(count, Math.floor(roomBytes / ID_BYTES));
}

function noteDelivered(count: number): void {
  if (!options.noAck) roomBytes -= count * ID_BYTES;
}

/** With pending entries or a bound: what goes is chosen before anything is written. */
function serveChosen(context: ShardContext, read: GroupRead, consumer: string): void {
  const { request, reply, effects, nowMs } = context;
  const { found, group, claims, retries, keyArgument } = read;
  budget.addKey(request.end(keyArgument) - request.start(keyArgument), reply.version);
  const claimed = claims || retries ? claimedBy(context, read) : [];
  let range = undelivered(read, deliverable(options.count - claimed.length));
  if (range !== null) {
    const count = budget.admitRange(range, claims ? NEW_TAIL_BYTES : 0);
    if (count < range.count) range = undelivered(read, count);
  }
  const newCount = range === null ? 0 : range.count;
  noteDelivered(newCount);
  if (claimed.length + newCount === 0) return;
  context.isUncounted = false;
  const entriesRead = range === null ? 0 : entriesReadAfterDelivery(found.stream, group, range);
  answer.open(request, keyArgument);
  reply.array(claimed.length + newCount);
  for (const entry of claimed) {
    if (claims) writeClaimed(reply, found, entry, nowMs);
    else found.stream.range(entry.id, entry.id, 1, false).writeTo(reply.writer);
  }
  if (range !== null && claims) writeNew(reply, range);
  else range?.writeTo(reply.writer);
  const lastId = range === null ? null : range.lastId;
  createIfNew(context, read, consumer);
  if (claimed.length > 0) claim(context, read, consumer, claimed);
  if (lastId !== null) effects.deliver(found.key, group.name, consumer, lastId, entriesRead, nowMs, options.noAck);
  effects.touchConsumer(found.key, group.name, consumer, nowMs, nowMs);
}

function claimedBy(context: ShardContext, { found, group, claims }: GroupRead): PendingEntry[] {
  if (!claims) {
    const { picked, usedBytes } = pickDue(context, found, group, { countMax: options.count, roomBytes, budget });
    roomBytes -= usedBytes;
    return picked;
  }
  const bounds = { minIdleMs: options.claimMinIdleMs, countMax: options.count, roomBytes, budget };
  const { picked, usedBytes } = pickClaims(context, found, group, bounds);
  roomBytes -= usedBytes;
  return picked;
}

function claim(
  { effects, nowMs }: ShardContext,
  { found, group }: GroupRead,
  consumer: string,
  claimed: readonly PendingEntry[],
): void {
  const timesMs = claimed.map(() => nowMs);
  const counts = claimed.map(({ deliveryCount }) => countUp(deliveryCount));
  effects.claim(found.key, group.name, consumer, idsOf(claimed), timesMs, counts);
}

/** Each stream is there, if only with an empty list. An entry whose body is gone shows its id and a null, and counts no delivery. */
function serveHistory(context: ShardContext, read: GroupRead, consumer: string): void {
  const { request, reply, effects, nowMs } = context;
  const { found, group, keyArgument } = read;
  budget.addKey(request.end(keyArgument) - request.start(keyArgument), reply.version);
  const pending: StreamId[] = [];
  const start = read.after === null ? null : read.after.next();
  if (start !== null) {
    group.pending.visit(start, MAX_ID, consumer, ({ id }) => {
      if (options.isBounded && !budget.admit(historyBytes(found, id, reply.version))) return false;
      pending.push(id);
      return pending.length < options.count;
    });
  }
  // The effect names those whose bodies are gone: what is beyond its room is for the next call.
  let bodilessMax = Math.floor(roomBytes / ID_BYTES);
  const ranges: EntryRange[] = [];
  for (const id of pending) {
    const range = found.stream.range(id, id, 1, false);
    if (range.count === 0 && --bodilessMax < 0) break;
    ranges.push(range);
  }
  pending.length = ranges.length;
  roomBytes -= ID_BYTES * ranges.reduce((sum, range) => (range.count === 0 ? sum + 1 : sum), 0);
  let existing = 0;
  answer.open(request, keyArgument);
  reply.array(pending.length);
  for (const [i, id] of pending.entries()) {
    const range = ranges[i]!;
    if (range.count === 1) {
      range.writeTo(reply.writer);
      existing++;
    } else {
      reply.array(2);
      writeId(reply, id);
      reply.nullArray();
    }
  }
  // The range, not the ids: they may be millions, and a log entry has a bound.
  if (existing > 0) {
    effects.redeliver(found.key, group.name, consumer, pending[0]!, pending[pending.length - 1]!, nowMs);
  }
  effects.touchConsumer(found.key, group.name, consumer, nowMs, nowMs);
}

/** What an entry takes in a reply of history, also one whose body is gone. */
function historyBytes({ stream }: StreamKeyView, id: StreamId, version: 2 | 3): number {
  const range = stream.range(id, id, 1, false);
  let bytes = 0;
  range.visitEntries((_bytes, start, end) => {
    bytes = end - start;
    return true;
  });
  if (bytes > 0) return bytes;
  const idBytes = id.toString().length;
  return 4 + 1 + digitCount(idBytes) + 2 + idBytes + 2 + (version === 2 ? 5 : 3);
}
