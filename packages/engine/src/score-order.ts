/**
 * The order of a sorted set: by score, then by the member's bytes. Leaves of at most 128 slots of a table (score-table.ts) stand in sections of at most 256
 * leaves: looking for a place is a binary search in each of the three, a rank is a sum over sections and leaves that stand in front. Leaves have numbers, by
 * which a large set is stored (sorted-set-value.ts). How the order is divided is no part of the state: a replica that has read it from rows may divide it otherwise.
 */
import { assert } from "@headrace/bytes";
import type { ScoreTable } from "./score-table.ts";

const LEAF_SLOTS_MAX = 128;
/** A leaf with fewer joins its neighbour, if both have room in one. */
const LEAF_SLOTS_FEW = 32;
const LEAF_SLOTS_JOINED_MAX = 96;
/** Of the members in a leaf, as long as there is more than one: a leaf is what a capture writes. */
const LEAF_MEMBER_BYTES_MAX = 16 * 1024;
const SECTION_LEAVES_MAX = 256;
const SLOTS_MIN = 8;
/** A leaf's objects and its slots, about. */
const LEAF_BYTES = 160 + 4 * LEAF_SLOTS_MAX;

export class ScoreLeaf {
  readonly number: number;
  slots: Uint32Array;
  count: number;
  memberBytes: number;

  constructor(number: number, capacity: number) {
    this.number = number;
    this.slots = new Uint32Array(capacity);
    this.count = 0;
    this.memberBytes = 0;
  }

  get lastSlot(): number {
    return this.slots[this.count - 1]!;
  }

  insert(index: number, slot: number, memberBytes: number): void {
    if (this.count === this.slots.length) {
      const grown = new Uint32Array(Math.min(LEAF_SLOTS_MAX, this.count * 2));
      grown.set(this.slots);
      this.slots = grown;
    }
    this.slots.copyWithin(index + 1, index, this.count);
    this.slots[index] = slot;
    this.count++;
    this.memberBytes += memberBytes;
  }

  remove(index: number, memberBytes: number): void {
    this.slots.copyWithin(index, index + 1, this.count);
    this.count--;
    this.memberBytes -= memberBytes;
  }
}

class Section {
  leaves: ScoreLeaf[];
  count: number;

  constructor(leaves: ScoreLeaf[]) {
    this.leaves = leaves;
    this.count = 0;
    for (const leaf of leaves) this.count += leaf.count;
  }

  get lastSlot(): number {
    return this.leaves[this.leaves.length - 1]!.lastSlot;
  }
}

/** Who is told of leaves: they are parts of a row. */
export interface LeafWatcher {
  leafChanged(leaf: ScoreLeaf): void;
  leafGone(leaf: ScoreLeaf): void;
}

/** What stands in front of the place that is looked for. */
const Below = { pair: 0, score: 1, scoreOrEqual: 2, member: 3, memberOrEqual: 4 } as const;
type Below = (typeof Below)[keyof typeof Below];

export class ScoreOrder {
  readonly #table: ScoreTable;
  readonly #watcher: LeafWatcher;
  #sections: Section[];
  #leafCount: number;
  #nextNumber: number;
  /** What is looked for. */
  #below: Below;
  #score: number;
  #member: string;
  /** The place that was found: a slot, or the end of the last leaf. */
  #sectionAt: number;
  #leafAt: number;
  #index: number;

  constructor(table: ScoreTable, watcher: LeafWatcher) {
    this.#table = table;
    this.#watcher = watcher;
    this.#sections = [];
    this.#leafCount = 0;
    this.#nextNumber = 0;
    this.#below = Below.pair;
    this.#score = 0;
    this.#member = "";
    this.#sectionAt = 0;
    this.#leafAt = 0;
    this.#index = 0;
  }

  get residentBytes(): number {
    return this.#leafCount === 1 ? SLOTS_MIN * 24 : this.#leafCount * LEAF_BYTES;
  }

  *leaves(): IterableIterator<ScoreLeaf> {
    for (const section of this.#sections) yield* section.leaves;
  }

  #isBelow(slot: number): boolean {
    const { scores, members } = this.#table;
    switch (this.#below) {
      case Below.pair: {
        const score = scores[slot]!;
        return score === this.#score ? members[slot]! < this.#member : score < this.#score;
      }
      case Below.score:
        return scores[slot]! < this.#score;
      case Below.scoreOrEqual:
        return scores[slot]! <= this.#score;
      case Below.member:
        return members[slot]! < this.#member;
      case Below.memberOrEqual:
        return members[slot]! <= this.#member;
    }
  }

  /** Finds the first place whose slot is not below. */
  #seek(below: Below, score: number, member: string): void {
    this.#below = below;
    this.#score = score;
    this.#member = member;
    const sections = this.#sections;
    let low = 0;
    let high = sections.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBelow(sections[middle]!.lastSlot)) low = middle + 1;
      else high = middle;
    }
    this.#sectionAt = low;
    const { leaves } = sections[low]!;
    low = 0;
    high = leaves.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBelow(leaves[middle]!.lastSlot)) low = middle + 1;
      else high = middle;
    }
    this.#leafAt = low;
    const { slots, count } = leaves[low]!;
    low = 0;
    high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBelow(slots[middle]!)) low = middle + 1;
      else high = middle;
    }
    this.#index = low;
  }

  /** Of the place that was found. */
  #rank(): number {
    let rank = this.#index;
    for (let i = 0; i < this.#sectionAt; i++) rank += this.#sections[i]!.count;
    const { leaves } = this.#sections[this.#sectionAt]!;
    for (let i = 0; i < this.#leafAt; i++) rank += leaves[i]!.count;
    return rank;
  }

  #countBelow(below: Below, score: number, member: string): number {
    if (this.#sections.length === 0) return 0;
    this.#seek(below, score, member);
    return this.#rank();
  }

  /** How many stand in front of this one, which is there. */
  rankOf(slot: number): number {
    return this.#countBelow(Below.pair, this.#table.scores[slot]!, this.#table.members[slot]!);
  }

  countBelowScore(score: number, orEqual: boolean): number {
    return this.#countBelow(orEqual ? Below.scoreOrEqual : Below.score, score, "");
  }

  /** In a set whose scores are all equal. */
  countBelowMember(member: string, orEqual: boolean): number {
    return this.#countBelow(orEqual ? Below.memberOrEqual : Below.member, 0, member);
  }

  insert(slot: number): void {
    const { scores, members } = this.#table;
    const { length } = members[slot]!;
    if (this.#sections.length === 0) {
      const leaf = this.#newLeaf(SLOTS_MIN);
      this.#sections.push(new Section([leaf]));
    } else {
      this.#seek(Below.pair, scores[slot]!, members[slot]!);
      this.#makeRoom(length);
    }
    const section = this.#sections[this.#sectionAt]!;
    const leaf = section.leaves[this.#leafAt]!;
    leaf.insert(this.#index, slot, length);
    section.count++;
    this.#watcher.leafChanged(leaf);
  }

  #newLeaf(capacity: number): ScoreLeaf {
    this.#leafCount++;
    return new ScoreLeaf(this.#nextNumber++, capacity);
  }

  /** In the leaf that was found; another one is found then, perhaps. */
  #makeRoom(memberBytes: number): void {
    const section = this.#sections[this.#sectionAt]!;
    const leaf = section.leaves[this.#leafAt]!;
    const isFull = leaf.count === LEAF_SLOTS_MAX;
    if (!isFull && leaf.memberBytes + memberBytes <= LEAF_MEMBER_BYTES_MAX) return;
    // What always comes at the end fills its leaves.
    const isAtEnd =
      this.#index === leaf.count &&
      this.#leafAt === section.leaves.length - 1 &&
      this.#sectionAt === this.#sections.length - 1;
    const kept = isAtEnd ? leaf.count : this.#cutOf(leaf);
    const right = this.#newLeaf(isAtEnd ? SLOTS_MIN : LEAF_SLOTS_MAX);
    for (let i = kept; i < leaf.count; i++) {
      const slot = leaf.slots[i]!;
      right.insert(right.count, slot, this.#table.members[slot]!.length);
    }
    leaf.count = kept;
    leaf.memberBytes -= right.memberBytes;
    section.leaves.splice(this.#leafAt + 1, 0, right);
    this.#watcher.leafChanged(leaf);
    this.#watcher.leafChanged(right);
    if (this.#index > kept || isAtEnd) {
      this.#leafAt++;
      this.#index -= kept;
    }
    this.#splitSection();
  }

  /** So that both halves have about as many bytes when these are why it is divided, else as many slots; each has one at least. */
  #cutOf(leaf: ScoreLeaf): number {
    if (leaf.count === LEAF_SLOTS_MAX || leaf.count < 2) return leaf.count >>> 1;
    let bytes = 0;
    let kept = 0;
    while (kept < leaf.count - 1 && bytes < leaf.memberBytes / 2)
      bytes += this.#table.members[leaf.slots[kept++]!]!.length;
    return kept;
  }

  #splitSection(): void {
    const section = this.#sections[this.#sectionAt]!;
    if (section.leaves.length <= SECTION_LEAVES_MAX) return;
    const half = section.leaves.length >>> 1;
    const right = new Section(section.leaves.splice(half));
    section.count -= right.count;
    this.#sections.splice(this.#sectionAt + 1, 0, right);
    if (this.#leafAt < half) return;
    this.#sectionAt++;
    this.#leafAt -= half;
  }

  /** Of a slot that is there, with the score by which it stands there. */
  remove(slot: number): void {
    this.#seek(Below.pair, this.#table.scores[slot]!, this.#table.members[slot]!);
    const section = this.#sections[this.#sectionAt]!;
    const leaf = section.leaves[this.#leafAt]!;
    assert(leaf.slots[this.#index] === slot, "a member stands where its score says");
    leaf.remove(this.#index, this.#table.members[slot]!.length);
    section.count--;
    if (leaf.count === 0) {
      this.#dropLeaf(section, this.#leafAt);
    } else {
      this.#watcher.leafChanged(leaf);
      if (leaf.count < LEAF_SLOTS_FEW && section.leaves.length > 1)
        this.#join(section, this.#leafAt === 0 ? 0 : this.#leafAt - 1);
    }
    if (section.leaves.length === 0) this.#sections.splice(this.#sectionAt, 1);
    else this.#joinSections();
  }

  #dropLeaf(section: Section, at: number): void {
    const [leaf] = section.leaves.splice(at, 1);
    this.#leafCount--;
    this.#watcher.leafGone(leaf!);
  }

  /** Leaf `at` with the one behind it, when both have room in one. */
  #join(section: Section, at: number): void {
    const left = section.leaves[at]!;
    const right = section.leaves[at + 1]!;
    if (left.count + right.count > LEAF_SLOTS_JOINED_MAX) return;
    if (left.memberBytes + right.memberBytes > LEAF_MEMBER_BYTES_MAX / 2) return;
    for (let i = 0; i < right.count; i++) {
      const slot = right.slots[i]!;
      left.insert(left.count, slot, this.#table.members[slot]!.length);
    }
    this.#dropLeaf(section, at + 1);
    this.#watcher.leafChanged(left);
  }

  #joinSections(): void {
    const at = this.#sectionAt === 0 ? 0 : this.#sectionAt - 1;
    const left = this.#sections[at]!;
    const right = this.#sections[at + 1];
    if (right === undefined || left.leaves.length + right.leaves.length > SECTION_LEAVES_MAX / 2) return;
    left.leaves.push(...right.leaves);
    left.count += right.count;
    this.#sections.splice(at + 1, 1);
  }

  /** Slots of ranks `from` … `to` − 1, in order, or the last one first. */
  visit(from: number, to: number, isReverse: boolean, visit: (slot: number) => void): void {
    if (isReverse) this.#visitBackwards(from, to, visit);
    else this.#visitForwards(from, to, visit);
  }

  #visitForwards(from: number, to: number, visit: (slot: number) => void): void {
    let left = to - from;
    let skipped = from;
    for (const section of this.#sections) {
      if (left <= 0) return;
      if (skipped >= section.count) {
        skipped -= section.count;
        continue;
      }
      for (const leaf of section.leaves) {
        if (skipped >= leaf.count) {
          skipped -= leaf.count;
          continue;
        }
        for (let i = skipped; i < leaf.count && left > 0; i++, left--) visit(leaf.slots[i]!);
        skipped = 0;
        if (left <= 0) return;
      }
    }
  }

  #visitBackwards(from: number, to: number, visit: (slot: number) => void): void {
    let left = to - from;
    let skipped = this.#table.count - to;
    for (let s = this.#sections.length - 1; s >= 0 && left > 0; s--) {
      const section = this.#sections[s]!;
      if (skipped >= section.count) {
        skipped -= section.count;
        continue;
      }
      for (let l = section.leaves.length - 1; l >= 0 && left > 0; l--) {
        const leaf = section.leaves[l]!;
        if (skipped >= leaf.count) {
          skipped -= leaf.count;
          continue;
        }
        for (let i = leaf.count - 1 - skipped; i >= 0 && left > 0; i--, left--) visit(leaf.slots[i]!);
        skipped = 0;
      }
    }
  }

  /** A leaf that was read from rows: behind all that there are, its slots in order. */
  appendStored(number: number, slots: readonly number[]): ScoreLeaf {
    const leaf = new ScoreLeaf(number, Math.max(SLOTS_MIN, slots.length));
    for (const slot of slots) leaf.insert(leaf.count, slot, this.#table.members[slot]!.length);
    this.#leafCount++;
    this.#nextNumber = Math.max(this.#nextNumber, number + 1);
    const last = this.#sections.at(-1);
    if (last === undefined || last.leaves.length >= SECTION_LEAVES_MAX / 2) {
      this.#sections.push(new Section([leaf]));
    } else {
      last.leaves.push(leaf);
      last.count += leaf.count;
    }
    return leaf;
  }

  verify(): void {
    const { scores, members, count } = this.#table;
    let seen = 0;
    let leafCount = 0;
    let before = -1;
    for (const section of this.#sections) {
      let inSection = 0;
      assert(section.leaves.length > 0 && section.leaves.length <= SECTION_LEAVES_MAX, "a section has leaves");
      for (const leaf of section.leaves) {
        assert(leaf.count > 0 && leaf.count <= LEAF_SLOTS_MAX, "a leaf has slots");
        let bytes = 0;
        for (const slot of leaf.slots.subarray(0, leaf.count)) {
          bytes += members[slot]!.length;
          if (before >= 0)
            assert(isBefore(scores[before]!, members[before]!, scores[slot]!, members[slot]!), "in order");
          before = slot;
        }
        assert(bytes === leaf.memberBytes, "a leaf counts its bytes");
        inSection += leaf.count;
        leafCount++;
      }
      assert(inSection === section.count, "a section counts its slots");
      seen += inSection;
    }
    assert(seen === count && leafCount === this.#leafCount, "all members stand in order");
  }
}

export function isBefore(score: number, member: string, otherScore: number, otherMember: string): boolean {
  return score === otherScore ? member < otherMember : score < otherScore;
}
