/**
 * XGROUP SETDLQ and REDRIVE, ours: entries that a group does not get done go to a stream of their own, and back. What happens to them on the way is in
 * dead-letters/.
 */
import { isEqualDeadLetters, RETRIES_MAX } from "@headrace/engine";
import type { DeadLetters, Keyspace } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { orderOf } from "../dead-letters/taking.ts";
import { Errors } from "../errors.ts";
import { effectBytes } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { findGroup, sub } from "./group-command.ts";

const FIRST = 4;
/** Streams that a look for a cycle goes through. */
const STREAMS_MAX = 1000;

export const setdlq = sub("setdlq", "RW update", {
  arity: -5,
  since: "8.10.0",
  summary:
    "Move entries of a consumer group to a dead-letter stream that were delivered so often without being acknowledged.",
  complexity: "O(N) where N is the number of groups of dead-letter streams behind this one that are known to the shard",
  syntax: "key group <dlq-key MAX_RETRIES count | OFF>",
  execute(context) {
    const { request, reply, keyspace, effects, effectRoomBytes } = context;
    const deadLetters = readDeadLetters(request);
    if (typeof deadLetters === "string") return reply.error(deadLetters);
    const target = findGroup(context);
    if (target === null) return;
    const { key } = target.found;
    const { name } = target.group;
    if (deadLetters !== null && typeof findStream(keyspace, deadLetters.key) === "string")
      return reply.error(Errors.wrongType);
    if (deadLetters !== null && leadsTo(keyspace, deadLetters.key, key)) return reply.error(Errors.deadLetterCycle);
    if (effectBytes(1, key, name, deadLetters?.key ?? "") > effectRoomBytes)
      return reply.error(Errors.tooLargeForEntry);
    if (!isEqualDeadLetters(deadLetters, target.group.deadLetters))
      effects.outbox.setDeadLetters(key, name, deadLetters);
    reply.ok();
  },
});

export const redrive = sub("redrive", "RW update", {
  arity: -4,
  since: "8.10.0",
  summary: "Give the entries of a consumer group that are in its dead-letter stream back to it.",
  syntax: "key group [COUNT count]",
  execute(context) {
    const { request, reply, effects, effectRoomBytes } = context;
    let count = 0;
    if (request.count > FIRST) {
      if (request.count !== FIRST + 2 || !request.is(FIRST, "COUNT")) return reply.error(Errors.syntax);
      count = readLong(request, FIRST + 1);
      if (Number.isNaN(count)) return reply.error(Errors.notInteger);
      if (count < 1) return reply.error(Errors.countNotPositive);
    }
    const target = findGroup(context);
    if (target === null) return;
    const { key, slot } = target.found;
    const { name, deadLetters } = target.group;
    if (deadLetters === null) return reply.error(Errors.noDeadLetters);
    if (effectBytes(2, key, name, deadLetters.key) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
    effects.outbox.put(slot, orderOf(key, name, deadLetters.key, Math.min(count, Number.MAX_SAFE_INTEGER)));
    reply.ok();
  },
});

/** `OFF`, or `dlq-key MAX_RETRIES n` from argument 4 on; or the error text. */
function readDeadLetters(request: Request): DeadLetters | null | string {
  if (request.count === FIRST + 1) return request.is(FIRST, "OFF") ? null : Errors.syntax;
  if (request.count !== FIRST + 3 || !request.is(FIRST + 1, "MAX_RETRIES")) return Errors.syntax;
  const retriesMax = readLong(request, FIRST + 2);
  if (Number.isNaN(retriesMax)) return Errors.notInteger;
  if (retriesMax < 1 || retriesMax > RETRIES_MAX) return Errors.deadLetterRetries;
  const key = request.latin1(FIRST);
  if (key === "") return Errors.deadLetterNameless;
  return key === request.latin1(2) ? Errors.deadLetterSelf : { key, retriesMax };
}

/**
 * Whether what becomes a dead letter in `from` may come to `to`, by what the groups of this shard's streams say. What goes on in other shards is not known
 * here; an entry that has come round is found out by its own fields, before it goes (dead-letters/letter.ts).
 */
function leadsTo(keyspace: Keyspace, from: string, to: string): boolean {
  const met = new Set([from]);
  for (const name of met) {
    if (name === to) return true;
    if (met.size > STREAMS_MAX) return false;
    for (const { deadLetters } of keyspace.peek(name)?.stream?.groups() ?? [])
      if (deadLetters !== null) met.add(deadLetters.key);
  }
  return false;
}
