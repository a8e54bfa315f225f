/**
 * Members of a set, or fields of a hash, on their way, and how effects and images hold them: varint length, bytes, one behind the other up to the end.
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";

/** All that are left in it. */
export function readMembers(reader: ByteReader, visit: (bytes: Uint8Array, start: number, end: number) => void): void {
  while (reader.remaining > 0) {
    const length = reader.varint();
    const at = reader.skip(length);
    visit(reader.bytes, at, at + length);
  }
}

/** Where each lies, in whose bytes. Nothing is copied, so it is good until one of the sets that they lie in changes. */
export class MemberList {
  readonly #sources: Uint8Array[];
  readonly #bounds: number[];
  /** Of all members, lengths not counted. */
  byteLength: number;
  /** They come from a set that was no intset: one that is made of them all is none either. */
  wasTable: boolean;

  constructor() {
    this.#sources = [];
    this.#bounds = [];
    this.byteLength = 0;
    this.wasTable = false;
  }

  get count(): number {
    return this.#sources.length;
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    this.#sources.push(bytes);
    this.#bounds.push(start, end);
    this.byteLength += end - start;
  }

  forEach(visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    for (let i = 0; i < this.#sources.length; i++) {
      visit(this.#sources[i]!, this.#bounds[2 * i]!, this.#bounds[2 * i + 1]!);
    }
  }

  writeTo(writer: ByteWriter): void {
    this.forEach((bytes, start, end) => {
      writer.varint(end - start);
      writer.raw(bytes, start, end);
    });
  }
}
