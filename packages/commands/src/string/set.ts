/**
 * SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL], and SETEX, PSETEX, SETNX, GETSET, which are SETs with some of that. Source:
 * t_string.c setGenericCommand.
 */
import { NEVER } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { readPositiveTime, StringOptions } from "./expire-option.ts";
import { findString, writeString } from "./find-string.ts";

const options = new StringOptions();

export const set = defineCommand({
  name: "set",
  arity: -3,
  flags: Flag.write | Flag.denyoom,
  since: "1.0.0",
  group: "string",
  summary: "Set the string value of a key",
  complexity: "O(1)",
  syntax:
    "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
  categories: ["string"],
  keys: { ...keyAt(1, "RW access update variable_flags"), notes: "RW and ACCESS due to the optional `GET` argument" },
  execute(context) {
    const { request, reply, keyspace, effects, nowMs } = context;
    const error = options.readSet(request);
    if (error !== null) return reply.error(error);
    const atMs = options.hasTime ? options.expiresAtMs(request, "set", nowMs) : NEVER;
    if (typeof atMs === "string") return reply.error(atMs);
    const key = request.latin1(1);
    const found = keyspace.find(key);
    if (options.wantsOld) {
      const old = findString(keyspace, key);
      if (typeof old === "string") return reply.error(old);
      writeString(reply, old);
    }
    if (options.onlyNew ? found !== null : options.onlyExisting && found === null) {
      if (!options.wantsOld) reply.nullBulk();
      return;
    }
    const keptMs = options.keepsExpiry && found !== null ? found.expiresAtMs : atMs;
    effects.values.strings.set(key, request.bytes, request.start(2), request.end(2), keptMs, options.hasTime);
    if (!options.wantsOld) reply.ok();
  },
});

function expiringSet(name: string, unitMs: 1 | 1000, since: string, summary: string, time: string): CommandRecord {
  return defineCommand({
    name,
    arity: 4,
    flags: Flag.write | Flag.denyoom,
    since,
    group: "string",
    summary,
    complexity: "O(1)",
    syntax: `key ${time} value`,
    categories: ["string"],
    keys: keyAt(1, "OW update"),
    execute({ request, reply, effects, nowMs, keyspace }: ShardContext) {
      const atMs = readPositiveTime(request, 2, unitMs, nowMs, name);
      if (typeof atMs === "string") return reply.error(atMs);
      const key = request.latin1(1);
      // What has expired goes first.
      keyspace.find(key);
      effects.values.strings.set(key, request.bytes, request.start(3), request.end(3), atMs, true);
      reply.ok();
    },
  });
}

export const setex = expiringSet("setex", 1000, "2.0.0", "Set the value and expiration of a key", "seconds");
export const psetex = expiringSet(
  "psetex",
  1,
  "2.6.0",
  "Set the value and expiration in milliseconds of a key",
  "milliseconds",
);

export const setnx = defineCommand({
  name: "setnx",
  arity: 3,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "1.0.0",
  group: "string",
  summary: "Set the value of a key, only if the key does not exist",
  complexity: "O(1)",
  syntax: "key value",
  categories: ["string"],
  keys: keyAt(1, "OW insert"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    if (keyspace.find(key) !== null) return reply.integer(0);
    effects.values.strings.set(key, request.bytes, request.start(2), request.end(2), NEVER, false);
    reply.integer(1);
  },
});

export const getset = defineCommand({
  name: "getset",
  arity: 3,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "1.0.0",
  group: "string",
  summary: "Set the string value of a key and return its old value",
  complexity: "O(1)",
  syntax: "key value",
  categories: ["string"],
  keys: keyAt(1, "RW access update"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const old = findString(keyspace, key);
    if (typeof old === "string") return reply.error(old);
    writeString(reply, old);
    effects.values.strings.set(key, request.bytes, request.start(2), request.end(2), NEVER, false);
  },
});
