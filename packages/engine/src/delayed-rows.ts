/** Rows of a stream's delayed entries: what checkpoints keep of them. */
import { type ByteReader, type ByteWriter, copyOf } from "@headrace/bytes";
import { DamagedRowError, type StateRow } from "./api.ts";
import { readAppendTrim, writeAppendTrim } from "./append-trim.ts";
import { DelayedEntries, DelayedEntry } from "./delayed-entries.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { delayedSubkey, removeDelayedRow, ROW_VERSION, sealRow } from "./state-rows.ts";
import type { StreamKey } from "./stream-key.ts";

/** What a capture covered. */
export interface CapturedDelayed {
  readonly of: DelayedEntries;
  readonly entries: readonly DelayedEntry[];
}

export function captureDelayed(key: StreamKey, rows: StateRow[], writer: ByteWriter): CapturedDelayed | null {
  const { delayed } = key.stream;
  if (delayed === null) return null;
  for (const number of delayed.droppedNumbers) removeDelayedRow(rows, key, number);
  delayed.droppedNumbers = [];
  const entries = delayed.dirtyEntries.filter((entry) => delayed.has(entry));
  for (const entry of delayed.dirtyEntries) entry.dirty = false;
  delayed.dirtyEntries = [];
  for (const entry of entries) {
    writer.u8(ROW_VERSION);
    writer.f64(entry.dueMs);
    writeAppendTrim(writer, entry.trim);
    writer.u32(entry.elementCount);
    writer.all(entry.fields);
    rows.push(sealRow(key.slot, delayedSubkey(key.age, entry.number), writer));
    entry.persisted = true;
  }
  // All have appeared: the key is like any other again.
  if (delayed.count === 0) key.stream.delayed = null;
  return { of: delayed, entries };
}

/** The capture will never be written: what it covered is dirty again. */
export function restoreCapturedDelayed({ of, entries }: CapturedDelayed): void {
  for (const entry of entries) if (of.has(entry)) of.markDirty(entry);
}

/** A row whose body stands before the reader. Throws DamagedRowError. */
export function readDelayed(number: number, reader: ByteReader): DelayedEntry {
  const dueMs = reader.f64();
  const trim = readAppendTrim(reader);
  const elementCount = reader.u32();
  const fieldBytes = reader.remaining;
  const at = reader.skip(fieldBytes);
  const isEntry = elementCount >= 2 && elementCount % 2 === 0 && fieldBytes > 0;
  if (!isEntry || !Number.isSafeInteger(dueMs)) throw new DamagedRowError("a delayed entry that is none");
  const entry = new DelayedEntry(number, dueMs, trim, elementCount, copyOf(reader.bytes, at, at + fieldBytes));
  entry.persisted = true;
  return entry;
}

/** Of rows that were all read; null: there are none. Throws DamagedRowError. */
export function buildDelayed(
  entries: readonly DelayedEntry[],
  count: number,
  meter: DirtyMeter,
): DelayedEntries | null {
  if (entries.length !== count) throw new DamagedRowError("delayed entries are missing or left over");
  if (count === 0) return null;
  const delayed = new DelayedEntries(meter);
  for (const entry of entries)
    if (!delayed.adopt(entry)) throw new DamagedRowError("two delayed entries of one number");
  return delayed;
}

/** Rollback: those with these numbers are as they were read. Throws DamagedRowError. */
export function rebuildDelayed(
  living: DelayedEntries | null,
  touched: ReadonlySet<number>,
  found: readonly DelayedEntry[],
  count: number,
  meter: DirtyMeter,
): DelayedEntries | null {
  const kept: DelayedEntry[] = [];
  living?.visit((entry) => {
    if (!touched.has(entry.number)) kept.push(entry);
    return true;
  });
  return buildDelayed([...kept, ...found.filter(({ number }) => touched.has(number))], count, meter);
}
