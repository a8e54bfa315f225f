/** Bits of strings, as Redis numbers them: bit 0 is the highest one of the first byte. And the arguments that name bits and ranges. Source: bitops.c. */
import { readInteger } from "@headrace/bytes";
import type { StringView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";

const HASH = 35;

/** Bits that are set, by the value of a byte. */
const COUNTS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/** What may be asked for; what is written ends at `STRING_BYTES_MAX`. Redis' proto-max-bulk-len. */
export const ASKED_BYTES_MAX = 512 * 1024 * 1024;

/** −1: it is none within `bytesMax` bytes. `width` > 0: `#n` means the n-th number of so many bits. */
export function readBitOffset(request: Request, i: number, width: number, bytesMax: number): number {
  const start = request.start(i);
  const counts = width > 0 && request.bytes[start] === HASH;
  const given = readInteger(request.bytes, counts ? start + 1 : start, request.end(i));
  const offset = counts ? given * width : given;
  return offset >= 0 && Math.floor(offset / 8) < bytesMax ? offset : -1;
}

/** Beyond the end all bits are 0. */
export function bitAt(value: StringView | null, offset: number): number {
  const at = Math.floor(offset / 8);
  if (value === null || at >= value.length) return 0;
  return (value.bytes[at]! >>> (7 - (offset & 7))) & 1;
}

/** How many of the bits from `from` to, not including, `to` are set. */
export function countBits(bytes: Uint8Array, from: number, to: number): number {
  const first = Math.floor(from / 8);
  const last = Math.floor(to / 8);
  if (first === last) return COUNTS[bytes[first]! & headMask(from) & tailMask(to)]!;
  let count = COUNTS[bytes[first]! & headMask(from)]!;
  for (let at = first + 1; at < last; at++) count += COUNTS[bytes[at]!]!;
  if ((to & 7) !== 0) count += COUNTS[bytes[last]! & tailMask(to)]!;
  return count;
}

/** Bits of their byte from this one on. */
function headMask(from: number): number {
  return 0xff >>> (from & 7);
}

/** Bits of their byte before this one. */
function tailMask(to: number): number {
  return (0xff00 >>> (to & 7)) & 0xff;
}

/** The first bit from `from` to, not including, `to` that is `bit`; −1: none is. */
export function findBit(bytes: Uint8Array, bit: number, from: number, to: number): number {
  const without = bit === 1 ? 0 : 0xff;
  let at = from;
  while (at < to) {
    if ((at & 7) === 0 && bytes[at >>> 3] === without) {
      at += 8;
      continue;
    }
    if (((bytes[at >>> 3]! >>> (7 - (at & 7))) & 1) === bit) return at;
    at++;
  }
  return -1;
}

/** A range of bits, the end not included; empty when `from` ≥ `to`. */
export interface BitRange {
  readonly from: number;
  readonly to: number;
}

const EMPTY: BitRange = { from: 0, to: 0 };

/** Whether ranges count bits, by the argument at `i`; null: it says neither BIT nor BYTE. */
export function readUnit(request: Request, i: number): boolean | null {
  if (request.is(i, "BIT")) return true;
  return request.is(i, "BYTE") ? false : null;
}

/** `start` and `end` as they are given, both included and from the end when negative, of a string of `length` bytes. */
export function bitRange(start: number, end: number, isBits: boolean, length: number): BitRange {
  const total = isBits ? length * 8 : length;
  let from = start < 0 ? Math.max(0, total + start) : start;
  let last = end < 0 ? Math.max(0, total + end) : end;
  last = Math.min(last, total - 1);
  if (from > last) return EMPTY;
  const unit = isBits ? 1 : 8;
  from *= unit;
  last = (last + 1) * unit;
  return { from, to: last };
}

/** An argument that is a position; or the error text. */
export function readPosition(request: Request, i: number): number | string {
  const position = readLong(request, i);
  return Number.isNaN(position) ? Errors.notInteger : position;
}
