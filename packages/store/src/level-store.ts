/**
 * The KvStore port on LevelDB. Adds to it what it lacks: an order between batches, few operations at a time (each blocks a thread of the
 * pool, and the log needs some), and typed failures. Promises of `level` end here.
 */
import type { Done, Failure, KvChange, KvRow, KvSnapshot, KvStore } from "@headrace/ports";
import { Level } from "level";
import { OperationQueue } from "./operation-queue.ts";

type Database = Level<Uint8Array, Uint8Array>;
type Snapshot = ReturnType<Database["snapshot"]>;

export interface LevelStoreOptions {
  /** Operations inside LevelDB at once. Default: two below the thread pool's size, 1 at least. */
  readonly operationsMax?: number;
  /** Default 64 MiB: fewer, larger tables make fewer merges. */
  readonly writeBufferBytes?: number;
  /** Default 8 MiB. The store's readers have a cache of their own. */
  readonly cacheBytes?: number;
}

const MIB = 1024 * 1024;
/** Batches that wait together are written together up to here: one sync for all. */
const MERGED_BATCH_BYTES_MAX = 4 * MIB;
/** Copied into a batch between two turns of the event loop: 4 MiB at once hold the process up for 15 ms and more. */
const SLICE_BYTES = 256 * 1024;
const VIEW = { keyEncoding: "view", valueEncoding: "view" } as const;

interface PendingBatch {
  readonly changes: readonly KvChange[];
  readonly done: Done<void>;
}

/** Opens, or creates, the database in the directory. */
export function openLevelStore(directory: string, options: LevelStoreOptions, done: Done<KvStore>): void {
  const database: Database = new Level(directory, {
    ...VIEW,
    writeBufferSize: options.writeBufferBytes ?? 64 * MIB,
    cacheSize: options.cacheBytes ?? 8 * MIB,
    maxFileSize: 32 * MIB,
  });
  const threads = Number(process.env["UV_THREADPOOL_SIZE"] ?? 4);
  const operationsMax = options.operationsMax ?? Math.max(1, threads - 2);
  settle(
    database.open().then(() => new LevelStore(database, operationsMax)),
    done,
  );
}

function nextTurn(): Promise<void> {
  return new Promise((resume) => {
    setImmediate(resume);
  });
}

class LevelStore implements KvStore {
  readonly #database: Database;
  readonly #operations: OperationQueue;
  readonly #snapshots: Map<number, Snapshot> = new Map();
  #lastSnapshotId = 0;
  #batches: PendingBatch[] = [];
  #isWriting = false;
  #isClosed = false;

  constructor(database: Database, operationsMax: number) {
    this.#database = database;
    this.#operations = new OperationQueue(operationsMax);
  }

  write(changes: readonly KvChange[], done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#batches.push({ changes, done });
    if (!this.#isWriting) this.#writeNext();
  }

  get(key: Uint8Array, snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    if (this.#refuses(done)) return;
    const view = this.#viewOf(snapshot);
    this.#operations.run((finish) => {
      const value = view === null ? this.#database.get(key) : this.#database.get(key, { ...VIEW, snapshot: view });
      settle(
        value.then((found) => found ?? null),
        (result) => {
          finish();
          done(result);
        },
      );
    });
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
    const view = this.#viewOf(snapshot);
    this.#operations.run((finish) => {
      settle(this.#readRows(from, to, limitRows, limitBytes, view), (result) => {
        finish();
        done(result);
      });
    });
  }

  snapshot(): KvSnapshot {
    const id = ++this.#lastSnapshotId;
    this.#snapshots.set(id, this.#database.snapshot());
    return { id };
  }

  release(snapshot: KvSnapshot): void {
    const view = this.#viewOf(snapshot);
    this.#snapshots.delete(snapshot.id);
    // Closing waits for the reads that still use it and cannot fail otherwise.
    if (view !== null) settle(view.close(), () => {});
  }

  close(done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#isClosed = true;
    this.#operations.whenIdle(() => {
      for (const view of this.#snapshots.values()) settle(view.close(), () => {});
      this.#snapshots.clear();
      settle(this.#database.close(), done);
    });
  }

  /** Everything that waits, as one batch, in the order of calling: each is applied wholly or not at all, and all share one sync. */
  #writeNext(): void {
    if (this.#batches.length === 0) return;
    this.#isWriting = true;
    this.#operations.runFirst((finish) => {
      const taken = this.#takeBatches();
      settle(this.#writeAll(taken), (result) => {
        this.#isWriting = false;
        // Before `finish`: a store that is closing waits for all batches.
        this.#writeNext();
        finish();
        for (const batch of taken) batch.done(result);
      });
    });
  }

  #takeBatches(): readonly PendingBatch[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#batches.length && (count === 0 || bytes < MERGED_BATCH_BYTES_MAX)) {
      for (const { key, value } of this.#batches[count]!.changes) bytes += key.length + (value?.length ?? 0);
      count++;
    }
    return this.#batches.splice(0, count);
  }

  /** The chained form: 0.6 µs of the main thread a change, the array form takes 6 on Node 20. */
  async #writeAll(batches: readonly PendingBatch[]): Promise<void> {
    const chained = this.#database.batch();
    let sliceBytes = 0;
    for (const { changes } of batches) {
      for (const { key, value } of changes) {
        if (value === null) chained.del(key);
        else chained.put(key, value);
        sliceBytes += key.length + (value?.length ?? 0);
        if (sliceBytes < SLICE_BYTES) continue;
        sliceBytes = 0;
        await nextTurn();
      }
    }
    if (chained.length === 0) await chained.close();
    else await chained.write({ sync: true });
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
    const rows: KvRow[] = [];
    let bytes = 0;
    try {
      while (rows.length < limitRows && (rows.length === 0 || bytes < limitBytes)) {
        const found = await iterator.nextv(limitRows - rows.length);
        if (found.length === 0) break;
        for (const [key, value] of found) {
          rows.push({ key, value });
          bytes += key.length + value.length;
        }
      }
    } finally {
      await iterator.close();
    }
    return rows;
  }

  #viewOf(snapshot: KvSnapshot | null): Snapshot | null {
    if (snapshot === null) return null;
    const view = this.#snapshots.get(snapshot.id);
    if (view === undefined) throw new Error(`snapshot ${snapshot.id} was released`);
    return view;
  }

  #refuses<T>(done: Done<T>): boolean {
    if (this.#isClosed) setImmediate(() => done({ ok: false, reason: "closed", message: "the store is closed" }));
    return this.#isClosed;
  }
}

/** Hands the promise's outcome on, outside of any promise: what `done` throws must end the process, not become a rejection. */
function settle<T>(promise: Promise<T>, done: Done<T>): void {
  promise.then(
    (value) => setImmediate(done, { ok: true, value }),
    (error: unknown) => setImmediate(done, failureOf(error)),
  );
}

function failureOf(error: unknown): Failure {
  const { code, message, cause } = error as {
    code?: string;
    message: string;
    cause?: { code?: string; message: string };
  };
  const text = cause === undefined ? message : `${message}: ${cause.message}`;
  // A failed opening comes as LEVEL_DATABASE_NOT_OPEN around the cause that counts.
  const decisive = cause?.code ?? code;
  if (decisive === "LEVEL_CORRUPTION") return { ok: false, reason: "corrupt", message: text };
  if (/no space left|quota/i.test(text)) return { ok: false, reason: "space", message: text };
  if (decisive === "LEVEL_DATABASE_NOT_OPEN") return { ok: false, reason: "closed", message: text };
  return { ok: false, reason: "io", message: text };
}
