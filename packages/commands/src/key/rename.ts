/**
 * RENAME and RENAMENX key newkey: the key keeps everything but its name. Both names are in one slot, as in Redis Cluster: then no data moves.
 * Source: db.c renameGenericCommand.
 */
import { slotOfKey } from "@headrace/bytes";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyPair } from "../record.ts";

function rename(context: ShardContext, onlyIfFree: boolean): void {
  const { request, reply, keyspace, effects } = context;
  const from = request.latin1(1);
  const to = request.latin1(2);
  if (slotOfKey(from) !== slotOfKey(to)) return reply.error(Errors.crossSlot);
  if (keyspace.find(from) === null) return reply.error(Errors.noSuchKey);
  const isFree = from !== to && keyspace.find(to) === null;
  if (isFree || (!onlyIfFree && from !== to)) effects.renameKey(from, to);
  if (onlyIfFree) reply.integer(isFree ? 1 : 0);
  else reply.ok();
}

const shared = {
  arity: 3,
  group: "generic",
  since: "1.0.0",
  syntax: "key newkey",
  categories: ["keyspace"],
} as const;

export const renameKey = defineCommand({
  ...shared,
  name: "rename",
  flags: Flag.write,
  summary: "Rename a key",
  complexity: "O(1)",
  keys: keyPair("RW access delete", "OW update"),
  execute: (context) => rename(context, false),
});

export const renamenx = defineCommand({
  ...shared,
  name: "renamenx",
  flags: Flag.write | Flag.fast,
  summary: "Rename a key, only if the new key does not exist",
  complexity: "O(1)",
  keys: keyPair("RW access delete", "OW insert"),
  execute: (context) => rename(context, true),
});
