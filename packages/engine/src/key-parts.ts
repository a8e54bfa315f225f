/** What has been read of one key so far, and how a key, or a part of one, is made of it. */
import { copyBytes, TruncatedError, type ByteReader } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import { Block, MARK_DEAD, MARK_OPENS } from "./block.ts";
import { Consumer } from "./consumer.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { LENGTH_MASK, NO_STREAM_ACK, OPENS_NODE } from "./effect-format.ts";
import { NEVER } from "./expiry-heap.ts";
import { Group } from "./group.ts";
import { buildIdempotence, IdempotenceParts } from "./idempotence-rows.ts";
import { StreamKey } from "./keyspace-state.ts";
import { LEAF_RECORDS_MAX, PendingLeaf, RECORD_WORDS } from "./pending-leaf.ts";
import { type OwnRetention, readRetention } from "./retention.ts";
import { RowKind, type RowName } from "./state-rows.ts";
import { Stream } from "./stream.ts";
import { StreamId } from "./stream-id.ts";

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
  readonly expiresAtMs: number;
  /** −1: the age. */
  readonly place: number;
  readonly retention: OwnRetention | null;
}

interface Fragment {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly ids: number;
  readonly lengths: number;
  readonly region: number;
  readonly regionBytes: number;
}

interface Marks {
  readonly opensFirst: boolean;
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
const NO_GROUPS: Map<number, GroupParts> = new Map();

export class KeyParts {
  readonly slot: number;
  readonly age: number;
  header: StreamHeader | null;
  readonly fragments: Map<number, Fragment[]>;
  marks: Map<number, Marks>;
  groups: Map<number, GroupParts>;
  idempotence: IdempotenceParts | null;

  constructor(slot: number, age: number) {
    this.slot = slot;
    this.age = age;
    this.header = null;
    this.fragments = new Map();
    this.marks = NO_MARKS;
    this.groups = NO_GROUPS;
    this.idempotence = null;
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
      case RowKind.fragment: {
        const list = this.fragments.get(first);
        const fragment = readFragment(second, reader);
        if (list === undefined) this.fragments.set(first, [fragment]);
        else list.push(fragment);
        return;
      }
      case RowKind.marks: {
        const opensFirst = reader.u8() === 1;
        const count = reader.u32();
        if (this.marks === NO_MARKS) this.marks = new Map();
        this.marks.set(first, { opensFirst, count, bitmap: reader.raw((count + 7) >>> 3) });
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
      case RowKind.producer:
      case RowKind.iids:
        this.idempotence ??= new IdempotenceParts();
        this.idempotence.take(kind, first, reader);
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
  // Rows of older programs end here.
  const isOld = reader.remaining === 0;
  const ackLevel = isOld ? NO_STREAM_ACK : reader.u8();
  const hasIdempotence = !isOld && reader.u8() === 1;
  const isPlain = reader.remaining === 0;
  const expiresAtMs = isPlain ? NEVER : reader.f64();
  const place = isPlain ? -1 : reader.f64();
  const retention = reader.remaining === 0 ? null : readRetention(reader);
  return { ...header, ackLevel, hasIdempotence, expiresAtMs, place, retention };
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
  };
}

function readFragment(first: number, reader: ByteReader): Fragment {
  const count = reader.u32();
  const ids = reader.skip(count * 16);
  const lengths = reader.skip(count * 4);
  const regionBytes = reader.remaining;
  return { first, count, bytes: reader.bytes, ids, lengths, region: reader.skip(regionBytes), regionBytes };
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
export function buildKey(parts: KeyParts, meter: DirtyMeter): StreamKey {
  const { header } = parts;
  if (header === null) throw new DamagedRowError("key without a header row");
  const key = new StreamKey(header.key, parts.slot, parts.age, buildStream(parts, header, meter));
  key.place = placeOf(parts, header);
  key.lastWriterIndex = header.lastWriterIndex;
  key.persisted = true;
  return key;
}

export function placeOf(parts: KeyParts, header: StreamHeader): number {
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
  entries.blocks = buildBlocks(parts);
  entries.recount();
  if (entries.blocks.length !== header.blockCount) throw new DamagedRowError("blocks are missing or left over");
  if (entries.length !== header.length) throw new DamagedRowError("entries are missing or left over");
  if (parts.groups.size !== header.groupCount) throw new DamagedRowError("groups are missing or left over");
  for (const [number, group] of parts.groups) stream.adoptGroup(buildGroup(number, group, meter));
  restoreSettings(stream, parts, header, meter);
  return stream;
}

/** Acknowledgement level, retention and idempotence, of all their rows. */
export function restoreSettings(stream: Stream, parts: KeyParts, header: StreamHeader, meter: DirtyMeter): void {
  restoreHeaderSettings(stream, header);
  if (header.hasIdempotence !== (parts.idempotence !== null)) {
    throw new DamagedRowError("idempotent ids are missing or left over");
  }
  stream.idempotence = parts.idempotence === null ? null : buildIdempotence(parts.idempotence, meter);
}

/** What of the settings stands in the header's row. */
export function restoreHeaderSettings(stream: Stream, { ackLevel, retention }: StreamHeader): void {
  stream.ackLevel = ackLevel;
  stream.retention = retention;
}

/** The blocks of which rows were read, ascending. */
export function buildBlocks(parts: KeyParts): Block[] {
  const blocks: Block[] = [];
  for (const number of [...parts.fragments.keys()].sort((a, b) => a - b)) {
    const block = buildBlock(number, parts.fragments.get(number)!);
    const marks = parts.marks.get(number);
    if (marks !== undefined) applyMarks(block, marks);
    parts.marks.delete(number);
    blocks.push(block);
  }
  if (parts.marks.size > 0) throw new DamagedRowError("marks of a block that is not there");
  return blocks;
}

function buildBlock(number: number, fragments: Fragment[]): Block {
  fragments.sort((a, b) => a.first - b.first);
  let count = 0;
  let byteLength = 0;
  for (const fragment of fragments) {
    if (fragment.first !== count || fragment.count === 0) throw new DamagedRowError("fragments of a block do not join");
    count += fragment.count;
    byteLength += fragment.regionBytes;
  }
  const block = new Block(number, byteLength, count);
  const idBytes = new Uint8Array(block.ids.buffer);
  const lengths = new Uint32Array(count);
  const lengthBytes = new Uint8Array(lengths.buffer);
  let end = 0;
  for (const { first, bytes, ids, lengths: lengthsAt, count: more, region, regionBytes } of fragments) {
    copyBytes(idBytes, first * 16, bytes, ids, ids + more * 16);
    copyBytes(lengthBytes, first * 4, bytes, lengthsAt, lengthsAt + more * 4);
    copyBytes(block.bytes, block.byteLength, bytes, region, region + regionBytes);
    block.byteLength += regionBytes;
    for (let entry = first; entry < first + more; entry++) {
      end += lengths[entry]! & LENGTH_MASK;
      block.ends[entry] = end;
      if ((lengths[entry]! & OPENS_NODE) === 0) continue;
      block.marks[entry] = MARK_OPENS;
      block.opensCount++;
    }
    if (end !== block.byteLength) throw new DamagedRowError("lengths of a fragment do not add up");
    block.fragments.push(first);
  }
  block.count = count;
  block.capturedCount = count;
  return block;
}

function applyMarks(block: Block, marks: Marks): void {
  if (marks.count > block.count) throw new DamagedRowError("marks for more entries than there are");
  for (let entry = 0; entry < marks.count; entry++) {
    if ((marks.bitmap[entry >>> 3]! & (1 << (entry & 7))) === 0) continue;
    block.marks[entry]! |= MARK_DEAD;
    block.deadCount++;
  }
  block.firstLive = 0;
  while (block.firstLive < block.count && !block.isLive(block.firstLive)) block.firstLive++;
  if (marks.opensFirst) block.markOpens(0);
  block.marksDirty = false;
  block.marksPersisted = true;
}

export function buildGroup(number: number, parts: GroupParts, meter: DirtyMeter): Group {
  const { header, consumers, leaves } = parts;
  if (header === null) throw new DamagedRowError("group without a header row");
  if (consumers.length !== header.consumerCount) throw new DamagedRowError("consumers are missing or left over");
  if (leaves.length !== header.leafCount) throw new DamagedRowError("pending leaves are missing or left over");
  const group = new Group(header.name, number, header.lastDeliveredId, header.entriesRead, meter);
  group.nextConsumerNumber = header.nextConsumerNumber;
  group.givenBack = header.givenBack;
  group.persisted = true;
  for (const consumer of consumers) group.adopt(consumer);
  group.pending.adoptLeaves(leaves);
  if (!group.recount()) throw new DamagedRowError("pending entry of an unknown consumer");
  group.pending.nextLeafNumber = header.nextLeafNumber;
  if (group.pending.count !== header.pendingCount)
    throw new DamagedRowError("pending entries are missing or left over");
  return group;
}

/** Bytes that end early are damage here. */
export function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TruncatedError) throw new DamagedRowError(error.message);
    throw error;
  }
}
