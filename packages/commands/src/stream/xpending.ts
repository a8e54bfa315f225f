/** XPENDING key group [[IDLE ms] start end count [consumer]]: a summary, or the pending entries of an interval. Arguments win over lookups. */
import { MAX_ID, MIN_ID } from "@headrace/engine";
import type { GroupView, PendingEntry, StreamId } from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { readLong, readRangeEnd, readRangeStart } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors, noKeyOrGroup } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findStream } from "./find-stream.ts";
import { writeDeliveryCount } from "./write-delivery-count.ts";
import { writeId } from "./write-id.ts";

/** Shown for what nobody owns. */
const NO_IDLE_TIME = -1;

export const xpending = defineCommand({
  name: "xpending",
  arity: -3,
  flags: Flag.readonly,
  since: "5.0.0",
  group: "stream",
  summary:
    "Return information and entries from a stream consumer group pending entries list, that are messages fetched but never acknowledged.",
  complexity:
    "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
  argumentTypes: { "min-idle-time": "integer" },
  syntax: "key group [[IDLE min-idle-time] start end count [consumer]]",
  categories: ["stream"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute,
});

interface PendingQuery {
  readonly minIdleMs: number;
  readonly start: StreamId;
  readonly end: StreamId;
  readonly count: number;
  readonly consumer: string | null;
}

function execute({ request, reply, keyspace, nowMs }: ShardContext): void {
  if (request.count !== 3 && (request.count < 6 || request.count > 9)) return reply.error(Errors.syntax);
  const query = request.count === 3 ? null : readQuery(request);
  if (typeof query === "string") return reply.error(query);
  const key = request.latin1(1);
  const groupName = request.latin1(2);
  const found = findStream(keyspace, key);
  if (typeof found === "string") return reply.error(found);
  const group = found === null ? null : found.stream.group(groupName);
  if (group === null) return reply.error(noKeyOrGroup(key, groupName));
  if (query === null) writeSummary(reply, group);
  else writeEntries(reply, group, query, nowMs);
}

function readQuery(request: Request): PendingQuery | string {
  let at = 3;
  let minIdleMs = 0;
  if (request.is(3, "IDLE")) {
    minIdleMs = readLong(request, 4);
    if (Number.isNaN(minIdleMs)) return Errors.notInteger;
    if (request.count < 8) return Errors.syntax;
    at = 5;
  }
  const count = readLong(request, at + 2);
  if (Number.isNaN(count)) return Errors.notInteger;
  const start = readRangeStart(request, at);
  if (typeof start === "string") return start;
  const end = readRangeEnd(request, at + 1);
  if (typeof end === "string") return end;
  const consumer = at + 3 < request.count ? request.latin1(at + 3) : null;
  return { minIdleMs, start, end, count: Math.max(0, count), consumer };
}

function writeSummary(reply: ReplyWriterApi, group: GroupView): void {
  const { pending } = group;
  reply.array(4);
  reply.integer(pending.count);
  if (pending.count === 0) {
    reply.nullBulk();
    reply.nullBulk();
    reply.nullArray();
    return;
  }
  writeId(reply, pending.firstId ?? MIN_ID);
  writeId(reply, pending.lastId ?? MAX_ID);
  const holders = [...group.consumers()].filter((consumer) => consumer.pendingCount > 0);
  reply.array(holders.length);
  for (const holder of holders) {
    reply.array(2);
    reply.bulkLatin1(holder.name);
    reply.bulkInteger(holder.pendingCount);
  }
}

function writeEntries(reply: ReplyWriterApi, group: GroupView, query: PendingQuery, nowMs: number): void {
  const found: PendingEntry[] = [];
  const known = query.consumer === null || group.consumer(query.consumer) !== null;
  if (known && query.count > 0) {
    group.pending.visit(query.start, query.end, query.consumer, (entry) => {
      const isFresh = entry.isOwned && query.minIdleMs !== 0 && nowMs - entry.deliveryTimeMs < query.minIdleMs;
      if (isFresh) return true;
      found.push(entry);
      return found.length < query.count;
    });
  }
  reply.array(found.length);
  for (const entry of found) {
    reply.array(4);
    writeId(reply, entry.id);
    reply.bulkLatin1(entry.consumer);
    reply.integer(entry.isOwned ? Math.max(0, nowMs - entry.deliveryTimeMs) : NO_IDLE_TIME);
    writeDeliveryCount(reply, entry.deliveryCount);
  }
}
