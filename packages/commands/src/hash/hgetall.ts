/** HGETALL, HKEYS, HVALS. A hash is kept as HGETALL answers it. Source: t_hash.c genericHgetallCommand. */
import type { HashView } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findHash } from "./find-hash.ts";

function wholeHash(
  name: string,
  summary: string,
  write: (reply: ReplyWriterApi, hash: HashView) => void,
  writeNone: (reply: ReplyWriterApi) => void,
): CommandRecord {
  return defineCommand({
    name,
    arity: 2,
    flags: Flag.readonly,
    since: "2.0.0",
    group: "hash",
    summary,
    complexity: "O(N) where N is the size of the hash.",
    syntax: "key",
    categories: ["hash"],
    tips: ["nondeterministic_output_order"],
    keys: keyAt(1, "RO access"),
    execute({ request, reply, keyspace }) {
      const hash = findHash(keyspace, request.latin1(1));
      if (typeof hash === "string") reply.error(hash);
      else if (hash === null) writeNone(reply);
      else write(reply, hash);
    },
  });
}

export const hgetall = wholeHash(
  "hgetall",
  "Get all the fields and values in a hash",
  (reply, hash) => {
    reply.map(hash.size);
    hash.forEachStretch((bytes, start, end) => reply.writer.raw(bytes, start, end));
  },
  (reply) => reply.map(0),
);

export const hkeys = wholeHash(
  "hkeys",
  "Get all the fields in a hash",
  (reply, hash) => {
    reply.array(hash.size);
    hash.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
  },
  (reply) => reply.array(0),
);

export const hvals = wholeHash(
  "hvals",
  "Get all the values in a hash",
  (reply, hash) => {
    reply.array(hash.size);
    hash.forEach((bytes, _fieldStart, _fieldEnd, start, end) => reply.bulk(bytes, start, end));
  },
  (reply) => reply.array(0),
);
