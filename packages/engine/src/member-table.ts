/**
 * The members of a set, in leaves by their hash: as little around each member as a tag and its length. It grows and shrinks by linear hashing (Litwin 1980),
 * a leaf at a time, so that a member that comes or goes changes one leaf, and seldom two more: leaves are what the store has as parts.
 *
 * Of n leaves with 2^k ≤ n < 2^(k+1), the first n − 2^k and those that were split off them have k + 1 bits of the hash, the others k. A SCAN goes by the hash
 * with its bits reversed: there every leaf is one interval, whatever the table grows to in between, so that who is in the set all the time is met.
 *
 * How members lie follows from what was done to the table and nothing else: it is the same on every replica.
 */
import { assert, readInt64, readInteger } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import { halfSipHash } from "./half-sip-hash.ts";
import { MemberLeaf, readRecordAt, recordBytes, recordEnd, recordStart } from "./member-leaf.ts";
import type { Mixer } from "./mixer.ts";

/**
 * Leaves are split when they hold more than this on average, and joined when they hold much less of both. For ever, as all that decides where members lie:
 * replicas of two versions have to agree.
 */
const LEAF_MEMBERS_MAX = 32;
const LEAF_BYTES_MAX = 2048;
const LEAF_MEMBERS_MIN = 10;
const LEAF_BYTES_MIN = 640;
/** Redis' set-max-intset-entries as it is by default: a set of so many integers at most keeps them in order. */
const INTSET_MEMBERS_MAX = 512;
const GROUP_SHIFT = 7;
const TABLE_OVERHEAD_BYTES = 240;
const KEY1 = 0x5bd1e995;
const HASHES = 0x1_0000_0000;

export interface LeafListener {
  /** The leaf has changed, or is there no more. */
  leafChanged(number: number): void;
}

/** Answers true to end the walk. */
export type MemberVisitor = (bytes: Uint8Array, start: number, end: number) => boolean;

interface Placed {
  readonly reversed: number;
  readonly start: number;
  readonly end: number;
}

export class MemberTable {
  count: number;
  /** Of all records. */
  recordBytes: number;
  /** Redis' intset: all members that it ever had were integers, and never more than 512. Walks go by value then. */
  isIntset: boolean;
  readonly seed: number;
  #leafBytes: number;
  #leaves: MemberLeaf[];
  /** Members in each 128 leaves. */
  #groups: number[];
  readonly #listener: LeafListener | null;

  /** `seed`: 32 bits that whoever chooses members does not know. */
  constructor(seed: number, listener: LeafListener | null) {
    this.count = 0;
    this.recordBytes = 0;
    this.isIntset = true;
    this.seed = seed;
    this.#leaves = [new MemberLeaf()];
    this.#leafBytes = this.#leaves[0]!.residentBytes;
    this.#groups = [0];
    this.#listener = listener;
  }

  get leafCount(): number {
    return this.#leaves.length;
  }

  get residentBytes(): number {
    return TABLE_OVERHEAD_BYTES + this.#leafBytes;
  }

  leafBytes(number: number): number {
    return this.#leaves[number]!.used;
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    return halfSipHash(bytes, start, end, this.seed, KEY1);
  }

  #leafOf(hash: number): number {
    const leaves = this.#leaves.length;
    if (leaves === 1) return 0;
    const level = 1 << (31 - Math.clz32(leaves));
    const number = hash & (level * 2 - 1);
    return number < leaves ? number : hash & (level - 1);
  }

  has(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.#hash(bytes, start, end);
    return this.#leaves[this.#leafOf(hash)]!.find(hash >>> 24, bytes, start, end) >= 0;
  }

  /** False: it was there already. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.#hash(bytes, start, end);
    const number = this.#leafOf(hash);
    const leaf = this.#leaves[number]!;
    if (leaf.find(hash >>> 24, bytes, start, end) >= 0) return false;
    const before = leaf.bytes.length;
    leaf.append(hash >>> 24, bytes, start, end);
    this.#leafBytes += leaf.bytes.length - before;
    this.recordBytes += recordBytes(end - start);
    this.count++;
    this.#groups[number >>> GROUP_SHIFT]!++;
    if (this.isIntset && (this.count > INTSET_MEMBERS_MAX || !isInteger(bytes, start, end))) this.isIntset = false;
    this.#listener?.leafChanged(number);
    while (this.#isCrowded()) this.#split();
    return true;
  }

  /** False: it was not there. */
  remove(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.#hash(bytes, start, end);
    const number = this.#leafOf(hash);
    const leaf = this.#leaves[number]!;
    const at = leaf.find(hash >>> 24, bytes, start, end);
    if (at < 0) return false;
    const before = leaf.bytes.length;
    leaf.removeAt(at);
    this.#leafBytes += leaf.bytes.length - before;
    this.recordBytes -= recordBytes(end - start);
    this.count--;
    this.#groups[number >>> GROUP_SHIFT]!--;
    this.#listener?.leafChanged(number);
    while (this.#isSparse()) this.#join();
    return true;
  }

  #isCrowded(): boolean {
    const leaves = this.#leaves.length;
    if (leaves >= this.count) return false;
    return this.count > leaves * LEAF_MEMBERS_MAX || this.recordBytes > leaves * LEAF_BYTES_MAX;
  }

  #isSparse(): boolean {
    const leaves = this.#leaves.length;
    return leaves > 1 && this.count < leaves * LEAF_MEMBERS_MIN && this.recordBytes < leaves * LEAF_BYTES_MIN;
  }

  /** The next leaf in turn gives those with one bit more to a new one at the end. */
  #split(): void {
    const created = this.#leaves.length;
    const level = 1 << (31 - Math.clz32(created));
    const number = created - level;
    const old = this.#leaves[number]!;
    const stays = new MemberLeaf();
    const goes = new MemberLeaf();
    for (let at = 0; at < old.used;) {
      readRecordAt(old.bytes, at);
      const [start, end] = [recordStart, recordEnd];
      const hash = this.#hash(old.bytes, start, end);
      ((hash & level) === 0 ? stays : goes).append(hash >>> 24, old.bytes, start, end);
      at = end;
    }
    this.#leaves[number] = stays;
    this.#leaves.push(goes);
    this.#leafBytes += stays.residentBytes + goes.residentBytes - old.residentBytes;
    this.#groups[number >>> GROUP_SHIFT]! -= goes.count;
    this.#groups[created >>> GROUP_SHIFT] = (this.#groups[created >>> GROUP_SHIFT] ?? 0) + goes.count;
    this.#listener?.leafChanged(number);
    this.#listener?.leafChanged(created);
  }

  /** The last leaf goes back into the one that it was split off. */
  #join(): void {
    const last = this.#leaves.length - 1;
    const level = 1 << (31 - Math.clz32(last));
    const number = last - level;
    const gone = this.#leaves.pop()!;
    const into = this.#leaves[number]!;
    const before = into.residentBytes + gone.residentBytes;
    for (let at = 0; at < gone.used;) {
      readRecordAt(gone.bytes, at);
      const [start, end] = [recordStart, recordEnd];
      into.append(gone.bytes[at]!, gone.bytes, start, end);
      at = end;
    }
    this.#leafBytes += into.residentBytes - before;
    this.#groups[last >>> GROUP_SHIFT]! -= gone.count;
    this.#groups[number >>> GROUP_SHIFT]! += gone.count;
    if ((last & ((1 << GROUP_SHIFT) - 1)) === 0) this.#groups.pop();
    this.#listener?.leafChanged(number);
    this.#listener?.leafChanged(last);
  }

  /** Every member once; answers whether the walk was ended. Integers of an intset come by their value. The table must not change meanwhile. */
  some(visit: MemberVisitor): boolean {
    if (this.isIntset) return this.#someByValue(visit);
    for (const { bytes, used } of this.#leaves) {
      for (let at = 0; at < used;) {
        readRecordAt(bytes, at);
        const end = recordEnd;
        if (visit(bytes, recordStart, end)) return true;
        at = end;
      }
    }
    return false;
  }

  forEach(visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    this.some((bytes, start, end) => {
      visit(bytes, start, end);
      return false;
    });
  }

  #someByValue(visit: MemberVisitor): boolean {
    const members: { readonly value: number | bigint; readonly bytes: Uint8Array; start: number; end: number }[] = [];
    for (const { bytes, used } of this.#leaves) {
      for (let at = 0; at < used; at = recordEnd) {
        readRecordAt(bytes, at);
        const exact = readInteger(bytes, recordStart, recordEnd);
        const value = Number.isNaN(exact) ? readInt64(bytes, recordStart, recordEnd)! : exact;
        members.push({ value, bytes, start: recordStart, end: recordEnd });
      }
    }
    members.sort((a, b) => (a.value < b.value ? -1 : 1));
    return members.some(({ bytes, start, end }) => visit(bytes, start, end));
  }

  /** The `index`-th of all members, in no order that means anything. */
  at(index: number, visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    assert(index >= 0 && index < this.count, "no member has that place");
    let left = index;
    let group = 0;
    while (left >= this.#groups[group]!) left -= this.#groups[group++]!;
    let number = group << GROUP_SHIFT;
    while (left >= this.#leaves[number]!.count) left -= this.#leaves[number++]!.count;
    const { bytes } = this.#leaves[number]!;
    let at = 0;
    for (readRecordAt(bytes, at); left > 0; left--) {
      at = recordEnd;
      readRecordAt(bytes, at);
    }
    visit(bytes, recordStart, recordEnd);
  }

  /**
   * Visits members from `cursor` on, at least `count` of them if there are so many. Answers the next cursor, 0 at the end. Who is in the set from the first
   * call to the last is visited, once unless members come and go; who comes or goes meanwhile, perhaps.
   */
  scan(cursor: number, count: number, visit: (bytes: Uint8Array, start: number, end: number) => void): number {
    let from = cursor;
    let left = count;
    while (from < HASHES) {
      const { bytes, placed, to } = this.#interval(from);
      for (const [i, { reversed, start, end }] of placed.entries()) {
        // Members with one hash go together.
        if (left <= 0 && reversed !== placed[i - 1]?.reversed) return reversed;
        visit(bytes, start, end);
        left--;
      }
      from = to;
    }
    return 0;
  }

  /** The rest of the leaf that holds this reversed hash, from it on, in order; `to`: where the next leaf begins. */
  #interval(from: number): { readonly bytes: Uint8Array; readonly placed: readonly Placed[]; readonly to: number } {
    const number = this.#leafOf(reversedBits(from));
    const leaves = this.#leaves.length;
    const level = 31 - Math.clz32(leaves);
    const isSplit = number >= 2 ** level || number < leaves - 2 ** level;
    const width = HASHES / 2 ** (isSplit ? level + 1 : level);
    const { bytes, used } = this.#leaves[number]!;
    const placed: Placed[] = [];
    for (let at = 0; at < used;) {
      readRecordAt(bytes, at);
      const [start, end] = [recordStart, recordEnd];
      const reversed = reversedBits(this.#hash(bytes, start, end));
      if (reversed >= from) placed.push({ reversed, start, end });
      at = end;
    }
    placed.sort((a, b) => a.reversed - b.reversed);
    return { bytes, placed, to: (Math.floor(from / width) + 1) * width };
  }

  /** Its records as they are: for rows. */
  leaf(number: number): { readonly bytes: Uint8Array; readonly used: number } {
    return this.#leaves[number]!;
  }

  /** Leaves out of rows. Throws DamagedRowError. */
  takeLeaves(leaves: readonly MemberLeaf[], isIntset: boolean): void {
    this.#leaves = [...leaves];
    this.isIntset = isIntset;
    this.#groups = Array.from({ length: ((leaves.length - 1) >>> GROUP_SHIFT) + 1 }, () => 0);
    this.count = 0;
    this.recordBytes = 0;
    this.#leafBytes = 0;
    for (const [number, leaf] of leaves.entries()) {
      this.count += leaf.count;
      this.recordBytes += leaf.used;
      this.#leafBytes += leaf.residentBytes;
      this.#groups[number >>> GROUP_SHIFT]! += leaf.count;
    }
    if (isIntset && (this.count > INTSET_MEMBERS_MAX || this.#hasText()))
      throw new DamagedRowError("no set of integers");
  }

  #hasText(): boolean {
    return this.#leaves.some(({ bytes, used }) => {
      for (let at = 0; at < used; at = recordEnd) {
        readRecordAt(bytes, at);
        if (!isInteger(bytes, recordStart, recordEnd)) return true;
      }
      return false;
    });
  }

  hash(mixer: Mixer): void {
    mixer.word(this.seed);
    mixer.word(this.isIntset ? 1 : 0);
    mixer.number(this.#leaves.length);
    for (const { bytes, used } of this.#leaves) mixer.bytes(bytes.subarray(0, used));
  }

  verify(): void {
    const seen = { members: 0, records: 0, bytes: 0 };
    const groups = this.#groups.map(() => 0);
    for (const [number, leaf] of this.#leaves.entries()) {
      let members = 0;
      for (let at = 0; at < leaf.used; members++) {
        readRecordAt(leaf.bytes, at);
        const [start, end] = [recordStart, recordEnd];
        const hash = this.#hash(leaf.bytes, start, end);
        if (this.#leafOf(hash) !== number) throw new Error("a member lies in another leaf");
        if (leaf.bytes[at] !== hash >>> 24) throw new Error("a member has another tag");
        if (leaf.find(hash >>> 24, leaf.bytes, start, end) !== at) throw new Error("a member lies there twice");
        if (this.isIntset && !isInteger(leaf.bytes, start, end)) throw new Error("an intset holds text");
        at = end;
      }
      if (members !== leaf.count) throw new Error("a leaf is miscounted");
      seen.members += members;
      seen.records += leaf.used;
      seen.bytes += leaf.residentBytes;
      groups[number >>> GROUP_SHIFT]! += members;
    }
    if (seen.members !== this.count || seen.records !== this.recordBytes || seen.bytes !== this.#leafBytes) {
      throw new Error("a set is miscounted");
    }
    if (groups.some((members, i) => members !== this.#groups[i])) throw new Error("a group of leaves is miscounted");
  }
}

/** As Redis' string2ll takes it. */
function isInteger(bytes: Uint8Array, start: number, end: number): boolean {
  return !Number.isNaN(readInteger(bytes, start, end)) || readInt64(bytes, start, end) !== null;
}

function reversedBits(value: number): number {
  let bits = value | 0;
  bits = ((bits >>> 1) & 0x5555_5555) | ((bits & 0x5555_5555) << 1);
  bits = ((bits >>> 2) & 0x3333_3333) | ((bits & 0x3333_3333) << 2);
  bits = ((bits >>> 4) & 0x0f0f_0f0f) | ((bits & 0x0f0f_0f0f) << 4);
  bits = ((bits >>> 8) & 0x00ff_00ff) | ((bits & 0x00ff_00ff) << 8);
  return ((bits >>> 16) | (bits << 16)) >>> 0;
}
