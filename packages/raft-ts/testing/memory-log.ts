/** A replica's disk in memory: what a StorageAppend wrote, and nothing else. Survives a crash of its replica. */
import type { Entry, HardState, InitialState, LogReader, Message, Snapshot, SnapshotMeta } from "../src/index.ts";

export class MemoryLog implements LogReader {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  /** What the log begins behind; also what the state machine restarts from. */
  base: SnapshotMeta;
  baseHandle = 0;
  /** The newest snapshot, for followers. */
  latest: Snapshot | "unavailable" = "unavailable";
  /** Instead of `latest`: a snapshot of the moment it is asked for. */
  takeSnapshot: (() => Snapshot) | null = null;
  entriesStored: Entry[] = [];
  /** Entries at or below this are "only on disk". */
  coldUpTo = 0;

  constructor(base: SnapshotMeta) {
    this.base = base;
  }

  initialState(): InitialState {
    return { hardState: this.hardState, confState: this.base.confState };
  }

  firstIndex(): number {
    return this.base.index + 1;
  }

  lastIndex(): number {
    return this.base.index + this.entriesStored.length;
  }

  term(index: number): number | "compacted" | "unavailable" {
    if (index < this.base.index) return "compacted";
    if (index === this.base.index) return this.base.term;
    return this.entriesStored[index - this.base.index - 1]?.term ?? "unavailable";
  }

  entries(low: number, high: number, maxBytes: number): readonly Entry[] | "compacted" | "unavailable" {
    if (low <= this.base.index) return "compacted";
    if (low <= this.coldUpTo) return "unavailable";
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.entriesStored.slice(low - this.base.index - 1, high - this.base.index - 1)) {
      bytes += entry.data.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(entry);
    }
    return found.length > 0 ? found : "unavailable";
  }

  snapshot(): Snapshot | "unavailable" {
    return this.takeSnapshot === null ? this.latest : this.takeSnapshot();
  }

  /** Does what a StorageAppend asks for. */
  write(m: Message): void {
    if (m.term !== 0) this.hardState = { term: m.term, vote: m.vote, commit: m.commit };
    if (m.snapshot !== null && m.snapshot.meta.index > this.base.index) {
      this.base = m.snapshot.meta;
      this.baseHandle = m.snapshot.handle;
      this.latest = m.snapshot;
      this.entriesStored = [];
    }
    for (const entry of m.entries) {
      const at = entry.index - this.base.index - 1;
      if (at > this.entriesStored.length || at < 0) throw new Error(`entry ${entry.index} leaves a hole`);
      this.entriesStored.length = at;
      this.entriesStored.push(entry);
    }
  }

  /** Whether (term, index) is durable here; what is below the base was committed. */
  holds(term: number, index: number): boolean {
    return index < this.base.index || this.term(index) === term;
  }

  /** Cuts the log behind a snapshot of its own state machine. */
  compact(snapshot: Snapshot): void {
    this.latest = snapshot;
    if (snapshot.meta.index <= this.base.index) return;
    this.entriesStored = this.entriesStored.slice(snapshot.meta.index - this.base.index);
    this.base = snapshot.meta;
    this.baseHandle = snapshot.handle;
  }
}
