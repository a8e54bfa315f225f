/**
 * One group's log as Raft reads it: the entries behind the checkpoint and a bounded tail of older ones in memory, all terms as runs, and a
 * window fetched from the shared log for a peer that lags further. Synchronous, as LogReader asks: what is only on disk is "unavailable"
 * until the fetch that the question started has come back.
 *
 *   compacted ≤ evicted ≤ checkpoint ≤ … ≤ last
 *   (gone)      (disk)    (memory, always: a rollback replays from here without waiting)
 *
 * It does not know what entries mean, and it never writes.
 */
import { assert } from "@headrace/bytes";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import type { ConfState, Entry, EntryType, HardState, InitialState, LogReader, Snapshot } from "@headrace/raft-ts";
import type { ShardLimits } from "./shard-api.ts";

/** Retained bytes are counted in steps of this size: compaction needs no better. */
const MARK_BYTES = 256 * 1024;
/** What an entry costs besides its data: its objects in memory, its header on disk. */
const ENTRY_OVERHEAD_BYTES = 64;
/** Evicted slots at the front of the array are given back in steps of this many. */
const TRIM_SLOTS = 1024;
/** Terms of compacted entries are remembered as this many runs: WAIT asks for writes whose entries are long gone. */
const TERM_RUNS_MAX = 64;

export interface RaftLogConfig {
  readonly groupId: number;
  /** May change while running. */
  readonly limits: Pick<ShardLimits, "logCacheBytes" | "logFetchBytes">;
  /** A fetch has come back: Raft may ask again. */
  readonly onFetched: () => void;
  /** Entries that must be there cannot be read. */
  readonly onFailed: (message: string) => void;
  /** A follower needs what the log no longer has. */
  readonly snapshot: () => Snapshot | "unavailable";
}

export class RaftLog implements LogReader {
  readonly #config: RaftLogConfig;
  readonly #log: SharedLogApi;
  readonly #initial: InitialState;
  #compactedIndex: number;
  #last: number;
  /** Entries in memory: index `#slotIndex + i` at slot i; slots below `#evicted` are empty. */
  #slots: (Entry | null)[];
  #slotIndex: number;
  /** Last index that is no longer in memory. */
  #evicted: number;
  #memoryBytes: number;
  /** Term runs: entries from runStarts[k] on have term runTerms[k]; the first run begins at or before the compacted index. */
  #runStarts: number[];
  #runTerms: number[];
  /** Bytes of all entries ever appended (truncated ones taken off again), and marks of that sum for retention. */
  #totalBytes: number;
  #marks: { readonly index: number; readonly totalBytes: number }[];
  #window: readonly Entry[];
  #fetching: boolean;

  constructor(config: RaftLogConfig, log: SharedLogApi, recovered: RecoveredGroup | null, start: CheckpointPosition) {
    this.#config = config;
    this.#log = log;
    const found = recovered ?? emptyGroup(config.groupId, start);
    // The checkpoint covers what it covers: a log that ends before it (founding) begins behind it.
    const isEmpty = found.onDisk.length + found.entries.length === 0;
    const behind = isEmpty && found.compactedIndex <= start.index;
    this.#compactedIndex = behind ? start.index : found.compactedIndex;
    const compactedTerm = behind ? start.term : found.compactedTerm;
    this.#last = this.#compactedIndex;
    this.#slots = [];
    this.#slotIndex = this.#compactedIndex + 1;
    this.#evicted = this.#compactedIndex;
    this.#memoryBytes = 0;
    this.#runStarts = [this.#compactedIndex];
    this.#runTerms = [compactedTerm];
    this.#totalBytes = 0;
    this.#marks = [];
    this.#window = [];
    this.#fetching = false;
    for (const { term, dataBytes } of found.onDisk) this.#passOnDisk(term, dataBytes);
    if (found.entries.length > 0) this.append(found.entries);
    // The commit index may have been written when entries below it were not yet durable here, only elsewhere.
    const commit = Math.max(Math.min(found.hardState.commit, this.#last), start.index);
    this.#initial = {
      hardState: { term: Math.max(found.hardState.term, start.term), vote: found.hardState.vote, commit },
      confState: start.confState,
    };
  }

  initialState(): InitialState {
    return this.#initial;
  }

  firstIndex(): number {
    return this.#compactedIndex + 1;
  }

  lastIndex(): number {
    return this.#last;
  }

  term(index: number): number | "compacted" | "unavailable" {
    if (index < this.#compactedIndex) return "compacted";
    if (index > this.#last) return "unavailable";
    return this.#runTermAt(index);
  }

  /** Whether the entry at `index` is in this log with this term. */
  has(term: number, index: number): boolean {
    return this.term(index) === term;
  }

  /** The same, or it was before it was compacted: then it is committed. False where nobody remembers any more. */
  hasOrHad(term: number, index: number): boolean {
    return index >= this.#runStarts[0]! && index <= this.#last && this.#runTermAt(index) === term;
  }

  entries(low: number, high: number, maxBytes: number): readonly Entry[] | "compacted" | "unavailable" {
    assert(low < high, "an empty range of log entries");
    if (low <= this.#compactedIndex) return "compacted";
    if (high > this.#last + 1) return "unavailable";
    if (low <= this.#evicted) return this.#fromWindow(low, high, maxBytes);
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = low; index < high; index++) {
      const entry = this.#slots[index - this.#slotIndex]!;
      bytes += entry.data.length;
      if (bytes > maxBytes && index > low) break;
      found.push(entry);
    }
    return found;
  }

  /** Every entry in memory, ascending: for who checks or dumps the log. */
  visit(each: (index: number, term: number, data: Uint8Array, type: EntryType) => void): void {
    for (let index = Math.max(this.#evicted, this.#compactedIndex) + 1; index <= this.#last; index++) {
      const entry = this.#slots[index - this.#slotIndex]!;
      each(entry.index, entry.term, entry.data, entry.type);
    }
  }

  snapshot(): Snapshot | "unavailable" {
    return this.#config.snapshot();
  }

  /** The entry, which must be in memory: everything behind the checkpoint is. */
  entry(index: number): Entry {
    assert(index > this.#evicted && index <= this.#last, "a log entry that is in memory");
    return this.#slots[index - this.#slotIndex]!;
  }

  /**
   * Takes what Raft has handed to the log writer. A suffix that it replaces is dropped. Answers the lowest index whose entry is gone or has become
   * one of another term, 0 if there is none: the owner's memory may be built on it (I9).
   */
  append(entries: readonly Entry[]): number {
    const first = entries[0]!.index;
    assert(first > this.#compactedIndex, "entries behind the compacted point");
    assert(first <= this.#last + 1, "no hole in the log");
    let replaced = 0;
    if (first <= this.#last) {
      for (const entry of entries) {
        if (entry.index > this.#last) break;
        if (this.term(entry.index) === entry.term) continue;
        replaced = entry.index;
        break;
      }
      // Equal terms and shorter: a leader replaced the suffix and the next one put only a part of it back, all before we heard of it.
      const end = entries[entries.length - 1]!.index;
      if (replaced === 0 && end < this.#last) replaced = end + 1;
      this.#truncate(first);
    }
    for (const entry of entries) this.#push(entry);
    return replaced;
  }

  /** Everything up to `checkpointIndex` may leave memory as the cache's bound demands. */
  evict(checkpointIndex: number): void {
    const stop = Math.min(checkpointIndex, this.#last);
    while (this.#memoryBytes > this.#config.limits.logCacheBytes && this.#evicted < stop) this.#evictFirst();
  }

  /** Forgets everything up to `index`, which a synced checkpoint covers; tells the shared log. */
  compact(index: number): void {
    if (index <= this.#compactedIndex) return;
    const term = this.term(index);
    assert(typeof term === "number", "compaction inside the log");
    while (this.#evicted < index) this.#evictFirst();
    while (this.#runStarts.length > TERM_RUNS_MAX && this.#runStarts[1]! <= index) {
      this.#runStarts.shift();
      this.#runTerms.shift();
    }
    this.#compactedIndex = index;
    let gone = 0;
    while (gone + 1 < this.#marks.length && this.#marks[gone + 1]!.index <= index) gone++;
    if (gone > 0) this.#marks.splice(0, gone);
    this.#log.compact(this.#config.groupId, index, term);
  }

  /** A snapshot has taken the place of everything up to `index`, and what stood behind it is not its continuation; tells the shared log. */
  reset(index: number, term: number): void {
    assert(index > this.#compactedIndex, "a snapshot is newer than what is compacted");
    this.#compactedIndex = index;
    this.#last = index;
    this.#evicted = index;
    this.#slots = [];
    this.#slotIndex = index + 1;
    this.#memoryBytes = 0;
    this.#runStarts = [index];
    this.#runTerms = [term];
    this.#totalBytes = 0;
    this.#marks = [];
    this.#window = [];
    this.#log.compact(this.#config.groupId, index, term);
  }

  /** Bytes of the entries behind the compacted point, within a step of 256 KiB. */
  get retainedBytes(): number {
    const first = this.#marks[0];
    return first === undefined ? 0 : this.#totalBytes - first.totalBytes;
  }

  /** The lowest index behind which no more than `bytes` of log stand. */
  indexWithTail(bytes: number): number {
    const marks = this.#marks;
    for (const mark of marks) {
      if (this.#totalBytes - mark.totalBytes <= bytes) return mark.index;
    }
    return this.#last;
  }

  /** Bytes of the entries kept in memory. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  #runTermAt(index: number): number {
    const starts = this.#runStarts;
    let k = starts.length - 1;
    while (starts[k]! > index) k--;
    return this.#runTerms[k]!;
  }

  #push(entry: Entry): void {
    assert(entry.index === this.#last + 1, "log entries follow each other");
    this.#memoryBytes += this.#extend(entry.term, entry.data.length);
    this.#slots.push(entry);
  }

  /** The next entry, which recovery has left on disk: it is as if it had been evicted. */
  #passOnDisk(term: number, dataBytes: number): void {
    this.#extend(term, dataBytes);
    this.#evicted = this.#last;
    this.#slotIndex = this.#last + 1;
  }

  /** The log is longer by one entry. Answers what that counts. */
  #extend(entryTerm: number, dataBytes: number): number {
    const term = this.#runTerms[this.#runTerms.length - 1]!;
    assert(entryTerm >= term, "terms never go back in a log");
    if (entryTerm > term) {
      this.#runStarts.push(this.#last + 1);
      this.#runTerms.push(entryTerm);
    }
    const mark = this.#marks[this.#marks.length - 1];
    if (mark === undefined || this.#totalBytes - mark.totalBytes >= MARK_BYTES) {
      this.#marks.push({ index: this.#last, totalBytes: this.#totalBytes });
    }
    const bytes = dataBytes + ENTRY_OVERHEAD_BYTES;
    this.#last++;
    this.#totalBytes += bytes;
    return bytes;
  }

  #truncate(first: number): void {
    assert(first > this.#evicted, "only what is in memory is ever replaced");
    for (let index = first; index <= this.#last; index++) {
      const bytes = this.#slots[index - this.#slotIndex]!.data.length + ENTRY_OVERHEAD_BYTES;
      this.#memoryBytes -= bytes;
      this.#totalBytes -= bytes;
    }
    this.#slots.length = first - this.#slotIndex;
    this.#last = first - 1;
    while (this.#runStarts.length > 1 && this.#runStarts[this.#runStarts.length - 1]! >= first) {
      this.#runStarts.pop();
      this.#runTerms.pop();
    }
    while (this.#marks.length > 0 && this.#marks[this.#marks.length - 1]!.index >= first) this.#marks.pop();
  }

  #evictFirst(): void {
    const index = this.#evicted + 1;
    const slot = index - this.#slotIndex;
    this.#memoryBytes -= this.#slots[slot]!.data.length + ENTRY_OVERHEAD_BYTES;
    this.#slots[slot] = null;
    this.#evicted = index;
    if (slot + 1 < TRIM_SLOTS || slot + 1 < this.#slots.length / 2) return;
    this.#slots.splice(0, slot + 1);
    this.#slotIndex = index + 1;
  }

  #fromWindow(low: number, high: number, maxBytes: number): readonly Entry[] | "unavailable" {
    const window = this.#window;
    const start = window.length === 0 ? -1 : low - window[0]!.index;
    if (start < 0 || start >= window.length) {
      this.#fetch(low);
      return "unavailable";
    }
    const found: Entry[] = [];
    let bytes = 0;
    for (let i = start; i < window.length && window[i]!.index < high; i++) {
      bytes += window[i]!.data.length;
      if (bytes > maxBytes && i > start) break;
      found.push(window[i]!);
    }
    return found;
  }

  #fetch(low: number): void {
    if (this.#fetching) return;
    this.#fetching = true;
    const { groupId, limits } = this.#config;
    this.#log.readEntries(groupId, low, this.#evicted + 1, limits.logFetchBytes, (result) => {
      this.#fetching = false;
      if (result.ok) {
        // What has left memory is committed: it cannot have changed meanwhile.
        this.#window = result.value;
        this.#config.onFetched();
      } else if (low > this.#compactedIndex && result.reason !== "closed") {
        this.#config.onFailed(`log entries from ${low} cannot be read: ${result.message}`);
      }
    });
  }
}

/** Where the state stands that the log follows. */
export interface CheckpointPosition {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

function emptyGroup(groupId: number, start: CheckpointPosition): RecoveredGroup {
  const hardState: HardState = { term: start.term, vote: 0, commit: start.index };
  return { groupId, hardState, onDisk: [], entries: [], compactedIndex: start.index, compactedTerm: start.term };
}
