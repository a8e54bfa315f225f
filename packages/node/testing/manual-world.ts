/**
 * A world for tests of one shard that moves only when the test says so: clock, tasks, a log that can hold back its disk, an ordered store.
 * Much smaller than the simulator's and without faults of its own: a test names each fault.
 */
import { assert, compareBytes, copyOf, LatencyHistogram, withRest } from "@headrace/bytes";
import type { RecoveredGroup, RecoveryOutcome, SharedLogApi, WalAppend } from "@headrace/log";
import type {
  Clock,
  Done,
  Failure,
  FailureReason,
  KvChange,
  KvRow,
  KvSnapshot,
  KvStore,
  Result,
  Logger,
  Random,
  Scheduler,
  Timer,
} from "@headrace/ports";
import type { Entry, HardState } from "@headrace/raft-ts";

class Task implements Timer {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled = false;

  constructor(atMs: number, order: number, run: () => void) {
    this.atMs = atMs;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

export class ManualTime implements Clock, Scheduler {
  /** Between the wall's clock and the other one, which begins with a small number. */
  wallAheadMs = 0;
  #nowMs = 1_000_000;
  #order = 0;
  #soon: (() => void)[] = [];
  #timers: Task[] = [];

  wallMs(): number {
    return this.#nowMs + this.wallAheadMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  soon(task: () => void): void {
    this.#soon.push(task);
  }

  after(delayMs: number, run: () => void): Timer {
    const task = new Task(this.#nowMs + delayMs, this.#order++, run);
    this.#timers.push(task);
    return task;
  }

  /** Runs one waiting task; false when none waits at this instant. */
  runOne(): boolean {
    const task = this.#soon.shift();
    task?.();
    return task !== undefined;
  }

  /** Moves the clock and makes the timers of that time ready, in order. */
  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter((task) => task.atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((task) => task.atMs > this.#nowMs);
    due.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    for (const task of due) this.#soon.push(() => (task.isCancelled ? undefined : task.run()));
  }
}

/** A small linear generator: enough for election timeouts. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  u32(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state;
  }

  below(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }
}

interface GroupOnDisk {
  hardState: HardState;
  entries: Entry[];
  compactedIndex: number;
  compactedTerm: number;
}

/** The shared log in memory. What a crash leaves is what was durable. `holdDisk` keeps appends from becoming durable. */
export class MemoryLog implements SharedLogApi {
  readonly #time: ManualTime;
  readonly #fsync: "always" | "everysec" | "no";
  readonly #disk: Map<number, GroupOnDisk>;
  /** In order; compactions take effect where they stand. */
  #pending: (WalAppend | (() => void))[] = [];
  #isDead = false;
  holdDisk = false;
  syncRequests = 0;
  durableWrites = 0;
  maxEntryBytes = 48 * 1024 * 1024;
  onPoisoned: (message: string) => void = () => {};
  onDamage: (message: string) => void = () => {};
  readonly stats = {
    writes: 0,
    bytes: 0,
    entryBytes: 0,
    copiedBytes: 0,
    segments: 1,
    lastWriteMs: 0,
    durableWrites: new LatencyHistogram(),
  };

  constructor(time: ManualTime, fsync: "always" | "everysec" | "no", disk: Map<number, GroupOnDisk> = new Map()) {
    this.#time = time;
    this.#fsync = fsync;
    this.#disk = disk;
  }

  /** The log after a crash: the same disk, nothing that was not durable; callbacks of the old one never come. */
  afterCrash(): MemoryLog {
    this.#isDead = true;
    return new MemoryLog(this.#time, this.#fsync, this.#disk);
  }

  group(groupId: number): RecoveredGroup | null {
    const found = this.#disk.get(groupId);
    return found === undefined ? null : { groupId, ...found, onDisk: [], entries: found.entries.slice() };
  }

  recover(done: Done<RecoveryOutcome>): void {
    const groups = new Map<number, RecoveredGroup>();
    for (const groupId of this.#disk.keys()) groups.set(groupId, this.group(groupId)!);
    this.#time.soon(() => done({ ok: true, value: { kind: "recovered", groups, tornBytes: 0 } }));
  }

  append(append: WalAppend): void {
    for (const entry of append.entries)
      assert(entry.data.length <= this.maxEntryBytes, "a log entry fits into a segment");
    this.#pending.push(append);
    this.#time.soon(() => {
      if (this.#isDead) return;
      append.onWritten?.();
      if (this.#fsync === "always" || append.mustSync) this.#sync();
    });
  }

  requestSync(): void {
    this.syncRequests++;
    this.#time.soon(() => this.#sync());
  }

  /** After `holdDisk = false`. */
  releaseDisk(): void {
    this.holdDisk = false;
    this.#time.soon(() => this.#sync());
  }

  compact(groupId: number, index: number, term: number): void {
    this.#pending.push(() => {
      const group = this.#group(groupId);
      if (index <= group.compactedIndex) return;
      const there = group.entries.find((entry) => entry.index === index);
      const isOther = there !== undefined && there.term !== term;
      group.entries = isOther ? [] : group.entries.filter((entry) => entry.index > index);
      group.compactedIndex = index;
      group.compactedTerm = term;
    });
    this.#time.soon(() => {
      // By itself it makes nothing else durable.
      if (this.#pending.every((pending) => typeof pending === "function")) this.#sync();
    });
  }

  forget(groupId: number): void {
    this.#disk.delete(groupId);
  }

  readEntries(groupId: number, low: number, high: number, _maxBytes: number, done: Done<readonly Entry[]>): void {
    const found = this.#group(groupId).entries.filter((entry) => entry.index >= low && entry.index < high);
    this.#time.soon(() => {
      if (!this.#isDead) done({ ok: true, value: found });
    });
  }

  close(done: Done<void>): void {
    this.#time.soon(() => done({ ok: true, value: undefined }));
  }

  #sync(): void {
    if (this.#isDead || this.holdDisk || this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    if (pending.some((append) => typeof append !== "function")) this.durableWrites++;
    for (const append of pending) {
      if (typeof append === "function") {
        append();
        continue;
      }
      const group = this.#group(append.groupId);
      if (append.hardState !== null) group.hardState = append.hardState;
      const first = append.entries[0];
      if (first !== undefined) {
        const last = group.entries[group.entries.length - 1];
        if (last !== undefined && last.index >= first.index) {
          group.entries = group.entries.filter((entry) => entry.index < first.index);
        }
        const end = group.entries[group.entries.length - 1]?.index ?? group.compactedIndex;
        assert(first.index === end + 1, `log entry ${first.index} would leave a gap behind ${end}`);
        group.entries.push(...append.entries);
      }
      append.onDurable();
    }
  }

  #group(groupId: number): GroupOnDisk {
    let group = this.#disk.get(groupId);
    if (group === undefined) {
      group = { hardState: { term: 0, vote: 0, commit: 0 }, entries: [], compactedIndex: 0, compactedTerm: 0 };
      this.#disk.set(groupId, group);
    }
    return group;
  }
}

/** The ordered store in memory, durable at completion. `hold` keeps batches from completing. */
export class MemoryKv implements KvStore {
  readonly #time: ManualTime;
  readonly #rows: KvRow[];
  readonly #snapshots: Map<number, readonly KvRow[]> = new Map();
  #lastSnapshot = 0;
  #held: (() => void)[] = [];
  #isDead = false;
  hold = false;
  /** Reads that are not of a snapshot don't come back. */
  holdReads = false;
  readonly #heldReads: (() => void)[] = [];
  /** What reads answer instead of rows. */
  readFailure: Failure | null = null;
  /** What reads that can't wait answer. */
  readNowFailure: Failure | null = null;
  /** Batches fail for this reason. */
  refusal: FailureReason | null = null;
  batches = 0;
  /** By scans. */
  rowsRead = 0;

  constructor(time: ManualTime, rows: KvRow[] = []) {
    this.#time = time;
    this.#rows = rows;
  }

  afterCrash(): MemoryKv {
    this.#isDead = true;
    return new MemoryKv(this.#time, this.#rows);
  }

  get rows(): readonly KvRow[] {
    return this.#rows;
  }

  get rowCount(): number {
    return this.#rows.length;
  }

  write(changes: readonly KvChange[], done: Done<void>): void {
    const apply = (): void => {
      if (this.#isDead) return;
      if (this.refusal !== null) return done({ ok: false, reason: this.refusal, message: "as the test wants it" });
      for (const change of changes) this.#put(change);
      this.batches++;
      done({ ok: true, value: undefined });
    };
    if (this.hold) this.#held.push(apply);
    else this.#time.soon(apply);
  }

  get openSnapshots(): number {
    return this.#snapshots.size;
  }

  /** Whoever looks at it all the same finds that out. */
  giveBack(value: Uint8Array): void {
    value.fill(0xdd);
  }

  release(snapshot: KvSnapshot): void {
    assert(this.#snapshots.delete(snapshot.id), "a snapshot is released once");
  }

  /** After `hold = true`. */
  releaseHeld(): void {
    this.hold = false;
    for (const apply of this.#held) this.#time.soon(apply);
    this.#held = [];
  }

  /** After `holdReads = true`. */
  releaseReads(): void {
    this.holdReads = false;
    for (const answer of this.#heldReads.splice(0)) answer();
  }

  get(key: Uint8Array, snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    const rows = this.#rowsOf(snapshot);
    const row = rows[find(rows, key)];
    const value = row !== undefined && compareBytes(row.key, key) === 0 ? row.value : null;
    this.#later(() => done({ ok: true, value }));
  }

  getNow(key: Uint8Array): Result<Uint8Array | null> {
    const failure = this.readNowFailure ?? this.readFailure;
    if (failure !== null) return failure;
    const row = this.#rows[find(this.#rows, key)];
    return { ok: true, value: row !== undefined && compareBytes(row.key, key) === 0 ? row.value : null };
  }

  scan(
    from: Uint8Array,
    to: Uint8Array,
    limitRows: number,
    limitBytes: number,
    snapshot: KvSnapshot | null,
    done: Done<readonly KvRow[]>,
  ): void {
    const rows = this.#rowsOf(snapshot);
    const found: KvRow[] = [];
    let bytes = 0;
    for (let i = find(rows, from); i < rows.length && found.length < limitRows && bytes < limitBytes; i++) {
      const row = rows[i]!;
      if (compareBytes(row.key, to) >= 0) break;
      found.push({ key: row.key, value: copyOf(row.value) });
      bytes += row.key.length + row.value.length;
    }
    this.rowsRead += found.length;
    const answer = (): void => done(this.readFailure ?? { ok: true, value: found });
    if (this.holdReads && snapshot === null) this.#heldReads.push(() => this.#later(answer));
    else this.#later(answer);
  }

  keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void {
    this.scan(from, to, limitRows, Infinity, null, (rows) => {
      done(rows.ok ? { ok: true, value: rows.value.map(({ key }) => key) } : rows);
    });
  }

  snapshot(): KvSnapshot {
    const id = ++this.#lastSnapshot;
    this.#snapshots.set(id, this.#rows.slice());
    return { id };
  }

  close(done: Done<void>): void {
    this.#later(() => done({ ok: true, value: undefined }));
  }

  #later(task: () => void): void {
    this.#time.soon(() => {
      if (!this.#isDead) task();
    });
  }

  #put(change: KvChange): void {
    const at = find(this.#rows, change.key);
    const row = this.#rows[at];
    const isThere = row !== undefined && compareBytes(row.key, change.key) === 0;
    if (change.value === null) {
      if (isThere) this.#rows.splice(at, 1);
      return;
    }
    const own = { key: change.key, value: copyOf(withRest(change.value, change.rest)) };
    this.#rows.splice(at, isThere ? 1 : 0, own);
  }

  #rowsOf(snapshot: KvSnapshot | null): readonly KvRow[] {
    const rows = snapshot === null ? this.#rows : this.#snapshots.get(snapshot.id);
    assert(rows !== undefined, "a snapshot that is open");
    return rows;
  }
}

/** First row whose key is not below `key`. */
function find(rows: readonly KvRow[], key: Uint8Array): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(rows[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

assert(silentLogger.child({}) === silentLogger, "a logger that says nothing");
