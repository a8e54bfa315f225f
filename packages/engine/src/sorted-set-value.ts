/**
 * A sorted set: members with scores (score-table.ts) in order (score-order.ts). A small one is all head; a large one has a part for each leaf of its order, so
 * that a capture writes the leaves that have changed.
 *
 *   head     u8 flags (1: as large as Redis' skiplist, or was; 2: the elements are in parts) · u32 count · elements, unless they are in parts
 *   part     number of a leaf: u32 count · elements
 *   image    u8 flags (1 as above) · u32 count · elements
 *   element  f64 score · varint length · member's bytes; in order of (score, member) everywhere
 */
import { latin1, type ByteReader, type ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { Mixer } from "./mixer.ts";
import { isBefore, type LeafWatcher, type ScoreLeaf, ScoreOrder } from "./score-order.ts";
import { ScoreTable } from "./score-table.ts";
import type { SortedSetView } from "./value-api.ts";
import { ValueParts } from "./value-parts.ts";
import { Value, type ValueKindRecord } from "./value.ts";

/** In rows and images, for ever. */
export const SORTED_SET_KIND = 5;
/** Redis' zset-max-listpack-entries and -value: beyond, or once it was beyond, it is a skiplist. For ever: `apply` decides by them. */
const LISTPACK_COUNT_MAX = 128;
const LISTPACK_MEMBER_BYTES_MAX = 64;
const Flag = { large: 1, inParts: 2 } as const;
/** A larger one has parts … */
const HEAD_BYTES_MAX = 8 * 1024;
/** … until it is as small as this. */
const HEAD_BYTES_AGAIN = 2 * 1024;
/** Score and length, at most. */
const ELEMENT_BYTES = 13;
const OBJECT_BYTES = 240;

export class SortedSetValue extends Value implements SortedSetView, LeafWatcher {
  /** It is or was beyond what Redis keeps in a listpack. */
  #isLarge: boolean;
  readonly #table: ScoreTable;
  readonly #order: ScoreOrder;
  #parts: ValueParts | null;
  /** Leaves by number as long as they are parts. */
  #leaves: Map<number, ScoreLeaf> | null;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    super();
    this.#isLarge = false;
    this.#table = new ScoreTable();
    this.#order = new ScoreOrder(this.#table, this);
    this.#parts = null;
    this.#leaves = null;
    this.#meter = meter;
  }

  get kind(): number {
    return SORTED_SET_KIND;
  }

  get type(): "zset" {
    return "zset";
  }

  get encoding(): string {
    return this.#isLarge ? "skiplist" : "listpack";
  }

  get count(): number {
    return this.#table.count;
  }

  get parts(): ValueParts | null {
    return this.#parts;
  }

  get residentBytes(): number {
    return OBJECT_BYTES + this.#table.residentBytes + this.#order.residentBytes;
  }

  get #elementBytes(): number {
    return this.#table.count * ELEMENT_BYTES + this.#table.memberBytes;
  }

  get headBytes(): number {
    return this.#leaves === null ? 5 + this.#elementBytes : 5;
  }

  get imageBytesMax(): number {
    return 5 + this.#elementBytes;
  }

  scoreOf(member: string): number | undefined {
    const slot = this.#table.find(member);
    return slot < 0 ? undefined : this.#table.scores[slot]!;
  }

  rankOf(member: string): number {
    const slot = this.#table.find(member);
    return slot < 0 ? -1 : this.#order.rankOf(slot);
  }

  countBelowScore(score: number, orEqual: boolean): number {
    return this.#order.countBelowScore(score, orEqual);
  }

  countBelowMember(member: string, orEqual: boolean): number {
    return this.#order.countBelowMember(member, orEqual);
  }

  visit(from: number, to: number, isReverse: boolean, visit: (member: string, score: number) => void): void {
    const { members, scores } = this.#table;
    this.#order.visit(from, to, isReverse, (slot) => visit(members[slot]!, scores[slot]!));
  }

  scan(cursor: number, count: number, visit: (member: string, score: number) => void): number {
    const { members, scores } = this.#table;
    return this.#table.scan(cursor, count, (slot) => visit(members[slot]!, scores[slot]!));
  }

  /** The member has this score from now on, whether it was one or not. */
  put(member: string, score: number): void {
    const table = this.#table;
    const found = table.find(member);
    if (found < 0) {
      this.#order.insert(table.add(member, score));
      if (table.count > LISTPACK_COUNT_MAX || member.length > LISTPACK_MEMBER_BYTES_MAX) this.#isLarge = true;
    } else if (table.scores[found] !== score) {
      this.#order.remove(found);
      table.scores[found] = score;
      this.#order.insert(found);
    }
    this.#resized();
  }

  /** False: it was none. */
  remove(member: string): boolean {
    const slot = this.#table.find(member);
    if (slot < 0) return false;
    this.#removeSlot(slot);
    this.#resized();
    return true;
  }

  /** Those of ranks `from` … `to` − 1. */
  removeRanks(from: number, to: number): void {
    const slots: number[] = [];
    this.#order.visit(from, to, false, (slot) => slots.push(slot));
    for (const slot of slots) this.#removeSlot(slot);
    this.#resized();
  }

  #removeSlot(slot: number): void {
    this.#order.remove(slot);
    this.#table.remove(slot);
  }

  /** It may have become so large, or so small, that it is stored in another way. */
  #resized(): void {
    const bytes = this.#elementBytes;
    if (this.#leaves === null) {
      if (bytes <= HEAD_BYTES_MAX) return;
      this.#parts ??= new ValueParts(this.#meter);
      this.#leaves = new Map();
      for (const leaf of this.#order.leaves()) this.leafChanged(leaf);
    } else if (bytes < HEAD_BYTES_AGAIN) {
      for (const number of this.#leaves.keys()) this.#parts!.mark(number, 0);
      this.#leaves = null;
    }
  }

  leafChanged(leaf: ScoreLeaf): void {
    if (this.#leaves === null) return;
    this.#leaves.set(leaf.number, leaf);
    this.#parts!.mark(leaf.number, leaf.count * ELEMENT_BYTES + leaf.memberBytes);
  }

  leafGone(leaf: ScoreLeaf): void {
    if (this.#leaves === null) return;
    this.#leaves.delete(leaf.number);
    this.#parts!.mark(leaf.number, 0);
  }

  writeHead(writer: ByteWriter): void {
    this.#write(writer, this.#leaves !== null);
  }

  writeImage(writer: ByteWriter): void {
    this.#write(writer, false);
  }

  #write(writer: ByteWriter, isInParts: boolean): void {
    writer.u8((this.#isLarge ? Flag.large : 0) | (isInParts ? Flag.inParts : 0));
    writer.u32(this.#table.count);
    if (isInParts) return;
    for (const leaf of this.#order.leaves()) this.#writeLeaf(writer, leaf);
  }

  #writeLeaf(writer: ByteWriter, { slots, count }: ScoreLeaf): void {
    const { members, scores } = this.#table;
    for (let i = 0; i < count; i++) writeElement(writer, members[slots[i]!]!, scores[slots[i]!]!);
  }

  writePart(number: number, writer: ByteWriter): boolean {
    const leaf = this.#leaves?.get(number);
    if (leaf === undefined) return false;
    writer.u32(leaf.count);
    this.#writeLeaf(writer, leaf);
    return true;
  }

  hash(mixer: Mixer): void {
    mixer.word(this.#isLarge ? 1 : 0);
    mixer.number(this.#table.count);
    this.visit(0, this.#table.count, false, (member, score) => {
      mixer.number(score);
      mixer.text(member);
    });
  }

  verify(): void {
    this.#table.verify();
    this.#order.verify();
    if (this.#table.count === 0) throw new Error("a sorted set without members");
    if (this.#leaves === null) return;
    let leaves = 0;
    for (const leaf of this.#order.leaves()) {
      if (this.#leaves.get(leaf.number) !== leaf) throw new Error("a leaf that is no part");
      leaves++;
    }
    if (leaves !== this.#leaves.size) throw new Error("parts of leaves that are gone");
  }

  static read(head: ByteReader, parts: ReadonlyMap<number, ByteReader>, meter: DirtyMeter): SortedSetValue {
    const value = new SortedSetValue(meter);
    const flags = head.u8();
    const count = head.u32();
    value.#isLarge = (flags & Flag.large) !== 0;
    if ((flags & Flag.inParts) === 0) {
      if (parts.size > 0) throw new DamagedRowError("parts of a sorted set that has none");
      value.#readElements(head, count);
      return value;
    }
    value.#readParts(parts);
    if (value.count !== count) throw new DamagedRowError("parts of a sorted set are missing or left over");
    return value;
  }

  #readElements(reader: ByteReader, count: number): void {
    let memberBefore = "";
    let scoreBefore = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const score = reader.f64();
      const member = readMember(reader);
      if (i > 0 && !isBefore(scoreBefore, memberBefore, score, member))
        throw new DamagedRowError("members out of order");
      if (this.#table.find(member) >= 0) throw new DamagedRowError("a member stands in it twice");
      this.#order.insert(this.#table.add(member, score));
      scoreBefore = score;
      memberBefore = member;
    }
  }

  #readParts(parts: ReadonlyMap<number, ByteReader>): void {
    const table = this.#table;
    const read: { readonly number: number; readonly slots: readonly number[] }[] = [];
    for (const [number, reader] of parts) {
      const slots: number[] = [];
      for (let left = reader.u32(); left > 0; left--) {
        const score = reader.f64();
        const member = readMember(reader);
        if (table.find(member) >= 0) throw new DamagedRowError("a member stands in it twice");
        slots.push(table.add(member, score));
      }
      if (reader.remaining !== 0 || slots.length === 0) throw new DamagedRowError("a sorted set's part does not fit");
      read.push({ number, slots });
    }
    const { scores, members } = table;
    const isSlotBefore = (a: number, b: number): boolean => isBefore(scores[a]!, members[a]!, scores[b]!, members[b]!);
    read.sort((a, b) => (isSlotBefore(a.slots[0]!, b.slots[0]!) ? -1 : 1));
    this.#leaves = new Map();
    this.#parts = new ValueParts(this.#meter);
    let before = -1;
    for (const { number, slots } of read) {
      for (const slot of slots) {
        if (before >= 0 && !isSlotBefore(before, slot)) throw new DamagedRowError("members out of order");
        before = slot;
      }
      this.#leaves.set(number, this.#order.appendStored(number, slots));
      this.#parts.stored.add(number);
    }
  }

  static readImage(reader: ByteReader, meter: DirtyMeter): SortedSetValue {
    const value = new SortedSetValue(meter);
    const flags = reader.u8();
    value.#readElements(reader, reader.u32());
    value.#isLarge = (flags & Flag.large) !== 0;
    value.#resized();
    return value;
  }
}

/** An image behind what all begin with (`beginImage`): of a set with these scores, at least one, none of them −0. */
export function writeSortedSetImage(writer: ByteWriter, scores: ReadonlyMap<string, number>): void {
  const elements = [...scores].sort(([a, scoreA], [b, scoreB]) => (isBefore(scoreA, a, scoreB, b) ? -1 : 1));
  const isLarge =
    scores.size > LISTPACK_COUNT_MAX || elements.some(([member]) => member.length > LISTPACK_MEMBER_BYTES_MAX);
  writer.u8(isLarge ? Flag.large : 0);
  writer.u32(scores.size);
  for (const [member, score] of elements) writeElement(writer, member, score);
}

export function writeElement(writer: ByteWriter, member: string, score: number): void {
  writer.f64(score);
  writeMember(writer, member);
}

export function writeMember(writer: ByteWriter, member: string): void {
  writer.varint(member.length);
  writer.latin1(member);
}

export function readMember(reader: ByteReader): string {
  const length = reader.varint();
  const at = reader.skip(length);
  return latin1(reader.bytes, at, at + length);
}

/** An upper bound of what an element takes in an effect or an image. */
export function elementBytes(member: string): number {
  return ELEMENT_BYTES + member.length;
}

export const sortedSetKind: ValueKindRecord = {
  kind: SORTED_SET_KIND,
  type: "zset",
  read: (head, parts, meter) => SortedSetValue.read(head, parts, meter),
  readImage: (reader, meter) => SortedSetValue.readImage(reader, meter),
};
