/** HDEL key field …: what is not there is not logged. Source: t_hash.c hdelCommand. */
import { MemberList } from "@headrace/engine";
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { fieldAt, findHash } from "./find-hash.ts";

export const hdel = defineCommand({
  name: "hdel",
  arity: -3,
  flags: Flag.write | Flag.fast,
  since: "2.0.0",
  group: "hash",
  summary: "Delete one or more hash fields",
  complexity: "O(N) where N is the number of fields to be removed.",
  syntax: "key field [field ...]",
  categories: ["hash"],
  keys: keyAt(1, "RW delete"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const hash = findHash(keyspace, key);
    if (typeof hash === "string") return reply.error(hash);
    const fields = new MemberList();
    for (let i = 2; i < request.count; i++) {
      if (fieldAt(request, hash, i) !== null) fields.push(request.bytes, request.start(i), request.end(i));
    }
    reply.integer(fields.count === 0 ? 0 : effects.values.hashes.remove(key, fields));
  },
});
