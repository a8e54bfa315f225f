/**
 * Where rows were deleted in LevelDB, so that their space can be asked back: LevelDB merges a range when something is written there, which may be never
 * for a generation that was swept. Keys with the same first bytes live and die together (`node/checkpoint-row.ts` begins them with the
 * generation), so a range is the deleted keys of one such beginning. Bounded, and only a hint: what is forgotten comes back with LevelDB's own merges.
 */
import { latin1 } from "@headrace/bytes";

/** The kind of row and what the caller's keys begin with. */
const PREFIX_BYTES = 5;
const RANGES_MAX = 1024;
/** A longer range is merged in pieces of so many times what makes one due: a merge can't be stopped, and one who closes the store waits for it. */
const PIECE_FACTOR = 8;

export interface DeletedRange {
  readonly prefix: string;
  first: Uint8Array;
  last: Uint8Array;
  /** Of rows and their tombstones, about. */
  bytes: number;
  /** Asked again when there is so much. */
  bytesWanted: number;
}

export class DeletedRanges {
  readonly #bytesMin: number;
  readonly #ranges: Map<string, DeletedRange> = new Map();
  /** Pieces that get no longer. */
  readonly #pieces: DeletedRange[] = [];

  constructor(bytesMin: number) {
    this.#bytesMin = bytesMin;
  }

  /** `key` is kept, not copied. */
  add(key: Uint8Array, bytes: number): void {
    const prefix = latin1(key, 0, Math.min(PREFIX_BYTES, key.length));
    const range = this.#ranges.get(prefix);
    if (range === undefined) {
      if (this.#ranges.size >= RANGES_MAX) this.#ranges.clear();
      this.#ranges.set(prefix, { prefix, first: key, last: key, bytes, bytesWanted: this.#bytesMin });
      return;
    }
    range.bytes += bytes;
    if (range.bytes >= this.#bytesMin * PIECE_FACTOR) this.#cut(range);
    if (compare(key, range.first) < 0) range.first = key;
    else if (compare(key, range.last) > 0) range.last = key;
  }

  /** A range with so much deleted that it may be worth merging. */
  due(): DeletedRange | null {
    const piece = this.#pieces[0];
    if (piece !== undefined) return piece;
    for (const range of this.#ranges.values()) if (range.bytes >= range.bytesWanted) return range;
    return null;
  }

  /** What lives there is too much beside what was deleted: when that has doubled it is asked again. */
  postpone(range: DeletedRange): void {
    if (this.#pieces[0] === range) this.#pieces.shift();
    range.bytesWanted = range.bytes * 2;
  }

  /** It is merged from now on. */
  take(range: DeletedRange): void {
    if (this.#pieces[0] === range) this.#pieces.shift();
    else this.#ranges.delete(range.prefix);
  }

  #cut(range: DeletedRange): void {
    // One that was asked about and found too small a part of what lives there goes on as it is.
    if (range.bytesWanted > this.#bytesMin || this.#pieces.length >= RANGES_MAX) return;
    this.#ranges.delete(range.prefix);
    this.#pieces.push(range);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
