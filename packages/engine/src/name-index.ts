/**
 * Numbers of records by name, without an object or a string for each: open addressing with linear probing, two words a cell. The names themselves are with
 * the records; the hash beside the number tells nearly all others apart without a look at them.
 *
 *   cell   hash of the name · number + 1 (0: free)
 *
 * At most two thirds of the cells are taken. What goes is closed up, so that there are no tombstones.
 */
import { assert } from "@headrace/bytes";

const CELLS_MIN = 16;

export class NameIndex {
  size: number;
  #cells: Uint32Array;
  #mask: number;
  readonly #bears: (number: number, name: string) => boolean;

  /** `bears`: whether that record has that name. */
  constructor(bears: (number: number, name: string) => boolean) {
    this.size = 0;
    this.#cells = new Uint32Array(0);
    this.#mask = -1;
    this.#bears = bears;
  }

  get byteLength(): number {
    return this.#cells.byteLength;
  }

  clear(): void {
    this.size = 0;
    this.#cells = new Uint32Array(0);
    this.#mask = -1;
  }

  /** −1: there is none. */
  find(name: string): number {
    const at = this.#cellOf(name);
    return at < 0 ? -1 : this.#cells[at * 2 + 1]! - 1;
  }

  /** Of a name that is not there. */
  add(name: string, number: number): void {
    if ((this.size + 1) * 3 > this.#cells.length) this.#resize(Math.max(CELLS_MIN, this.#cells.length));
    this.#put(hashOf(name), number + 1);
    this.size++;
  }

  remove(name: string): void {
    const at = this.#cellOf(name);
    assert(at >= 0, "a name that is not there");
    this.#closeUp(at);
    this.size--;
    const cellCount = this.#mask + 1;
    if (this.size === 0) this.clear();
    else if (cellCount > CELLS_MIN && this.size * 8 < cellCount) this.#resize(cellCount >>> 1);
  }

  #cellOf(name: string): number {
    if (this.size === 0) return -1;
    const cells = this.#cells;
    const hash = hashOf(name);
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const marked = cells[at * 2 + 1]!;
      if (marked === 0) return -1;
      if (cells[at * 2] === hash && this.#bears(marked - 1, name)) return at;
    }
  }

  #put(hash: number, marked: number): void {
    const cells = this.#cells;
    let at = hash & this.#mask;
    while (cells[at * 2 + 1] !== 0) at = (at + 1) & this.#mask;
    cells[at * 2] = hash;
    cells[at * 2 + 1] = marked;
  }

  /** Frees the cell: whoever was pushed on by it, or by one that moves, moves back. */
  #closeUp(freed: number): void {
    const cells = this.#cells;
    const mask = this.#mask;
    let free = freed;
    for (let at = (free + 1) & mask; cells[at * 2 + 1] !== 0; at = (at + 1) & mask) {
      const home = cells[at * 2]! & mask;
      // It stays when its home lies behind the free cell, up to where it stands.
      if (((at - home) & mask) < ((at - free) & mask)) continue;
      cells[free * 2] = cells[at * 2]!;
      cells[free * 2 + 1] = cells[at * 2 + 1]!;
      free = at;
    }
    cells[free * 2 + 1] = 0;
  }

  #resize(cellCount: number): void {
    const before = this.#cells;
    this.#cells = new Uint32Array(cellCount * 2);
    this.#mask = cellCount - 1;
    for (let cell = 0; cell < before.length; cell += 2) {
      if (before[cell + 1] !== 0) this.#put(before[cell]!, before[cell + 1]!);
    }
  }
}

/** FNV-1a, and its last bits mixed; names have one byte a character. */
function hashOf(name: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85eb_ca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
