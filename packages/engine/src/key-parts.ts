/** What has been read of one key so far, and how a key, or a part of one, is made of it. */
import { copyBytes, type ByteReader } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError } from "./api.ts";
import { Block, type BlockLine, MARK_DEAD } from "./block.ts";
import type { BlockList } from "./block-list.ts";
import { readLine } from "./block-line.ts";
import { checked } from "./checked.ts";
import { Consumer } from "./consumer.ts";
import type { DelayedEntry } from "./delayed-entries.ts";
import { buildDelayed, readDelayed } from "./delayed-rows.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { NEVER } from "./expiry-heap.ts";
import { Group } from "./group.ts";
import { type MaxLagBytes, readStreamLimits } from "./back-pressure.ts";
import { type GroupSettings, NO_GROUP_SETTINGS, readGroupSettings } from "./group-settings.ts";
import { buildIdempotence, IdempotenceParts } from "./idempotence-rows.ts";
import type { AnyKey } from "./stored-key.ts";
import { StreamKey } from "./stream-key.ts";
import { buildValueKey, readValueHeader, restOf, type ValueHeader } from "./value-rows.ts";
import { LEAF_RECORDS_MAX, PendingLeaf, RECORD_WORDS } from "./pending-leaf.ts";
import { type OwnRetention, readRetention } from "./retention.ts";
import { delayedNumber, HAS_DELAYED, HAS_IDEMPOTENCE, RowKind, type RowName } from "./state-rows.ts";
import { StoredLines } from "./stored-lines.ts";
import { Stream } from "./stream.ts";
import { StreamId } from "./stream-id.ts";

/** What rows of every kind say of their key. */
export type KeyHeader = Pick<StreamHeader, "key" | "lastWriterIndex" | "expiresAtMs" | "place">;

export interface StreamHeader {
  readonly key: string;
  readonly lastId: StreamId;
  readonly maxDeletedId: StreamId;
  readonly entriesAdded: number;
  readonly length: number;
  readonly lastWriterIndex: number;
  readonly blockCount: number;
  readonly nextBlockNumber: number;
  readonly groupCount: number;
  readonly nextGroupNumber: number;
  readonly ackLevel: number;
  readonly hasIdempotence: boolean;
  readonly delayedCount: number;
  readonly expiresAtMs: number;
  /** −1: the age. */
  readonly place: number;
  readonly retention: OwnRetention | null;
  readonly maxLagBytes: MaxLagBytes | null;
  /** Of the last block. */
  readonly tail: BlockLine | null;
}

interface Marks {
  readonly count: number;
  readonly bitmap: Uint8Array;
}

interface GroupHeader {
  readonly name: string;
  readonly lastDeliveredId: StreamId;
  readonly entriesRead: number;
  readonly consumerCount: number;
  readonly nextConsumerNumber: number;
  readonly leafCount: number;
  readonly nextLeafNumber: number;
  readonly pendingCount: number;
  readonly givenBack: number;
  readonly settings: GroupSettings;
}

export class GroupParts {
  header: GroupHeader | null;
  readonly consumers: Consumer[];
  readonly leaves: PendingLeaf[];

  constructor() {
    this.header = null;
    this.consumers = [];
    this.leaves = [];
  }
}

/** Shared, never written: a load meets very many keys, most with neither marks nor groups. */
const NO_MARKS: Map<number, Marks> = new Map();
const NO_LINES = new StoredLines();
const NO_GROUPS: Map<number, GroupParts> = new Map();
const NO_PARTS: Map<number, ByteReader> = new Map();
const NO_DELAYED: DelayedEntry[] = [];

export class KeyParts {
  readonly slot: number;
  readonly age: number;
  header: StreamHeader | null;
  /** Of sealed blocks. */
  lines: StoredLines;
  marks: Map<number, Marks>;
  groups: Map<number, GroupParts>;
  idempotence: IdempotenceParts | null;
  delayed: DelayedEntry[];
  /** Of a key that holds no stream, with its parts by number. */
  value: ValueHeader | null;
  valueParts: Map<number, ByteReader>;

  constructor(slot: number, age: number) {
    this.slot = slot;
    this.age = age;
    this.header = null;
    this.lines = NO_LINES;
    this.marks = NO_MARKS;
    this.groups = NO_GROUPS;
    this.idempotence = null;
    this.delayed = NO_DELAYED;
    this.value = null;
    this.valueParts = NO_PARTS;
  }

  /** What is known of the key itself; null: a row is missing. */
  get keyHeader(): KeyHeader | null {
    return this.value ?? this.header;
  }

  /** As far as its header's row says; without one nobody knows. */
  get mayBePacked(): boolean {
    const { header, value } = this;
    if (value !== null) return this.valueParts.size === 0 && value.place < 0 && value.expiresAtMs === NEVER;
    if (header === null) return false;
    const isInPlace = header.place < 0 || header.place === this.age;
    const isPlain = header.expiresAtMs === NEVER && !header.hasIdempotence && header.delayedCount === 0;
    return isInPlace && isPlain && header.blockCount < 2;
  }

  /** Takes in one row, whose body stands before the reader. Throws DamagedRowError. */
  takeRow(slot: number, name: RowName, reader: ByteReader): void {
    if (this.slot !== slot) throw new DamagedRowError("rows of one key in two slots");
    checked(() => this.#add(name.kind, name.first, name.second, reader));
    if (reader.remaining !== 0) throw new DamagedRowError("row is too long");
  }

  #add(kind: number, first: number, second: number, reader: ByteReader): void {
    switch (kind) {
      case RowKind.stream:
        this.header = readStreamHeader(reader);
        return;
      case RowKind.page:
        if (this.lines === NO_LINES) this.lines = new StoredLines();
        this.lines.takePage(first, reader, this.header?.blockCount ?? 0);
        return;
      case RowKind.marks: {
        const count = reader.u32();
        if (this.marks === NO_MARKS) this.marks = new Map();
        this.marks.set(first, { count, bitmap: reader.raw((count + 7) >>> 3) });
        return;
      }
      case RowKind.group:
        this.#group(first).header = readGroupHeader(reader);
        return;
      case RowKind.consumer: {
        const consumer = new Consumer(reader.string(), second, reader.f64());
        consumer.activeTimeMs = reader.f64();
        consumer.persisted = true;
        this.#group(first).consumers.push(consumer);
        return;
      }
      case RowKind.leaf:
        this.#group(first).leaves.push(readLeaf(second, reader));
        return;
      case RowKind.value:
        this.value = readValueHeader(reader);
        return;
      case RowKind.part:
        if (this.valueParts === NO_PARTS) this.valueParts = new Map();
        this.valueParts.set(first, restOf(reader));
        return;
      case RowKind.producer:
      case RowKind.iids:
        this.idempotence ??= new IdempotenceParts();
        this.idempotence.take(kind, first, reader);
        return;
      case RowKind.delayed:
        if (this.delayed === NO_DELAYED) this.delayed = [];
        this.delayed.push(readDelayed(delayedNumber(first, second), reader));
        return;
      default:
        throw new DamagedRowError(`row kind ${kind}`);
    }
  }

  #group(number: number): GroupParts {
    let parts = this.groups.get(number);
    if (parts === undefined) {
      parts = new GroupParts();
      if (this.groups === NO_GROUPS) this.groups = new Map();
      this.groups.set(number, parts);
    }
    return parts;
  }
}

function readStreamHeader(reader: ByteReader): StreamHeader {
  const header = {
    key: reader.string(),
    lastId: StreamId.read(reader),
    maxDeletedId: StreamId.read(reader),
    entriesAdded: reader.f64(),
    length: reader.f64(),
    lastWriterIndex: reader.f64(),
    blockCount: reader.u32(),
    nextBlockNumber: reader.u32(),
    groupCount: reader.u32(),
    nextGroupNumber: reader.u32(),
  };
  const ackLevel = reader.u8();
  const bits = reader.u8();
  if (bits > (HAS_IDEMPOTENCE | HAS_DELAYED)) throw new UnknownRowError(`bits ${bits} of a stream`);
  const hasIdempotence = (bits & HAS_IDEMPOTENCE) !== 0;
  const delayedCount = (bits & HAS_DELAYED) === 0 ? 0 : reader.f64();
  const tail = header.blockCount === 0 ? null : readLine(reader);
  const isPlain = reader.remaining === 0;
  const expiresAtMs = isPlain ? NEVER : reader.f64();
  const place = isPlain ? -1 : reader.f64();
  const retention = reader.remaining === 0 ? null : readRetention(reader);
  const maxLagBytes = reader.remaining === 0 ? null : readStreamLimits(reader);
  return { ...header, ackLevel, hasIdempotence, delayedCount, tail, expiresAtMs, place, retention, maxLagBytes };
}

function readGroupHeader(reader: ByteReader): GroupHeader {
  return {
    name: reader.string(),
    lastDeliveredId: StreamId.read(reader),
    entriesRead: reader.f64(),
    consumerCount: reader.u32(),
    nextConsumerNumber: reader.u32(),
    leafCount: reader.u32(),
    nextLeafNumber: reader.u32(),
    pendingCount: reader.f64(),
    givenBack: reader.remaining === 0 ? 0 : reader.f64(),
    settings: reader.remaining === 0 ? NO_GROUP_SETTINGS : readGroupSettings(reader),
  };
}

function readLeaf(number: number, reader: ByteReader): PendingLeaf {
  const count = reader.u32();
  if (count === 0 || count > LEAF_RECORDS_MAX) throw new DamagedRowError("leaf has an impossible size");
  const words = new Uint32Array(count * RECORD_WORDS);
  const bytes = count * RECORD_WORDS * 4;
  const at = reader.skip(bytes);
  copyBytes(new Uint8Array(words.buffer), 0, reader.bytes, at, at + bytes);
  const leaf = new PendingLeaf(number);
  leaf.load(words, count);
  leaf.persisted = true;
  return leaf;
}

/** Its expiry is set when the keyspace has taken it in. */
export function buildKey(parts: KeyParts, meter: DirtyMeter): AnyKey {
  const { header, value } = parts;
  if (value !== null) {
    if (header !== null) throw new DamagedRowError("a key that holds two values");
    return buildValueKey(parts.slot, parts.age, value, parts.valueParts, meter);
  }
  if (parts.valueParts.size > 0) throw new DamagedRowError("parts of a value that is not there");
  if (header === null) throw new DamagedRowError("key without a header row");
  const key = new StreamKey(header.key, parts.slot, parts.age, buildStream(parts, header, meter));
  key.place = placeOf(parts, header);
  key.lastWriterIndex = header.lastWriterIndex;
  key.persisted = true;
  return key;
}

export function placeOf(parts: KeyParts, header: KeyHeader): number {
  return header.place < 0 ? parts.age : header.place;
}

function buildStream(parts: KeyParts, header: StreamHeader, meter: DirtyMeter): Stream {
  const stream = new Stream(meter);
  stream.lastId = header.lastId;
  stream.maxDeletedId = header.maxDeletedId;
  stream.entriesAdded = header.entriesAdded;
  stream.nextGroupNumber = header.nextGroupNumber;
  const { entries } = stream;
  entries.nextBlockNumber = header.nextBlockNumber;
  adoptBlocks(entries.blocks, parts, header);
  entries.recount();
  if (entries.blocks.length !== header.blockCount) throw new DamagedRowError("blocks are missing or left over");
  if (entries.length !== header.length) throw new DamagedRowError("entries are missing or left over");
  if (parts.groups.size !== header.groupCount) throw new DamagedRowError("groups are missing or left over");
  for (const [number, group] of parts.groups) stream.adoptGroup(buildGroup(number, group, meter));
  restoreSettings(stream, parts, header, meter);
  stream.delayed = buildDelayed(parts.delayed, header.delayedCount, meter);
  return stream;
}

/** Acknowledgement level, retention, limits and idempotence, of all their rows. */
export function restoreSettings(stream: Stream, parts: KeyParts, header: StreamHeader, meter: DirtyMeter): void {
  restoreHeaderSettings(stream, header);
  if (header.hasIdempotence !== (parts.idempotence !== null)) {
    throw new DamagedRowError("idempotent ids are missing or left over");
  }
  stream.idempotence = parts.idempotence === null ? null : buildIdempotence(parts.idempotence, meter);
}

/** What of the settings stands in the header's row. */
export function restoreHeaderSettings(stream: Stream, { ackLevel, retention, maxLagBytes }: StreamHeader): void {
  stream.ackLevel = ackLevel;
  stream.retention = retention;
  stream.maxLagBytes = maxLagBytes;
  stream.forgetLimits();
}

/** All blocks of the stream. None of them is in memory yet. */
function adoptBlocks(blocks: BlockList, parts: KeyParts, { tail }: StreamHeader): void {
  const { lines, marks } = parts;
  const count = lines.countBefore(tail);
  blocks.adoptLines(lines.index, count, tail === null ? null : Block.shell(tail));
  for (const line of lines.scattered) {
    if (tail === null || line.number < tail.number) blocks.adoptShell(Block.shell(line));
  }
  for (const [number, marksOfBlock] of marks) {
    const at = blocks.indexOf(number);
    if (at < 0) throw new DamagedRowError(MARKS_OF_NONE);
    blocks.adoptShell(markedBlock(blocks.lineAt(at), marksOfBlock));
  }
}

/** The blocks with these numbers of which rows were read, ascending. None of them is in memory yet. */
export function buildBlocks(
  parts: KeyParts,
  { tail }: StreamHeader,
  numbers: ReadonlySet<number>,
): (Block | BlockLine)[] {
  const { lines, marks } = parts;
  const wanted: BlockLine[] = [];
  for (let at = 0, count = lines.countBefore(tail); at < count; at++) {
    if (numbers.has(lines.index.number(at))) wanted.push(lines.line(at));
  }
  if (tail !== null && numbers.has(tail.number)) wanted.push(tail);
  const found = new Set(wanted.map(({ number }) => number));
  for (const number of marks.keys()) if (!found.has(number)) throw new DamagedRowError(MARKS_OF_NONE);
  return wanted.map((line) => {
    const marksOfBlock = marks.get(line.number);
    return marksOfBlock === undefined ? line : markedBlock(line, marksOfBlock);
  });
}

const MARKS_OF_NONE = "marks of a block that is not there";

function markedBlock(line: BlockLine, marks: Marks): Block {
  const block = Block.shell(line);
  if (marks.count > block.count) throw new DamagedRowError("marks for more entries than there are");
  for (let entry = 0; entry < marks.count; entry++) {
    if ((marks.bitmap[entry >>> 3]! & (1 << (entry & 7))) === 0) continue;
    block.marks[entry]! |= MARK_DEAD;
    block.deadCount++;
  }
  if (block.deadCount === block.count) throw new DamagedRowError("a block without a live entry");
  while (!block.isLive(block.firstLive)) block.firstLive++;
  block.marksPersisted = true;
  return block;
}

export function buildGroup(number: number, parts: GroupParts, meter: DirtyMeter): Group {
  const { header, consumers, leaves } = parts;
  if (header === null) throw new DamagedRowError("group without a header row");
  if (consumers.length !== header.consumerCount) throw new DamagedRowError("consumers are missing or left over");
  if (leaves.length !== header.leafCount) throw new DamagedRowError("pending leaves are missing or left over");
  const group = new Group(header.name, number, header.lastDeliveredId, header.entriesRead, meter);
  group.nextConsumerNumber = header.nextConsumerNumber;
  group.givenBack = header.givenBack;
  group.settings = header.settings;
  group.persisted = true;
  for (const consumer of consumers) group.adopt(consumer);
  group.pending.adoptLeaves(leaves);
  if (!group.recount()) throw new DamagedRowError("pending entry of an unknown consumer");
  group.pending.nextLeafNumber = header.nextLeafNumber;
  if (group.pending.count !== header.pendingCount)
    throw new DamagedRowError("pending entries are missing or left over");
  return group;
}
