/**
 * Reads of cold blocks over all shards of a node: how many are under way, how much the calls that wait may have read, and whose turn it is. Calls are
 * admitted in the order in which they came, as long as what they want finds room, and always when they are alone; those that are admitted read in
 * turns, so that a large one holds up nobody behind it for long. Blocks that nobody waits for yet are read when nobody waits.
 *
 * Must not know: shards' states, what a block is, rows.
 */

/** The store has four threads; two more wait behind them. */
const READS_AT_ONCE = 6;
/** Of calls that wait, all together, where no budget says otherwise. */
export const COLD_ROOM_BYTES = 64 * 1024 * 1024;

export interface BlockReader {
  /** Begins its next read, if it has one, and says of how many blocks: `end` must then be called once, in a later event. 0: it has begun all. */
  beginNext(end: () => void): number;
}

/** A call that waits for blocks, as far as the traffic knows it. */
export interface ColdReader extends BlockReader {
  /** Entries of all blocks that it wants, those that it has included. */
  readonly wantedBytes: number;
}

export class ColdTraffic {
  /** Of calls that are admitted, all together; one alone may want more. */
  roomBytes: number = COLD_ROOM_BYTES;
  /** Since the start. Calls that waited for blocks. */
  waits = 0;
  /** Blocks that were read beside the loop, those for nobody yet included. */
  blocksRead = 0;
  /** Blocks that were read ahead of whoever might want them. */
  blocksAhead = 0;
  /** Rows that were read while the whole process waited. */
  readsNow = 0;
  #underWay = 0;
  /** In the order of their turns. */
  #admitted: ColdReader[] = [];
  #waiting: ColdReader[] = [];
  #admittedBytes = 0;
  #ahead: BlockReader[] = [];

  /** Calls that wait. */
  get count(): number {
    return this.#admitted.length + this.#waiting.length;
  }

  /** Calls wait for room. */
  get isCrowded(): boolean {
    return this.#waiting.length > 0;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** It wants blocks; the same one may want more later. */
  enter(reader: ColdReader, moreBytes: number): void {
    if (this.#admitted.includes(reader)) this.#admittedBytes += moreBytes;
    else if (!this.#waiting.includes(reader)) this.#waiting.push(reader);
    this.#begin();
  }

  /** It has run, or is given up. */
  leave(reader: ColdReader): void {
    const at = this.#admitted.indexOf(reader);
    if (at >= 0) {
      this.#admitted.splice(at, 1);
      this.#admittedBytes -= reader.wantedBytes;
    } else {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== reader);
    }
    this.#begin();
  }

  /** Reads when there is nothing else to read; it never holds anything, and is forgotten when it has begun all. */
  readAhead(reader: BlockReader): void {
    if (!this.#ahead.includes(reader)) this.#ahead.push(reader);
    this.#begin();
  }

  /** Nothing of it is begun any more. */
  forget(reader: BlockReader): void {
    this.#ahead = this.#ahead.filter((ahead) => ahead !== reader);
  }

  #begin(): void {
    this.#admit();
    let idle = 0;
    while (this.#underWay < READS_AT_ONCE && idle < this.#admitted.length) {
      const reader = this.#admitted.shift()!;
      this.#admitted.push(reader);
      if (this.#beginOne(reader)) idle = 0;
      else idle++;
    }
    while (this.#underWay < READS_AT_ONCE && this.#ahead.length > 0) {
      if (!this.#beginOne(this.#ahead[0]!)) this.#ahead.shift();
    }
  }

  #admit(): void {
    while (this.#waiting.length > 0) {
      const wantedBytes = this.#admittedBytes + this.#waiting[0]!.wantedBytes;
      if (this.#admitted.length > 0 && wantedBytes > this.roomBytes) return;
      const reader = this.#waiting.shift()!;
      this.#admitted.push(reader);
      this.#admittedBytes += reader.wantedBytes;
    }
  }

  #beginOne(reader: BlockReader): boolean {
    this.#underWay++;
    let isOpen = true;
    const begun = reader.beginNext(() => {
      if (!isOpen) return;
      isOpen = false;
      this.#underWay--;
      this.#begin();
    });
    this.blocksRead += begun;
    if (begun === 0) this.#underWay--;
    return begun > 0;
  }
}
