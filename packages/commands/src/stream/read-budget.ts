/**
 * MAXCOUNT and MAXSIZE of XREAD and XREADGROUP: how much a reply may hold, over all streams in the order of the call. Bytes are those of the reply with
 * its protocol, but for lengths of arrays that are known only at the end. They are looked at before each entry: what stands already may not have come to
 * the bound, so the last entry may go beyond it, and the very first one always goes. What is not sent is not delivered.
 *
 * A read over several shards goes through them one after the other: `begin` is told what earlier ones have used.
 */
import { digitCount } from "@headrace/bytes";
import type { EntryRange } from "@headrace/engine";

export class ReadBudget {
  #entriesMax: number;
  #bytesMax: number;
  #entries: number;
  #bytes: number;

  constructor() {
    this.#entriesMax = Number.POSITIVE_INFINITY;
    this.#bytesMax = Number.POSITIVE_INFINITY;
    this.#entries = 0;
    this.#bytes = 0;
  }

  begin(entriesMax: number, bytesMax: number, usedEntries: number, usedBytes: number): void {
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
    this.#entries = usedEntries;
    this.#bytes = usedBytes;
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** No further entry may go. */
  get isSpent(): boolean {
    return this.#entries >= this.#entriesMax || (this.#entries > 0 && this.#bytes >= this.#bytesMax);
  }

  /** Entries that may still go as far as their number is concerned. */
  get entriesLeft(): number {
    return this.#entriesMax - this.#entries;
  }

  /** What stands before the entries of a stream: its key of so many bytes. */
  addKey(keyBytes: number, version: 2 | 3): void {
    this.#bytes += (version === 2 ? 4 : 0) + 1 + digitCount(keyBytes) + 2 + keyBytes + 2;
  }

  /** Whether an entry of so many bytes may go; counted if so. */
  admit(entryBytes: number): boolean {
    if (this.isSpent) return false;
    this.#entries++;
    this.#bytes += entryBytes;
    return true;
  }

  /** How many entries of the range may go, from its first one on, each with `moreBytes` behind it; they are counted. */
  admitRange(range: EntryRange, moreBytes: number = 0): number {
    if (this.#bytesMax === Number.POSITIVE_INFINITY) {
      const count = Math.min(range.count, this.entriesLeft);
      this.#entries += count;
      return count;
    }
    let count = 0;
    range.visitEntries((_bytes, start, end) => {
      if (!this.admit(end - start + moreBytes)) return false;
      count++;
      return true;
    });
    return count;
  }
}
