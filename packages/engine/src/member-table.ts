/** The members of a set, in leaves by their hash (leaf-table.ts): as little around each member as a tag and its length. */
import { readInt64, readInteger } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import { type LeafBody, type LeafListener, LeafTable } from "./leaf-table.ts";
import { MemberLeaf, readRecordAt, recordEnd, recordStart } from "./member-leaf.ts";
import type { Mixer } from "./mixer.ts";

/** Redis' set-max-intset-entries as it is by default: a set of so many integers at most keeps them in order. */
const INTSET_MEMBERS_MAX = 512;

/** Answers true to end the walk. */
export type MemberVisitor = (bytes: Uint8Array, start: number, end: number) => boolean;

export class MemberTable extends LeafTable<MemberLeaf> {
  /** Redis' intset: all members that it ever had were integers, and never more than 512. Walks go by value then. */
  isIntset: boolean;

  /** `seed`: 32 bits that whoever chooses members does not know. */
  constructor(seed: number, listener: LeafListener | null) {
    super(seed, listener);
    this.isIntset = true;
  }

  protected newLeaf(): MemberLeaf {
    return new MemberLeaf();
  }

  has(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.hashOf(bytes, start, end);
    return this.leaves[this.leafOf(hash)]!.find(hash >>> 24, bytes, start, end) >= 0;
  }

  /** False: it was there already. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.hashOf(bytes, start, end);
    const number = this.leafOf(hash);
    const leaf = this.leaves[number]!;
    if (leaf.find(hash >>> 24, bytes, start, end) >= 0) return false;
    const { residentBytes, used } = leaf;
    leaf.add(hash >>> 24, bytes, start, end);
    if (this.isIntset && (this.count >= INTSET_MEMBERS_MAX || !isInteger(bytes, start, end))) this.isIntset = false;
    this.changed(number, 1, residentBytes, used);
    return true;
  }

  /** False: it was not there. */
  remove(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = this.hashOf(bytes, start, end);
    const number = this.leafOf(hash);
    const leaf = this.leaves[number]!;
    const at = leaf.find(hash >>> 24, bytes, start, end);
    if (at < 0) return false;
    const { residentBytes, used } = leaf;
    leaf.removeAt(at);
    this.changed(number, -1, residentBytes, used);
    return true;
  }

  /** Every member once; answers whether the walk was ended. Integers of an intset come by their value. The table must not change meanwhile. */
  some(visit: MemberVisitor): boolean {
    if (this.isIntset) return this.#someByValue(visit);
    for (const { bytes, used } of this.leaves) {
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
    for (const { bytes, used } of this.leaves) {
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
    this.recordAt(index, (bytes, at) => {
      readRecordAt(bytes, at);
      visit(bytes, recordStart, recordEnd);
    });
  }

  /** As `scanRecords`. */
  scan(cursor: number, count: number, visit: (bytes: Uint8Array, start: number, end: number) => void): number {
    return this.scanRecords(cursor, count, (bytes, at) => {
      readRecordAt(bytes, at);
      visit(bytes, recordStart, recordEnd);
    });
  }

  /** Leaves out of rows. Throws DamagedRowError. */
  takeLeaves(bodies: readonly LeafBody[], isIntset: boolean): void {
    this.takeBodies(bodies);
    this.isIntset = isIntset;
    if (isIntset && (this.count > INTSET_MEMBERS_MAX || this.#hasText()))
      throw new DamagedRowError("no set of integers");
  }

  #hasText(): boolean {
    return this.leaves.some(({ bytes, used }) => {
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
    this.hashLeaves(mixer);
  }

  protected verifyRecord(leaf: MemberLeaf, at: number, hash: number): void {
    readRecordAt(leaf.bytes, at);
    const [start, end] = [recordStart, recordEnd];
    if (leaf.bytes[at] !== hash >>> 24) throw new Error("a member has another tag");
    if (leaf.find(hash >>> 24, leaf.bytes, start, end) !== at) throw new Error("a member lies there twice");
    if (this.isIntset && !isInteger(leaf.bytes, start, end)) throw new Error("an intset holds text");
  }
}

/** As Redis' string2ll takes it. */
function isInteger(bytes: Uint8Array, start: number, end: number): boolean {
  return !Number.isNaN(readInteger(bytes, start, end)) || readInt64(bytes, start, end) !== null;
}
