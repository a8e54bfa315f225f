/**
 * What a leader counts for INFO, from when its process began: commands that changed something, lookups, keys with blocked calls. Nothing of it is state:
 * another leader counts for itself.
 */
import type { ShardCounters } from "@headrace/commands";
import type { StateMemory } from "@headrace/engine";
import type { BlockedReads } from "./blocked-reads.ts";

export class LeaderCounters implements ShardCounters {
  changes: number = 0;
  keyspaceHits: number = 0;
  keyspaceMisses: number = 0;
  /** XADDs that were answered -BACKPRESSURE. */
  refusedForLag: number = 0;
  /** XADDs that were held. */
  writesHeld: number = 0;
  readonly #blocked: BlockedReads;
  readonly #memory: () => StateMemory;

  constructor(blocked: BlockedReads, memory: () => StateMemory) {
    this.#blocked = blocked;
    this.#memory = memory;
  }

  get blockBytes(): number {
    return this.#memory().blockBytes;
  }

  get fixedBytes(): number {
    return this.#memory().fixedBytes;
  }

  get blockingKeys(): number {
    return this.#blocked.keyCount;
  }

  get blockingKeysOnNoKey(): number {
    return this.#blocked.groupKeyCount;
  }
}
