/**
 * Records in leaves by the hash of their keys. It grows and shrinks by linear hashing (Litwin 1980), a leaf at a time, so that a record that comes or goes
 * changes one leaf, and seldom two more: leaves are what the store has as parts.
 *
 * Of n leaves with 2^k ≤ n < 2^(k+1), the first n − 2^k and those that were split off them have k + 1 bits of the hash, the others k. A SCAN goes by the hash
 * with its bits reversed: there every leaf is one interval, whatever the table grows to in between, so that who is in the table all the time is met.
 *
 * How records lie follows from what was done to the table and nothing else: it is the same on every replica.
 */
import { assert } from "@headrace/bytes";
import { halfSipHash } from "./half-sip-hash.ts";
import type { Mixer } from "./mixer.ts";
import type { RecordLeaf } from "./record-leaf.ts";

/**
 * Leaves are split when they hold more than this on average, and joined when they hold much less of both. For ever, as all that decides where records lie:
 * replicas of two versions have to agree.
 */
const LEAF_RECORDS_MAX = 32;
const LEAF_BYTES_MAX = 2048;
const LEAF_RECORDS_MIN = 10;
const LEAF_BYTES_MIN = 640;
const GROUP_SHIFT = 7;
const TABLE_OVERHEAD_BYTES = 240;
const KEY1 = 0x5bd1e995;
const HASHES = 0x1_0000_0000;

export interface LeafListener {
  /** The leaf has changed, or is there no more. */
  leafChanged(number: number): void;
}

/** Of a record in a leaf. */
interface Placed {
  readonly reversed: number;
  readonly at: number;
}

export abstract class LeafTable<Leaf extends RecordLeaf> {
  count: number;
  /** Of all records. */
  recordBytes: number;
  readonly seed: number;
  protected leaves: Leaf[];
  #leafBytes: number;
  /** Records in each 128 leaves. */
  #groups: number[];
  readonly #listener: LeafListener | null;

  /** `seed`: 32 bits that whoever chooses keys does not know. */
  constructor(seed: number, listener: LeafListener | null) {
    this.count = 0;
    this.recordBytes = 0;
    this.seed = seed;
    this.leaves = [this.newLeaf()];
    this.#leafBytes = this.leaves[0]!.residentBytes;
    this.#groups = [0];
    this.#listener = listener;
  }

  protected abstract newLeaf(): Leaf;
  /** Throws when the record, whose key has this hash, is not as it should be. */
  protected abstract verifyRecord(leaf: Leaf, at: number, hash: number): void;

  get leafCount(): number {
    return this.leaves.length;
  }

  get residentBytes(): number {
    return TABLE_OVERHEAD_BYTES + this.#leafBytes;
  }

  leafBytes(number: number): number {
    return this.leaves[number]!.used;
  }

  protected hashOf(bytes: Uint8Array, start: number, end: number): number {
    return halfSipHash(bytes, start, end, this.seed, KEY1);
  }

  protected leafOf(hash: number): number {
    const leaves = this.leaves.length;
    if (leaves === 1) return 0;
    const level = 1 << (31 - Math.clz32(leaves));
    const number = hash & (level * 2 - 1);
    return number < leaves ? number : hash & (level - 1);
  }

  /** A leaf holds a record more or less, or another one, than when it took `memoryBefore` in memory and had records of `usedBefore` bytes. */
  protected changed(number: number, countChange: number, memoryBefore: number, usedBefore: number): void {
    const leaf = this.leaves[number]!;
    this.#leafBytes += leaf.residentBytes - memoryBefore;
    this.recordBytes += leaf.used - usedBefore;
    this.count += countChange;
    this.#groups[number >>> GROUP_SHIFT]! += countChange;
    this.#listener?.leafChanged(number);
    while (this.#isCrowded()) this.#split();
    while (this.#isSparse()) this.#join();
  }

  #isCrowded(): boolean {
    const leaves = this.leaves.length;
    if (leaves >= this.count) return false;
    return this.count > leaves * LEAF_RECORDS_MAX || this.recordBytes > leaves * LEAF_BYTES_MAX;
  }

  #isSparse(): boolean {
    const leaves = this.leaves.length;
    return leaves > 1 && this.count < leaves * LEAF_RECORDS_MIN && this.recordBytes < leaves * LEAF_BYTES_MIN;
  }

  /** The next leaf in turn gives those with one bit more to a new one at the end. */
  #split(): void {
    const created = this.leaves.length;
    const level = 1 << (31 - Math.clz32(created));
    const number = created - level;
    const old = this.leaves[number]!;
    const stays = this.newLeaf();
    const goes = this.newLeaf();
    for (let at = 0; at < old.used;) {
      const behind = old.behind(at);
      const hash = this.hashOf(old.bytes, old.keyStart(at), old.keyEnd(at));
      ((hash & level) === 0 ? stays : goes).append(old.bytes, at, behind);
      at = behind;
    }
    this.leaves[number] = stays;
    this.leaves.push(goes);
    this.#leafBytes += stays.residentBytes + goes.residentBytes - old.residentBytes;
    this.#groups[number >>> GROUP_SHIFT]! -= goes.count;
    this.#groups[created >>> GROUP_SHIFT] = (this.#groups[created >>> GROUP_SHIFT] ?? 0) + goes.count;
    this.#listener?.leafChanged(number);
    this.#listener?.leafChanged(created);
  }

  /** The last leaf goes back into the one that it was split off. */
  #join(): void {
    const last = this.leaves.length - 1;
    const level = 1 << (31 - Math.clz32(last));
    const number = last - level;
    const gone = this.leaves.pop()!;
    const into = this.leaves[number]!;
    const before = into.residentBytes + gone.residentBytes;
    for (let at = 0; at < gone.used;) {
      const behind = gone.behind(at);
      into.append(gone.bytes, at, behind);
      at = behind;
    }
    this.#leafBytes += into.residentBytes - before;
    this.#groups[last >>> GROUP_SHIFT]! -= gone.count;
    this.#groups[number >>> GROUP_SHIFT]! += gone.count;
    if ((last & ((1 << GROUP_SHIFT) - 1)) === 0) this.#groups.pop();
    this.#listener?.leafChanged(number);
    this.#listener?.leafChanged(last);
  }

  /** The `index`-th of all records, in no order that means anything; `visit` is told where it begins. */
  protected recordAt(index: number, visit: (bytes: Uint8Array, at: number) => void): void {
    assert(index >= 0 && index < this.count, "no record has that place");
    let left = index;
    let group = 0;
    while (left >= this.#groups[group]!) left -= this.#groups[group++]!;
    let number = group << GROUP_SHIFT;
    while (left >= this.leaves[number]!.count) left -= this.leaves[number++]!.count;
    const leaf = this.leaves[number]!;
    let at = 0;
    for (; left > 0; left--) at = leaf.behind(at);
    visit(leaf.bytes, at);
  }

  /**
   * Visits records from `cursor` on, at least `count` of them if there are so many. Answers the next cursor, 0 at the end. Who is in the table from the first
   * call to the last is visited, once unless records come and go; who comes or goes meanwhile, perhaps.
   */
  protected scanRecords(cursor: number, count: number, visit: (bytes: Uint8Array, at: number) => void): number {
    let from = cursor;
    let left = count;
    while (from < HASHES) {
      const { bytes, placed, to } = this.#interval(from);
      for (const [i, { reversed, at }] of placed.entries()) {
        // Keys with one hash go together.
        if (left <= 0 && reversed !== placed[i - 1]?.reversed) return reversed;
        visit(bytes, at);
        left--;
      }
      from = to;
    }
    return 0;
  }

  /** The rest of the leaf that holds this reversed hash, from it on, in order; `to`: where the next leaf begins. */
  #interval(from: number): { readonly bytes: Uint8Array; readonly placed: readonly Placed[]; readonly to: number } {
    const number = this.leafOf(reversedBits(from));
    const leaves = this.leaves.length;
    const level = 31 - Math.clz32(leaves);
    const isSplit = number >= 2 ** level || number < leaves - 2 ** level;
    const width = HASHES / 2 ** (isSplit ? level + 1 : level);
    const leaf = this.leaves[number]!;
    const { bytes, used } = leaf;
    const placed: Placed[] = [];
    for (let at = 0; at < used; at = leaf.behind(at)) {
      const reversed = reversedBits(this.hashOf(bytes, leaf.keyStart(at), leaf.keyEnd(at)));
      if (reversed >= from) placed.push({ reversed, at });
    }
    placed.sort((a, b) => a.reversed - b.reversed);
    return { bytes, placed, to: (Math.floor(from / width) + 1) * width };
  }

  /** Its records as they are: for rows. */
  leaf(number: number): { readonly bytes: Uint8Array; readonly used: number } {
    return this.leaves[number]!;
  }

  /** The leaves become those of rows: bodies in their order. Throws DamagedRowError. */
  protected takeBodies(bodies: readonly LeafBody[]): void {
    this.leaves = bodies.map(({ bytes, start, end }) => {
      const leaf = this.newLeaf();
      leaf.take(bytes, start, end);
      return leaf;
    });
    this.#groups = Array.from({ length: ((this.leaves.length - 1) >>> GROUP_SHIFT) + 1 }, () => 0);
    this.count = 0;
    this.recordBytes = 0;
    this.#leafBytes = 0;
    for (const [number, leaf] of this.leaves.entries()) {
      this.count += leaf.count;
      this.recordBytes += leaf.used;
      this.#leafBytes += leaf.residentBytes;
      this.#groups[number >>> GROUP_SHIFT]! += leaf.count;
    }
  }

  protected hashLeaves(mixer: Mixer): void {
    mixer.number(this.leaves.length);
    for (const { bytes, used } of this.leaves) mixer.bytes(bytes.subarray(0, used));
  }

  verify(): void {
    const seen = { records: 0, recordBytes: 0, leafBytes: 0 };
    const groups = this.#groups.map(() => 0);
    for (const [number, leaf] of this.leaves.entries()) {
      let records = 0;
      for (let at = 0; at < leaf.used; at = leaf.behind(at), records++) {
        const hash = this.hashOf(leaf.bytes, leaf.keyStart(at), leaf.keyEnd(at));
        if (this.leafOf(hash) !== number) throw new Error("a record lies in another leaf");
        this.verifyRecord(leaf, at, hash);
      }
      if (records !== leaf.count) throw new Error("a leaf is miscounted");
      seen.records += records;
      seen.recordBytes += leaf.used;
      seen.leafBytes += leaf.residentBytes;
      groups[number >>> GROUP_SHIFT]! += records;
    }
    if (
      seen.records !== this.count ||
      seen.recordBytes !== this.recordBytes ||
      seen.leafBytes !== this.#leafBytes ||
      groups.some((records, i) => records !== this.#groups[i])
    )
      throw new Error("a table is miscounted");
  }
}

/** A leaf in a row: records in bytes[start, end). */
export interface LeafBody {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

function reversedBits(value: number): number {
  let bits = value | 0;
  bits = ((bits >>> 1) & 0x5555_5555) | ((bits & 0x5555_5555) << 1);
  bits = ((bits >>> 2) & 0x3333_3333) | ((bits & 0x3333_3333) << 2);
  bits = ((bits >>> 4) & 0x0f0f_0f0f) | ((bits & 0x0f0f_0f0f) << 4);
  bits = ((bits >>> 8) & 0x00ff_00ff) | ((bits & 0x00ff_00ff) << 8);
  return ((bits >>> 16) | (bits << 16)) >>> 0;
}
