/** XINFO STREAM in its short and its FULL form. */
import { DEFAULT_DURATION_SECONDS, DEFAULT_IIDS_MAX, lagOf, MAX_ID, MIN_ID, RetentionKeep } from "@headrace/engine";
import type {
  ConsumerView,
  GroupView,
  StreamKeyView,
  OutboxView,
  PendingEntry,
  StreamId,
  StreamView,
} from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import type { ShardContext } from "../command.ts";
import { Errors, subcommandSyntax } from "../errors.ts";
import { findStream } from "./find-stream.ts";
import { writeDeliveryCount } from "./write-delivery-count.ts";
import { writeId } from "./write-id.ts";

const DEFAULT_COUNT = 10;
const ENTRIES_READ_UNKNOWN = -1;
const SHARED_FIELDS = 13;

export function answerStreamInfo({ request, reply, keyspace, nowMs }: ShardContext): void {
  const found = findStream(keyspace, request.latin1(2));
  if (typeof found === "string") return reply.error(found);
  if (found === null) return reply.error(Errors.noSuchKey);
  const { stream } = found;
  if (request.count === 3) return writeShort(reply, stream, nowMs);
  const count = readFullCount(request);
  if (typeof count === "string") return reply.error(count);
  writeFull(reply, found, { outbox: keyspace.outbox, count, nowMs });
}

interface FullLook {
  readonly outbox: OutboxView;
  readonly count: number;
  readonly nowMs: number;
}

/** How many entries FULL shows (Infinity: all), or the error text. */
function readFullCount(request: Request): number | string {
  const optionCount = request.count - 3;
  const isFull = (optionCount === 1 || optionCount === 3) && request.is(3, "FULL");
  if (!isFull || (optionCount === 3 && !request.is(4, "COUNT"))) return subcommandSyntax(request.latin1(1), "xinfo");
  if (optionCount === 1) return DEFAULT_COUNT;
  const count = readLong(request, 5);
  if (Number.isNaN(count)) return Errors.notInteger;
  if (count < 0) return DEFAULT_COUNT;
  return count === 0 ? Number.POSITIVE_INFINITY : count;
}

function writeSharedFields(reply: ReplyWriterApi, stream: StreamView, nowMs: number): void {
  writeField(reply, "length", stream.length);
  writeField(reply, "radix-tree-keys", stream.nodeCount);
  writeField(reply, "radix-tree-nodes", stream.radixTreeNodes);
  writeIdField(reply, "last-generated-id", stream.lastId);
  writeIdField(reply, "max-deleted-entry-id", stream.maxDeletedId);
  writeField(reply, "entries-added", stream.entriesAdded);
  writeIdField(reply, "recorded-first-entry-id", stream.firstId);
  const { idempotence } = stream;
  const tracked = idempotence?.countTracked(nowMs);
  writeField(reply, "idmp-duration", idempotence?.durationSeconds ?? DEFAULT_DURATION_SECONDS);
  writeField(reply, "idmp-maxsize", idempotence?.maxSize ?? DEFAULT_IIDS_MAX);
  writeField(reply, "pids-tracked", tracked?.producers ?? 0);
  writeField(reply, "iids-tracked", tracked?.iids ?? 0);
  writeField(reply, "iids-added", idempotence?.iidsAdded ?? 0);
  writeField(reply, "iids-duplicates", idempotence?.duplicates ?? 0);
  writeOwnSettings(reply, ownSettings(stream));
}

type OwnSettings = readonly (readonly [name: string, value: number | string])[];

export function writeOwnSettings(reply: ReplyWriterApi, settings: OwnSettings): void {
  for (const [name, value] of settings) {
    reply.bulkLatin1(name);
    if (typeof value === "number") reply.integer(value);
    else reply.bulkLatin1(value);
  }
}

/** Ours: what the group was told to do by itself. */
export function ownGroupSettings(group: GroupView, deadLettersWaiting: number): OwnSettings {
  const { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag } = group;
  const found: [name: string, value: number | string][] = [];
  if (retry !== null) {
    const { minIdleMs, factor, maxIdleMs } = retry;
    found.push(["retry-min-idle", minIdleMs]);
    if (factor !== 1) found.push(["retry-backoff", String(factor)], ["retry-max", maxIdleMs]);
  }
  if (consumerIdleMs > 0) found.push(["consumer-idle-max", consumerIdleMs]);
  if (deadLetters !== null) found.push(["dlq-stream", deadLetters.key], ["dlq-max-retries", deadLetters.retriesMax]);
  if (deadLetters !== null || deadLetterCount > 0)
    found.push(["dead-letters", deadLetterCount], ["dead-letters-waiting", deadLettersWaiting]);
  if (maxLag !== null) {
    found.push(["max-lag", maxLag.entries], ["max-lag-policy", maxLag.holdMs > 0 ? "delay" : "reject"]);
    if (maxLag.holdMs > 0) found.push(["max-lag-delay", maxLag.holdMs]);
  }
  return found;
}

/** Ours: what the stream has of its own and what will appear in it, so that Redis' reply stays as it is where nothing was set. */
function ownSettings({ retention, delayed, maxLagBytes }: StreamView): OwnSettings {
  const found: [name: string, value: number | string][] = [];
  if (delayed !== null && delayed.count > 0)
    found.push(["delayed-entries", delayed.count], ["delayed-next", delayed.firstDueMs]);
  if (retention !== null) {
    const { ageMs, bytes, entries, keep } = retention;
    if (ageMs !== null) found.push(["retention-ms", ageMs]);
    if (bytes !== null) found.push(["retention-bytes", bytes]);
    if (entries !== null) found.push(["retention-entries", entries]);
    if (keep !== null) found.push(["retention-keep", keep === RetentionKeep.unacknowledged ? "unacked" : "none"]);
  }
  if (maxLagBytes !== null) {
    const { bytes, holdMs } = maxLagBytes;
    found.push(["max-lag-bytes", bytes]);
    if (holdMs > 0) found.push(["max-lag-bytes-delay", holdMs]);
  }
  return found;
}

function writeShort(reply: ReplyWriterApi, stream: StreamView, nowMs: number): void {
  reply.map(SHARED_FIELDS + ownSettings(stream).length + 3);
  writeSharedFields(reply, stream, nowMs);
  writeField(reply, "groups", stream.groupCount);
  reply.bulkLatin1("first-entry");
  writeOneEntry(reply, stream, false);
  reply.bulkLatin1("last-entry");
  writeOneEntry(reply, stream, true);
}

function writeOneEntry(reply: ReplyWriterApi, stream: StreamView, last: boolean): void {
  const range = stream.range(MIN_ID, MAX_ID, 1, last);
  if (range.count === 0) reply.nullBulk();
  else range.writeTo(reply.writer);
}

function writeFull(reply: ReplyWriterApi, { key, stream }: StreamKeyView, { outbox, count, nowMs }: FullLook): void {
  reply.map(SHARED_FIELDS + ownSettings(stream).length + 2);
  writeSharedFields(reply, stream, nowMs);
  reply.bulkLatin1("entries");
  const range = stream.range(MIN_ID, MAX_ID, count, false);
  reply.array(range.count);
  range.writeTo(reply.writer);
  reply.bulkLatin1("groups");
  reply.array(stream.groupCount);
  for (const group of stream.groups()) {
    writeFullGroup(reply, stream, group, { count, own: ownGroupSettings(group, outbox.waitingOf(key, group.name)) });
  }
}

function writeFullGroup(
  reply: ReplyWriterApi,
  stream: StreamView,
  group: GroupView,
  { count, own }: { readonly count: number; readonly own: OwnSettings },
): void {
  reply.map(8 + own.length);
  reply.bulkLatin1("name");
  reply.bulkLatin1(group.name);
  writeIdField(reply, "last-delivered-id", group.lastDeliveredId);
  reply.bulkLatin1("entries-read");
  writeNumberOrNull(reply, group.entriesRead === ENTRIES_READ_UNKNOWN ? null : group.entriesRead);
  reply.bulkLatin1("lag");
  writeNumberOrNull(reply, lagOf(stream, group));
  writeField(reply, "pel-count", group.pending.count);
  writeField(reply, "nacked-count", group.pending.unownedCount);
  reply.bulkLatin1("pending");
  const pending = firstPending(group, null, count);
  reply.array(pending.length);
  for (const entry of pending) {
    reply.array(4);
    writeId(reply, entry.id);
    reply.bulkLatin1(entry.consumer);
    reply.integer(entry.deliveryTimeMs);
    writeDeliveryCount(reply, entry.deliveryCount);
  }
  reply.bulkLatin1("consumers");
  reply.array(group.consumerCount);
  for (const consumer of group.consumers()) writeFullConsumer(reply, group, consumer, count);
  writeOwnSettings(reply, own);
}

function writeFullConsumer(reply: ReplyWriterApi, group: GroupView, consumer: ConsumerView, count: number): void {
  reply.map(5);
  reply.bulkLatin1("name");
  reply.bulkLatin1(consumer.name);
  writeField(reply, "seen-time", consumer.seenTimeMs);
  writeField(reply, "active-time", consumer.activeTimeMs);
  writeField(reply, "pel-count", consumer.pendingCount);
  // Redis names the list of a consumer's pending entries `pending`, as the group's.
  reply.bulkLatin1("pending");
  const pending = firstPending(group, consumer.name, count);
  reply.array(pending.length);
  for (const entry of pending) {
    reply.array(3);
    writeId(reply, entry.id);
    reply.integer(entry.deliveryTimeMs);
    writeDeliveryCount(reply, entry.deliveryCount);
  }
}

function firstPending(group: GroupView, consumer: string | null, count: number): PendingEntry[] {
  const found: PendingEntry[] = [];
  group.pending.visit(MIN_ID, MAX_ID, consumer, (entry) => {
    found.push(entry);
    return found.length < count;
  });
  return found;
}

export function writeField(reply: ReplyWriterApi, name: string, value: number): void {
  reply.bulkLatin1(name);
  reply.integer(value);
}

export function writeNumberOrNull(reply: ReplyWriterApi, value: number | null): void {
  if (value === null) reply.nullBulk();
  else reply.integer(value);
}

function writeIdField(reply: ReplyWriterApi, name: string, id: StreamId): void {
  reply.bulkLatin1(name);
  writeId(reply, id);
}
