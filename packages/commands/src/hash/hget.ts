/** HGET, HMGET, HEXISTS, HSTRLEN, HLEN: what is known of a hash and of single fields. Source: t_hash.c. */
import type { FieldValue, HashView } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { fieldAt, findHash } from "./find-hash.ts";

function look(
  name: string,
  spec: Pick<CommandRecord, "arity" | "summary" | "syntax"> & Partial<CommandRecord>,
  access: string,
  answer: (context: ShardContext, hash: HashView | null) => void,
): CommandRecord {
  return defineCommand({
    since: "2.0.0",
    complexity: "O(1)",
    ...spec,
    name,
    flags: Flag.readonly | Flag.fast,
    group: "hash",
    categories: ["hash"],
    keys: keyAt(1, access),
    execute(context) {
      const hash = findHash(context.keyspace, context.request.latin1(1));
      if (typeof hash === "string") context.reply.error(hash);
      else answer(context, hash);
    },
  });
}

function writeValue(reply: ReplyWriterApi, value: FieldValue | null): void {
  if (value === null) reply.nullBulk();
  else reply.bulk(value.bytes, value.start, value.end);
}

export const hget = look(
  "hget",
  { arity: 3, summary: "Get the value of a hash field", syntax: "key field" },
  "RO access",
  ({ request, reply }, hash) => writeValue(reply, fieldAt(request, hash, 2)),
);

export const hmget = look(
  "hmget",
  {
    arity: -3,
    summary: "Get the values of all the given hash fields",
    complexity: "O(N) where N is the number of fields being requested.",
    syntax: "key field [field ...]",
  },
  "RO access",
  ({ request, reply }, hash) => {
    reply.array(request.count - 2);
    for (let i = 2; i < request.count; i++) writeValue(reply, fieldAt(request, hash, i));
  },
);

export const hexists = look(
  "hexists",
  { arity: 3, summary: "Determine if a hash field exists", syntax: "key field" },
  "RO",
  ({ request, reply }, hash) => reply.integer(fieldAt(request, hash, 2) === null ? 0 : 1),
);

export const hstrlen = look(
  "hstrlen",
  { arity: 3, since: "3.2.0", summary: "Get the length of the value of a hash field", syntax: "key field" },
  "RO",
  ({ request, reply }, hash) => {
    const value = fieldAt(request, hash, 2);
    reply.integer(value === null ? 0 : value.end - value.start);
  },
);

export const hlen = look(
  "hlen",
  { arity: 2, summary: "Get the number of fields in a hash", syntax: "key" },
  "RO",
  ({ reply }, hash) => reply.integer(hash === null ? 0 : hash.size),
);
