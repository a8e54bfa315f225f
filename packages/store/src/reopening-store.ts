/**
 * A store that survives a full disk without a restart of the process (design §6). LevelDB can't be written to any more once a batch has failed inside
 * it (row-writer.ts says why). If that was for lack of space it is closed and opened again before the next write; opening replays its own log, so what
 * had been durable is there, and of the batch that failed all or nothing.
 *
 *   open ──batch fails for space──► spoilt ──next write──► closing, opening ──► open
 *                                   (reads go on)          (everything waits; writes are refused while there is no space)
 *
 * Snapshots do not survive it: reads in one that was taken before fail as `closed`.
 */
import type { Done, Failure, KvChange, KvRow, KvSnapshot, KvStore, Result } from "@headrace/ports";

/** A store that knows that it must not be written to any more. */
export interface SpoilableStore extends KvStore {
  readonly isSpoilt: boolean;
}

interface Waiting {
  readonly run: (store: KvStore) => void;
  readonly isWrite: boolean;
}

const REOPEN_EVERY_MS = 1000;
const LOST_SNAPSHOT: Failure = {
  ok: false,
  reason: "closed",
  message: "the snapshot was lost when the store was opened again",
};

const CLOSED: Failure = { ok: false, reason: "closed", message: "the store is closed" };

const CLOSED_FOR_NOW: Failure = { ok: false, reason: "later", message: "the store is being opened again" };

/** Opens the store; `open` is called again whenever it has to be opened again. */
export function openAgainWhenSpoilt(open: (done: Done<SpoilableStore>) => void, done: Done<KvStore>): void {
  open((opened) => done(opened.ok ? { ok: true, value: new ReopeningStore(open, opened.value) } : opened));
}

class ReopeningStore implements KvStore {
  readonly #open: (done: Done<SpoilableStore>) => void;
  /** Null while it is closed and opened again. */
  #store: SpoilableStore | null;
  /** Operations that wait for it, in the order of calling. */
  #waiting: Waiting[] = [];
  readonly #snapshots: Map<number, { readonly of: KvStore; readonly inner: KvSnapshot }> = new Map();
  #lastSnapshotId = 0;
  /** The last attempt to open it failed so; for space it is tried again, else for good. */
  #failure: Failure | null = null;
  #isSpoiltForSpace = false;
  #onClosed: Done<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(open: (done: Done<SpoilableStore>) => void, store: SpoilableStore) {
    this.#open = open;
    this.#store = store;
  }

  write(changes: readonly KvChange[], done: Done<void>): void {
    if (this.#refuses(done)) return;
    if (this.#isSpoiltForSpace && this.#store !== null) this.#reopen(this.#store);
    if (this.#failure !== null) return later(done, this.#failure);
    this.#run(true, (store) => {
      store.write(changes, (result) => {
        if (!result.ok && result.reason === "space" && store === this.#store && this.#store.isSpoilt) {
          this.#isSpoiltForSpace = true;
        }
        done(result);
      });
    });
  }

  get(key: Uint8Array, snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    if (this.#refuses(done)) return;
    this.#read(snapshot, done, (store, inner) => store.get(key, inner, done));
  }

  /** While it is opened again there is nothing to read from, and this one can't wait as other reads do. */
  getNow(key: Uint8Array): Result<Uint8Array | null> {
    if (this.#store !== null) return this.#store.getNow(key);
    if (this.#onClosed !== null) return CLOSED;
    return this.#failure !== null && this.#failure.reason !== "space" ? this.#failure : CLOSED_FOR_NOW;
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
    this.#read(snapshot, done, (store, inner) => store.scan(from, to, limitRows, limitBytes, inner, done));
  }

  keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void {
    if (this.#refuses(done)) return;
    this.#read(null, done, (store) => store.keys(from, to, limitRows, done));
  }

  giveBack(value: Uint8Array): void {
    this.#store?.giveBack(value);
  }

  /** Taken while there is no store to take it from it is lost from the beginning. */
  snapshot(): KvSnapshot {
    const id = ++this.#lastSnapshotId;
    if (this.#store !== null) this.#snapshots.set(id, { of: this.#store, inner: this.#store.snapshot() });
    return { id };
  }

  release(snapshot: KvSnapshot): void {
    const held = this.#snapshots.get(snapshot.id);
    this.#snapshots.delete(snapshot.id);
    if (held !== undefined && held.of === this.#store) held.of.release(held.inner);
  }

  close(done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#onClosed = done;
    const isWaiting = this.#timer !== null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#store !== null) this.#store.close(done);
    // Else an opening is under way, and closes it.
    else if (isWaiting || (this.#failure !== null && this.#failure.reason !== "space")) this.#endWithoutStore();
  }

  #read<T>(snapshot: KvSnapshot | null, done: Done<T>, body: (store: KvStore, inner: KvSnapshot | null) => void): void {
    if (this.#failure !== null && this.#failure.reason !== "space") return later(done, this.#failure);
    this.#run(false, (store) => {
      if (snapshot === null) return body(store, null);
      const held = this.#snapshots.get(snapshot.id);
      if (held === undefined || held.of !== store) return later(done, LOST_SNAPSHOT);
      body(store, held.inner);
    });
  }

  #run(isWrite: boolean, run: (store: KvStore) => void): void {
    if (this.#store === null) this.#waiting.push({ run, isWrite });
    else run(this.#store);
  }

  /** What is under way in it ends first; of what it still has to write nothing is written. */
  #reopen(spoilt: SpoilableStore): void {
    this.#store = null;
    spoilt.close(() => this.#openAnew());
  }

  #openAnew(): void {
    this.#timer = null;
    this.#open((opened) => {
      if (opened.ok) return this.#opened(opened.value);
      this.#failure = opened;
      if (opened.reason !== "space") return this.#endWithoutStore();
      if (this.#onClosed !== null) return this.#endWithoutStore();
      // Who writes has to know; who reads gets what it wants later.
      const writes = this.#waiting.filter((waiting) => waiting.isWrite);
      this.#waiting = this.#waiting.filter((waiting) => !waiting.isWrite);
      for (const { run } of writes) run(new NoStore(opened));
      this.#timer = setTimeout(() => this.#openAnew(), REOPEN_EVERY_MS);
    });
  }

  #opened(store: SpoilableStore): void {
    this.#store = store;
    this.#failure = null;
    this.#isSpoiltForSpace = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { run } of waiting) run(store);
    if (this.#onClosed !== null) store.close(this.#onClosed);
  }

  /** There will be no store any more: what waits is told so. */
  #endWithoutStore(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { run } of waiting) run(new NoStore(this.#failure!));
    const onClosed = this.#onClosed;
    if (onClosed !== null) later(onClosed, { ok: true, value: undefined });
  }

  #refuses<T>(done: Done<T>): boolean {
    if (this.#onClosed === null) return false;
    later(done, CLOSED);
    return true;
  }
}

/** Answers everything with why there is none. */
class NoStore implements KvStore {
  readonly #failure: Failure;

  constructor(failure: Failure) {
    this.#failure = failure;
  }

  write(_changes: readonly KvChange[], done: Done<void>): void {
    later(done, this.#failure);
  }

  get(_key: Uint8Array, _snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    later(done, this.#failure);
  }

  getNow(_key: Uint8Array): Result<Uint8Array | null> {
    return this.#failure;
  }

  scan(
    _from: Uint8Array,
    _to: Uint8Array,
    _limitRows: number,
    _limitBytes: number,
    _snapshot: KvSnapshot | null,
    done: Done<readonly KvRow[]>,
  ): void {
    later(done, this.#failure);
  }

  keys(_from: Uint8Array, _to: Uint8Array, _limitRows: number, done: Done<readonly Uint8Array[]>): void {
    later(done, this.#failure);
  }

  snapshot(): KvSnapshot {
    return { id: 0 };
  }

  giveBack(): void {}

  release(): void {}

  close(done: Done<void>): void {
    later(done, { ok: true, value: undefined });
  }
}

function later<T>(done: Done<T>, result: Result<T>): void {
  setImmediate(done, result);
}
