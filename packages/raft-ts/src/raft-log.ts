/**
 * The log as Raft sees it: what the LogReader has, then the unstable end; and the cursors over it.
 *
 *   firstIndex ≤ … applied ≤ applying ≤ commit ≤ lastIndex
 *
 * applying is what the state machine has been handed, applied what it has answered. Only entries that are durable here are handed over.
 * Commit never goes back and nothing committed is ever replaced: asserted here, where every change passes (I24). Source: etcd log.go.
 */
import { assert } from "./invariants.ts";
import type { LogReader } from "./log-reader.ts";
import { noEntries } from "./message.ts";
import type { Entry, Snapshot } from "./message.ts";
import { UnstableLog } from "./unstable-log.ts";

/** In place of a term: below the first index, or nowhere in this log. */
export const COMPACTED = -1;
export const UNAVAILABLE = -2;

export class RaftLog {
  readonly #reader: LogReader;
  readonly #maxBytesPerApply: number;
  readonly unstable: UnstableLog;
  commit: number;
  applied: number;
  applying: number;
  #applyingBytes = 0;
  #isApplyPaused = false;
  /** Entries to apply were not in memory: not asked for again before something happens. */
  #isApplyUnavailable = false;

  constructor(reader: LogReader, maxBytesPerApply: number) {
    this.#reader = reader;
    this.#maxBytesPerApply = maxBytesPerApply;
    const before = reader.firstIndex() - 1;
    this.unstable = new UnstableLog(reader.lastIndex() + 1);
    this.commit = before;
    this.applied = before;
    this.applying = before;
  }

  get firstIndex(): number {
    const snapshot = this.unstable.snapshot;
    return snapshot === null ? this.#reader.firstIndex() : snapshot.meta.index + 1;
  }

  get lastIndex(): number {
    return this.unstable.offset + this.unstable.entries.length - 1;
  }

  get lastTerm(): number {
    const term = this.term(this.lastIndex);
    assert(term >= 0, "the last entry's term is unknown");
    return term;
  }

  /** The term at `index`, or COMPACTED, or UNAVAILABLE above the end. */
  term(index: number): number {
    const unstable = this.unstable.term(index);
    if (unstable >= 0) return unstable;
    if (index > this.lastIndex) return UNAVAILABLE;
    if (index + 1 < this.firstIndex) return COMPACTED;
    const term = this.#reader.term(index);
    if (term === "compacted") return COMPACTED;
    return term === "unavailable" ? UNAVAILABLE : term;
  }

  hasTermAt(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends in (term, index) is at least as complete as this one (dissertation §3.6.1). */
  isUpToDate(term: number, index: number): boolean {
    const own = this.lastTerm;
    return term > own || (term === own && index >= this.lastIndex);
  }

  /** Entries from `low` on, at least one and at most `maxBytes` of data; empty behind the end. */
  entriesFrom(low: number, maxBytes: number): readonly Entry[] | "compacted" | "unavailable" {
    if (low > this.lastIndex) return noEntries;
    return this.slice(low, this.lastIndex + 1, maxBytes);
  }

  /** Entries low ≤ index < high. May hold fewer where part of them is not in memory. */
  slice(low: number, high: number, maxBytes: number): readonly Entry[] | "compacted" | "unavailable" {
    if (low < this.firstIndex) return "compacted";
    assert(high <= this.lastIndex + 1, "slice beyond the end of the log");
    const unstable = this.unstable;
    if (low >= unstable.offset)
      return limited(unstable.entries, low - unstable.offset, high - unstable.offset, maxBytes);
    const storedEnd = Math.min(high, unstable.offset);
    const stored = this.#reader.entries(low, storedEnd, maxBytes);
    if (stored === "compacted" || stored === "unavailable") return stored;
    assert(stored.length > 0 && stored[0]!.index === low, "the log reader answered other entries than asked");
    if (high <= unstable.offset || stored.length < storedEnd - low) return stored;
    const left = maxBytes - bytesOf(stored);
    if (left <= 0) return stored;
    const rest = limited(unstable.entries, 0, high - unstable.offset, left);
    if (rest.length === 1 && rest[0]!.data.length > left) return stored;
    return stored.concat(rest);
  }

  /** The leader's own entry. */
  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, "entry does not continue the log");
    this.unstable.append(entry);
  }

  /**
   * A follower's append: entries behind (prevTerm, prevIndex). Answers the last index that now matches the leader's log, or −1 when the
   * entry before does not match. Equal entries are kept, the first conflict and all behind it are replaced.
   */
  maybeAppend(prevTerm: number, prevIndex: number, entries: readonly Entry[], leaderCommit: number): number {
    if (!this.hasTermAt(prevIndex, prevTerm)) return -1;
    const lastNew = prevIndex + entries.length;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      assert(entry.index === prevIndex + 1 + i, "entries of an append are not consecutive");
      if (this.hasTermAt(entry.index, entry.term)) continue;
      assert(entry.index > this.commit, "a committed entry would be replaced");
      this.unstable.truncateAndAppend(entries, i);
      break;
    }
    this.commitTo(Math.min(leaderCommit, lastNew));
    return lastNew;
  }

  /**
   * The highest index ≤ `index` whose term is ≤ `term`: everything above cannot match a log that has `term` at `index`. Where the own term is
   * unknown the search ends. Lets a refusal skip a whole term at a time.
   */
  conflictByTerm(index: number, term: number): number {
    let at = index;
    for (; at > 0; at--) {
      const own = this.term(at);
      if (own < 0 || own <= term) return at;
    }
    return 0;
  }

  commitTo(index: number): void {
    if (index <= this.commit) return;
    assert(index <= this.lastIndex, "commit beyond the end of the log: it was damaged, truncated or lost");
    this.commit = index;
  }

  /** Start from what was applied and committed before the process ended. */
  resume(commit: number, applied: number): void {
    // The commit index may trail on disk (it is not synced); what is compacted or applied was committed.
    this.commitTo(Math.max(commit, applied));
    if (applied > this.applied) {
      this.applied = applied;
      this.applying = applied;
    }
  }

  hasSnapshotUnderWay(): boolean {
    return this.unstable.snapshot !== null;
  }

  restore(snapshot: Snapshot): void {
    assert(snapshot.meta.index > this.commit, "snapshot behind the commit index");
    this.commit = snapshot.meta.index;
    this.unstable.restore(snapshot);
  }

  /** Something happened: entries that were not in memory are worth asking for again. */
  poke(): void {
    this.#isApplyUnavailable = false;
  }

  hasNextCommitted(): boolean {
    return !this.#isApplyPaused && !this.#isApplyUnavailable && this.applying < this.#appliable();
  }

  /** The next entries for the state machine, and marks them as handed over. Empty when there are none or they are not in memory. */
  takeNextCommitted(): readonly Entry[] {
    if (!this.hasNextCommitted()) return noEntries;
    const end = this.#appliable();
    const entries = this.slice(this.applying + 1, end + 1, this.#maxBytesPerApply - this.#applyingBytes);
    assert(entries !== "compacted", "committed entries were compacted before they were applied");
    if (entries === "unavailable") {
      this.#isApplyUnavailable = true;
      return noEntries;
    }
    this.applying = entries[entries.length - 1]!.index;
    this.#applyingBytes += bytesOf(entries);
    this.#isApplyPaused = this.#applyingBytes >= this.#maxBytesPerApply || this.applying < end;
    return entries;
  }

  appliedTo(index: number, bytes: number): void {
    assert(index <= this.commit, "applied beyond commit");
    assert(index >= this.applied, "applied index went back");
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#isApplyPaused = this.#applyingBytes >= this.#maxBytesPerApply;
  }

  snapshot(): Snapshot | "unavailable" {
    return this.unstable.snapshot ?? this.#reader.snapshot();
  }

  /** The highest index that may be handed to the state machine: committed and durable here, and not behind a snapshot under way. */
  #appliable(): number {
    if (this.unstable.snapshot !== null) return 0;
    return Math.min(this.commit, this.unstable.offset - 1);
  }
}

export function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

/** entries[from, to), cut where the data exceeds `maxBytes`; the first is always there. */
function limited(entries: readonly Entry[], from: number, to: number, maxBytes: number): readonly Entry[] {
  let bytes = entries[from]!.data.length;
  let end = from + 1;
  while (end < to) {
    bytes += entries[end]!.data.length;
    if (bytes > maxBytes) break;
    end++;
  }
  return entries.slice(from, end);
}
