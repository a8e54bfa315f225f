/** The bounds that a replica runs with unless it is told otherwise. Tests and the simulator make them small, and a node's memory budget does. */
import { COLD_ROOM_BYTES } from "./cold-traffic.ts";
import type { ShardLimits } from "./shard-api.ts";

const KIB = 1024;
const MIB = 1024 * 1024;

export const defaultShardLimits: ShardLimits = {
  batchBytes: 256 * KIB,
  turnRequests: 8192,
  turnBytes: 2 * MIB,
  heldBytes: 32 * MIB,
  uncommittedBytes: 32 * MIB,
  uncommittedEntries: 4096,
  queueBytes: 16 * MIB,
  blockedCalls: 65_536,
  checkpointBytes: 4 * MIB,
  checkpointKeys: 2048,
  dirtyKeys: 4096,
  // What is written to one stream within it is written once: over 10,000 streams XADD is 1.7 times as fast with four seconds as with one. What there is
  // to replay after a crash is bounded by bytes and keys.
  checkpointIntervalMs: 4000,
  checkpointQueue: 2,
  logCacheBytes: 16 * MIB,
  logAheadBytes: 256 * MIB,
  logRetainBytes: 64 * MIB,
  snapshotLogBytes: 1024 * MIB,
  snapshotChunkRows: 1024,
  snapshotChunkBytes: 256 * KIB,
  logFetchBytes: 4 * MIB,
  loadRows: 512,
  loadBytes: 4 * MIB,
  coldCallBytes: 1024 * MIB,
  coldAheadBytes: 8 * MIB,
};

/**
 * The bounds of one of `shards` replicas that share a node's memory budget (0: none). Each has an equal share of it, of which so much may be taken at
 * once by what is on its way; the rest is for what is there to stay. No bound gets so small that a shard would stand still: a node with a small budget
 * and many shards may exceed it for a while. What waits for execution (`queueBytes`) is bounded by the links' credit, whatever the number of shards.
 */
export function limitsWithin(given: ShardLimits, budgetBytes: number, shards: number): ShardLimits {
  if (budgetBytes === 0) return given;
  const shareBytes = budgetBytes / Math.max(1, shards);
  const part = (share: number, most: number, least: number): number =>
    Math.min(most, Math.max(Math.floor(shareBytes * share), least));
  return {
    ...given,
    logCacheBytes: part(1 / 8, given.logCacheBytes, 256 * KIB),
    logAheadBytes: part(1 / 4, given.logAheadBytes, MIB),
    heldBytes: part(1 / 8, given.heldBytes, MIB),
    uncommittedBytes: part(1 / 8, given.uncommittedBytes, MIB),
    checkpointBytes: part(1 / 32, given.checkpointBytes, 256 * KIB),
    logFetchBytes: part(1 / 16, given.logFetchBytes, 256 * KIB),
    loadBytes: part(1 / 16, given.loadBytes, 256 * KIB),
    coldAheadBytes: part(1 / 16, given.coldAheadBytes, 128 * KIB),
    // Of the whole node: it is rare that two large commands come together, and then one of them waits (cold-traffic.ts).
    coldCallBytes: Math.min(given.coldCallBytes, Math.max(budgetBytes / 4, 16 * MIB)),
  };
}

/** What the calls of a node that wait for cold blocks may have read, all together; one alone may have more. */
export function coldRoomWithin(budgetBytes: number): number {
  return budgetBytes === 0 ? COLD_ROOM_BYTES : Math.min(COLD_ROOM_BYTES, Math.max(budgetBytes / 16, MIB));
}
