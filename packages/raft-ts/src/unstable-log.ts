/**
 * The end of the log that is not known to be durable here, and a snapshot on its way to the disk.
 *
 *   … LogReader │ offset ······ offsetInProgress ······ end
 *               │ handed to the log writer │ not yet handed over
 *
 * Entries may be overwritten by a newer leader while older versions of them are still being written; the acknowledgement of those must then
 * not count. So an acknowledgement names index *and* term, and whoever delivers it has already checked that it was asked for in this term
 * (etcd's ABA race). Source: etcd log_unstable.go.
 */
import type { Entry, Snapshot } from "./message.ts";
import { noEntries } from "./message.ts";

export class UnstableLog {
  entries: Entry[] = [];
  offset: number;
  /** Entries below this are with the log writer. */
  offsetInProgress: number;
  snapshot: Snapshot | null = null;
  isSnapshotInProgress = false;

  constructor(offset: number) {
    this.offset = offset;
    this.offsetInProgress = offset;
  }

  get lastIndex(): number {
    return this.offset + this.entries.length - 1;
  }

  /** The term at `index` if that is known here, else −1. */
  term(index: number): number {
    if (index >= this.offset) {
      const at = index - this.offset;
      return at < this.entries.length ? this.entries[at]!.term : -1;
    }
    const meta = this.snapshot?.meta;
    return meta !== undefined && meta.index === index ? meta.term : -1;
  }

  hasNextEntries(): boolean {
    return this.offset + this.entries.length > this.offsetInProgress;
  }

  /** Entries not yet handed to the log writer. */
  nextEntries(): readonly Entry[] {
    const at = this.offsetInProgress - this.offset;
    if (at >= this.entries.length) return noEntries;
    return this.entries.slice(at);
  }

  nextSnapshot(): Snapshot | null {
    return this.isSnapshotInProgress ? null : this.snapshot;
  }

  /** All that there is has been handed to the log writer. */
  acceptInProgress(): void {
    this.offsetInProgress = this.offset + this.entries.length;
    if (this.snapshot !== null) this.isSnapshotInProgress = true;
  }

  /** The log writer has made everything up to (term, index) durable. Ignored if that is not what stands here now. */
  stableTo(term: number, index: number): void {
    if (index < this.offset || this.term(index) !== term) return;
    const count = index + 1 - this.offset;
    this.entries = count === this.entries.length ? [] : this.entries.slice(count);
    this.offset = index + 1;
    this.offsetInProgress = Math.max(this.offsetInProgress, this.offset);
  }

  stableSnapshotTo(index: number): void {
    if (this.snapshot === null || this.snapshot.meta.index !== index) return;
    this.snapshot = null;
    this.isSnapshotInProgress = false;
  }

  restore(snapshot: Snapshot): void {
    this.offset = snapshot.meta.index + 1;
    this.offsetInProgress = this.offset;
    this.entries = [];
    this.snapshot = snapshot;
    this.isSnapshotInProgress = false;
  }

  /** The leader's way: one entry at the end. */
  append(entry: Entry): void {
    this.entries.push(entry);
  }

  /** The follower's way: replaces everything from the first of `entries`[from …] on. */
  truncateAndAppend(entries: readonly Entry[], from: number): void {
    const first = entries[from]!.index;
    if (first <= this.offset) {
      this.entries = [];
      this.offset = first;
      this.offsetInProgress = first;
    } else if (first <= this.lastIndex) {
      this.entries = this.entries.slice(0, first - this.offset);
      this.offsetInProgress = Math.min(this.offsetInProgress, first);
    }
    for (let i = from; i < entries.length; i++) this.entries.push(entries[i]!);
  }
}
