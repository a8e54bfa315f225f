/**
 * Which entries a stream's producers have added under which idempotent ids (iids), so that the same one again adds nothing (XADD IDMP). All
 * producers' records stand in one line in the order in which they came, in segments; an index finds one by producer and iid, and each
 * producer's own records are chained. So forgetting what is too old (all of the stream's front) or too many (the producer's first) costs
 * as much as what is forgotten. Every change is part of `apply`.
 *
 * A record is forgotten for good when the log's time has left it behind; until a log entry comes, readers judge by their own time. Both see
 * the same, since what is too old stays so.
 */
import { assert } from "@headrace/bytes";
import type { IdempotenceView } from "./api.ts";
import type { KnownIid } from "./delays-api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { isBetween } from "./effect-parts.ts";
import { IidIndex } from "./iid-index.ts";
import { IidSegment, SEGMENT_RECORDS_MAX } from "./iid-segment.ts";
import { MIN_ID, StreamId } from "./stream-id.ts";

/** Redis' defaults and bounds of a stream's window. */
export const DEFAULT_DURATION_SECONDS = 100;
export const DURATION_SECONDS_MAX = 86_400;
export const DEFAULT_IIDS_MAX = 100;
export const IIDS_MAX = 10_000;

export function isWindow(durationSeconds: number, maxSize: number): boolean {
  return isBetween(durationSeconds, 1, DURATION_SECONDS_MAX) && isBetween(maxSize, 1, IIDS_MAX);
}

/** A place is segment number × 128 + record, 32 bits of it: enough to tell apart what lives at one time. */
const RECORD_BITS = 7;
const RECORD_MASK = SEGMENT_RECORDS_MAX - 1;
const SEGMENT_MASK = 0x1ff_ffff;
/** Segments that hold more than four times what lives in them, and this, are made anew. */
const SPARE_RECORDS = 4 * SEGMENT_RECORDS_MAX;

const SEGMENT_ROW_BYTES = 2048;
const PRODUCER_ROW_BYTES = 48;
const HEADER_ROW_BYTES = 96;

export class Producer {
  readonly name: string;
  /** Unique in its stream: names its row, and stands in its records. */
  readonly number: number;
  count: number;
  /** Places of its first and its last record. */
  first: number;
  last: number;
  dirty: boolean;
  persisted: boolean;

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
    this.count = 0;
    this.first = 0;
    this.last = 0;
    this.dirty = false;
    this.persisted = false;
  }
}

/** An iid with its record, its place in the index and its bytes; a producer with its name. About. */
const IID_BYTES = 64;
const PRODUCER_BYTES = 220;

export class Idempotence implements IdempotenceView {
  durationSeconds: number;
  maxSize: number;
  /** Ever: they outlive what they counted. */
  iidsAdded: number;
  duplicates: number;
  nextProducerNumber: number;
  nextSegmentNumber: number;
  segments: IidSegment[];
  /** Records in the segments, forgotten ones included. */
  recordCount: number;
  /** For capture: the header's row, and the numbers of parts whose rows have to go. */
  dirty: boolean;
  persisted: boolean;
  dirtySegments: IidSegment[];
  droppedSegments: number[];
  dirtyProducers: Producer[];
  droppedProducers: number[];
  readonly #producers: Map<string, Producer>;
  readonly #byNumber: Map<number, Producer>;
  readonly #index: IidIndex;
  readonly #meter: DirtyMeter;

  constructor(meter: DirtyMeter) {
    this.durationSeconds = DEFAULT_DURATION_SECONDS;
    this.maxSize = DEFAULT_IIDS_MAX;
    this.iidsAdded = 0;
    this.duplicates = 0;
    this.nextProducerNumber = 1;
    this.nextSegmentNumber = 1;
    this.segments = [];
    this.recordCount = 0;
    this.dirty = false;
    this.persisted = false;
    this.dirtySegments = [];
    this.droppedSegments = [];
    this.dirtyProducers = [];
    this.droppedProducers = [];
    this.#producers = new Map();
    this.#byNumber = new Map();
    this.#index = new IidIndex((place) => this.#segmentOf(place).hashAt(place & RECORD_MASK));
    this.#meter = meter;
  }

  /** Records that live, those that are too old and not forgotten yet included. */
  get tracked(): number {
    return this.#index.size;
  }

  /** See resident-bytes.ts. */
  get residentBytes(): number {
    return this.tracked * IID_BYTES + this.producerCount * PRODUCER_BYTES;
  }

  get producerCount(): number {
    return this.#producers.size;
  }

  /** In the order in which they came. */
  producers(): Iterable<Producer> {
    return this.#producers.values();
  }

  /** When the oldest record has to be forgotten; Infinity: there is none. */
  get deadlineMs(): number {
    const front = this.segments[0];
    return front === undefined ? Number.POSITIVE_INFINITY : front.msAt(front.firstLive) + this.durationSeconds * 1000;
  }

  find(producerName: string, bytes: Uint8Array, start: number, end: number, nowMs: number): KnownIid | null {
    const producer = this.#producers.get(producerName);
    if (producer === undefined) return null;
    const place = this.#placeOf(producer, hashOf(producer.number, bytes, start, end), bytes, start, end);
    if (place === 0) return null;
    const segment = this.#segmentOf(place);
    const record = place & RECORD_MASK;
    if (segment.msAt(record) < this.#oldestMs(nowMs)) return null;
    const id = segment.idAt(record);
    return segment.isOfDelayed(record) ? { id: MIN_ID, delayed: id.seq() } : { id, delayed: 0 };
  }

  countTracked(nowMs: number): { readonly producers: number; readonly iids: number } {
    const oldestMs = this.#oldestMs(nowMs);
    const gone = new Map<number, number>();
    let goneCount = 0;
    let goneProducers = 0;
    for (const segment of this.segments) {
      for (let record = segment.firstLive; record < segment.count; record++) {
        const number = segment.producerAt(record);
        if (number === 0) continue;
        // Behind the first that is young enough the others are too, but for what XIDMPRECORD put there, which goes when its turn comes.
        if (segment.msAt(record) >= oldestMs) {
          return { producers: this.#producers.size - goneProducers, iids: this.tracked - goneCount };
        }
        const count = (gone.get(number) ?? 0) + 1;
        gone.set(number, count);
        goneCount++;
        if (count === this.#byNumber.get(number)!.count) goneProducers++;
      }
    }
    return { producers: this.#producers.size - goneProducers, iids: this.tracked - goneCount };
  }

  /** Remembers source[start, end) as the producer's iid of the entry; the producer's oldest make room. */
  record(producerName: string, source: Uint8Array, start: number, end: number, id: StreamId): void {
    this.#record(producerName, source, start, end, id, false);
  }

  /** The same for an entry that was delayed at this time. */
  recordDelayed(
    producerName: string,
    source: Uint8Array,
    start: number,
    end: number,
    number: number,
    logTimeMs: number,
  ): void {
    this.#record(producerName, source, start, end, StreamId.of(logTimeMs, number), true);
  }

  #record(
    producerName: string,
    source: Uint8Array,
    start: number,
    end: number,
    id: StreamId,
    isOfDelayed: boolean,
  ): void {
    const before = this.residentBytes;
    const producer = this.#producers.get(producerName) ?? this.#createProducer(producerName);
    const hash = hashOf(producer.number, source, start, end);
    const known = this.#placeOf(producer, hash, source, start, end);
    // Too old, but behind a younger one: the leader would not have had it recorded again otherwise.
    if (known !== 0) this.#forget(producer, known);
    while (producer.count > 0 && producer.count >= this.maxSize) this.#forget(producer, producer.first);
    this.#append(producer, id, isOfDelayed, hash, source, start, end);
    this.iidsAdded++;
    this.markDirty();
    this.#compact();
    this.#meter.fixedBytes += this.residentBytes - before;
  }

  countDuplicate(): void {
    this.duplicates++;
    this.markDirty();
  }

  /** Another window than before begins with nothing known. */
  configure(durationSeconds: number, maxSize: number): void {
    if (durationSeconds === this.durationSeconds && maxSize === this.maxSize) return;
    this.#meter.fixedBytes -= this.residentBytes;
    this.durationSeconds = durationSeconds;
    this.maxSize = maxSize;
    for (const segment of this.segments) this.#drop(segment);
    for (const producer of this.#producers.values()) this.#dropProducer(producer);
    this.segments = [];
    this.recordCount = 0;
    this.#index.clear();
    this.#producers.clear();
    this.#byNumber.clear();
    this.markDirty();
  }

  /** Forgets what is too old at this time of the log. Answers whether there was anything. */
  purge(logTimeMs: number): boolean {
    const oldestMs = this.#oldestMs(logTimeMs);
    const before = this.residentBytes;
    let found = false;
    for (let front = this.segments[0]; front !== undefined; front = this.segments[0]) {
      if (front.msAt(front.firstLive) >= oldestMs) break;
      const producer = this.#byNumber.get(front.producerAt(front.firstLive))!;
      this.#forget(producer, producer.first);
      if (producer.count === 0) this.#removeProducer(producer);
      found = true;
    }
    if (!found) return false;
    this.markDirty();
    this.#compact();
    this.#meter.fixedBytes += this.residentBytes - before;
    return true;
  }

  /** Takes in a producer, a new one or one that was loaded; those come in the order of their numbers. False: the name is taken. */
  adoptProducer(producer: Producer): boolean {
    if (this.#producers.has(producer.name)) return false;
    this.#producers.set(producer.name, producer);
    this.#byNumber.set(producer.number, producer);
    return true;
  }

  /** Index, chains and counts of segments and producers that were loaded. Answers false when they can't be one stream's. */
  link(): boolean {
    const { segments } = this;
    const last = segments[segments.length - 1];
    if (last !== undefined && last.number - segments[0]!.number >= SEGMENT_MASK) return false;
    let before = 0;
    for (const segment of segments) {
      const { number } = segment;
      if (number <= before || number >= this.nextSegmentNumber || (number & SEGMENT_MASK) === 0) return false;
      before = number;
      this.recordCount += segment.count;
      for (let record = 0; record < segment.count; record++) if (!this.#link(segment, record)) return false;
    }
    for (const producer of this.#producers.values()) if (producer.count === 0) return false;
    return true;
  }

  markDirty(): void {
    if (this.dirty) return;
    this.dirty = true;
    this.#meter.bytes += HEADER_ROW_BYTES;
  }

  markSegmentDirty(segment: IidSegment): void {
    if (segment.dirty) return;
    segment.dirty = true;
    this.dirtySegments.push(segment);
    this.#meter.bytes += SEGMENT_ROW_BYTES;
  }

  markProducerDirty(producer: Producer): void {
    if (producer.dirty) return;
    producer.dirty = true;
    this.dirtyProducers.push(producer);
    this.#meter.bytes += PRODUCER_ROW_BYTES + producer.name.length;
  }

  /** Whether it is still one of this stream's. */
  has(producer: Producer): boolean {
    return this.#producers.get(producer.name) === producer;
  }

  verify(): void {
    let live = 0;
    let records = 0;
    let before = 0;
    for (const segment of this.segments) {
      assert(segment.number > before && segment.number < this.nextSegmentNumber, "iid segments out of order");
      before = segment.number;
      assert(segment.live > 0 && segment.producerAt(segment.firstLive) !== 0, "iid segment without life kept");
      assert(segment.endOf(segment.count - 1) === segment.byteLength, "iid bytes do not add up");
      let alive = 0;
      for (let record = 0; record < segment.count; record++) if (segment.producerAt(record) !== 0) alive++;
      assert(alive === segment.live, "iids of a segment miscounted");
      live += alive;
      records += segment.count;
    }
    assert(live === this.tracked && records === this.recordCount, "iids miscounted");
    let chained = 0;
    for (const producer of this.#producers.values()) {
      assert(this.#byNumber.get(producer.number) === producer, "producer tables differ");
      assert(producer.count > 0 && producer.count <= this.maxSize, "producer has too many iids, or none");
      let place = producer.first;
      for (let i = 1; i < producer.count; i++) place = this.#nextOf(place);
      assert(place === producer.last, "producer's chain does not end at its last iid");
      chained += producer.count;
    }
    assert(chained === live, "iid of nobody");
  }

  #link(segment: IidSegment, record: number): boolean {
    const number = segment.producerAt(record);
    if (number === 0) return true;
    const producer = this.#byNumber.get(number);
    if (producer === undefined || producer.count >= this.maxSize) return false;
    const [start, end] = [segment.startOf(record), segment.endOf(record)];
    const hash = hashOf(number, segment.bytes, start, end);
    if (this.#placeOf(producer, hash, segment.bytes, start, end) !== 0) return false;
    segment.setHash(record, hash);
    this.#chain(producer, segment, record);
    return true;
  }

  #oldestMs(nowMs: number): number {
    return nowMs - this.durationSeconds * 1000;
  }

  #createProducer(name: string): Producer {
    const producer = new Producer(name, this.nextProducerNumber++);
    assert(this.adoptProducer(producer), "producer exists");
    this.markProducerDirty(producer);
    return producer;
  }

  #removeProducer(producer: Producer): void {
    this.#producers.delete(producer.name);
    this.#byNumber.delete(producer.number);
    this.#dropProducer(producer);
  }

  #dropProducer(producer: Producer): void {
    if (producer.persisted) this.droppedProducers.push(producer.number);
  }

  #segmentOf(place: number): IidSegment {
    const { segments } = this;
    const front = segments[0]!.number;
    const wanted = front + (((place >>> RECORD_BITS) - front) & SEGMENT_MASK);
    let low = 0;
    let high = Math.min(segments.length - 1, wanted - front);
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (segments[middle]!.number <= wanted) low = middle;
      else high = middle - 1;
    }
    return segments[low]!;
  }

  #nextOf(place: number): number {
    return this.#segmentOf(place).nextAt(place & RECORD_MASK);
  }

  #placeOf({ number }: Producer, hash: number, bytes: Uint8Array, start: number, end: number): number {
    const index = this.#index;
    for (let slot = index.first(hash); ; slot = index.after(slot)) {
      const place = index.at(slot);
      if (place === 0) return 0;
      const segment = this.#segmentOf(place);
      const record = place & RECORD_MASK;
      if (segment.hashAt(record) !== hash || segment.producerAt(record) !== number) continue;
      if (segment.holds(record, bytes, start, end)) return place;
    }
  }

  #append(
    producer: Producer,
    id: StreamId,
    isOfDelayed: boolean,
    hash: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): void {
    let tail = this.segments[this.segments.length - 1];
    if (tail === undefined || !tail.hasRoomFor(end - start)) {
      tail = new IidSegment(this.nextSegmentNumber);
      this.nextSegmentNumber++;
      // Its places would begin with 0, which is nowhere.
      if ((this.nextSegmentNumber & SEGMENT_MASK) === 0) this.nextSegmentNumber++;
      this.segments.push(tail);
    }
    const record = tail.append(producer.number, id, hash, source, start, end);
    if (isOfDelayed) tail.markDelayed(record);
    this.recordCount++;
    this.markSegmentDirty(tail);
    this.#chain(producer, tail, record);
  }

  /** Puts the record behind the producer's last one, and into the index. */
  #chain(producer: Producer, segment: IidSegment, record: number): void {
    const place = (((segment.number & SEGMENT_MASK) << RECORD_BITS) | record) >>> 0;
    if (producer.count === 0) producer.first = place;
    else this.#segmentOf(producer.last).setNext(producer.last & RECORD_MASK, place);
    producer.last = place;
    producer.count++;
    this.#index.add(segment.hashAt(record), place);
  }

  #forget(producer: Producer, place: number): void {
    const segment = this.#segmentOf(place);
    const record = place & RECORD_MASK;
    if (place === producer.first) {
      producer.first = segment.nextAt(record);
    } else {
      let before = producer.first;
      while (this.#nextOf(before) !== place) before = this.#nextOf(before);
      this.#segmentOf(before).setNext(before & RECORD_MASK, segment.nextAt(record));
      if (place === producer.last) producer.last = before;
    }
    producer.count--;
    this.#index.remove(segment.hashAt(record), place);
    segment.forget(record);
    this.markSegmentDirty(segment);
    if (segment.live > 0) return;
    const { segments } = this;
    if (segments[0] === segment) segments.shift();
    else segments.splice(segments.indexOf(segment), 1);
    this.recordCount -= segment.count;
    this.#drop(segment);
  }

  #drop(segment: IidSegment): void {
    segment.dropped = true;
    if (segment.persisted) this.droppedSegments.push(segment.number);
  }

  /** A producer that adds seldom would keep whole segments of others' forgotten iids. */
  #compact(): void {
    if (this.recordCount <= 4 * this.tracked + SPARE_RECORDS) return;
    const before = this.segments;
    this.segments = [];
    this.recordCount = 0;
    this.#index.clear();
    for (const producer of this.#producers.values()) producer.count = 0;
    for (const segment of before) {
      for (let record = segment.firstLive; record < segment.count; record++) {
        const producer = this.#byNumber.get(segment.producerAt(record));
        if (producer === undefined) continue;
        const { bytes } = segment;
        this.#append(
          producer,
          segment.idAt(record),
          segment.isOfDelayed(record),
          segment.hashAt(record),
          bytes,
          segment.startOf(record),
          segment.endOf(record),
        );
      }
      this.#drop(segment);
    }
  }
}

/** FNV-1a, its high bits folded into the low ones. */
function hashOf(producer: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(producer ^ 0x811c9dc5, 0x01000193);
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
