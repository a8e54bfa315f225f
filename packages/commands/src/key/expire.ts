/**
 * EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT key time [NX | XX | GT | LT]: one handler, two units, counted from now or from the epoch. A time that has
 * come already deletes the key at once. Source: expire.c expireGenericCommand.
 */
import { NEVER } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { effectBytes } from "../stream/effect-room.ts";
import { Errors, invalidExpireTime, unsupportedOption } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { NOT_INTEGER, OUT_OF_RANGE, readExpireTime } from "./expire-time.ts";

const Condition = { nx: 1, xx: 2, gt: 4, lt: 8 } as const;

/** The conditions as bits, or the error text. */
function readConditions(request: Request): number | string {
  let bits = 0;
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, "NX")) bits |= Condition.nx;
    else if (request.is(i, "XX")) bits |= Condition.xx;
    else if (request.is(i, "GT")) bits |= Condition.gt;
    else if (request.is(i, "LT")) bits |= Condition.lt;
    else return unsupportedOption(request.latin1(i));
  }
  if ((bits & Condition.nx) !== 0 && bits !== Condition.nx) return Errors.expireNxWithOthers;
  const both = Condition.gt | Condition.lt;
  return (bits & both) === both ? Errors.expireGtAndLt : bits;
}

/** No expiry counts as infinitely late. */
function isAllowed(conditions: number, atMs: number, currentMs: number): boolean {
  const hasNone = currentMs === NEVER;
  if ((conditions & Condition.nx) !== 0 && !hasNone) return false;
  if ((conditions & Condition.xx) !== 0 && hasNone) return false;
  if ((conditions & Condition.gt) !== 0 && (hasNone || atMs <= currentMs)) return false;
  return (conditions & Condition.lt) === 0 || hasNone || atMs < currentMs;
}

function expireCommand(
  name: string,
  unitMs: 1 | 1000,
  isAbsolute: boolean,
  spec: Pick<CommandRecord, "since" | "summary" | "syntax">,
): CommandRecord {
  function execute({ request, reply, keyspace, effects, nowMs, effectRoomBytes }: ShardContext): void {
    const conditions = readConditions(request);
    if (typeof conditions === "string") return reply.error(conditions);
    const atMs = readExpireTime(request, 2, unitMs, isAbsolute ? 0 : nowMs);
    if (atMs === NOT_INTEGER) return reply.error(Errors.notInteger);
    if (atMs === OUT_OF_RANGE) return reply.error(invalidExpireTime(name));
    const key = request.latin1(1);
    const found = keyspace.find(key);
    if (found === null || !isAllowed(conditions, atMs, found.expiresAtMs)) return reply.integer(0);
    if (effectBytes(1, key) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
    if (atMs <= nowMs) effects.deleteKey(key);
    else effects.setExpiry(key, atMs);
    reply.integer(1);
  }
  return defineCommand({
    ...spec,
    name,
    arity: -3,
    flags: Flag.write | Flag.fast,
    group: "generic",
    complexity: "O(1)",
    categories: ["keyspace"],
    keys: keyAt(1, "RW update"),
    execute,
  });
}

export const expire = expireCommand("expire", 1000, false, {
  since: "1.0.0",
  summary: "Set a key's time to live in seconds",
  syntax: "key seconds [NX | XX | GT | LT]",
});

export const pexpire = expireCommand("pexpire", 1, false, {
  since: "2.6.0",
  summary: "Set a key's time to live in milliseconds",
  syntax: "key milliseconds [NX | XX | GT | LT]",
});

export const expireat = expireCommand("expireat", 1000, true, {
  since: "1.2.0",
  summary: "Set the expiration for a key as a UNIX timestamp",
  syntax: "key unix-time-seconds [NX | XX | GT | LT]",
});

export const pexpireat = expireCommand("pexpireat", 1, true, {
  since: "2.6.0",
  summary: "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
  syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
});
