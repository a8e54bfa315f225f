/**
 * A whole stream as one piece of bytes: what COPY and RESTORE put into the log, and, between a head and a checksum, what DUMP hands out.
 *
 *   image    u8 version = 1 · sections · u8 0
 *   section  u8 kind · u32 bodyBytes · body
 *
 *   kind 1 head      id last · id maxDeleted · f64 entriesAdded
 *   kind 2 entries   u32 regionBytes · region (live entries in wire form, back to back) · u32 count · id column (16 each) · length column (u32
 *                    each: bit 31 = opens a stream node, bit 30 = opens a storage block, bits 0–29 = bytes of the entry)
 *   kind 3 group     string name · id lastDelivered · f64 entriesRead · f64 givenBack · u32 consumers · {string name · f64 seenMs · f64 activeMs} ·
 *                    u32 pending · {id · u32 consumer (its number in this list from 1, 0: nobody) · f64 timeMs (nobody's: how many were given back
 *                    before it) · f64 deliveries}, ascending by id
 *   kind 4 settings  u8 ack level (255: none of its own) · u8 has idempotent ids · [those, as idempotence-rows.ts writes them]
 *
 *   kind 5 retention the stream's own (retention.ts)
 *   kind 6 group settings, behind their group if it has any (group-settings.ts)
 *   kind 8 limits    the stream's own (back-pressure.ts)
 *
 * Head and entries come first, groups sorted by name. Deleted entries are left out: a copy has no tombstones, but for what maxDeleted says of them.
 * Numbers of blocks, groups, consumers and leaves are given anew while it is read, the same on every replica.
 */
import { assert, ByteWriter, type ByteReader } from "@headrace/bytes";
import { type MaxLagBytes, readStreamLimits, writeStreamLimits } from "./back-pressure.ts";
import { BLOCK_ENTRIES_MAX, MARK_DEAD, MARK_OPENS } from "./block.ts";
import { BLOCK_BYTES } from "./block-bytes.ts";
import type { BlockList } from "./block-list.ts";
import { NO_STREAM_ACK, OPENS_BLOCK, OPENS_NODE } from "./effect-format.ts";
import type { Consumer } from "./consumer.ts";
import type { Group } from "./group.ts";
import { type GroupSettings, hasGroupSettings, readGroupSettings, writeGroupSettings } from "./group-settings.ts";
import type { Idempotence } from "./idempotence.ts";
import { readIdempotence, writeIdempotence } from "./idempotence-rows.ts";
import { NOBODY } from "./pending-leaf.ts";
import { type OwnRetention, readRetention, writeRetention } from "./retention.ts";
import { ENTRY_COLUMN_BYTES, RunColumns } from "./run-columns.ts";
import type { Stream } from "./stream.ts";
import { StreamId } from "./stream-id.ts";

export const IMAGE_VERSION = 1;

export const ImageSection = {
  end: 0,
  head: 1,
  entries: 2,
  group: 3,
  settings: 4,
  retention: 5,
  groupSettings: 6,
  limits: 8,
} as const;

/** Builds an image piece by piece: head, entries ascending, then groups with their consumers and pending entries. */
export class StreamImageWriter {
  readonly #writer: ByteWriter;
  readonly #bytesMax: number;
  readonly #columns: RunColumns;
  #sectionAt: number;
  #countAt: number;
  #count: number;
  #blockBytes: number;
  #blockEntries: number;

  /** Above `bytesMax` it says `isTooLarge`, and what it holds is good for nothing. */
  constructor(bytesMax: number) {
    this.#writer = new ByteWriter(1024);
    this.#bytesMax = bytesMax;
    this.#columns = new RunColumns();
    this.#sectionAt = 0;
    this.#countAt = 0;
    this.#count = 0;
    this.#blockBytes = 0;
    this.#blockEntries = 0;
  }

  /** To be asked again and again while it is filled: a small source may make a large image. */
  get isTooLarge(): boolean {
    return this.#writer.length + this.#columns.count * 20 > this.#bytesMax;
  }

  get entryCount(): number {
    return this.#columns.count;
  }

  head(lastId: StreamId, maxDeletedId: StreamId, entriesAdded: number): void {
    const writer = this.#writer;
    writer.u8(IMAGE_VERSION);
    this.#begin(ImageSection.head);
    lastId.write(writer);
    maxDeletedId.write(writer);
    writer.f64(entriesAdded);
    this.#end();
    this.#begin(ImageSection.entries);
    writer.u32(0);
  }

  /** Where the wire form of the next entry is to be written; `entry` says how long it became. */
  get region(): ByteWriter {
    return this.#writer;
  }

  /** The entry with this id stands in the region from `start` on. */
  entry(id: StreamId, start: number, opensNode: boolean): void {
    const byteCount = this.#writer.length - start;
    let flags = opensNode ? OPENS_NODE : 0;
    const isFull = this.#blockBytes + byteCount > BLOCK_BYTES || this.#blockEntries >= BLOCK_ENTRIES_MAX;
    if (this.#columns.count === 0 || isFull) {
      flags |= OPENS_BLOCK;
      this.#blockBytes = 0;
      this.#blockEntries = 0;
    }
    this.#blockBytes += byteCount;
    this.#blockEntries++;
    this.#columns.push(id, (byteCount | flags) >>> 0);
  }

  endEntries(): void {
    const writer = this.#writer;
    const regionAt = this.#sectionAt;
    writer.patchU32(regionAt, writer.length - regionAt - 4);
    writer.u32(this.#columns.count);
    this.#columns.write(writer);
    this.#columns.clear();
    this.#end();
  }

  group(name: string, lastDeliveredId: StreamId, entriesRead: number, givenBack: number): void {
    const writer = this.#writer;
    this.#begin(ImageSection.group);
    writer.string(name);
    lastDeliveredId.write(writer);
    writer.f64(entriesRead);
    writer.f64(givenBack);
    this.#beginList();
  }

  consumer(name: string, seenMs: number, activeMs: number): void {
    const writer = this.#writer;
    writer.string(name);
    writer.f64(seenMs);
    writer.f64(activeMs);
    this.#count++;
  }

  /** Behind the last consumer of the group. */
  beginPending(): void {
    this.#endList();
    this.#beginList();
  }

  /** `consumer`: its number in the order of the group's consumers, from 1; 0: nobody's. */
  pending(id: StreamId, consumer: number, timeMs: number, deliveries: number): void {
    const writer = this.#writer;
    id.write(writer);
    writer.u32(consumer);
    writer.f64(timeMs);
    writer.f64(deliveries);
    this.#count++;
  }

  endGroup(): void {
    this.#endList();
    this.#end();
  }

  /** Of the group that was ended last; left out where there are none. */
  groupSettings(settings: GroupSettings): void {
    this.#begin(ImageSection.groupSettings);
    writeGroupSettings(this.#writer, settings);
    this.#end();
  }

  /** Left out for a stream that has none. */
  settings(ackLevel: number, idempotence: Idempotence | null): void {
    const writer = this.#writer;
    this.#begin(ImageSection.settings);
    writer.u8(ackLevel);
    writer.u8(idempotence === null ? 0 : 1);
    if (idempotence !== null) writeIdempotence(writer, idempotence);
    this.#end();
  }

  /** Left out for a stream that has none of its own. */
  retention(own: OwnRetention): void {
    this.#begin(ImageSection.retention);
    writeRetention(this.#writer, own);
    this.#end();
  }

  /** Left out for a stream that has none. */
  limits(maxLagBytes: MaxLagBytes): void {
    this.#begin(ImageSection.limits);
    writeStreamLimits(this.#writer, maxLagBytes);
    this.#end();
  }

  /** The image, owned by the caller. */
  finish(): Uint8Array {
    assert(!this.isTooLarge, "an image that is too large is not used");
    this.#writer.u8(ImageSection.end);
    return this.#writer.take(0);
  }

  #beginList(): void {
    this.#countAt = this.#writer.length;
    this.#count = 0;
    this.#writer.u32(0);
  }

  #endList(): void {
    this.#writer.patchU32(this.#countAt, this.#count);
  }

  #begin(section: number): void {
    this.#writer.u8(section);
    this.#writer.u32(0);
    this.#sectionAt = this.#writer.length;
  }

  #end(): void {
    this.#writer.patchU32(this.#sectionAt - 4, this.#writer.length - this.#sectionAt);
  }
}

/** The image of a stream; null when it is larger than `bytesMax`. */
export function imageOf(stream: Stream, bytesMax: number): Uint8Array | null {
  const image = new StreamImageWriter(bytesMax);
  image.head(stream.lastId, stream.maxDeletedId, stream.entriesAdded);
  const { region } = image;
  let opens = true;
  const { blocks } = stream.entries;
  if (entryBytesAtLeast(blocks) > bytesMax) return null;
  blocks.need(0, blocks.length);
  for (let at = 0; at < blocks.length; at++) {
    const block = blocks.whole(at);
    for (let entry = 0; entry < block.count; entry++) {
      const mark = block.marks[entry]!;
      if ((mark & MARK_OPENS) !== 0) opens = true;
      if ((mark & MARK_DEAD) !== 0) continue;
      const start = region.length;
      region.raw(block.bytes, block.startOf(entry), block.ends[entry]!);
      image.entry(block.idAt(entry), start, opens);
      opens = false;
    }
    if (image.isTooLarge) return null;
  }
  image.endEntries();
  for (const group of stream.groups()) {
    writeGroup(image, group);
    if (image.isTooLarge) return null;
  }
  const { ackLevel, idempotence, retention, maxLagBytes } = stream;
  if (ackLevel !== NO_STREAM_ACK || idempotence !== null) image.settings(ackLevel, idempotence);
  if (retention !== null) image.retention(retention);
  if (maxLagBytes !== null) image.limits(maxLagBytes);
  return image.isTooLarge ? null : image.finish();
}

/** What the image will have of them for certain. */
function entryBytesAtLeast(blocks: BlockList): number {
  let bytes = 0;
  for (let at = 0; at < blocks.length; at++) if (!blocks.hasDeadAt(at)) bytes += blocks.entryBytesAt(at);
  return bytes;
}

function writeGroup(image: StreamImageWriter, group: Group): void {
  image.group(group.name, group.lastDeliveredId, group.entriesRead, group.givenBack);
  const numbers = new Map<number, number>([[NOBODY, 0]]);
  for (const consumer of group.consumers()) {
    numbers.set(consumer.number, numbers.size);
    image.consumer(consumer.name, consumer.seenTimeMs, consumer.activeTimeMs);
  }
  image.beginPending();
  for (const leaf of group.pending.leaves) {
    for (let record = 0; record < leaf.count; record++) {
      const consumer = numbers.get(leaf.consumerAt(record))!;
      image.pending(leaf.idAt(record), consumer, leaf.timeAt(record), leaf.deliveriesAt(record));
    }
  }
  image.endGroup();
  if (hasGroupSettings(group.settings)) image.groupSettings(group.settings);
}

/** Fills an empty stream: part of `apply`, so the image is one that a leader has written. The reader ends behind it. */
export function readStreamImage(reader: ByteReader, stream: Stream, columns: RunColumns): void {
  // Another form of the image is another version of the effect.
  assert(reader.u8() === IMAGE_VERSION, "stream image version");
  let group: Group | null = null;
  for (let kind = reader.u8(); kind !== ImageSection.end; kind = reader.u8()) {
    const bodyBytes = reader.u32();
    const end = reader.offset + bodyBytes;
    if (kind === ImageSection.head) readHead(reader, stream);
    else if (kind === ImageSection.entries) readEntries(reader, stream, columns);
    else if (kind === ImageSection.group) group = readGroup(reader, stream);
    else if (kind === ImageSection.groupSettings) group!.settings = readGroupSettings(reader);
    else if (kind === ImageSection.settings) readSettings(reader, stream);
    else if (kind === ImageSection.retention) stream.retention = readRetention(reader);
    else if (kind === ImageSection.limits) stream.maxLagBytes = readStreamLimits(reader);
    else assert(false, "stream image section");
    assert(reader.offset === end, "section not read to its end");
  }
}

function readSettings(reader: ByteReader, stream: Stream): void {
  stream.ackLevel = reader.u8();
  if (reader.u8() === 1) stream.idempotence = readIdempotence(reader, stream.meter);
}

function readHead(reader: ByteReader, stream: Stream): void {
  stream.lastId = StreamId.read(reader);
  stream.maxDeletedId = StreamId.read(reader);
  stream.entriesAdded = reader.f64();
}

function readEntries(reader: ByteReader, stream: Stream, columns: RunColumns): void {
  const regionBytes = reader.u32();
  const region = reader.skip(regionBytes);
  const count = reader.u32();
  const ids = reader.skip(count * 16);
  const lengths = reader.skip(count * 4);
  if (count === 0) return;
  columns.load(reader.bytes, ids, lengths, count);
  stream.entries.appendRun(reader.bytes, region, columns, 0, count);
  stream.entries.tailNode.forget();
  stream.meter.bytes += regionBytes + count * ENTRY_COLUMN_BYTES;
}

function readGroup(reader: ByteReader, stream: Stream): Group {
  const group = stream.createGroup(reader.string(), StreamId.read(reader), reader.f64());
  group.givenBack = reader.f64();
  const consumers: Consumer[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    const name = reader.string();
    const seenMs = reader.f64();
    group.createConsumer(name, seenMs);
    const consumer = group.existing(name);
    group.touchConsumer(consumer, seenMs, reader.f64());
    consumers.push(consumer);
  }
  for (let count = reader.u32(); count > 0; count--) {
    const id = StreamId.read(reader);
    const consumer = reader.u32();
    const timeMs = reader.f64();
    const deliveries = reader.f64();
    if (consumer === 0) group.putGivenBack(id, timeMs, deliveries);
    else group.assign(id, consumers[consumer - 1]!, timeMs, deliveries);
  }
  return group;
}
