/**
 * etcd's in-memory storage, as its interaction tests see it: a log behind a dummy entry, a hard state, and for a snapshot always the newest
 * state of the state machine, wherever the log begins. Unlike memory-log.ts, compaction and snapshots have nothing to do with each other here.
 */
import type { ConfState, Entry, HardState, InitialState, LogReader, Snapshot } from "../../src/index.ts";

export const emptySnapshot: Snapshot = {
  meta: {
    index: 0,
    term: 0,
    confState: { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
  },
  handle: 0,
};

export class ScriptStorage implements LogReader {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  /** Index and term of what stands before the first entry. */
  #dummyIndex = 0;
  #dummyTerm = 0;
  #entries: Entry[] = [];
  #confState: ConfState = emptySnapshot.meta.confState;
  #snapshotIndex = 0;
  /** The newest state of the state machine. */
  newest: Snapshot = emptySnapshot;

  initialState(): InitialState {
    return { hardState: this.hardState, confState: this.#confState };
  }

  firstIndex(): number {
    return this.#dummyIndex + 1;
  }

  lastIndex(): number {
    return this.#dummyIndex + this.#entries.length;
  }

  term(index: number): number | "compacted" | "unavailable" {
    if (index < this.#dummyIndex) return "compacted";
    if (index === this.#dummyIndex) return this.#dummyTerm;
    return this.#entries[index - this.#dummyIndex - 1]?.term ?? "unavailable";
  }

  /** All of them: scripts have no limit on messages, and the limit on what is applied is kept by scripted-raft.ts. */
  entries(low: number, high: number): readonly Entry[] | "compacted" | "unavailable" {
    if (low <= this.#dummyIndex) return "compacted";
    const found = this.#entries.slice(low - this.#dummyIndex - 1, high - this.#dummyIndex - 1);
    return found.length > 0 ? found : "unavailable";
  }

  snapshot(): Snapshot | "unavailable" {
    return this.newest.meta.index === 0 ? "unavailable" : this.newest;
  }

  get allEntries(): readonly Entry[] {
    return this.#entries;
  }

  append(entries: readonly Entry[]): void {
    const kept = entries.filter((entry) => entry.index > this.#dummyIndex);
    if (kept.length === 0) return;
    const at = kept[0]!.index - this.#dummyIndex - 1;
    if (at > this.#entries.length) throw new Error(`panic: missing log entry [last: ${this.lastIndex()}]`);
    this.#entries = [...this.#entries.slice(0, at), ...kept];
  }

  /** An error text when the snapshot is older than the one before. */
  applySnapshot(snapshot: Snapshot): string | null {
    const { index, term, confState } = snapshot.meta;
    if (this.#snapshotIndex >= index) return "requested index is older than the existing snapshot";
    this.#snapshotIndex = index;
    this.#dummyIndex = index;
    this.#dummyTerm = term;
    this.#entries = [];
    this.#confState = confState;
    return null;
  }

  /** Cuts everything up to `index`, which becomes the dummy. */
  compact(index: number): string | null {
    if (index <= this.#dummyIndex) return "requested index is unavailable due to compaction";
    if (index > this.lastIndex())
      throw new Error(`panic: compact ${index} is out of bound lastindex(${this.lastIndex()})`);
    const term = this.#entries[index - this.#dummyIndex - 1]!.term;
    this.#entries = this.#entries.slice(index - this.#dummyIndex);
    this.#dummyIndex = index;
    this.#dummyTerm = term;
    return null;
  }
}
