/** Blocks that a state has given up: how it asks for them, and what a command is told that meets them. */
import type { BlockBytes } from "./block-bytes.ts";

/** Names one block of one key, as its rows do. */
export interface BlockName {
  readonly slot: number;
  /** Of the key. */
  readonly age: number;
  readonly number: number;
}

/** A block that somebody wants, and how many bytes its entries take. */
export interface WantedBlock extends BlockName {
  readonly byteLength: number;
}

/**
 * A command met blocks that are not in memory before it had changed anything: whoever runs it lets the others go on, takes the blocks in and
 * runs it again from the start.
 */
export class ColdMiss extends Error {
  override name: string = "ColdMiss";
  /** What it can't do without, of one stream; ascending, if it has a step. */
  readonly wanted: readonly WantedBlock[];
  /** Where a reader with a limit goes on; 0: nobody does. */
  readonly step: -1 | 0 | 1;
  /** Of the next `count` blocks that way, as far as all of them have so many bytes, those that are not in memory. Only as long as the state is what it was. */
  readonly ahead: (count: number, bytesMax: number) => readonly WantedBlock[];

  constructor(wanted: readonly WantedBlock[], step: -1 | 0 | 1 = 0, ahead: ColdMiss["ahead"] = () => []) {
    super("cold blocks");
    this.wanted = wanted;
    this.step = step;
    this.ahead = ahead;
  }
}

/** A reader with a limit found all that it needed in memory. */
export interface Passage {
  /** The block where it stopped. */
  readonly last: WantedBlock;
  /** Where it goes on. */
  readonly step: -1 | 1;
  readonly ahead: ColdMiss["ahead"];
}

/** How a state gets at the blocks that it has given up. */
export interface ColdReads {
  /** Memory of blocks, where several states share it; else each has its own. */
  readonly blockMemory?: BlockBytes;
  /** Whether what runs now can be run again from the start: then a read of cold blocks throws ColdMiss. */
  readonly mayMiss: boolean;
  /** The row as it is in the store now, while everything else waits: for those who cannot miss. Null: there is none. Throws DamagedRowError. */
  rowNow(slot: number, subkey: Uint8Array): Uint8Array | null;
  /** Nobody waits for it, but it stands in so many rows that it should be read when there is time: then the next capture makes one of them. */
  wantsSoon(block: WantedBlock): void;
  /** Of streams that are not all in memory. */
  passed(passage: Passage): void;
}
