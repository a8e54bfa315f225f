/** GET, GETDEL, GETEX, STRLEN. Source: t_string.c. */
import { NEVER } from "@headrace/engine";
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { StringOptions } from "./expire-option.ts";
import { findString, writeString } from "./find-string.ts";

const options = new StringOptions();

export const get = defineCommand({
  name: "get",
  arity: 2,
  flags: Flag.readonly | Flag.fast,
  since: "1.0.0",
  group: "string",
  summary: "Get the value of a key",
  complexity: "O(1)",
  syntax: "key",
  categories: ["string"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const value = findString(keyspace, request.latin1(1));
    if (typeof value === "string") reply.error(value);
    else writeString(reply, value);
  },
});

export const getdel = defineCommand({
  name: "getdel",
  arity: 2,
  flags: Flag.write | Flag.fast,
  since: "6.2.0",
  group: "string",
  summary: "Get the value of a key and delete the key",
  complexity: "O(1)",
  syntax: "key",
  categories: ["string"],
  keys: keyAt(1, "RW access delete"),
  handsOutData: true,
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const value = findString(keyspace, key);
    if (typeof value === "string") return reply.error(value);
    writeString(reply, value);
    if (value !== null) effects.deleteKey(key);
  },
});

export const getex = defineCommand({
  name: "getex",
  arity: -2,
  flags: Flag.write | Flag.fast,
  since: "6.2.0",
  group: "string",
  summary: "Get the value of a key and optionally set its expiration",
  complexity: "O(1)",
  syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
  categories: ["string"],
  keys: { ...keyAt(1, "RW access update"), notes: "RW and UPDATE because it changes the TTL" },
  execute({ request, reply, keyspace, effects, nowMs }) {
    const error = options.readGetEx(request);
    if (error !== null) return reply.error(error);
    const key = request.latin1(1);
    const found = keyspace.find(key);
    const value = findString(keyspace, key);
    if (typeof value === "string") return reply.error(value);
    if (found === null) return reply.nullBulk();
    const atMs = options.hasTime ? options.expiresAtMs(request, "getex", nowMs) : NEVER;
    if (typeof atMs === "string") return reply.error(atMs);
    writeString(reply, value);
    if (options.hasTime && atMs <= nowMs) effects.deleteKey(key);
    else if (options.hasTime) effects.setExpiry(key, atMs);
    else if (options.persists && found.expiresAtMs !== NEVER) effects.setExpiry(key, NEVER);
  },
});

export const strlen = defineCommand({
  name: "strlen",
  arity: 2,
  flags: Flag.readonly | Flag.fast,
  since: "2.2.0",
  group: "string",
  summary: "Get the length of the value stored in a key",
  complexity: "O(1)",
  syntax: "key",
  categories: ["string"],
  keys: keyAt(1, "RO"),
  execute({ request, reply, keyspace }) {
    const value = findString(keyspace, request.latin1(1));
    if (typeof value === "string") reply.error(value);
    else reply.integer(value === null ? 0 : value.length);
  },
});
