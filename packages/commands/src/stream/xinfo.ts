/**
 * XINFO STREAM key [FULL [COUNT n]] | GROUPS key | CONSUMERS key group | LAG key | HELP. Field lists are those of Redis 7.2–8.4: CONSUMERS has `inactive`,
 * FULL has `active-time`. LAG is ours: how far groups are behind, by counting, where Redis' `lag` goes by counters and is unknown after some commands.
 */
import { groupLag, lagOf, timeOfId } from "@headrace/engine";
import type { GroupView, StreamId } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors, noGroup } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findStream } from "./find-stream.ts";
import { writeId } from "./write-id.ts";
import { answerStreamInfo, ownGroupSettings, writeField, writeNumberOrNull, writeOwnSettings } from "./xinfo-stream.ts";

const ENTRIES_READ_UNKNOWN = -1;

function sub(
  word: string,
  spec: Partial<CommandRecord> &
    Pick<CommandRecord, "arity" | "summary" | "syntax"> & { readonly execute: (context: ShardContext) => void },
): CommandRecord {
  return defineCommand({
    flags: Flag.readonly,
    since: "5.0.0",
    group: "stream",
    complexity: "O(1)",
    categories: ["stream"],
    keys: keyAt(2, "RO access"),
    ...spec,
    name: `xinfo|${word}`,
  });
}

const streamInfo = sub("stream", {
  arity: -3,
  summary: "Get information about a stream",
  syntax: "key [FULL [COUNT count]]",
  execute: answerStreamInfo,
});

const groups = sub("groups", {
  arity: 3,
  summary: "List the consumer groups of a stream",
  syntax: "key",
  execute({ request, reply, keyspace }) {
    const found = findStream(keyspace, request.latin1(2));
    if (typeof found === "string") return reply.error(found);
    if (found === null) return reply.error(Errors.noSuchKey);
    const { stream } = found;
    reply.array(stream.groupCount);
    for (const group of stream.groups()) {
      const own = ownGroupSettings(group, keyspace.outbox.waitingOf(found.key, group.name));
      reply.map(6 + own.length);
      reply.bulkLatin1("name");
      reply.bulkLatin1(group.name);
      writeField(reply, "consumers", group.consumerCount);
      writeField(reply, "pending", group.pending.count);
      reply.bulkLatin1("last-delivered-id");
      writeId(reply, group.lastDeliveredId);
      reply.bulkLatin1("entries-read");
      writeNumberOrNull(reply, group.entriesRead === ENTRIES_READ_UNKNOWN ? null : group.entriesRead);
      reply.bulkLatin1("lag");
      writeNumberOrNull(reply, lagOf(stream, group));
      writeOwnSettings(reply, own);
    }
  },
});

const consumers = sub("consumers", {
  arity: 4,
  summary: "List the consumers in a consumer group",
  syntax: "key group",
  tips: ["nondeterministic_output"],
  execute({ request, reply, keyspace, nowMs }) {
    const key = request.latin1(2);
    const found = findStream(keyspace, key);
    if (typeof found === "string") return reply.error(found);
    if (found === null) return reply.error(Errors.noSuchKey);
    const name = request.latin1(3);
    const group = found.stream.group(name);
    if (group === null) return reply.error(noGroup(key, name));
    writeConsumers(reply, group, nowMs);
  },
});

function writeConsumers(reply: ReplyWriterApi, group: GroupView, nowMs: number): void {
  reply.array(group.consumerCount);
  for (const consumer of group.consumers()) {
    reply.map(4);
    reply.bulkLatin1("name");
    reply.bulkLatin1(consumer.name);
    writeField(reply, "pending", consumer.pendingCount);
    writeField(reply, "idle", Math.max(0, nowMs - consumer.seenTimeMs));
    writeField(reply, "inactive", consumer.activeTimeMs < 0 ? -1 : Math.max(0, nowMs - consumer.activeTimeMs));
  }
}

const lag = sub("lag", {
  arity: 3,
  since: "8.10.0",
  summary: "Count how far the consumer groups of a stream are behind",
  complexity: "O(N) where N is the number of groups",
  syntax: "key",
  tips: ["nondeterministic_output"],
  execute({ request, reply, keyspace, nowMs }) {
    const found = findStream(keyspace, request.latin1(2));
    if (typeof found === "string") return reply.error(found);
    if (found === null) return reply.error(Errors.noSuchKey);
    const { stream } = found;
    reply.array(stream.groupCount);
    for (const group of stream.groups()) {
      const { entries, undeliveredId, pendingId } = groupLag(stream, group);
      const { delivered, redelivered, acknowledged } = group.counts;
      const { maxLag } = group;
      reply.map(maxLag === null ? 10 : 11);
      reply.bulkLatin1("name");
      reply.bulkLatin1(group.name);
      writeField(reply, "consumers", group.consumerCount);
      writeField(reply, "lag", entries);
      reply.bulkLatin1("lag-ms");
      writeNumberOrNull(reply, ageMs(undeliveredId, nowMs));
      writeField(reply, "pending", group.pending.count);
      reply.bulkLatin1("pending-ms");
      writeNumberOrNull(reply, ageMs(pendingId, nowMs));
      writeField(reply, "delivered", delivered);
      writeField(reply, "redelivered", redelivered);
      writeField(reply, "acknowledged", acknowledged);
      writeField(reply, "dead-letters", group.deadLetterCount);
      if (maxLag !== null) writeField(reply, "max-lag", maxLag.entries);
    }
  },
});

/** How long ago the entry was added; null: there is none, or its id is no time. */
function ageMs(id: StreamId | null, nowMs: number): number | null {
  const atMs = id === null ? null : timeOfId(id);
  return atMs === null ? null : Math.max(0, nowMs - atMs);
}

const help = helpCommand(
  "xinfo",
  "stream",
  ["stream"],
  [
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "LAG <key>",
    "    Count how far the consumer groups of the stream are behind.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
  ],
);

export const xinfo = defineCommand({
  name: "xinfo",
  arity: -2,
  since: "5.0.0",
  group: "stream",
  summary: "A container for stream introspection commands",
  complexity: "Depends on subcommand.",
  subcommands: [consumers, groups, help, lag, streamInfo],
});
