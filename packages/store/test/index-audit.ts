/** Reads the rows of a closed store and says what does not agree: pointers, places and counts, and files that nobody counts. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { valueFileName } from "../src/value-file.ts";
import { decodeCounts, decodePlaces, decodeRow, type FileCounts, rowKey, type ValuePointer } from "../src/value-row.ts";

export interface IndexAudit {
  readonly problems: readonly string[];
  readonly pointers: number;
  readonly compressedPointers: number;
  readonly settledFiles: number;
  readonly files: readonly FileAudit[];
}

export interface FileAudit {
  readonly name: string;
  readonly usedBytes: number;
  readonly compressedPointers: number;
}

function levelIn(directory: string): Level<Uint8Array, Uint8Array> {
  return new Level<Uint8Array, Uint8Array>(directory, { keyEncoding: "view", valueEncoding: "view" });
}

/**
 * Makes the pointer of `key`, a compressed value, wrong in a way that no checksum of bytes shows: its value's length by one, or all of it but that
 * by what `other` has.
 */
export async function changePointer(
  directory: string,
  key: string,
  other: string,
  what: "length" | "frame",
): Promise<void> {
  const level = levelIn(directory);
  const rowOf = async (name: string): Promise<Buffer> => Buffer.from((await level.get(rowKey(Buffer.from(name))))!);
  const row = await rowOf(key);
  const end = row.length - 4;
  if (what === "length") row.writeUInt32BE(row.readUInt32BE(end) + 1, end);
  else {
    (await rowOf(other)).copy(row, 0, 0, end);
    row.writeUInt32BE(row.readUInt32BE(end) - 1, end);
  }
  await level.put(rowKey(Buffer.from(key)), row);
  await level.close();
}

export async function auditIndex(directory: string): Promise<IndexAudit> {
  const level = levelIn(directory);
  const rows = await level.iterator().all();
  await level.close();
  const pointers = new Map<string, ValuePointer>();
  const placed = new Set<string>();
  const places: { readonly file: number; readonly offset: number; readonly end: number }[] = [];
  const counts = new Map<number, FileCounts>();
  for (const [key, row] of rows) {
    const kind = key[0]!;
    if (kind === 0) {
      const found = decodeRow(row);
      if (!(found instanceof Uint8Array)) pointers.set(Buffer.from(key).toString("hex"), found);
    } else if (kind === 1) {
      const file = Buffer.from(key).readUInt32BE(1);
      for (const { offset, length, rowKey } of decodePlaces(key, row)) {
        places.push({ file, offset, end: offset + length });
        placed.add(`${Buffer.from(rowKey).toString("hex")} ${file} ${offset} ${length}`);
      }
    } else if (kind === 2) {
      const count = decodeCounts(key, row);
      counts.set(count.file, count);
    }
  }
  const problems: string[] = [];
  const live = new Map<number, number>();
  for (const [key, { file, offset, length }] of pointers) {
    live.set(file, (live.get(file) ?? 0) + length);
    if (!placed.has(`${key} ${file} ${offset} ${length}`)) problems.push(`${key} at ${file}:${offset} has no place`);
    if (offset + length > (counts.get(file)?.usedBytes ?? 0)) problems.push(`${key} is behind what ${file} has used`);
  }
  for (const [i, place] of places.entries()) {
    const next = places[i + 1];
    if (next?.file === place.file && next.offset < place.end)
      problems.push(`places overlap at ${place.file}:${place.end}`);
    if (place.end > (counts.get(place.file)?.usedBytes ?? 0))
      problems.push(`a place behind what ${place.file} has used`);
  }
  for (const { file, usedBytes, liveBytes } of counts.values()) {
    if (liveBytes !== (live.get(file) ?? 0))
      problems.push(`file ${file} counts ${liveBytes}, has ${live.get(file) ?? 0}`);
    const { size } = await stat(join(directory, "values", valueFileName(file)));
    if (size < usedBytes) problems.push(`file ${file} has ${size} bytes of ${usedBytes}`);
  }
  const compressed = [...pointers.values()].filter((pointer) => pointer.isCompressed);
  const files = [...counts.values()].map(({ file, usedBytes }) => ({
    name: valueFileName(file),
    usedBytes,
    compressedPointers: compressed.filter((pointer) => pointer.file === file).length,
  }));
  return {
    problems,
    pointers: pointers.size,
    compressedPointers: compressed.length,
    settledFiles: [...counts.values()].filter((count) => count.isSettled).length,
    files,
  };
}
