/** HSET, HMSET key field value …, HSETNX key field value: what they are given is what is stored. Source: t_hash.c. */
import { Flag } from "../command.ts";
import { wrongArity } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { fieldAt, findHash, putArguments } from "./find-hash.ts";

export const hset = defineCommand({
  name: "hset",
  arity: -4,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "2.0.0",
  group: "hash",
  summary: "Set the string value of a hash field",
  complexity:
    "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
  syntax: "key field value [field value ...]",
  categories: ["hash"],
  keys: keyAt(1, "RW update"),
  execute(context) {
    const { request, reply, keyspace } = context;
    if (request.count % 2 === 1) return reply.error(wrongArity("hset"));
    const hash = findHash(keyspace, request.latin1(1));
    if (typeof hash === "string") return reply.error(hash);
    reply.integer(putArguments(context, hash));
  },
});

export const hmset = defineCommand({
  name: "hmset",
  arity: -4,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "2.0.0",
  group: "hash",
  summary: "Set multiple hash fields to multiple values",
  complexity: "O(N) where N is the number of fields being set.",
  syntax: "key field value [field value ...]",
  categories: ["hash"],
  keys: keyAt(1, "RW update"),
  execute(context) {
    const { request, reply, keyspace } = context;
    if (request.count % 2 === 1) return reply.error(wrongArity("hmset"));
    const hash = findHash(keyspace, request.latin1(1));
    if (typeof hash === "string") return reply.error(hash);
    putArguments(context, hash);
    reply.ok();
  },
});

export const hsetnx = defineCommand({
  name: "hsetnx",
  arity: 4,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "2.0.0",
  group: "hash",
  summary: "Set the value of a hash field, only if the field does not exist",
  complexity: "O(1)",
  syntax: "key field value",
  categories: ["hash"],
  keys: keyAt(1, "RW insert"),
  execute(context) {
    const { request, reply, keyspace } = context;
    const hash = findHash(keyspace, request.latin1(1));
    if (typeof hash === "string") return reply.error(hash);
    reply.integer(fieldAt(request, hash, 2) === null ? putArguments(context, hash) : 0);
  },
});
