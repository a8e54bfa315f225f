/**
 * Ids in ascending order in few bytes: what two neighbours differ in. Ids of one millisecond, or of neighbouring ones, take two bytes each.
 *
 *   u32 count · per id: varint (ms − the ms before) + 1 · varint sequence, less the one before where ms is the same
 *               or varint 0 · id (16 bytes), for numbers above 2^53
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { StreamId } from "./stream-id.ts";

/** Of one id at most. */
export const LISTED_ID_BYTES_MAX = 17;

const TWO_32 = 0x1_0000_0000;
/** Upper halves below this make numbers that a double holds. */
const SAFE_HALF = 0x20_0000;

/** One object for all lists of a writer: `begin`, the ids, `end`. */
export class IdListWriter {
  #countAt: number;
  #count: number;
  #ms: number;
  #seq: number;

  constructor() {
    this.#countAt = 0;
    this.#count = 0;
    this.#ms = 0;
    this.#seq = 0;
  }

  /** A whole list. */
  writeAll(writer: ByteWriter, ids: readonly StreamId[]): void {
    this.begin(writer);
    for (const { msHi, msLo, seqHi, seqLo } of ids) this.add(writer, msHi, msLo, seqHi, seqLo);
    this.end(writer);
  }

  begin(writer: ByteWriter): void {
    this.#countAt = writer.length;
    this.#count = 0;
    this.#ms = 0;
    this.#seq = 0;
    writer.u32(0);
  }

  add(writer: ByteWriter, msHi: number, msLo: number, seqHi: number, seqLo: number): void {
    this.#count++;
    if (msHi >= SAFE_HALF || seqHi >= SAFE_HALF) {
      writer.varint(0);
      for (const half of [msHi, msLo, seqHi, seqLo]) writer.u32(half);
      return;
    }
    const ms = msHi * TWO_32 + msLo;
    const seq = seqHi * TWO_32 + seqLo;
    const step = ms - this.#ms;
    const rest = step === 0 ? seq - this.#seq : seq;
    if (step < 0x7f && rest < 0x80) {
      // Nearly all: one call less for each.
      writer.u16((step + 1) | (rest << 8));
    } else {
      writer.varint(step + 1);
      writer.varint(rest);
    }
    this.#ms = ms;
    this.#seq = seq;
  }

  end(writer: ByteWriter): void {
    writer.patchU32(this.#countAt, this.#count);
  }
}

export function visitIdList(reader: ByteReader, visit: (id: StreamId) => void): void {
  let ms = 0;
  let seq = 0;
  for (let left = reader.u32(); left > 0; left--) {
    const step = reader.varint();
    if (step === 0) {
      visit(StreamId.read(reader));
      continue;
    }
    const rest = reader.varint();
    ms += step - 1;
    seq = step === 1 ? seq + rest : rest;
    visit(new StreamId(Math.floor(ms / TWO_32), ms, Math.floor(seq / TWO_32), seq));
  }
}
