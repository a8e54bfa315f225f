/** Rows and bytes of a stream's idempotence: what checkpoints keep of it, and the one form in which it travels as a whole (COPY, DUMP). */
import { copyBytes, type ByteReader, type ByteWriter } from "@headrace/bytes";
import { DamagedRowError, type StateRow } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { DURATION_SECONDS_MAX, Idempotence, IIDS_MAX, Producer } from "./idempotence.ts";
import { IID_ROW_WORDS, IID_WORDS, IidSegment, SEGMENT_RECORDS_MAX } from "./iid-segment.ts";
import type { StreamKey } from "./stream-key.ts";
import { IDEMPOTENCE_HEADER, removeRow, ROW_VERSION, RowKind, sealRow, subkeyOf } from "./state-rows.ts";

/** What a capture covered. */
export interface CapturedIdempotence {
  readonly of: Idempotence;
  readonly segments: readonly IidSegment[];
  readonly producers: readonly Producer[];
}

interface IdempotenceHeader {
  readonly durationSeconds: number;
  readonly maxSize: number;
  readonly iidsAdded: number;
  readonly duplicates: number;
  readonly producerCount: number;
  readonly nextProducerNumber: number;
  readonly segmentCount: number;
  readonly nextSegmentNumber: number;
  readonly tracked: number;
}

/** What has been read of a stream's idempotence so far. */
export class IdempotenceParts {
  header: IdempotenceHeader | null;
  readonly producers: Producer[];
  readonly segments: IidSegment[];

  constructor() {
    this.header = null;
    this.producers = [];
    this.segments = [];
  }

  take(kind: number, number: number, reader: ByteReader): void {
    if (kind === RowKind.iids) this.segments.push(readSegment(number, reader));
    else if (number === IDEMPOTENCE_HEADER) this.header = readHeader(reader);
    else this.producers.push(new Producer(reader.string(), number));
  }
}

export function captureIdempotence(key: StreamKey, rows: StateRow[], writer: ByteWriter): CapturedIdempotence | null {
  const { idempotence } = key.stream;
  if (idempotence === null || !idempotence.dirty) return null;
  for (const number of idempotence.droppedSegments) removeRow(rows, key, RowKind.iids, number, 0);
  for (const number of idempotence.droppedProducers) removeRow(rows, key, RowKind.producer, number, 0);
  idempotence.droppedSegments = [];
  idempotence.droppedProducers = [];
  const segments = idempotence.dirtySegments.filter((segment) => !segment.dropped);
  for (const segment of idempotence.dirtySegments) segment.dirty = false;
  idempotence.dirtySegments = [];
  for (const segment of segments) {
    writer.u8(ROW_VERSION);
    writeSegment(writer, segment);
    rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.iids, segment.number, 0), writer));
    segment.persisted = true;
  }
  const producers = idempotence.dirtyProducers.filter((producer) => idempotence.has(producer));
  for (const producer of idempotence.dirtyProducers) producer.dirty = false;
  idempotence.dirtyProducers = [];
  for (const producer of producers) {
    writer.u8(ROW_VERSION);
    writer.string(producer.name);
    rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.producer, producer.number, 0), writer));
    producer.persisted = true;
  }
  writer.u8(ROW_VERSION);
  writeHeader(writer, idempotence);
  rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.producer, IDEMPOTENCE_HEADER, 0), writer));
  idempotence.dirty = false;
  idempotence.persisted = true;
  return { of: idempotence, segments, producers };
}

/** The capture will never be written: what it covered is dirty again. */
export function restoreCapturedIdempotence({ of, segments, producers }: CapturedIdempotence): void {
  of.markDirty();
  for (const segment of segments) if (!segment.dropped) of.markSegmentDirty(segment);
  for (const producer of producers) if (of.has(producer)) of.markProducerDirty(producer);
}

/** Of rows that were all read. Throws DamagedRowError. */
export function buildIdempotence(parts: IdempotenceParts, meter: DirtyMeter): Idempotence {
  const { header, producers, segments } = parts;
  if (header === null) throw new DamagedRowError("idempotent ids without a header row");
  if (producers.length !== header.producerCount) throw new DamagedRowError("producers are missing or left over");
  if (segments.length !== header.segmentCount) throw new DamagedRowError("idempotent ids are missing or left over");
  const idempotence = built(header, producers, segments, meter);
  idempotence.persisted = true;
  for (const producer of producers) producer.persisted = true;
  for (const segment of segments) segment.persisted = true;
  return idempotence;
}

/** All of it, as `readIdempotence` takes it in; whoever wraps it says which version it is. */
export function writeIdempotence(writer: ByteWriter, idempotence: Idempotence): void {
  writeHeader(writer, idempotence);
  for (const producer of idempotence.producers()) {
    writer.u32(producer.number);
    writer.string(producer.name);
  }
  for (const segment of idempotence.segments) {
    writer.u32(segment.number);
    writer.u32(segment.byteLength);
    writeSegment(writer, segment);
  }
}

/**
 * What `writeIdempotence` wrote, as the idempotence of a stream that the store knows nothing of yet: all of it is dirty. Throws DamagedRowError or
 * TruncatedError for bytes that it can't have written.
 */
export function readIdempotence(reader: ByteReader, meter: DirtyMeter): Idempotence {
  const header = readHeader(reader);
  const producers: Producer[] = [];
  for (let count = header.producerCount; count > 0; count--) {
    const number = reader.u32();
    producers.push(new Producer(reader.string(), number));
  }
  const segments: IidSegment[] = [];
  for (let count = header.segmentCount; count > 0; count--) {
    const number = reader.u32();
    segments.push(readSegment(number, reader, reader.u32()));
  }
  const idempotence = built(header, producers, segments, meter);
  idempotence.markDirty();
  for (const producer of producers) idempotence.markProducerDirty(producer);
  for (const segment of segments) idempotence.markSegmentDirty(segment);
  return idempotence;
}

function built(
  header: IdempotenceHeader,
  producers: readonly Producer[],
  segments: IidSegment[],
  meter: DirtyMeter,
): Idempotence {
  checkHeader(header);
  const idempotence = new Idempotence(meter);
  idempotence.durationSeconds = header.durationSeconds;
  idempotence.maxSize = header.maxSize;
  idempotence.iidsAdded = header.iidsAdded;
  idempotence.duplicates = header.duplicates;
  idempotence.nextProducerNumber = header.nextProducerNumber;
  idempotence.nextSegmentNumber = header.nextSegmentNumber;
  let before = 0;
  for (const producer of producers.toSorted((a, b) => a.number - b.number)) {
    const isNew = producer.number > before && producer.number < header.nextProducerNumber;
    if (!isNew || !idempotence.adoptProducer(producer))
      throw new DamagedRowError("a producer's number or name is not its own");
    before = producer.number;
  }
  idempotence.segments = segments.sort((a, b) => a.number - b.number);
  if (!idempotence.link()) throw new DamagedRowError("idempotent ids that do not fit their producers");
  if (idempotence.tracked !== header.tracked) throw new DamagedRowError("idempotent ids are missing or left over");
  return idempotence;
}

function checkHeader({ durationSeconds, maxSize, iidsAdded, duplicates }: IdempotenceHeader): void {
  const isWindow =
    durationSeconds >= 1 && durationSeconds <= DURATION_SECONDS_MAX && maxSize >= 1 && maxSize <= IIDS_MAX;
  const areCounts = [iidsAdded, duplicates].every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!isWindow || !areCounts) throw new DamagedRowError("idempotence with an impossible window or counter");
}

function writeHeader(writer: ByteWriter, idempotence: Idempotence): void {
  writer.u32(idempotence.durationSeconds);
  writer.u32(idempotence.maxSize);
  writer.f64(idempotence.iidsAdded);
  writer.f64(idempotence.duplicates);
  writer.u32(idempotence.producerCount);
  writer.u32(idempotence.nextProducerNumber);
  writer.u32(idempotence.segments.length);
  writer.u32(idempotence.nextSegmentNumber);
  writer.f64(idempotence.tracked);
}

function readHeader(reader: ByteReader): IdempotenceHeader {
  return {
    durationSeconds: reader.u32(),
    maxSize: reader.u32(),
    iidsAdded: reader.f64(),
    duplicates: reader.f64(),
    producerCount: reader.u32(),
    nextProducerNumber: reader.u32(),
    segmentCount: reader.u32(),
    nextSegmentNumber: reader.u32(),
    tracked: reader.f64(),
  };
}

function writeSegment(writer: ByteWriter, segment: IidSegment): void {
  writer.u32(segment.count);
  for (let record = 0; record < segment.count; record++) {
    const cell = record * IID_WORDS;
    for (let word = 0; word < IID_ROW_WORDS; word++) writer.u32(segment.words[cell + word]!);
  }
  writer.raw(segment.bytes, 0, segment.byteLength);
}

function readSegment(number: number, reader: ByteReader, iidBytes: number | null = null): IidSegment {
  const count = reader.u32();
  if (number === 0 || count === 0 || count > SEGMENT_RECORDS_MAX) {
    throw new DamagedRowError("idempotent ids in a segment of an impossible size");
  }
  const segment = new IidSegment(number);
  segment.words = new Uint32Array(count * IID_WORDS);
  let end = 0;
  for (let record = 0; record < count; record++) {
    const cell = record * IID_WORDS;
    for (let word = 0; word < IID_ROW_WORDS; word++) segment.words[cell + word] = reader.u32();
    if (segment.endOf(record) < end) throw new DamagedRowError("idempotent ids end before they begin");
    end = segment.endOf(record);
    if (segment.producerAt(record) !== 0) segment.live++;
  }
  const byteLength = iidBytes ?? reader.remaining;
  if (end !== byteLength || segment.live === 0) throw new DamagedRowError("idempotent ids do not add up");
  const at = reader.skip(byteLength);
  segment.bytes = new Uint8Array(byteLength);
  copyBytes(segment.bytes, 0, reader.bytes, at, at + byteLength);
  segment.byteLength = byteLength;
  segment.count = count;
  segment.skipForgotten();
  return segment;
}
