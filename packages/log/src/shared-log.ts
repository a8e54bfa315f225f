/**
 * The node's write-ahead log: one writer, one operation in flight, everything queued meanwhile shares the next block. Decides when
 * blocks are written, synced and sealed and when a segment is begun; what a block looks like is the business of wal-format.ts, what a
 * group's log means that of Raft. Any failure ends it for good (I22): a disk that failed once cannot be believed again.
 */
import { assert, crc32, LatencyHistogram } from "@headrace/bytes";
import type { Clock, Done, Logger, Result, Scheduler, SegmentDisk, Timer } from "@headrace/ports";
import type { Entry } from "@headrace/raft-ts";
import type { RecoveryOutcome, SharedLogApi, WalAppend, WalConfig } from "./api.ts";
import { BlockBuilder, type BuiltBlock } from "./block-builder.ts";
import { BlockGatherer } from "./block-gatherer.ts";
import { CopyForward } from "./copy-forward.ts";
import { EntryReader } from "./entry-reader.ts";
import { GroupTable } from "./group-table.ts";
import { type LogEnd, LogRecovery } from "./log-recovery.ts";
import { SegmentSet } from "./segment-set.ts";
import { BLOCK_HEADER_BYTES, recordBytes } from "./wal-format.ts";

const EVERYSEC_MS = 1000;
const SEGMENTS_MAX_DEFAULT = 16;
/** A segment's first block, which repeats all groups' states, may take a quarter of it; entries must fit into the rest. */
const SEGMENT_START_SHARE = 4;

type State = "new" | "recovering" | "open" | "closing" | "ended";

export class SharedLog implements SharedLogApi {
  readonly #config: WalConfig;
  readonly #disk: SegmentDisk;
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #logger: Logger;
  readonly #table: GroupTable = new GroupTable();
  readonly #builder: BlockBuilder;
  readonly #gatherer: BlockGatherer;
  readonly #segments: SegmentSet;
  readonly #reader: EntryReader;
  readonly #copyForward: CopyForward;
  #state: State = "new";
  #isBusy = false;
  #pumpIsDue = false;
  #salt = 0;
  /** The last block built, and the last one known to be on the medium. */
  #sequence = 0;
  #durableSequence = 0;
  #crc = 0;
  #lastBlockIsEmpty = false;
  #syncIsWanted = false;
  /** Written, not yet durable. */
  #awaitingSync: WalAppend[] = [];
  /** Reads that touch the block in flight. */
  #readsAfterWrite: (() => void)[] = [];
  #inFlightOffset = Number.POSITIVE_INFINITY;
  #syncTimer: Timer | null = null;
  #sealTimer: Timer | null = null;
  #lastActivityMs = 0;
  #onFounded: (() => void) | null = null;
  #onClosed: Done<void> | null = null;
  readonly #stats = {
    writes: 0,
    bytes: 0,
    entryBytes: 0,
    copiedBytes: 0,
    segments: 0,
    lastWriteMs: 0,
    durableWrites: new LatencyHistogram(),
  };
  onPoisoned: (message: string) => void = () => {};
  onDamage: (message: string) => void = () => {};

  constructor(config: WalConfig, disk: SegmentDisk, clock: Clock, scheduler: Scheduler, logger: Logger) {
    assert(
      config.segmentBytes % 8 === 0 && config.segmentBytes >= 1024,
      "segmentBytes: a multiple of 8, 1024 at least",
    );
    this.#config = config;
    this.#disk = disk;
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#logger = logger;
    this.#builder = new BlockBuilder(Math.min(config.maxWriteBytes, 256 * 1024));
    this.#gatherer = new BlockGatherer(this.#table, this.#builder, config.maxWriteBytes);
    this.#reader = new EntryReader(disk, (message) => this.onDamage(message));
    this.#segments = new SegmentSet(disk, scheduler, logger, {
      onReady: () => this.#pump(),
      onFailure: (message) => this.#poison(message),
    });
    this.#copyForward = new CopyForward(this.#table, this.#reader, logger, (item) => {
      this.#gatherer.push(item);
      this.#pumpSoon();
    });
  }

  get stats(): SharedLogApi["stats"] {
    this.#stats.segments = this.#segments.count;
    this.#stats.entryBytes = this.#gatherer.entryBytes;
    this.#stats.copiedBytes = this.#gatherer.copiedBytes;
    return this.#stats;
  }

  get maxEntryBytes(): number {
    const segmentBytes = this.#segments.segmentBytes || this.#config.segmentBytes;
    return (
      segmentBytes -
      Math.ceil(segmentBytes / SEGMENT_START_SHARE) -
      2 * BLOCK_HEADER_BYTES -
      recordBytes(8) -
      recordBytes(0)
    );
  }

  recover(done: Done<RecoveryOutcome>, covered: ReadonlyMap<number, number> = new Map()): void {
    assert(this.#state === "new", "recover is called once, first");
    this.#state = "recovering";
    new LogRecovery(this.#disk, this.#config.segmentBytes, covered, (scanned) => {
      if (!scanned.ok) return done(scanned);
      const outcome = scanned.value;
      if (outcome.kind !== "end") {
        this.#state = "ended";
        return done({ ok: true, value: outcome });
      }
      this.#resume(outcome.end, done);
    }).start();
  }

  append(append: WalAppend): void {
    for (const entry of append.entries) {
      const limit = this.maxEntryBytes;
      assert(entry.data.length <= limit, `log entry of ${entry.data.length} bytes; a WAL segment takes ${limit}`);
    }
    this.#enqueue({ kind: "append", append, taken: 0 });
  }

  compact(groupId: number, index: number, term: number): void {
    this.#enqueue({ kind: "compact", groupId, index, term });
  }

  forget(groupId: number): void {
    this.#enqueue({ kind: "forget", groupId });
  }

  requestSync(): void {
    if (this.#state === "ended") return;
    this.#syncIsWanted = true;
    this.#pumpSoon();
  }

  readEntries(groupId: number, low: number, high: number, maxBytes: number, done: Done<readonly Entry[]>): void {
    const group = this.#table.groups.get(groupId);
    if (this.#state === "ended" || group === undefined || !group.positions.has(low)) {
      const message = `group ${groupId}: log entry ${low} is not in the log`;
      this.#scheduler.soon(() => done({ ok: false, reason: "missing", message }));
      return;
    }
    if (!this.#touchesInFlight(group.positions, low, high)) return this.#reader.read(group, low, high, maxBytes, done);
    this.#readsAfterWrite.push(() => this.readEntries(groupId, low, high, maxBytes, done));
  }

  /** Gives the log up without closing its disk: nothing is written or answered any more. */
  abandon(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#gatherer.clear();
    this.#awaitingSync = [];
    this.#readsAfterWrite = [];
    this.#stopTimers();
  }

  close(done: Done<void>): void {
    if (this.#state === "ended" || this.#state === "new") {
      this.#state = "ended";
      return this.#disk.close(done);
    }
    assert(this.#state === "open", "close comes once, after recovery");
    this.#state = "closing";
    this.#onClosed = done;
    this.#pumpSoon();
  }

  get #hasUndurable(): boolean {
    return this.#durableSequence < this.#sequence;
  }

  #resume(end: LogEnd, done: Done<RecoveryOutcome>): void {
    const groups = end.replay.finish(this.#table);
    if (typeof groups === "string") {
      this.#state = "ended";
      const first = end.segments[0]!.sequence;
      const message = `segments ${first}…${first + end.segments.length - 1} up to offset ${end.offset} are damaged: ${groups}`;
      return done({ ok: true, value: { kind: "damaged", message } });
    }
    const first = end.segments[0]?.sequence ?? 0;
    const last = end.segments[end.segments.length - 1]?.sequence ?? 0;
    const current = end.current < 0 ? 0 : end.segments[end.current]!.sequence;
    this.#segments.restore(end.segmentBytes, first, current, last);
    this.#segments.offset = end.offset;
    this.#segments.blocks = end.currentBlocks;
    this.#sequence = end.sequence;
    this.#durableSequence = end.sequence;
    this.#crc = end.crc;
    this.#salt = end.salt;
    this.#lastBlockIsEmpty = end.lastBlockIsEmpty;
    const { tornBytes } = end;
    this.#logger.info("wal_recovered", { segments: end.segments.length, groups: groups.size, tornBytes });
    const finish = (): void => {
      if (this.#state === "recovering") this.#state = "open";
      this.#afterOperation();
      done({ ok: true, value: { kind: "recovered", groups, tornBytes } });
    };
    if (current !== 0) return finish();
    // A log of its own kind from the first block on: blocks of other logs, which client data may contain, have another salt.
    this.#salt = saltOf(this.#clock);
    this.#onFounded = finish;
    this.#beginSegment();
  }

  #enqueue(item: Parameters<BlockGatherer["push"]>[0]): void {
    assert(this.#state !== "new" && this.#state !== "recovering", "the log has not recovered yet");
    if (this.#state === "ended") return;
    this.#gatherer.push(item);
    this.#pumpSoon();
  }

  /** Everything that the same turn appends shares one block. */
  #pumpSoon(): void {
    if (this.#isBusy || this.#pumpIsDue) return;
    this.#pumpIsDue = true;
    this.#scheduler.soon(() => {
      this.#pumpIsDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isBusy || this.#state === "new" || this.#state === "ended") return;
    if (this.#onFounded !== null) return this.#beginSegment();
    if (this.#state === "recovering") return;
    if (this.#gatherer.isEmpty) {
      const sync = this.#syncIsWanted || this.#state === "closing";
      this.#syncIsWanted = false;
      if (this.#hasUndurable && sync) this.#sync();
      else if (this.#state === "closing") this.#sealAndClose();
      return;
    }
    const segments = this.#segments;
    this.#gatherer.gather(segments.current, segments.offset, segments.freeBytes);
    const { finished, needsSegment } = this.#gatherer;
    const mustSync = this.#gatherer.mustSync || this.#syncIsWanted || this.#config.fsync === "always";
    if (this.#builder.isEmpty) {
      if (finished.length > 0) this.#finishWithoutBlock(finished, mustSync);
      else if (needsSegment) this.#beginSegment();
      else this.#pumpSoon();
      return;
    }
    this.#syncIsWanted = false;
    this.#write(finished, mustSync);
  }

  /** Appends that change nothing only wait for what was written before them. */
  #finishWithoutBlock(finished: readonly WalAppend[], mustSync: boolean): void {
    this.#isBusy = true;
    for (const append of finished) append.onWritten?.();
    if (!this.#hasUndurable) {
      for (const append of finished) append.onDurable();
    } else {
      for (const append of finished) this.#awaitingSync.push(append);
      if (mustSync) this.#syncIsWanted = true;
    }
    this.#isBusy = false;
    this.#afterOperation();
  }

  #write(finished: readonly WalAppend[], mustSync: boolean): void {
    // What was left with the operating system must not become durable after what follows it: then plain write and one sync for both.
    const durable = mustSync && !this.#hasUndurable;
    this.#putBlock(durable, () => {
      for (const append of finished) append.onWritten?.();
      if (durable) {
        for (const append of finished) append.onDurable();
        return this.#afterOperation();
      }
      for (const append of finished) this.#awaitingSync.push(append);
      if (mustSync) return this.#sync();
      this.#armSync();
      this.#afterOperation();
    });
  }

  /** Writes the builder's block behind the last one. `then` runs while still busy and ends with the next operation or `afterOperation`. */
  #putBlock(durable: boolean, then: () => void): void {
    this.#isBusy = true;
    const segments = this.#segments;
    const isEmpty = this.#builder.isEmpty;
    const sequence = this.#sequence + 1;
    const place = { salt: this.#salt, sequence, durableSequence: this.#durableSequence, previousCrc: this.#crc };
    const block: BuiltBlock = this.#builder.finish(place);
    const { offset } = segments;
    const startedMs = this.#clock.monotonicMs();
    this.#inFlightOffset = offset;
    segments.offset += block.totalBytes;
    segments.blocks++;
    this.#sequence = sequence;
    this.#crc = block.crc;
    this.#lastBlockIsEmpty = isEmpty;
    this.#disk.write(segments.current, offset, block.chunks, durable, (written) => {
      if (!this.#survives(written, "write", segments.current, offset)) return;
      this.#stats.writes++;
      this.#stats.bytes += block.totalBytes;
      this.#lastActivityMs = this.#clock.monotonicMs();
      this.#stats.lastWriteMs = this.#lastActivityMs - startedMs;
      this.#inFlightOffset = Number.POSITIVE_INFINITY;
      if (durable) {
        this.#durableSequence = sequence;
        this.#stats.durableWrites.observe(this.#stats.lastWriteMs);
      }
      then();
    });
  }

  #sync(): void {
    this.#isBusy = true;
    const { current, offset } = this.#segments;
    this.#disk.sync(current, (synced) => {
      if (!this.#survives(synced, "sync", current, offset)) return;
      this.#lastActivityMs = this.#clock.monotonicMs();
      this.#durableSequence = this.#sequence;
      const durable = this.#awaitingSync;
      this.#awaitingSync = [];
      for (const append of durable) append.onDurable();
      this.#afterOperation();
    });
  }

  /** A segment is begun only when all before it is durable, so that recovery has to doubt the last one alone. */
  #beginSegment(): void {
    if (this.#hasUndurable) return this.#sync();
    const segments = this.#segments;
    if (!segments.nextIsReady) {
      segments.createNext();
      if (this.#state === "closing" && segments.lacksSpace)
        this.#end({ ok: false, reason: "space", message: "no space for a WAL segment" });
      return;
    }
    segments.advance();
    const builder = this.#builder;
    builder.begin();
    builder.segmentStart(segments.current, segments.segmentBytes);
    for (const group of this.#table.groups.values()) {
      builder.hardState(group.groupId, group.hardState);
      if (group.compactedIndex > 0) builder.compaction(group.groupId, group.compactedIndex, group.compactedTerm, false);
    }
    const limit = segments.segmentBytes / SEGMENT_START_SHARE;
    assert(builder.totalBytes <= limit, `${this.#table.groups.size} groups do not fit into the start of a WAL segment`);
    this.#putBlock(true, () => {
      const onFounded = this.#onFounded;
      this.#onFounded = null;
      this.#copyForward.consider(segments.first, segments.count, this.#segmentsMax, segments.segmentBytes);
      if (onFounded !== null) onFounded();
      else this.#afterOperation();
    });
  }

  get #segmentsMax(): number {
    return this.#config.segmentsMax ?? SEGMENTS_MAX_DEFAULT;
  }

  #afterOperation(): void {
    this.#isBusy = false;
    const segments = this.#segments;
    if (segments.offset * 2 > segments.segmentBytes) segments.createNext();
    segments.removeOldest((sequence) => this.#isUnneeded(sequence));
    if (this.#readsAfterWrite.length > 0) {
      const reads = this.#readsAfterWrite;
      this.#readsAfterWrite = [];
      for (const read of reads) read();
    }
    this.#armSeal(this.#config.sealAfterMs);
    this.#pump();
  }

  /**
   * Asked again when a removal is done, which may be in the middle of a write: what frees a segment must be durable, and the table is ahead
   * of the block in flight. The segment before the current one stays until the current one's start, which repeats its states, is
   * proven by a block behind it.
   */
  #isUnneeded(sequence: number): boolean {
    if (this.#isBusy || this.#hasUndurable || this.#segments.blocks < 2) return false;
    return this.#table.liveBytes(sequence) === 0;
  }

  #armSync(): void {
    if (this.#config.fsync !== "everysec" || this.#syncTimer !== null) return;
    this.#syncTimer = this.#scheduler.after(EVERYSEC_MS, () => {
      this.#syncTimer = null;
      if (this.#hasUndurable) this.requestSync();
    });
  }

  #armSeal(delayMs: number): void {
    if (this.#sealTimer !== null || this.#lastBlockIsEmpty || this.#hasUndurable || this.#state !== "open") return;
    this.#sealTimer = this.#scheduler.after(delayMs, () => {
      this.#sealTimer = null;
      if (this.#state !== "open") return;
      const idleMs = this.#clock.monotonicMs() - this.#lastActivityMs;
      const isIdle = !this.#isBusy && this.#gatherer.isEmpty && !this.#hasUndurable;
      if (isIdle && idleMs >= this.#config.sealAfterMs) return this.#seal(() => this.#afterOperation());
      this.#armSeal(Math.max(1, this.#config.sealAfterMs - idleMs));
    });
  }

  #seal(then: () => void): void {
    if (this.#lastBlockIsEmpty) return then();
    this.#builder.begin();
    this.#putBlock(true, then);
  }

  #sealAndClose(): void {
    this.#isBusy = true;
    this.#seal(() => this.#end({ ok: true, value: undefined }));
  }

  #end(outcome: Result<void>): void {
    this.#state = "ended";
    this.#stopTimers();
    this.#disk.close((closed) => this.#onClosed?.(closed.ok ? outcome : closed));
  }

  #touchesInFlight(
    positions: { has(index: number): boolean; segment(index: number): number; offset(index: number): number },
    low: number,
    high: number,
  ): boolean {
    if (this.#inFlightOffset === Number.POSITIVE_INFINITY) return false;
    for (let index = low; index < high && positions.has(index); index++) {
      if (positions.segment(index) === this.#segments.current && positions.offset(index) >= this.#inFlightOffset)
        return true;
    }
    return false;
  }

  #survives(result: Result<void>, operation: string, segment: number, offset: number): boolean {
    if (this.#state === "ended") return false;
    if (result.ok) return true;
    this.#poison(`WAL ${operation} of segment ${segment} at offset ${offset} failed: ${result.message}`);
    return false;
  }

  #poison(message: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#gatherer.clear();
    this.#awaitingSync = [];
    this.#stopTimers();
    this.#logger.error("wal_poisoned", { message });
    // What waits for a read or for closing is told; what waits for durability never is.
    const reads = this.#readsAfterWrite;
    this.#readsAfterWrite = [];
    for (const read of reads) read();
    const onClosed = this.#onClosed;
    this.onPoisoned(message);
    if (onClosed !== null) this.#disk.close(() => onClosed({ ok: false, reason: "io", message }));
  }

  #stopTimers(): void {
    this.#syncTimer?.cancel();
    this.#sealTimer?.cancel();
  }
}

function saltOf(clock: Clock): number {
  const times = new Float64Array([clock.wallMs(), clock.monotonicMs()]);
  return crc32(new Uint8Array(times.buffer));
}
