/**
 * XGROUP CREATE | SETID | DESTROY | CREATECONSUMER | DELCONSUMER | SETRETRY | SETIDLE | SETMAXLAG | HELP; SETDLQ and REDRIVE are in xgroup-dead-letters.ts. Checks
 * in Redis' order: options, key, group, id, action.
 * SETRETRY is ours: the group hands out again by itself what was not acknowledged (retry-read.ts). So are DELCONSUMER … HANDBACK, where what the consumer has
 * pending goes back to the group, as XNACK gives it back, and SETIDLE: leaders do that to consumers that nobody has seen for so long.
 * SETMAXLAG says how far producers may be ahead of the group (back-pressure.ts). Source: t_stream.c xgroupCommand.
 */
import { isEqualMaxLag, isEqualRetry, MIN_ID } from "@headrace/engine";
import type { StreamId } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { isByte, readLong, readLooseId, readStrictId } from "../args.ts";
import { Flag } from "../command.ts";
import { Errors, subcommandSyntax, wrongArity } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import { effectBytes } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { findGroup, sub } from "./group-command.ts";
import { redrive, setdlq } from "./xgroup-dead-letters.ts";
import { readIdleOption, readMaxLagOptions, readRetryOptions } from "./group-options.ts";
import { configureNewStream } from "./idempotence.ts";

const DOLLAR = 36;
const ENTRIES_READ_UNKNOWN = -1;

interface GroupOptions {
  readonly makeStream: boolean;
  readonly entriesRead: number;
}

/** MKSTREAM (CREATE only) and ENTRIESREAD n from argument 5 on; or the error text. */
function readGroupOptions(request: Request, isCreate: boolean): GroupOptions | string {
  let makeStream = false;
  let entriesRead = ENTRIES_READ_UNKNOWN;
  let i = 5;
  while (i < request.count) {
    if (isCreate && request.is(i, "MKSTREAM")) {
      makeStream = true;
      i++;
    } else if (request.is(i, "ENTRIESREAD") && i + 1 < request.count) {
      entriesRead = readLong(request, i + 1);
      if (Number.isNaN(entriesRead)) return Errors.notInteger;
      if (entriesRead < 0 && entriesRead !== ENTRIES_READ_UNKNOWN) return Errors.entriesReadNegative;
      i += 2;
    } else {
      return subcommandSyntax(request.latin1(1), "xgroup");
    }
  }
  return { makeStream, entriesRead };
}

/** A counter above what was ever added is capped (Redis ≥ 8, redis#14257). */
function capEntriesRead(entriesRead: number, entriesAdded: number): number {
  return Math.min(entriesRead, entriesAdded);
}

const create = sub("create", "RW insert", {
  arity: -5,
  flags: Flag.write | Flag.denyoom,
  summary: "Create a consumer group.",
  syntax: "key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]",
  execute(context) {
    const { request, reply, keyspace, effects, effectRoomBytes } = context;
    const options = readGroupOptions(request, true);
    if (typeof options === "string") return reply.error(options);
    const key = request.latin1(2);
    const found = findStream(keyspace, key);
    if (typeof found === "string") return reply.error(found);
    if (found === null && !options.makeStream) return reply.error(Errors.groupNeedsKey);
    // CREATE allows eight arguments: MKSTREAM and ENTRIESREAD once each.
    if (request.count > 8) return reply.error(subcommandSyntax(request.latin1(1), "xgroup"));
    let id: StreamId | null = found === null ? MIN_ID : found.stream.lastId;
    if (!isByte(request, 4, DOLLAR)) id = readStrictId(request, 4);
    if (id === null) return reply.error(Errors.invalidStreamId);
    const name = request.latin1(3);
    if (found !== null && found.stream.group(name) !== null) return reply.error(Errors.busyGroup);
    if (effectBytes(3, key, name) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
    if (found === null) {
      effects.createStream(key);
      configureNewStream(context, key);
    }
    const entriesAdded = found === null ? 0 : found.stream.entriesAdded;
    effects.createGroup(key, name, id, capEntriesRead(options.entriesRead, entriesAdded));
    reply.ok();
  },
});

const setid = sub("setid", "RW update", {
  arity: -5,
  summary: "Set a consumer group to an arbitrary last delivered ID value.",
  syntax: "key group id | $ [ENTRIESREAD entries-read]",
  execute(context) {
    const { request, reply, effects } = context;
    const options = readGroupOptions(request, false);
    if (typeof options === "string") return reply.error(options);
    const target = findGroup(context);
    if (target === null) return;
    if (request.count > 7) return reply.error(subcommandSyntax(request.latin1(1), "xgroup"));
    const stream = target.found.stream;
    const id = isByte(request, 4, DOLLAR) ? stream.lastId : readLooseId(request, 4);
    if (id === null) return reply.error(Errors.invalidStreamId);
    const entriesRead = capEntriesRead(options.entriesRead, stream.entriesAdded);
    effects.setGroupId(target.found.key, target.group.name, id, entriesRead);
    reply.ok();
  },
});

const destroy = sub("destroy", "RW delete", {
  arity: 4,
  summary: "Destroy a consumer group.",
  complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
  syntax: "key group",
  execute({ request, reply, keyspace, effects }) {
    const found = findStream(keyspace, request.latin1(2));
    if (typeof found === "string") return reply.error(found);
    if (found === null) return reply.error(Errors.groupNeedsKey);
    const name = request.latin1(3);
    if (found.stream.group(name) === null) return reply.integer(0);
    effects.destroyGroup(found.key, name);
    reply.integer(1);
  },
});

const createconsumer = sub("createconsumer", "RW insert", {
  arity: 5,
  flags: Flag.write | Flag.denyoom,
  since: "6.2.0",
  summary: "Create a consumer in a consumer group.",
  syntax: "key group consumer",
  execute(context) {
    const { request, reply, effects, nowMs } = context;
    const target = findGroup(context);
    if (target === null) return;
    const consumer = request.latin1(4);
    if (target.group.consumer(consumer) !== null) return reply.integer(0);
    effects.createConsumer(target.found.key, target.group.name, consumer, nowMs);
    reply.integer(1);
  },
});

const delconsumer = sub("delconsumer", "RW delete", {
  arity: -5,
  summary: "Delete a consumer from a consumer group.",
  syntax: "key group consumer [HANDBACK]",
  execute(context) {
    const { request, reply, effects } = context;
    const handsBack = request.count === 6 && request.is(5, "HANDBACK");
    if (request.count > 5 && !handsBack) return reply.error(wrongArity("xgroup|delconsumer"));
    const target = findGroup(context);
    if (target === null) return;
    const consumer = target.group.consumer(request.latin1(4));
    if (consumer === null) return reply.integer(0);
    const pendingCount = consumer.pendingCount;
    if (handsBack) effects.handBackConsumer(target.found.key, target.group.name, consumer.name);
    else effects.deleteConsumer(target.found.key, target.group.name, consumer.name);
    reply.integer(pendingCount);
  },
});

const setidle = sub("setidle", "RW update", {
  arity: 5,
  since: "8.10.0",
  summary: "Let consumers of a group that are idle for some time go, and hand back what they have pending.",
  syntax: "key group milliseconds | OFF",
  execute(context) {
    const { request, reply, effects, effectRoomBytes } = context;
    const idleMs = readIdleOption(request);
    if (typeof idleMs === "string") return reply.error(idleMs);
    const target = findGroup(context);
    if (target === null) return;
    const { key } = target.found;
    const { name } = target.group;
    if (effectBytes(1, key, name) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
    if (idleMs !== target.group.consumerIdleMs) effects.setConsumerIdle(key, name, idleMs);
    reply.ok();
  },
});

const setmaxlag = sub("setmaxlag", "RW update", {
  arity: -5,
  since: "8.10.0",
  summary: "Limit how many entries producers may be ahead of a consumer group.",
  syntax: "key group entries [POLICY <REJECT | DELAY [MAX milliseconds]>] | OFF",
  execute(context) {
    const { request, reply, effects, effectRoomBytes } = context;
    const maxLag = readMaxLagOptions(request);
    if (typeof maxLag === "string") return reply.error(maxLag);
    const target = findGroup(context);
    if (target === null) return;
    const { key } = target.found;
    const { name } = target.group;
    if (effectBytes(1, key, name) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
    if (!isEqualMaxLag(maxLag, target.group.maxLag)) effects.limits.setMaxLag(key, name, maxLag);
    reply.ok();
  },
});

const setretry = sub("setretry", "RW update", {
  arity: -5,
  since: "8.10.0",
  summary: "Make a consumer group deliver pending entries again that have been idle for some time.",
  syntax: "key group MIN-IDLE milliseconds [BACKOFF factor MAX milliseconds] | OFF",
  execute(context) {
    const { request, reply, effects, effectRoomBytes } = context;
    const retry = readRetryOptions(request);
    if (typeof retry === "string") return reply.error(retry);
    const target = findGroup(context);
    if (target === null) return;
    const { key } = target.found;
    const { name } = target.group;
    if (effectBytes(1, key, name) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
    if (!isEqualRetry(retry, target.group.retry)) effects.setGroupRetry(key, name, retry);
    reply.ok();
  },
});

const help = helpCommand(
  "xgroup",
  "stream",
  ["stream"],
  [
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer> [HANDBACK]",
    "    Remove the specified consumer. HANDBACK: its pending entries go back to the group.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "REDRIVE <key> <groupname> [COUNT <count>]",
    "    Give the group's entries in its dead-letter stream back to it.",
    "SETDLQ <key> <groupname> <dlq-key MAX_RETRIES count|OFF>",
    "    Move entries to another stream that were delivered so often without being acknowledged.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "SETIDLE <key> <groupname> <milliseconds|OFF>",
    "    Remove consumers that are idle for so long, as with DELCONSUMER and HANDBACK.",
    "SETMAXLAG <key> <groupname> <entries [POLICY <REJECT|DELAY [MAX milliseconds]>]|OFF>",
    "    Refuse or hold an XADD when so many entries are not delivered to the group.",
    "SETRETRY <key> <groupname> <MIN-IDLE milliseconds [BACKOFF factor MAX milliseconds]|OFF>",
    "    Deliver pending entries again that have been idle for so long.",
  ],
);

export const xgroup = defineCommand({
  name: "xgroup",
  arity: -2,
  since: "5.0.0",
  group: "stream",
  summary: "A container for consumer groups commands",
  complexity: "Depends on subcommand.",
  subcommands: [
    create,
    createconsumer,
    delconsumer,
    destroy,
    help,
    redrive,
    setdlq,
    setid,
    setidle,
    setmaxlag,
    setretry,
  ],
});
