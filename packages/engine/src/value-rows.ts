/**
 * The rows of a key that holds no stream (state-rows.ts has the frame around the bodies):
 *
 *   kind 10 value  –        string key · u8 kind of the value · f64 lastWriterIndex, expiresAtMs (−1: does not expire), place (−1: its age) · head of the value
 *   kind 11 part   number   the part, as its kind has it
 *
 * The head is written whenever the key was touched, a part only when it has changed.
 */
import { ByteReader, type ByteWriter } from "@headrace/bytes";
import { DamagedRowError, type StateRow } from "./api.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { removeRow, ROW_VERSION, RowKind, sealRow, subkeyOf } from "./state-rows.ts";
import { valueKind } from "./value-kinds.ts";
import { ValueKey } from "./value-key.ts";

const NO_PLACE = -1;

/** For `restoreCapturedValue`. */
export type CapturedParts = readonly number[];
const NO_PARTS: CapturedParts = [];

export function writeValueBody(writer: ByteWriter, key: ValueKey): void {
  writer.string(key.key);
  writer.u8(key.value.kind);
  writer.f64(key.lastWriterIndex);
  writer.f64(key.expiresAtMs);
  writer.f64(key.place === key.age ? NO_PLACE : key.place);
  key.value.writeHead(writer);
}

/** What the store lacks of the key. */
export function captureValue(key: ValueKey, rows: StateRow[], writer: ByteWriter): CapturedParts {
  const { value, slot, age } = key;
  const { parts } = value;
  let captured = NO_PARTS;
  if (parts !== null) {
    captured = parts.capture(
      (number) => {
        writer.u8(ROW_VERSION);
        const isThere = value.writePart(number, writer);
        if (!isThere) writer.clear();
        return isThere;
      },
      (number) => rows.push(sealRow(slot, subkeyOf(age, RowKind.part, number, 0), writer)),
      (number) => removeRow(rows, key, RowKind.part, number, 0),
    );
  }
  writer.u8(ROW_VERSION);
  writeValueBody(writer, key);
  rows.push(sealRow(slot, subkeyOf(age, RowKind.value, 0, 0), writer));
  return captured;
}

export function removeValueRows(rows: StateRow[], key: ValueKey): void {
  removeRow(rows, key, RowKind.value, 0, 0);
  const { parts } = key.value;
  if (parts !== null) for (const number of parts.stored) removeRow(rows, key, RowKind.part, number, 0);
}

/** How many rows the store has of it, about. */
export function valueRowCount({ value }: ValueKey): number {
  return 1 + value.storedParts;
}

/** What has been read of a value so far. */
export interface ValueHeader {
  readonly key: string;
  readonly kind: number;
  readonly lastWriterIndex: number;
  readonly expiresAtMs: number;
  /** −1: the age. */
  readonly place: number;
  readonly head: ByteReader;
}

export function readValueHeader(reader: ByteReader): ValueHeader {
  const header = {
    key: reader.string(),
    kind: reader.u8(),
    lastWriterIndex: reader.f64(),
    expiresAtMs: reader.f64(),
    place: reader.f64(),
  };
  return { ...header, head: restOf(reader) };
}

/** What is left to read, for later. */
export function restOf(reader: ByteReader): ByteReader {
  const { remaining } = reader;
  const at = reader.skip(remaining);
  return new ByteReader(reader.bytes, at, at + remaining);
}

/** Its expiry is set when the keyspace has taken it in. Throws DamagedRowError, UnknownRowError. */
export function buildValueKey(
  slot: number,
  age: number,
  header: ValueHeader,
  parts: ReadonlyMap<number, ByteReader>,
  meter: DirtyMeter,
): ValueKey {
  const { bytes, offset, remaining } = header.head;
  // A small value may be built twice: to be packed, and because it was not.
  const head = new ByteReader(bytes, offset, offset + remaining);
  const value = valueKind(header.kind).read(head, parts, meter);
  if (head.remaining !== 0) throw new DamagedRowError("a value's head is too long");
  const key = new ValueKey(header.key, slot, age, value);
  key.place = header.place < 0 ? age : header.place;
  key.lastWriterIndex = header.lastWriterIndex;
  key.persisted = true;
  return key;
}
