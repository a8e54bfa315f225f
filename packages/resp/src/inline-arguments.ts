/**
 * Splits an inline command's line into arguments, by the rules of Redis' sdssplitargs: blanks separate; "…" knows \n \r \t \b \a \xHH and
 * \<any>; '…' knows \' only; a closing quote must be followed by a blank or the end. Cold: people typing into telnet.
 */
const BLANKS: ReadonlySet<number> = new Set([32, 9, 10, 11, 12, 13]);
const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKSLASH = 92;

const ESCAPES: ReadonlyMap<number, number> = new Map([
  [110, 10],
  [114, 13],
  [116, 9],
  [98, 8],
  [97, 7],
]);

/** The arguments as byte arrays, or null when quotes are unbalanced. */
export function splitInlineArguments(bytes: Uint8Array, start: number, end: number): number[][] | null {
  const found: number[][] = [];
  let at = start;
  for (;;) {
    while (at < end && BLANKS.has(bytes[at]!)) at++;
    if (at >= end) return found;
    const argument: number[] = [];
    at = readArgument(bytes, at, end, argument);
    if (at < 0) return null;
    found.push(argument);
  }
}

/** Reads one argument; answers the offset behind it, or −1. */
function readArgument(bytes: Uint8Array, start: number, end: number, into: number[]): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (BLANKS.has(byte)) return at;
    if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) {
      at =
        byte === DOUBLE_QUOTE ? readDoubleQuoted(bytes, at + 1, end, into) : readSingleQuoted(bytes, at + 1, end, into);
      if (at < 0) return -1;
      return at < end && !BLANKS.has(bytes[at]!) ? -1 : at;
    }
    into.push(byte);
    at++;
  }
  return at;
}

function readDoubleQuoted(bytes: Uint8Array, start: number, end: number, into: number[]): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === DOUBLE_QUOTE) return at + 1;
    if (byte === BACKSLASH && at + 1 < end) {
      const escaped = bytes[at + 1]!;
      const high = at + 3 < end ? hexDigit(bytes[at + 2]!) : -1;
      const low = at + 3 < end ? hexDigit(bytes[at + 3]!) : -1;
      if (escaped === 120 && high >= 0 && low >= 0) {
        into.push(high * 16 + low);
        at += 4;
      } else {
        into.push(ESCAPES.get(escaped) ?? escaped);
        at += 2;
      }
      continue;
    }
    into.push(byte);
    at++;
  }
  return -1;
}

function readSingleQuoted(bytes: Uint8Array, start: number, end: number, into: number[]): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === SINGLE_QUOTE) return at + 1;
    if (byte === BACKSLASH && bytes[at + 1] === SINGLE_QUOTE && at + 1 < end) {
      into.push(SINGLE_QUOTE);
      at += 2;
      continue;
    }
    into.push(byte);
    at++;
  }
  return -1;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  if (byte >= 97 && byte <= 102) return byte - 87;
  if (byte >= 65 && byte <= 70) return byte - 55;
  return -1;
}
