/**
 * One key at rest as a few bytes: what its directory's rows in the store say (state-rows.ts), without their zeros, and what only this replica knows of it.
 * Reading it goes the way of an opening (key-parts.ts), so a key that comes back is as if it had been loaded.
 *
 *   record   u8 name bytes · name · u8 kind of the value (0: stream) · u8 rows · varint age · varint used at, in seconds · known · row…
 *   row      u8 kind · varint its numbers… · body; that of kinds 1 and 10 without the name
 *
 * What is known of the entries beside (entry-log.ts `writeKnown`: nothing, or u8 has a front · id of the first live entry, if so · fill of the last node,
 * if that is known) and the bodies stand there as varint bytes · the bytes packed (packed-words.ts).
 */
import { ByteReader, ByteWriter, latin1 } from "@headrace/bytes";
import { KeyParts } from "./key-parts.ts";
import type { AnyKey } from "./stored-key.ts";
import type { StreamKey } from "./stream-key.ts";
import type { KeyType } from "./value-api.ts";
import { valueKind } from "./value-kinds.ts";
import { writeValueBody } from "./value-rows.ts";
import { packWords, unpackWords } from "./packed-words.ts";
import { RECORD_WORDS } from "./pending-leaf.ts";
import { writeConsumerBody, writeGroupBody, writeLeafBody, writeMarksBody, writeStreamBody } from "./row-bodies.ts";
import { RowKind, subkeyNumbers } from "./state-rows.ts";
import type { Stream } from "./stream.ts";

/** Longer names and larger directories are not worth it. */
const NAME_BYTES_MAX = 255;
const DIRECTORY_BYTES_MAX = 1536;
/** A row without names and pending records, about. */
const ROW_BYTES = 64;
/** No kind of value has it. */
const STREAM = 0;

/** Whether a key of this kind and size is kept packed at all. */
export function isPackable({ key, age, place, expiry, stream, value }: AnyKey): boolean {
  // Whoever expires, forgets iids, loses blocks, has delayed entries or was renamed is known by its object elsewhere.
  if (expiry !== null || place !== age) return false;
  if (stream === null) {
    const isWhole = value.parts === null || value.parts.isEmpty;
    return isWhole && key.length <= NAME_BYTES_MAX && value.headBytes <= DIRECTORY_BYTES_MAX;
  }
  if (stream.idempotence !== null || stream.delayed !== null || stream.blockCount > 1) return false;
  return key.length <= NAME_BYTES_MAX && directoryBytes(stream) <= DIRECTORY_BYTES_MAX;
}

/** About, and without the stream's own row and marks, which are short. */
function directoryBytes(stream: Stream): number {
  let bytes = 0;
  if (stream.groupCount === 0) return bytes;
  for (const group of stream.groups()) {
    const { leaves, count } = group.pending;
    bytes += (1 + group.consumerCount + leaves.length) * ROW_BYTES + group.name.length + count * RECORD_WORDS * 4;
    // Whose consumers go is known by its object elsewhere too.
    if (group.consumerIdleMs > 0) return Number.POSITIVE_INFINITY;
    if (group.deadLetters !== null) bytes += group.deadLetters.key.length;
    if (bytes > DIRECTORY_BYTES_MAX) return bytes;
    for (const consumer of group.consumers()) bytes += consumer.name.length;
  }
  return bytes;
}

export class PackedRecords {
  readonly #record: ByteWriter;
  readonly #body: ByteWriter;
  #rows: number;

  constructor() {
    this.#record = new ByteWriter(2 * DIRECTORY_BYTES_MAX);
    this.#body = new ByteWriter(2 * DIRECTORY_BYTES_MAX);
    this.#rows = 0;
  }

  /** The record of a packable key, until the next call. `usedAtSeconds`: 0 when nobody has used it here. */
  encode(key: AnyKey, usedAtSeconds: number): ByteWriter {
    const writer = this.#record;
    writer.clear();
    this.#rows = 0;
    writer.u8(key.key.length);
    writer.latin1(key.key);
    writer.u8(key.stream === null ? key.value.kind : STREAM);
    const rowsAt = writer.length;
    writer.u8(0);
    writer.varint(key.age);
    writer.varint(usedAtSeconds);
    if (key.stream === null) {
      this.#packBody(0);
      writeValueBody(this.#body, key);
      this.#row(RowKind.value, 0, 0, 4 + key.key.length);
    } else {
      this.#stream(key);
    }
    writer.bytes[rowsAt] = this.#rows;
    return writer;
  }

  #stream(key: StreamKey): void {
    const { stream } = key;
    stream.entries.writeKnown(this.#body);
    this.#packBody(0);
    writeStreamBody(this.#body, key);
    this.#row(RowKind.stream, 0, 0, 4 + key.key.length);
    for (const block of stream.entries.blocks.slots) {
      if (block === null || !block.marksPersisted) continue;
      writeMarksBody(this.#body, block);
      this.#row(RowKind.marks, block.number, 0, 0);
    }
    if (stream.groupCount > 0) this.#groups(key);
  }

  #groups({ stream }: StreamKey): void {
    const body = this.#body;
    for (const group of stream.groups()) {
      const { number } = group;
      writeGroupBody(body, group);
      this.#row(RowKind.group, number, 0, 0);
      for (const consumer of group.consumers()) {
        writeConsumerBody(body, consumer);
        this.#row(RowKind.consumer, number, consumer.number, 0);
      }
      for (const leaf of group.pending.leaves) {
        writeLeafBody(body, leaf);
        this.#row(RowKind.leaf, number, leaf.number, 0);
      }
    }
  }

  /** The row whose body has been written, from `from` on. */
  #row(kind: number, first: number, second: number, from: number): void {
    const writer = this.#record;
    const numbers = subkeyNumbers(kind);
    writer.u8(kind);
    if (numbers > 0) writer.varint(first);
    if (numbers > 1) writer.varint(second);
    this.#packBody(from);
    this.#rows++;
  }

  #packBody(from: number): void {
    const body = this.#body;
    this.#record.varint(body.length - from);
    packWords(this.#record, body.bytes, from, body.length);
    body.clear();
  }
}

export function recordName(bytes: Uint8Array, at: number): string {
  return latin1(bytes, at + 1, at + 1 + bytes[at]!);
}

export function recordBears(bytes: Uint8Array, at: number, name: string): boolean {
  const length = bytes[at]!;
  if (length !== name.length) return false;
  for (let i = 0; i < length; i++) if (bytes[at + 1 + i] !== name.charCodeAt(i)) return false;
  return true;
}

/** How many rows of the store the key has, but for its entries. */
export function recordRows(bytes: Uint8Array, at: number): number {
  return bytes[at + 2 + bytes[at]!]!;
}

export function recordType(bytes: Uint8Array, at: number): KeyType {
  const kind = bytes[at + 1 + bytes[at]!]!;
  return kind === STREAM ? "stream" : valueKind(kind).type;
}

/** What a record says. Parts and what is known keep views of `scratch`. */
export interface ReadRecord {
  /** What an opening would know of the key when it had met all of its rows. */
  readonly parts: KeyParts;
  readonly usedAtSeconds: number;
  /** For `EntryLog.readKnown`; null: nothing. */
  readonly known: ByteReader | null;
}

/** `scratch`: holds all that was packed, and must not change as long as the answer is used. */
export function readRecord(bytes: Uint8Array, at: number, slot: number, scratch: ByteWriter): ReadRecord {
  const reader = new ByteReader(bytes, at);
  const name = recordName(bytes, at);
  reader.skip(2 + name.length);
  const rows = reader.u8();
  const age = reader.varint();
  const usedAtSeconds = reader.varint();
  const known = unpackBody(reader, null, scratch);
  const parts = new KeyParts(slot, age);
  for (let row = 0; row < rows; row++) {
    const kind = reader.u8();
    const numbers = subkeyNumbers(kind);
    const first = numbers > 0 ? reader.varint() : 0;
    const second = numbers > 1 ? reader.varint() : 0;
    parts.takeRow(
      slot,
      { age, kind, first, second },
      unpackBody(reader, kind === RowKind.stream || kind === RowKind.value ? name : null, scratch),
    );
  }
  return { parts, usedAtSeconds, known: known.remaining === 0 ? null : known };
}

/** The body that stands before the reader, behind a name if there is one. */
function unpackBody(reader: ByteReader, name: string | null, scratch: ByteWriter): ByteReader {
  const from = scratch.length;
  const byteLength = reader.varint();
  if (name !== null) scratch.string(name);
  reader.offset = unpackWords(scratch, reader.bytes, reader.offset, byteLength);
  return new ByteReader(scratch.bytes, from, scratch.length);
}
