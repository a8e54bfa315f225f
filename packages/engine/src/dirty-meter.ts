/** What a shard counts as it changes; one object shared by everything of it. */
import { BlockPool } from "./block-pool.ts";

export class DirtyMeter {
  /** How many bytes a capture would write now, roughly. */
  bytes: number;
  /** What can't leave memory, in bytes, about: see resident-bytes.ts. */
  fixedBytes: number;
  /** Delayed entries of all streams. */
  delayedEntries: number;
  readonly pool: BlockPool;

  constructor() {
    this.bytes = 0;
    this.fixedBytes = 0;
    this.delayedEntries = 0;
    this.pool = new BlockPool();
  }
}
