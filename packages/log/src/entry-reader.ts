/**
 * Reads log entries back from their segments: runs of records that stand one behind the other come with one read. Each record is checked
 * against what the index says and against its own CRC, so that a bit that rotted on this disk never travels to another node.
 */
import type { Done, SegmentDisk } from "@headrace/ports";
import type { Entry } from "@headrace/raft-ts";
import type { WalGroup } from "./group-table.ts";
import { dataIsIntact, readEntry } from "./log-replay.ts";
import { BLOCK_HEADER_BYTES, RecordCursor, recordBytes } from "./wal-format.ts";

/** One read covers at most this much, and records with no more than this between them. */
const RUN_BYTES_MAX = 1024 * 1024;
const GAP_BYTES_MAX = 16 * 1024;

interface Run {
  readonly segment: number;
  readonly start: number;
  end: number;
  /** Offsets of the records. */
  readonly offsets: number[];
  readonly firstIndex: number;
}

export class EntryReader {
  readonly #disk: SegmentDisk;

  constructor(disk: SegmentDisk) {
    this.#disk = disk;
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
    this.#readRuns(group.groupId, runs, [], done);
  }

  #readRuns(groupId: number, runs: readonly Run[], entries: Entry[], done: Done<readonly Entry[]>): void {
    const run = runs[0];
    if (run === undefined) return done({ ok: true, value: entries });
    this.#disk.read(run.segment, run.start, run.end - run.start, (read) => {
      if (!read.ok) return done(read);
      let index = run.firstIndex;
      for (const offset of run.offsets) {
        const cursor = new RecordCursor(read.value, offset - run.start, read.value.length);
        if (!cursor.next() || cursor.groupId !== groupId || cursor.index !== index || !dataIsIntact(cursor)) {
          const message = `segment ${run.segment} is damaged at offset ${offset}: not log entry ${index} of group ${groupId}`;
          return done({ ok: false, reason: "corrupt", message });
        }
        entries.push(readEntry(cursor));
        index++;
      }
      this.#readRuns(groupId, runs.slice(1), entries, done);
    });
  }
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
    runs.push({ segment, start: offset, end, offsets: [offset], firstIndex: index });
    return;
  }
  last.end = end;
  last.offsets.push(offset);
}
