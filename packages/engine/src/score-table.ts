/**
 * The members of a sorted set with their scores, found by name: a chained hash table whose columns are typed arrays. A member keeps its slot as long as it is
 * one, so that the order (score-order.ts) and the table say it once.
 *
 * Buckets are the upper bits of a hash that depends on the member alone. So they keep their order when the table grows, and whoever walks over them bucket by
 * bucket (ZSCAN) may go on after a growth, and on another replica. V8's `Map` would hold 16 million members at most, and can't be walked over in steps.
 *
 *   slot   members[slot] · scores[slot] · hashes[slot] · next[slot]: the next slot of its bucket, or of the free ones; −1: none
 */
import { assert } from "@headrace/bytes";

const NONE = -1;
const CAPACITY_MIN = 4;
/** Four columns of a slot, and its share of the buckets. */
const SLOT_BYTES = 8 + 8 + 4 + 4;
/** The objects of a table that has few slots. */
const TABLE_BYTES = 560;
/** What V8 puts around a string's bytes, rounding included. */
const STRING_BYTES = 20;
/** Buckets that are looked at for each member that is asked for, as in Redis: most may be empty. */
const LOOKS_PER_MEMBER = 10;

export class ScoreTable {
  count: number;
  readonly members: string[];
  scores: Float64Array;
  #hashes: Uint32Array;
  #next: Int32Array;
  #heads: Int32Array;
  /** A hash is shifted so far to the right to be a bucket. */
  #shift: number;
  #free: number;
  /** Slots that have been used. */
  #used: number;
  /** Bytes of all members. */
  memberBytes: number;

  constructor() {
    this.count = 0;
    this.members = [];
    this.scores = new Float64Array(CAPACITY_MIN);
    this.#hashes = new Uint32Array(CAPACITY_MIN);
    this.#next = new Int32Array(CAPACITY_MIN);
    this.#heads = new Int32Array(CAPACITY_MIN).fill(NONE);
    this.#shift = 32 - Math.log2(CAPACITY_MIN);
    this.#free = NONE;
    this.#used = 0;
    this.memberBytes = 0;
  }

  get residentBytes(): number {
    const { count, memberBytes } = this;
    return TABLE_BYTES + this.scores.length * SLOT_BYTES + this.#heads.length * 4 + count * STRING_BYTES + memberBytes;
  }

  /** The member's slot, −1 when it is none. */
  find(member: string): number {
    const hash = hashOf(member);
    let slot = this.#heads[hash >>> this.#shift]!;
    while (slot !== NONE && (this.#hashes[slot] !== hash || this.members[slot] !== member)) slot = this.#next[slot]!;
    return slot;
  }

  /** Of a member that is none yet; answers its slot. */
  add(member: string, score: number): number {
    const hash = hashOf(member);
    const slot = this.#takeSlot();
    this.members[slot] = member;
    this.scores[slot] = score;
    this.#hashes[slot] = hash;
    this.count++;
    this.memberBytes += member.length;
    if (this.count > this.#heads.length) this.#growBuckets();
    const bucket = hash >>> this.#shift;
    this.#next[slot] = this.#heads[bucket]!;
    this.#heads[bucket] = slot;
    return slot;
  }

  #takeSlot(): number {
    const slot = this.#free;
    if (slot !== NONE) {
      this.#free = this.#next[slot]!;
      return slot;
    }
    if (this.#used === this.scores.length) this.#growSlots();
    return this.#used++;
  }

  #growSlots(): void {
    const capacity = this.scores.length + Math.max(CAPACITY_MIN, this.scores.length >>> 1);
    const scores = new Float64Array(capacity);
    scores.set(this.scores);
    this.scores = scores;
    const hashes = new Uint32Array(capacity);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const next = new Int32Array(capacity);
    next.set(this.#next);
    this.#next = next;
  }

  /** Twice as many buckets. The slot that makes it necessary is in none of them yet. */
  #growBuckets(): void {
    const before = this.#heads;
    const heads = new Int32Array(before.length * 2).fill(NONE);
    this.#shift--;
    for (const head of before) {
      let slot = head;
      while (slot !== NONE) {
        const behind = this.#next[slot]!;
        const bucket = this.#hashes[slot]! >>> this.#shift;
        this.#next[slot] = heads[bucket]!;
        heads[bucket] = slot;
        slot = behind;
      }
    }
    this.#heads = heads;
  }

  remove(slot: number): void {
    const bucket = this.#hashes[slot]! >>> this.#shift;
    let at = this.#heads[bucket]!;
    if (at === slot) {
      this.#heads[bucket] = this.#next[slot]!;
    } else {
      while (this.#next[at] !== slot) at = this.#next[at]!;
      this.#next[at] = this.#next[slot]!;
    }
    this.count--;
    this.memberBytes -= this.members[slot]!.length;
    this.members[slot] = "";
    this.#next[slot] = this.#free;
    this.#free = slot;
  }

  /**
   * Members from `cursor` on (0: from the beginning) until there were `count` of them; answers the next cursor, 0 at the end. Who is a member all the time is
   * shown, and once.
   */
  scan(cursor: number, count: number, visit: (slot: number) => void): number {
    let shown = 0;
    let looks = count * LOOKS_PER_MEMBER;
    for (let bucket = cursor >>> this.#shift; bucket < this.#heads.length; bucket++) {
      if (shown >= count || looks-- <= 0) return (bucket << this.#shift) >>> 0;
      for (let slot = this.#heads[bucket]!; slot !== NONE; slot = this.#next[slot]!) {
        if (this.#hashes[slot]! < cursor) continue;
        visit(slot);
        shown++;
      }
    }
    return 0;
  }

  verify(): void {
    let seen = 0;
    let bytes = 0;
    for (const [bucket, head] of this.#heads.entries()) {
      for (let slot = head; slot !== NONE; slot = this.#next[slot]!) {
        const member = this.members[slot]!;
        assert(this.#hashes[slot] === hashOf(member) && hashOf(member) >>> this.#shift === bucket, "a wrong bucket");
        seen++;
        bytes += member.length;
      }
    }
    assert(seen === this.count && bytes === this.memberBytes, "members are counted");
    assert(this.count <= this.#heads.length, "buckets are few members");
  }
}

/** MurmurHash3's mixing, a character at a time. For ever: cursors mean it. */
function hashOf(member: string): number {
  let hash = member.length;
  for (let i = 0; i < member.length; i++) {
    hash = Math.imul(hash ^ member.charCodeAt(i), 0xcc9e2d51);
    hash = (hash << 13) | (hash >>> 19);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
