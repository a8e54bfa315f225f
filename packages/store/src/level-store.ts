/**
 * The KvStore port on LevelDB and value files. Adds to LevelDB what it lacks: an order between batches, few operations at a time (each
 * blocks a thread of the pool, and the log needs some), typed failures, and large values outside of it, since it writes each value several
 * times (`docs/decisions/0003-large-values-in-files-of-their-own.md`). Promises of `level` and `fs` end here.
 *
 *   write ──► plan ──► value file (durable) ──► LevelDB batch (synced) ──► done      one at a time, and one step of the collector between two
 *   read  ──► LevelDB ──► pointers ──► value files ──► checksums ──► done             beside it, under a hold
 *
 * Values are written as they are. What stays is compressed later, file by file (value-collector.ts), while no write waits and with long pauses.
 */
import { join } from "node:path";
import { lengthWithRest } from "@headrace/bytes";
import type { Done, KvChange, KvRow, KvSnapshot, KvStore, Result } from "@headrace/ports";
import { checkFormat, type Database, newDatabase, readCounts, type Snapshot, VIEW } from "./database.ts";
import { type DeletedRange, DeletedRanges } from "./deleted-ranges.ts";
import { failureOf, settle } from "./failure.ts";
import type { Hold } from "./file-holds.ts";
import { OperationQueue } from "./operation-queue.ts";
import { openAgainWhenSpoilt, type SpoilableStore } from "./reopening-store.ts";
import { RowWriter } from "./row-writer.ts";
import { ValueCollector } from "./value-collector.ts";
import { ValueFiles } from "./value-files.ts";
import { decodeRow, keyOfRow, rowKey, type ValuePointer } from "./value-row.ts";
import { planWrite } from "./write-plan.ts";
import { noStoreBytes, type StoreBytes, tableBytesIn } from "./written-bytes.ts";

export interface LevelStoreOptions {
  /** Operations inside LevelDB at once. Default: two below the thread pool's size, 1 at least. */
  readonly operationsMax?: number;
  /** Default 64 MiB: fewer, larger tables make fewer merges. */
  readonly writeBufferBytes?: number;
  /** Default 8 MiB. The store's readers have a cache of their own. */
  readonly cacheBytes?: number;
  /** Values from this size on go into value files. Default 2 KiB (bench/results/store-write.txt); Infinity: none. */
  readonly valueFileBytesMin?: number;
  /** Size at which a value file is sealed. Default 32 MiB. */
  readonly valueFileBytes?: number;
  /** Free value files that are kept to be written again. Default 1. */
  readonly freeValueFilesMax?: number;
  /** Values written together go past the page cache from this size on, where the file system can. Default 64 KiB; Infinity: never. */
  readonly directWriteBytesMin?: number;
  /** Whether values that stay are compressed. Default true. */
  readonly compression?: boolean;
  /** After a step of that it rests so many times as long as the step took. Default 4 while nothing is written, else 20; 0: no rest. */
  readonly compressionRestFactor?: number;
  /** So much deleted in a range of keys, and half of what lives there: LevelDB is told to merge it. Default 8 MiB. */
  readonly deletedBytesMin?: number;
  /** Counts what is written, also when the store is opened again. */
  readonly written?: StoreBytes;
  /** Damage that the collector has met, where nobody was reading: told once for a value file. */
  readonly onDamage?: (message: string) => void;
}

const MIB = 1024 * 1024;
/** Batches that wait together are written together up to here: one sync for all. */
const MERGED_BATCH_BYTES_MAX = 4 * MIB;
/** A range is merged when at most twice as much lives there as was deleted: so a merge writes at most two bytes for each that it gives back. */
const LIVE_FACTOR = 2;
const COUNT_TABLES_EVERY_MS = 1000;
/** So compression takes at most a twentieth of the store's time while there are writes, and a fifth when there are none. */
const REST_FACTOR_BUSY = 20;
const REST_FACTOR_IDLE = 4;
/** A process that has just started has other things to do. */
const REST_AFTER_OPENING_MS = 10_000;
/** While readers have all threads that the store may use. */
const REST_FOR_READERS_MS = 50;
/** Rows asked of LevelDB at once: with pointers in them, most of the bytes are not seen there. */
const SCAN_ROWS = 128;

interface PendingBatch {
  readonly changes: readonly KvChange[];
  readonly done: Done<void>;
}

interface OpenSnapshot {
  readonly view: Snapshot;
  readonly hold: Hold;
  /** The one who asked for it, and each read in it. */
  users: number;
}

/** Opens, or creates, the store in the directory: LevelDB's files, and `values/`. After a full disk it is opened again by itself. */
export function openLevelStore(directory: string, options: LevelStoreOptions, done: Done<KvStore>): void {
  openAgainWhenSpoilt((opened) => settle(openOnce(directory, options), opened), done);
}

async function openOnce(directory: string, options: LevelStoreOptions): Promise<LevelStore> {
  const database = newDatabase(directory, {
    writeBufferBytes: options.writeBufferBytes ?? 64 * MIB,
    cacheBytes: options.cacheBytes ?? 8 * MIB,
  });
  const written = options.written ?? noStoreBytes();
  await database.open();
  try {
    const files = new ValueFiles(join(directory, "values"), {
      fileBytes: options.valueFileBytes ?? 32 * MIB,
      freeFilesMax: options.freeValueFilesMax ?? 1,
      directBytesMin: options.directWriteBytesMin ?? 64 * 1024,
      written,
    });
    const numbers = await files.list();
    await checkFormat(database, numbers.length > 0);
    await files.load(numbers, await readCounts(database));
    return new LevelStore(database, files, options, written);
  } catch (error) {
    await database.close();
    throw error;
  }
}

class LevelStore implements SpoilableStore {
  readonly #database: Database;
  readonly #files: ValueFiles;
  readonly #writer: RowWriter;
  readonly #collector: ValueCollector;
  readonly #largeBytesMin: number;
  readonly #operations: OperationQueue;
  readonly #snapshots: Map<number, OpenSnapshot> = new Map();
  #lastSnapshotId = 0;
  #batches: PendingBatch[] = [];
  /** A write or a step of the collector. */
  #isBusy = false;
  #isCollectorsTurn = true;
  readonly #written: StoreBytes;
  /** Of LevelDB's tables since it was opened, as last counted. */
  #tableBytes = 0;
  #countedAtMs = 0;
  readonly #deleted: DeletedRanges;
  #isMerging = false;
  readonly #restFactor: number | null;
  /** Runs while compression rests. */
  #restTimer: NodeJS.Timeout | null = null;
  /** Since the last step of compression. */
  #hasWritten = false;
  #isClosed = false;

  constructor(database: Database, files: ValueFiles, options: LevelStoreOptions, written: StoreBytes) {
    const threads = Number(process.env["UV_THREADPOOL_SIZE"] ?? 4);
    this.#database = database;
    this.#files = files;
    this.#written = written;
    this.#deleted = new DeletedRanges(options.deletedBytesMin ?? 8 * MIB);
    this.#writer = new RowWriter(database, files, this.#deleted, written);
    this.#collector = new ValueCollector(database, files, this.#writer, {
      compresses: options.compression ?? true,
      onDamage: options.onDamage ?? (() => {}),
    });
    this.#restFactor = options.compressionRestFactor ?? null;
    if (this.#restFactor !== 0) this.#rest(REST_AFTER_OPENING_MS);
    this.#largeBytesMin = options.valueFileBytesMin ?? 2048;
    this.#operations = new OperationQueue(options.operationsMax ?? Math.max(1, threads - 2));
    this.#proceed();
  }

  get isSpoilt(): boolean {
    return this.#writer.isSpoilt;
  }

  write(changes: readonly KvChange[], done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#batches.push({ changes, done });
    this.#proceed();
  }

  get(key: Uint8Array, snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    if (this.#refuses(done)) return;
    this.#read(snapshot, (view) => this.#readValue(rowKey(key), view), done);
  }

  getNow(key: Uint8Array): Result<Uint8Array | null> {
    if (this.#isClosed) return { ok: false, reason: "closed", message: "the store is closed" };
    try {
      const row = this.#database.getSync(rowKey(key));
      if (row === undefined) return { ok: true, value: null };
      const found = decodeRow(row);
      // Nobody can free the place before this returns: that takes an event.
      return { ok: true, value: found instanceof Uint8Array ? found : this.#files.readNow(found) };
    } catch (error) {
      return failureOf(error);
    }
  }

  scan(
    from: Uint8Array,
    to: Uint8Array,
    limitRows: number,
    limitBytes: number,
    snapshot: KvSnapshot | null,
    done: Done<readonly KvRow[]>,
  ): void {
    if (this.#refuses(done)) return;
    this.#read(snapshot, (view) => this.#readRows(rowKey(from), rowKey(to), limitRows, limitBytes, view), done);
  }

  keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void {
    if (this.#refuses(done)) return;
    this.#read(null, () => this.#readKeys(rowKey(from), rowKey(to), limitRows), done);
  }

  giveBack(value: Uint8Array): void {
    this.#files.memory.giveBack(value);
  }

  snapshot(): KvSnapshot {
    const id = ++this.#lastSnapshotId;
    this.#snapshots.set(id, { hold: this.#files.hold(), view: this.#database.snapshot(), users: 1 });
    return { id };
  }

  release(snapshot: KvSnapshot): void {
    const released = this.#viewOf(snapshot);
    this.#snapshots.delete(snapshot.id);
    this.#leave(released);
    this.#proceed();
  }

  close(done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#isClosed = true;
    if (this.#restTimer !== null) clearTimeout(this.#restTimer);
    this.#operations.whenIdle(() => {
      for (const { view } of this.#snapshots.values()) settle(view.close(), () => {});
      this.#snapshots.clear();
      settle(this.#closeAll(), done);
    });
  }

  /** The next write, or a step of the collector: in turns while both have work. Compression only when there is nothing else. */
  #proceed(): void {
    if (this.#isBusy) return;
    const mayMove = !this.#isClosed && !this.isSpoilt;
    const canCollect = mayMove && this.#collector.hasWork;
    if (canCollect && (this.#isCollectorsTurn || this.#batches.length === 0)) this.#collect();
    else if (this.#batches.length > 0) this.#writeNext();
    else if (mayMove && this.#mayMerge) this.#merge();
    else if (mayMove && this.#restTimer === null && this.#collector.canTidy) {
      if (this.#operations.hasRoom) this.#tidy();
      else this.#rest(REST_FOR_READERS_MS);
    }
  }

  /** Everything that waits, as one batch, in the order of calling: each is applied wholly or not at all, and all share one sync. */
  #writeNext(): void {
    this.#isBusy = true;
    this.#operations.runFirst((finish) => {
      const taken = this.#takeBatches();
      const plan = planWrite(
        taken.map((batch) => batch.changes),
        this.#largeBytesMin,
      );
      settle(plan.isEmpty ? Promise.resolve() : this.#writer.write(plan, null), (result) => {
        this.#isCollectorsTurn = true;
        this.#hasWritten = true;
        if (performance.now() - this.#countedAtMs > COUNT_TABLES_EVERY_MS) this.#countTables();
        this.#wentOn(finish);
        for (const batch of taken) batch.done(result);
      });
    });
  }

  #collect(): void {
    this.#isBusy = true;
    this.#operations.runFirst((finish) => {
      settle(this.#collector.collect(), () => {
        this.#isCollectorsTurn = false;
        this.#wentOn(finish);
      });
    });
  }

  #tidy(): void {
    this.#isBusy = true;
    this.#operations.runFirst((finish) => {
      const startedMs = performance.now();
      settle(this.#collector.tidy(), () => {
        const factor = this.#restFactor ?? (this.#hasWritten ? REST_FACTOR_BUSY : REST_FACTOR_IDLE);
        this.#hasWritten = false;
        if (!this.#isClosed) this.#rest((performance.now() - startedMs) * factor);
        this.#wentOn(finish);
      });
    });
  }

  /** What a snapshot still sees stays where it is. */
  get #mayMerge(): boolean {
    if (this.#isMerging || this.#snapshots.size > 0 || !this.#operations.hasRoom) return false;
    return this.#deleted.due() !== null;
  }

  /** Beside everything else, as LevelDB's own merges are: it takes one operation, and LevelDB's thread, which goes step by step and puts writes first. */
  #merge(): void {
    const range = this.#deleted.due()!;
    this.#isMerging = true;
    this.#operations.run((finish) => {
      // Nobody waits for it; LevelDB tells a failure to whoever writes next.
      settle(this.#mergeIfWorthIt(range), () => {
        this.#isMerging = false;
        this.#countTables();
        this.#proceed();
        finish();
      });
    });
    this.#proceed();
  }

  async #mergeIfWorthIt(range: DeletedRange): Promise<void> {
    const { first, last } = range;
    const liveBytes = (await this.#database.approximateSize(first, last, VIEW)) - range.bytes;
    if (liveBytes > range.bytes * LIVE_FACTOR) return this.#deleted.postpone(range);
    this.#deleted.take(range);
    await this.#database.compactRange(first, last, VIEW);
  }

  #countTables(): void {
    if (this.#isClosed) return;
    this.#countedAtMs = performance.now();
    const bytes = tableBytesIn(this.#database.getProperty("leveldb.stats"));
    this.#written.tableBytes += bytes - this.#tableBytes;
    this.#tableBytes = bytes;
  }

  #rest(ms: number): void {
    if (ms === 0) return;
    this.#restTimer = setTimeout(() => {
      this.#restTimer = null;
      this.#proceed();
    }, ms);
    // A process that has nothing else to do may end.
    this.#restTimer.unref();
  }

  #wentOn(finish: () => void): void {
    this.#isBusy = false;
    // Before `finish`: a store that is closing waits for all batches.
    this.#proceed();
    finish();
  }

  #takeBatches(): readonly PendingBatch[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#batches.length && (count === 0 || bytes < MERGED_BATCH_BYTES_MAX)) {
      for (const { key, value, rest } of this.#batches[count]!.changes) {
        bytes += key.length + (value === null ? 0 : lengthWithRest(value, rest));
      }
      count++;
    }
    return this.#batches.splice(0, count);
  }

  /** Nothing that it finds pointed at is written over before it has been read, also if its snapshot is released meanwhile. */
  #read<T>(snapshot: KvSnapshot | null, body: (view: Snapshot | null) => Promise<T>, done: Done<T>): void {
    const frozen = snapshot === null ? null : this.#viewOf(snapshot);
    const hold = frozen === null ? this.#files.hold() : null;
    if (frozen !== null) frozen.users++;
    this.#operations.run((finish) => {
      settle(body(frozen === null ? null : frozen.view), (result) => {
        if (hold !== null) this.#files.release(hold);
        if (frozen !== null) this.#leave(frozen);
        finish();
        done(result);
      });
    });
  }

  #leave(snapshot: OpenSnapshot): void {
    if (--snapshot.users > 0) return;
    // Nobody uses it: closing it cannot fail.
    settle(snapshot.view.close(), () => {});
    this.#files.release(snapshot.hold);
  }

  async #readValue(key: Uint8Array, view: Snapshot | null): Promise<Uint8Array | null> {
    const row = await (view === null ? this.#database.get(key) : this.#database.get(key, { ...VIEW, snapshot: view }));
    if (row === undefined) return null;
    const found = decodeRow(row);
    if (found instanceof Uint8Array) return found;
    const [value] = await this.#files.read([found]);
    return value!;
  }

  async #readKeys(from: Uint8Array, to: Uint8Array, limitRows: number): Promise<readonly Uint8Array[]> {
    const keys = await this.#database.keys({ gte: from, lt: to, limit: limitRows, fillCache: false }).all();
    return keys.map(keyOfRow);
  }

  async #readRows(
    from: Uint8Array,
    to: Uint8Array,
    limitRows: number,
    limitBytes: number,
    view: Snapshot | null,
  ): Promise<readonly KvRow[]> {
    const range = { gte: from, lt: to, limit: limitRows, highWaterMarkBytes: limitBytes, fillCache: false };
    const iterator = this.#database.iterator(view === null ? range : { ...range, snapshot: view });
    const keys: Uint8Array[] = [];
    const found: (Uint8Array | ValuePointer)[] = [];
    let bytes = 0;
    try {
      while (keys.length < limitRows && (keys.length === 0 || bytes < limitBytes)) {
        const rows = await iterator.nextv(Math.min(SCAN_ROWS, limitRows - keys.length));
        if (rows.length === 0) break;
        for (const [key, row] of rows) {
          if (keys.length > 0 && bytes >= limitBytes) break;
          const value = decodeRow(row);
          keys.push(keyOfRow(key));
          found.push(value);
          bytes += key.length + (value instanceof Uint8Array ? value.length : value.valueBytes);
        }
      }
    } finally {
      await iterator.close();
    }
    return this.#resolved(keys, found);
  }

  async #resolved(
    keys: readonly Uint8Array[],
    found: readonly (Uint8Array | ValuePointer)[],
  ): Promise<readonly KvRow[]> {
    const values = await this.#files.read(found.filter(isPointer));
    let next = 0;
    return keys.map((key, i) => {
      const value = found[i]!;
      return { key, value: value instanceof Uint8Array ? value : values[next++]! };
    });
  }

  async #closeAll(): Promise<void> {
    try {
      await this.#files.close();
    } finally {
      await this.#database.close();
    }
  }

  #viewOf(snapshot: KvSnapshot): OpenSnapshot {
    const open = this.#snapshots.get(snapshot.id);
    if (open === undefined) throw new Error(`snapshot ${snapshot.id} was released`);
    return open;
  }

  #refuses<T>(done: Done<T>): boolean {
    if (this.#isClosed) setImmediate(() => done({ ok: false, reason: "closed", message: "the store is closed" }));
    return this.#isClosed;
  }
}

function isPointer(found: Uint8Array | ValuePointer): found is ValuePointer {
  return !(found instanceof Uint8Array);
}
