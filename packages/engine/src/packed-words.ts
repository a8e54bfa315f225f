/**
 * Bytes that are mostly zeros, as directories of small streams are (ids, counts and doubles that hold little), without the zeros: Cap'n Proto's packing
 * (https://capnproto.org/encoding.html#packing) without its two runs.
 *
 *   packed  for each eight bytes, the last ones perhaps fewer: u8 which of them are not zero, lowest bit first · those
 */
import type { ByteWriter } from "@headrace/bytes";

const GROUP = 8;

/** Appends source[from, to), packed: at most an eighth longer. How long it was is for the caller to remember. */
export function packWords(writer: ByteWriter, source: Uint8Array, from: number, to: number): void {
  writer.reserve(to - from + Math.ceil((to - from) / GROUP));
  const { bytes } = writer;
  let end = writer.length;
  for (let at = from; at < to; at += GROUP) {
    const tagAt = end++;
    const count = Math.min(GROUP, to - at);
    let tag = 0;
    for (let i = 0; i < count; i++) {
      const byte = source[at + i]!;
      if (byte === 0) continue;
      tag |= 1 << i;
      bytes[end++] = byte;
    }
    bytes[tagAt] = tag;
  }
  writer.length = end;
}

/** Appends the `byteLength` bytes that stand packed in `source` at `from`; answers where they end there. */
export function unpackWords(writer: ByteWriter, source: Uint8Array, from: number, byteLength: number): number {
  writer.reserve(byteLength);
  const { bytes, length } = writer;
  let at = from;
  for (let first = 0; first < byteLength; first += GROUP) {
    const tag = source[at++]!;
    const count = Math.min(GROUP, byteLength - first);
    for (let i = 0; i < count; i++) bytes[length + first + i] = (tag & (1 << i)) === 0 ? 0 : source[at++]!;
  }
  writer.length = length + byteLength;
  return at;
}
