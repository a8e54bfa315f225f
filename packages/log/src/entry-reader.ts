/**
 * Reads log entries back from their segments: runs of records that stand one behind the other come with one read. Each record is checked
 * against what the index says and against its own CRC, so that a bit that rotted on this disk never travels to another node.
 */
import type { Done, SegmentDisk } from "@headrace/ports";
import type { Entry } from "@headrace/raft-ts";
import type { WalGroup } from "./group-table.ts";
import { dataIsIntact, readEntry } from "./log-replay.ts";
import { BLOCK_HEADER_BYTES, RecordCursor, RecordKind, recordBytes } from "./wal-format.ts";

/** One read covers at most this much, and records with no more than this between them. */
const RUN_BYTES_MAX = 1024 * 1024;
const GAP_BYTES_MAX = 16 * 1024;
const NO_BYTES = new Uint8Array(0);

interface Run {
  readonly segment: number;
  readonly start: number;
  end: number;
  /** Offsets and terms of the records. */
  readonly offsets: number[];
  readonly terms: number[];
  readonly firstIndex: number;
}

/** One question: what it asks for, and what has been found so far. */
interface Reading {
  readonly group: WalGroup;
  readonly low: number;
  readonly high: number;
  readonly maxBytes: number;
  readonly entries: Entry[];
  readonly done: Done<readonly Entry[]>;
}

export class EntryReader {
  readonly #disk: SegmentDisk;
  readonly #onDamage: (message: string) => void;

  constructor(disk: SegmentDisk, onDamage: (message: string) => void) {
    this.#disk = disk;
    this.#onDamage = onDamage;
  }

  /** Entries low ≤ index < high, at least one, about `maxBytes` of data at most. Ends early where the log ends. */
  read(group: WalGroup, low: number, high: number, maxBytes: number, done: Done<readonly Entry[]>): void {
    const runs: Run[] = [];
    let bytes = 0;
    for (let index = low; index < high && group.positions.has(index); index++) {
      const dataBytes = group.positions.dataBytes(index);
      bytes += dataBytes;
      if (index > low && bytes > maxBytes) break;
      addToRuns(runs, index, group);
    }
    this.#readRuns({ group, low, high, maxBytes, entries: [], done }, runs);
  }

  #readRuns(reading: Reading, runs: readonly Run[]): void {
    const run = runs[0];
    const { group, entries, done } = reading;
    if (run === undefined) return done({ ok: true, value: entries });
    this.#disk.read(run.segment, run.start, run.end - run.start, (read) => {
      let index = run.firstIndex;
      for (const [i, offset] of run.offsets.entries()) {
        const cursor = new RecordCursor(
          read.ok ? read.value : NO_BYTES,
          offset - run.start,
          read.ok ? read.value.length : 0,
        );
        if (!read.ok || !isEntry(cursor, group.groupId, index, run.terms[i]!)) {
          if (!standsAt(group, index, run.segment, offset)) return this.#again(reading, index);
          if (!read.ok) return done(read);
          const message = `segment ${run.segment} is damaged at offset ${offset}: not log entry ${index} of group ${group.groupId}`;
          done({ ok: false, reason: "corrupt", message });
          return this.#onDamage(message);
        }
        entries.push(readEntry(cursor));
        index++;
      }
      this.#readRuns(reading, runs.slice(1));
    });
  }

  /** The entry has moved or gone while it was read, and its segment may hold something else by now: no damage. */
  #again({ group, low, high, maxBytes, done }: Reading, index: number): void {
    if (group.positions.has(index) && group.positions.has(low)) return this.read(group, low, high, maxBytes, done);
    const message = `group ${group.groupId}: log entry ${index} was dropped while it was read`;
    done({ ok: false, reason: "missing", message });
  }
}

/** Whether the record is the entry that memory knows. */
function isEntry(cursor: RecordCursor, groupId: number, index: number, term: number): boolean {
  if (!cursor.next() || cursor.groupId !== groupId || cursor.index !== index || cursor.term !== term) return false;
  if (cursor.kind !== RecordKind.entry && cursor.kind !== RecordKind.copiedEntry) return false;
  return dataIsIntact(cursor);
}

function standsAt({ positions }: WalGroup, index: number, segment: number, offset: number): boolean {
  return positions.has(index) && positions.segment(index) === segment && positions.offset(index) === offset;
}

function addToRuns(runs: Run[], index: number, group: WalGroup): void {
  const { positions } = group;
  const segment = positions.segment(index);
  const offset = positions.offset(index);
  const end = offset + recordBytes(positions.dataBytes(index));
  const last = runs[runs.length - 1];
  const continues =
    last !== undefined &&
    last.segment === segment &&
    offset >= last.end &&
    offset - last.end <= GAP_BYTES_MAX + BLOCK_HEADER_BYTES &&
    end - last.start <= RUN_BYTES_MAX;
  if (!continues) {
    const terms = [positions.term(index)];
    runs.push({ segment, start: offset, end, offsets: [offset], terms, firstIndex: index });
    return;
  }
  last.end = end;
  last.offsets.push(offset);
  last.terms.push(positions.term(index));
}
