import type { Done } from "./result.ts";

/** How much room the node's files have left. */
export interface SpaceProbe {
  /** Bytes that this process may still write; of several file systems the least. */
  freeBytes(done: Done<number>): void;
}
