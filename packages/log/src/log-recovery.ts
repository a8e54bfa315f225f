/**
 * Reads all segments in order and checks the chain. The first block that is not as the chain demands ends the log, if it is the torn tail:
 * then no valid block anywhere behind it says that it had been durable. Otherwise it is damage (I23). The torn bytes are zeroed
 * durably before anything is written, so that they can never be taken for blocks later; and everything that is handed out is synced first,
 * since a killed process leaves blocks that only the operating system has.
 */
import { assert } from "@headrace/bytes";
import type { Done, Failure, SegmentDisk, SegmentInfo } from "@headrace/ports";
import { LogReplay } from "./log-replay.ts";
import type { ReplayProblem } from "./log-replay.ts";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  BlockHeader,
  blockIsIntact,
  FORMAT_VERSION,
  RECORD_HEADER_BYTES,
  RecordCursor,
  RecordKind,
  viewOf,
} from "./wal-format.ts";
import { TailScan } from "./tail-scan.ts";

/** One read: some blocks. */
export const WINDOW_BYTES = 2 * 1024 * 1024;

const NO_WINDOW = new Uint8Array(0);

/** Where writing goes on. */
export interface LogEnd {
  readonly segments: readonly SegmentInfo[];
  readonly segmentBytes: number;
  /** Position in `segments` of the one that holds the last block; −1 when there is no block at all. */
  readonly current: number;
  readonly offset: number;
  /** Blocks in the current segment. */
  readonly currentBlocks: number;
  readonly sequence: number;
  readonly crc: number;
  readonly salt: number;
  readonly lastBlockIsEmpty: boolean;
  readonly tornBytes: number;
  readonly replay: LogReplay;
}

export type ScanOutcome =
  | { readonly kind: "end"; readonly end: LogEnd }
  | { readonly kind: "damaged"; readonly message: string }
  | { readonly kind: "unknown"; readonly message: string };

export class LogRecovery {
  readonly #disk: SegmentDisk;
  readonly #done: Done<ScanOutcome>;
  readonly #replay: LogReplay;
  #segments: readonly SegmentInfo[] = [];
  /** Fixed when the log is founded: the first segment says it, the setting only counts for a new log. */
  #segmentBytes: number;
  /** Segment that the next block is looked for in, and where. */
  #position = 0;
  #offset = 0;
  #window: Uint8Array = NO_WINDOW;
  #windowStart = 0;
  /** State of the chain behind the last good block. */
  #current = -1;
  #currentOffset = 0;
  #currentBlocks = 0;
  #sequence = 0;
  #crc = 0;
  #salt = 0;
  #lastBlockIsEmpty = false;

  /** `covered`: see SharedLogApi.recover. */
  constructor(disk: SegmentDisk, segmentBytes: number, covered: ReadonlyMap<number, number>, done: Done<ScanOutcome>) {
    this.#disk = disk;
    this.#replay = new LogReplay(covered);
    this.#segmentBytes = segmentBytes;
    this.#done = done;
  }

  start(): void {
    this.#disk.list((listed) => {
      if (!listed.ok) return this.#done(listed);
      this.#segments = listed.value;
      const first = listed.value[0];
      if (first === undefined) return this.#end(0);
      this.#disk.read(first.sequence, 0, BLOCK_HEADER_BYTES + RECORD_HEADER_BYTES, (read) => {
        if (!read.ok) return this.#done(read);
        this.#segmentBytes = statedSegmentBytes(read.value) ?? this.#segmentBytes;
        const problem = this.#listProblem();
        if (problem !== null) return this.#damaged(problem);
        this.#load(() => this.#walk());
      });
    });
  }

  #listProblem(): string | null {
    const segments = this.#segments;
    for (let i = 0; i < segments.length; i++) {
      const { sequence, sizeBytes } = segments[i]!;
      if (i > 0 && sequence !== segments[i - 1]!.sequence + 1) return `segment ${sequence - 1} is missing`;
      if (sizeBytes !== this.#segmentBytes) {
        const offset = Math.min(sizeBytes, this.#segmentBytes);
        return `segment ${sequence} is damaged at offset ${offset}: ${sizeBytes} bytes instead of ${this.#segmentBytes}`;
      }
    }
    return null;
  }

  /** Takes block after block out of the window; returns to the event loop only to read more. */
  #walk(): void {
    for (;;) {
      const at = this.#offset - this.#windowStart;
      const header = this.#headerAt(at);
      if (header === null) return this.#chainEnds();
      if (at + header.totalBytes > this.#window.length) {
        this.#load(() => this.#walk(), header.totalBytes);
        return;
      }
      if (!blockIsIntact(this.#window, at, header)) return this.#chainEnds();
      const problem = this.#take(header, at);
      if (problem !== null) return this.#refuse(problem);
      if (this.#offset + BLOCK_HEADER_BYTES > this.#segmentBytes) return this.#chainEnds();
      if (this.#offset + BLOCK_HEADER_BYTES > this.#windowStart + this.#window.length) {
        this.#load(() => this.#walk());
        return;
      }
    }
  }

  /** The header at the position if it continues the chain, not yet proven by its CRC. */
  #headerAt(at: number): BlockHeader | null {
    if (at + BLOCK_HEADER_BYTES > this.#window.length) return null;
    const view = viewOf(this.#window);
    if (view.getUint32(at, true) !== BLOCK_MAGIC) return null;
    const header = new BlockHeader(view, at);
    const isFirst = this.#current === -1;
    if (!isFirst && (header.salt !== this.#salt || header.sequence !== this.#sequence + 1)) return null;
    if (!isFirst && header.previousCrc !== this.#crc) return null;
    return this.#offset + header.totalBytes <= this.#segmentBytes ? header : null;
  }

  /** Replays an intact block that continues the chain. */
  #take(header: BlockHeader, at: number): ReplayProblem | null {
    if (header.version !== FORMAT_VERSION) {
      return { kind: "unknown", message: `format version ${header.version} is not known` };
    }
    const start = at + BLOCK_HEADER_BYTES;
    const end = at + header.totalBytes;
    const { sequence } = this.#segments[this.#position]!;
    const first = new RecordCursor(this.#window, start, end);
    const startsSegment = first.next() && first.kind === RecordKind.segmentStart;
    if (startsSegment !== (this.#offset === 0)) {
      return { kind: "damaged", message: "segment start record is not where the segment starts" };
    }
    if (startsSegment && (first.index !== sequence || first.term !== this.#segmentBytes)) {
      const message = `segment start record names segment ${first.index} with ${first.term} bytes`;
      return { kind: "damaged", message };
    }
    const problem = this.#replay.takeRecords(new RecordCursor(this.#window, start, end), sequence, this.#windowStart);
    if (problem !== null) return problem;
    this.#currentBlocks = this.#current === this.#position ? this.#currentBlocks + 1 : 1;
    this.#current = this.#position;
    this.#salt = header.salt;
    this.#sequence = header.sequence;
    this.#crc = header.crc;
    this.#lastBlockIsEmpty = header.payloadBytes === 0;
    this.#offset += header.totalBytes;
    this.#currentOffset = this.#offset;
    return null;
  }

  /** No further block here: the next segment goes on, or this is the end. */
  #chainEnds(): void {
    if (this.#current === this.#position && this.#position + 1 < this.#segments.length) {
      this.#position++;
      this.#offset = 0;
      this.#load(() => this.#walk());
      return;
    }
    // The end lies behind the last good block, which may be one segment back.
    const from = Math.max(this.#current, 0);
    const tailSegments = this.#segments.slice(from);
    const offset = this.#current === -1 ? 0 : this.#currentOffset;
    const next = this.#sequence + 1;
    const plausible = (header: BlockHeader): boolean =>
      (this.#current === -1 || header.salt === this.#salt) &&
      header.sequence >= next &&
      header.sequence < next + (this.#segmentBytes * tailSegments.length) / BLOCK_HEADER_BYTES &&
      header.payloadBytes % 8 === 0;
    new TailScan(this.#disk, tailSegments, offset, plausible, (scanned) => {
      if (!scanned.ok) return this.#done(scanned);
      const { blocks, nonZero } = scanned.value;
      for (const block of blocks) {
        if (block.durableSequence >= next) {
          const message = `segment ${tailSegments[0]!.sequence} is damaged at offset ${offset}: block ${next} was durable, and block ${block.sequence} is still there`;
          return this.#damaged(message);
        }
      }
      if (this.#current === -1 && this.#segments[0]!.sequence > 1) {
        return this.#damaged(`segment ${this.#segments[0]!.sequence} is damaged at offset 0: it has no start`);
      }
      this.#zero(nonZero, 0, 0);
    }).start();
  }

  /** Overwrites the torn ranges with zeros, durably, from the front: an interrupted zeroing is found as torn again. */
  #zero(ranges: readonly ZeroRange[], at: number, tornBytes: number): void {
    const range = ranges[at];
    if (range === undefined) return this.#syncAll(tornBytes);
    const lengthBytes = Math.min(range.end - range.start, WINDOW_BYTES);
    this.#disk.write(range.segment, range.start, [new Uint8Array(lengthBytes)], true, (written) => {
      if (!written.ok) return this.#done(written);
      const rest = { segment: range.segment, start: range.start + lengthBytes, end: range.end };
      const left = rest.start < rest.end ? [rest, ...ranges.slice(at + 1)] : ranges.slice(at + 1);
      this.#zero(left, 0, tornBytes + lengthBytes);
    });
  }

  /** Only the current segment can hold blocks that were never synced: a segment is begun only when the one before is durable. */
  #syncAll(tornBytes: number): void {
    if (this.#current === -1) return this.#end(tornBytes);
    this.#disk.sync(this.#segments[this.#current]!.sequence, (synced) => {
      if (synced.ok) this.#end(tornBytes);
      else this.#done(synced);
    });
  }

  #end(tornBytes: number): void {
    const end: LogEnd = {
      segments: this.#segments,
      segmentBytes: this.#segmentBytes,
      current: this.#current,
      offset: this.#currentOffset,
      currentBlocks: this.#currentBlocks,
      sequence: this.#sequence,
      crc: this.#crc,
      salt: this.#salt,
      lastBlockIsEmpty: this.#lastBlockIsEmpty,
      tornBytes,
      replay: this.#replay,
    };
    this.#done({ ok: true, value: { kind: "end", end } });
  }

  #load(then: () => void, atLeastBytes: number = BLOCK_HEADER_BYTES): void {
    const { sequence } = this.#segments[this.#position]!;
    const wanted = Math.min(Math.max(WINDOW_BYTES, atLeastBytes), this.#segmentBytes - this.#offset);
    // Nothing that is handed out is a view of the last one.
    const memory = this.#window;
    this.#window = NO_WINDOW;
    this.#disk.read(
      sequence,
      this.#offset,
      wanted,
      (read) => {
        if (!read.ok) return this.#done(read satisfies Failure);
        if (read.value.length !== wanted) {
          return this.#damaged(`segment ${sequence} ends at offset ${this.#offset + read.value.length}`);
        }
        assert(read.value.length >= Math.min(atLeastBytes, wanted), "a window is as long as asked for");
        this.#window = read.value;
        this.#windowStart = this.#offset;
        then();
      },
      memory,
    );
  }

  #refuse({ kind, message }: ReplayProblem): void {
    const place = `segment ${this.#segments[this.#position]!.sequence}`;
    if (kind === "damaged") return this.#damaged(`${place} is damaged at offset ${this.#offset}: ${message}`);
    this.#done({ ok: true, value: { kind, message: `${place} at offset ${this.#offset}: ${message}` } });
  }

  #damaged(message: string): void {
    this.#done({ ok: true, value: { kind: "damaged", message } });
  }
}

/** Bytes that are not zero behind the last good block. */
export interface ZeroRange {
  readonly segment: number;
  readonly start: number;
  readonly end: number;
}

/** The size that the first record states, if it looks like one. The walk proves it right or finds the damage. */
function statedSegmentBytes(bytes: Uint8Array): number | null {
  const cursor = new RecordCursor(bytes, BLOCK_HEADER_BYTES, bytes.length);
  if (bytes.length < BLOCK_HEADER_BYTES || viewOf(bytes).getUint32(0, true) !== BLOCK_MAGIC) return null;
  if (!cursor.next() || cursor.kind !== RecordKind.segmentStart) return null;
  return Number.isSafeInteger(cursor.term) && cursor.term > 0 ? cursor.term : null;
}
