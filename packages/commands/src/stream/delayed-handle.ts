/**
 * The handle of a delayed entry, as XADD DELAY answers it and XDELAYED shows and takes it: `d` and the entry's number in decimal. No other entry of its
 * shard has had that number or will have it, whatever becomes of keys and leaders. Clients take it as it is.
 */
import type { ReplyWriterApi, Request } from "@headrace/resp";

const LETTER = 100;
const ZERO = 48;
const DIGITS_MAX = 15;

export function writeHandle(reply: ReplyWriterApi, number: number): void {
  reply.bulkLatin1(`d${number}`);
}

/** The number that argument i says; −1: it is no handle. */
export function readHandle(request: Request, i: number): number {
  const { bytes } = request;
  const start = request.start(i);
  const end = request.end(i);
  const digits = end - start - 1;
  if (digits < 1 || digits > DIGITS_MAX || bytes[start] !== LETTER || bytes[start + 1] === ZERO) return -1;
  let number = 0;
  for (let at = start + 1; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
