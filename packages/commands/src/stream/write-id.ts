/** Writes a stream id as a bulk string, digit by digit: through a string it costs four times as much (23 ns against 90). */
import { digitCount, writeDigits } from "@headrace/bytes";
import type { StreamId } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";

const DOLLAR = 36;
const MINUS = 45;
const CR = 13;
const LF = 10;
/** Two numbers of 16 digits, the minus, the header and two line ends. */
const BYTES_MAX = 48;
/** Halves whose value is exact in a double. */
const SAFE_HIGH = 0x200000;
const TWO_32 = 0x1_0000_0000;

export function writeId(reply: ReplyWriterApi, id: StreamId): void {
  if (id.msHi >= SAFE_HIGH || id.seqHi >= SAFE_HIGH) {
    reply.bulkLatin1(id.toString());
    return;
  }
  const ms = id.msHi * TWO_32 + id.msLo;
  const seq = id.seqHi * TWO_32 + id.seqLo;
  const writer = reply.writer;
  writer.reserve(BYTES_MAX);
  const bytes = writer.bytes;
  let at = writer.length;
  bytes[at++] = DOLLAR;
  at = writeDigits(bytes, at, digitCount(ms) + 1 + digitCount(seq));
  bytes[at++] = CR;
  bytes[at++] = LF;
  at = writeDigits(bytes, at, ms);
  bytes[at++] = MINUS;
  at = writeDigits(bytes, at, seq);
  bytes[at++] = CR;
  bytes[at++] = LF;
  writer.length = at;
}
