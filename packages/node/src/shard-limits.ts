/** The bounds that a replica runs with unless it is told otherwise. Tests and the simulator make them small. */
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
  checkpointIntervalMs: 1000,
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
};
