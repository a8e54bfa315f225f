/**
 * MGET key …, MSET and MSETNX key value …. MGET is put together by the gateway out of the answers of several shards; the other two are one log entry, so
 * their keys have to be of one shard. Source: t_string.c.
 */
import { NEVER } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { effectBytes } from "../stream/effect-room.ts";
import { Errors, wrongArity } from "../errors.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { findString, writeString } from "./find-string.ts";

export const mget = defineCommand({
  name: "mget",
  arity: -2,
  flags: Flag.readonly | Flag.fast,
  since: "1.0.0",
  group: "string",
  summary: "Get the values of all the given keys",
  complexity: "O(N) where N is the number of keys to retrieve.",
  syntax: "key [key ...]",
  categories: ["string"],
  tips: ["request_policy:multi_shard"],
  keys: keysFrom(1, "RO access"),
  fanOut: { by: "keys", merge: "inOrder" },
  execute({ request, reply, keyspace }) {
    reply.array(request.count - 1);
    for (let i = 1; i < request.count; i++) {
      const value = findString(keyspace, request.latin1(i));
      writeString(reply, typeof value === "string" ? null : value);
    }
  },
});

function setAll({ request, effects }: ShardContext): void {
  for (let i = 1; i < request.count; i += 2) {
    const key = request.latin1(i);
    effects.values.strings.set(key, request.bytes, request.start(i + 1), request.end(i + 1), NEVER, false);
  }
}

/** The error text or null. */
function refusalOf({ request, effectRoomBytes }: ShardContext, name: string): string | null {
  if (request.count % 2 === 0) return wrongArity(name);
  const keyCount = (request.count - 1) / 2;
  const bytes = effectBytes(keyCount) + request.rawEnd - request.rawStart;
  return bytes > effectRoomBytes ? Errors.tooLargeForEntry : null;
}

function setCommand(
  name: string,
  spec: Pick<CommandRecord, "summary" | "tips">,
  access: string,
  execute: (context: ShardContext) => void,
): CommandRecord {
  return defineCommand({
    ...spec,
    name,
    arity: -3,
    flags: Flag.write | Flag.denyoom,
    since: "1.0.1",
    group: "string",
    complexity: "O(N) where N is the number of keys to set.",
    syntax: "key value [key value ...]",
    categories: ["string"],
    keys: { ...keysFrom(1, access), step: 2 },
    execute,
  });
}

export const mset = setCommand(
  "mset",
  {
    summary: "Set multiple keys to multiple values",
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  },
  "OW update",
  (context) => {
    const { request, reply, keyspace } = context;
    const refused = refusalOf(context, "mset");
    if (refused !== null) return reply.error(refused);
    for (let i = 1; i < request.count; i += 2) keyspace.find(request.latin1(i));
    setAll(context);
    reply.ok();
  },
);

export const msetnx = setCommand(
  "msetnx",
  {
    summary: "Set multiple keys to multiple values, only if none of the keys exist",
    tips: ["request_policy:multi_shard", "response_policy:agg_min"],
  },
  "OW insert",
  (context) => {
    const { request, reply, keyspace } = context;
    const refused = refusalOf(context, "msetnx");
    if (refused !== null) return reply.error(refused);
    for (let i = 1; i < request.count; i += 2) if (keyspace.find(request.latin1(i)) !== null) return reply.integer(0);
    setAll(context);
    reply.integer(1);
  },
);
