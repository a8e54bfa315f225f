/** Cursor and options of SCAN, SSCAN, ZSCAN. Source: db.c parseScanCursorOrReply, scanGenericCommand. */
import type { Request } from "@headrace/resp";
import { readLong } from "./args.ts";
import { Errors } from "./errors.ts";

const DEFAULT_COUNT = 10;
const CURSOR_MAX = 2n ** 64n - 1n;

export interface ScanOptions {
  readonly count: number;
  /** Null: everybody. */
  readonly pattern: string | null;
  /** Null: any. */
  readonly type: string | null;
}

/** A client's cursor, which may be any 64-bit number; null: it is none. */
export function readCursor(text: string): bigint | null {
  // As C's strtoul takes it: nothing at all is 0, and a word ends at its first NUL.
  const nul = text.indexOf("\0");
  const word = nul < 0 ? text : text.slice(0, nul);
  if (word === "") return 0n;
  if (!/^[+-]?\d+$/.test(word)) return null;
  const cursor = word.startsWith("+") ? BigInt(word.slice(1)) : BigInt(word);
  if (cursor > CURSOR_MAX || cursor < -CURSOR_MAX) return null;
  return BigInt.asUintN(64, cursor);
}

/** From argument `first` on; the error text when they are wrong. */
export function readScanOptions(request: Request, first: number, takesType: boolean = false): ScanOptions | string {
  let count = DEFAULT_COUNT;
  let pattern: string | null = null;
  let type: string | null = null;
  for (let i = first; i < request.count; i += 2) {
    if (i + 1 >= request.count) return Errors.syntax;
    if (request.is(i, "COUNT")) {
      count = readLong(request, i + 1);
      if (Number.isNaN(count)) return Errors.notInteger;
      if (count < 1) return Errors.syntax;
    } else if (request.is(i, "MATCH")) {
      pattern = request.latin1(i + 1);
      if (pattern === "*") pattern = null;
    } else if (takesType && request.is(i, "TYPE")) {
      type = request.latin1(i + 1).toLowerCase();
    } else {
      return Errors.syntax;
    }
  }
  return { count, pattern, type };
}
