/** CLUSTER COUNTKEYSINSLOT, GETKEYSINSLOT and NUMBERS: answered where the keys are; every shard answers for what it has. */
import { SLOT_COUNT } from "@headrace/bytes";
import { scanCursor } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

export const countKeysInSlot = defineCommand({
  name: "cluster|countkeysinslot",
  arity: 3,
  flags: Flag.stale | Flag.wholeKeyspace,
  since: "3.0.0",
  group: "cluster",
  summary: "Return the number of local keys in the specified hash slot",
  complexity: "O(N) where N is the number of keys",
  syntax: "slot",
  fanOut: { by: "allShards", merge: "sum" },
  execute({ request, reply, keyspace }: ShardContext) {
    const slot = request.integer(2);
    if (Number.isNaN(slot)) return reply.error(Errors.notInteger);
    if (slot < 0 || slot >= SLOT_COUNT) return reply.error(Errors.invalidSlot);
    let count = 0;
    keyspace.forEachKey((key) => {
      if (key.slot === slot) count++;
    });
    reply.integer(count);
  },
});

export const getKeysInSlot = defineCommand({
  name: "cluster|getkeysinslot",
  arity: 4,
  flags: Flag.stale | Flag.wholeKeyspace,
  since: "3.0.0",
  group: "cluster",
  summary: "Return local key names in the specified hash slot",
  complexity: "O(N) where N is the number of requested keys",
  syntax: "slot count",
  tips: ["nondeterministic_output"],
  fanOut: { by: "allShards", merge: "concat" },
  execute({ request, reply, keyspace }: ShardContext) {
    const slot = request.integer(2);
    const count = request.integer(3);
    if (Number.isNaN(slot) || Number.isNaN(count)) return reply.error(Errors.notInteger);
    if (slot < 0 || slot >= SLOT_COUNT || count < 0) return reply.error(Errors.invalidSlotOrCount);
    const keys: string[] = [];
    if (count > 0) {
      keyspace.scan(scanCursor(slot, 0), count, (key) => {
        if (key.slot === slot) keys.push(key.key);
      });
    }
    reply.array(keys.length);
    for (const key of keys) reply.bulkLatin1(key);
  },
});

/** Headrace's own: what a shard's leader counts, one array for each shard; INFO adds them up. The order is that of the code below. */
export const numbers = defineCommand({
  name: "cluster|numbers",
  arity: 2,
  flags: Flag.stale | Flag.wholeKeyspace,
  since: "8.10.0",
  group: "cluster",
  summary: "Return the numbers of keys, changes and lookups that each shard's leader counts (Headrace).",
  complexity: "O(N) where N is the number of shards",
  tips: ["nondeterministic_output"],
  fanOut: { by: "allShards", merge: "concat" },
  execute({ reply, keyspace, counters, effects }: ShardContext) {
    reply.array(1);
    reply.array(SHARD_NUMBER_COUNT);
    reply.integer(keyspace.size);
    reply.integer(keyspace.expiringCount);
    reply.integer(keyspace.expiredKeys);
    reply.integer(counters.changes);
    reply.integer(counters.blockingKeys);
    reply.integer(counters.blockingKeysOnNoKey);
    reply.integer(counters.keyspaceHits);
    reply.integer(counters.keyspaceMisses);
    reply.integer(effects.index);
    reply.integer(counters.blockBytes);
    reply.integer(counters.fixedBytes);
  },
});

/** Numbers that a shard tells, in the order of `ShardNumbers`. */
export const SHARD_NUMBER_COUNT = 11;
