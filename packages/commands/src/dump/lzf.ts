/**
 * LZF decompression, as liblzf has it: a control byte below 32 begins a literal run, others name bytes that came before. Every offset is checked.
 *
 *   000LLLLL                    L + 1 literal bytes follow
 *   LLLooooo oooooooo           L + 2 bytes from o + 1 back
 *   111ooooo LLLLLLLL oooooooo  L + 9 bytes from o + 1 back
 */
import { BadDumpError } from "./bad-dump.ts";

/** The most that one byte of input can become, rounded up. */
export const LZF_FACTOR_MAX = 128;

/** source[start, end) as exactly `length` bytes. Throws BadDumpError. */
export function lzfDecompress(source: Uint8Array, start: number, end: number, length: number): Uint8Array {
  const target = new Uint8Array(length);
  let from = start;
  let to = 0;
  while (from < end) {
    const control = source[from++]!;
    if (control < 32) {
      const count = control + 1;
      if (from + count > end || to + count > length) throw new BadDumpError("LZF: literal run too long");
      for (let i = 0; i < count; i++) target[to++] = source[from++]!;
      continue;
    }
    let count = control >>> 5;
    if (count === 7) count += byteAt(source, from++, end);
    count += 2;
    let back = to - (((control & 31) << 8) | byteAt(source, from++, end)) - 1;
    if (back < 0 || to + count > length) throw new BadDumpError("LZF: reference out of range");
    for (; count > 0; count--) target[to++] = target[back++]!;
  }
  if (to !== length) throw new BadDumpError("LZF: too short");
  return target;
}

function byteAt(source: Uint8Array, at: number, end: number): number {
  if (at >= end) throw new BadDumpError("LZF: cut off");
  return source[at]!;
}
