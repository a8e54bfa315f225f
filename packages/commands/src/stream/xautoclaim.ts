/**
 * XAUTOCLAIM key group consumer min-idle start [COUNT n] [JUSTID]: looks at no more than ten times COUNT pending entries in id order; an entry
 * whose body is gone is dropped, reported, and uses up one of COUNT; so does one that its group gives up (XGROUP SETDLQ), which is not reported. It also ends, with a cursor, where a log entry has no room for more. Source: t_stream.c xautoclaimCommand.
 */
import { countUp, MAX_ID, MIN_ID } from "@headrace/engine";
import type { GroupView, StreamId, StreamView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong, readRangeStart } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Fate, GivingUp } from "../dead-letters/giving-up.ts";
import { Errors, noKeyOrGroup } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { ClaimBatch, isIdleFor } from "./claim-batch.ts";
import { CLAIM_BYTES, effectBytes, ID_BYTES } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { writeEntriesOrIds } from "./write-entries.ts";
import { writeId } from "./write-id.ts";

const DEFAULT_COUNT = 100;
const ATTEMPTS_FACTOR = 10;
/** Redis' LONG_MAX / 16, the size of an id. */
const COUNT_MAX = (2 ** 63 - 1) / 16;
const KEEP = -1;
/** The consumer is created and touched, entries are dropped and claimed. */
const EFFECTS_MAX = 4;

export const xautoclaim = defineCommand({
  name: "xautoclaim",
  arity: -6,
  flags: Flag.write | Flag.fast,
  since: "6.2.0",
  group: "stream",
  summary:
    "Changes (or acquires) ownership of messages in a consumer group, as if the messages were delivered to the specified consumer.",
  complexity: "O(1) if COUNT is small.",
  syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
  categories: ["stream"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RW delete"),
  execute,
  handsOutData: true,
});

interface AutoClaimOptions {
  readonly minIdleMs: number;
  readonly start: StreamId;
  count: number;
  justIds: boolean;
}

function execute(context: ShardContext): void {
  const { request, reply, keyspace, effects, nowMs, effectRoomBytes } = context;
  const options = readOptions(request);
  if (typeof options === "string") return reply.error(options);
  const key = request.latin1(1);
  const groupName = request.latin1(2);
  const found = findStream(keyspace, key);
  if (typeof found === "string") return reply.error(found);
  const group = found === null ? null : found.stream.group(groupName);
  if (found === null || group === null) return reply.error(noKeyOrGroup(key, groupName));
  const consumer = request.latin1(3);
  const roomBytes = effectRoomBytes - effectBytes(EFFECTS_MAX, key, groupName, consumer);
  if (roomBytes < CLAIM_BYTES) return reply.error(Errors.tooLargeForEntry);
  if (found.stream.hasCold) found.stream.needEntries(idsFrom(group, options));
  const isKnown = group.consumer(consumer) !== null;
  if (!isKnown) effects.createConsumer(key, groupName, consumer, nowMs);
  const batch = new ClaimBatch(effects, key, groupName, consumer);
  const givingUp = new GivingUp(context, found, group);
  const cursor = collect({ batch, givingUp }, found.stream, group, { ...options, nowMs, roomBytes });
  givingUp.send(false);
  batch.flush();
  if (batch.claimed.length > 0) effects.touchConsumer(key, groupName, consumer, nowMs, nowMs);
  else if (isKnown) effects.touchConsumer(key, groupName, consumer, nowMs, KEEP);
  reply.array(3);
  writeId(reply, cursor);
  writeEntriesOrIds(reply, found.stream, batch.claimed, options.justIds);
  reply.array(batch.dropped.length);
  for (const id of batch.dropped) writeId(reply, id);
}

/** All that it may look at. */
function idsFrom(group: GroupView, { start, count }: AutoClaimOptions): StreamId[] {
  const ids: StreamId[] = [];
  group.pending.visit(start, MAX_ID, null, ({ id }) => ids.push(id) < count * ATTEMPTS_FACTOR);
  return ids;
}

/** Decides on the pending entries from the start on; answers where the next call goes on, 0-0 at the end. */
function collect(
  { batch, givingUp }: { readonly batch: ClaimBatch; readonly givingUp: GivingUp },
  stream: StreamView,
  group: GroupView,
  options: AutoClaimOptions & { readonly nowMs: number; readonly roomBytes: number },
): StreamId {
  const { nowMs } = options;
  let room = options.roomBytes;
  let attempts = options.count * ATTEMPTS_FACTOR;
  let count = options.count;
  let cursor = MIN_ID;
  group.pending.visit(options.start, MAX_ID, null, (entry) => {
    if (attempts === 0 || count === 0 || room - givingUp.usedBytes < CLAIM_BYTES) {
      cursor = entry.id;
      return false;
    }
    attempts--;
    if (!stream.has(entry.id)) {
      batch.drop(entry.id);
      room -= ID_BYTES;
      count--;
      return true;
    }
    if (!isIdleFor(entry, options.minIdleMs, nowMs)) return true;
    const fate = givingUp.judge(entry, room);
    if (fate === Fate.isForNext) {
      cursor = entry.id;
      return false;
    }
    if (fate === Fate.goes) count--;
    if (fate !== Fate.stays) return true;
    batch.claim(entry.id, nowMs, options.justIds ? entry.deliveryCount : countUp(entry.deliveryCount));
    room -= CLAIM_BYTES;
    count--;
    return true;
  });
  return cursor;
}

function readOptions(request: Request): AutoClaimOptions | string {
  const minIdleMs = readLong(request, 4);
  if (Number.isNaN(minIdleMs)) return Errors.autoClaimMinIdle;
  const start = readRangeStart(request, 5);
  if (typeof start === "string") return start;
  const options: AutoClaimOptions = {
    minIdleMs: Math.max(0, minIdleMs),
    start,
    count: DEFAULT_COUNT,
    justIds: false,
  };
  for (let i = 6; i < request.count; i++) {
    if (request.is(i, "COUNT") && i + 1 < request.count) {
      options.count = readLong(request, ++i);
      if (!(options.count >= 1 && options.count <= COUNT_MAX)) return Errors.countNotPositive;
    } else if (request.is(i, "JUSTID")) {
      options.justIds = true;
    } else {
      return Errors.syntax;
    }
  }
  return options;
}
