/**
 * What XREAD and XREADGROUP share: their options, read from the left up to STREAMS, and the shape of the reply.
 * Source: t_stream.c xreadCommand.
 */
import { digitCount, writeDigits } from "@headrace/bytes";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";

const NOT_BLOCKING = -1;

export class ReadOptions {
  /** Entries a stream; Infinity without COUNT (or COUNT 0). */
  count: number;
  /** −1: no BLOCK; 0: for ever. */
  blockMs: number;
  /** Argument of the group's name, the consumer's behind it; 0: no GROUP. */
  groupArgument: number;
  noAck: boolean;
  firstKey: number;
  streamCount: number;

  constructor() {
    this.count = Number.POSITIVE_INFINITY;
    this.blockMs = NOT_BLOCKING;
    this.groupArgument = 0;
    this.noAck = false;
    this.firstKey = 0;
    this.streamCount = 0;
  }

  get blocks(): boolean {
    return this.blockMs !== NOT_BLOCKING;
  }

  /** The error text or null. */
  read(request: Request, isGroupRead: boolean): string | null {
    this.count = Number.POSITIVE_INFINITY;
    this.blockMs = NOT_BLOCKING;
    this.groupArgument = 0;
    this.noAck = false;
    this.firstKey = 0;
    let i = 1;
    while (i < request.count && this.firstKey === 0) {
      const more = request.count - i - 1;
      if (more >= 1 && request.is(i, "BLOCK")) {
        const error = this.#readTimeout(request, i + 1);
        if (error !== null) return error;
        i += 2;
      } else if (more >= 1 && request.is(i, "COUNT")) {
        const count = readLong(request, i + 1);
        if (Number.isNaN(count)) return Errors.notInteger;
        this.count = count > 0 ? count : Number.POSITIVE_INFINITY;
        i += 2;
      } else if (more >= 1 && request.is(i, "STREAMS")) {
        if (more % 2 !== 0) return isGroupRead ? Errors.unbalancedReadGroup : Errors.unbalancedRead;
        this.firstKey = i + 1;
        this.streamCount = more / 2;
      } else if (more >= 2 && request.is(i, "GROUP")) {
        if (!isGroupRead) return Errors.groupOnlyReadGroup;
        this.groupArgument = i + 1;
        i += 3;
      } else if (request.is(i, "NOACK")) {
        if (!isGroupRead) return Errors.noAckOnlyReadGroup;
        this.noAck = true;
        i++;
      } else {
        return Errors.syntax;
      }
    }
    if (this.firstKey === 0) return Errors.syntax;
    return isGroupRead && this.groupArgument === 0 ? Errors.missingGroup : null;
  }

  #readTimeout(request: Request, i: number): string | null {
    const timeoutMs = readLong(request, i);
    if (Number.isNaN(timeoutMs)) return Errors.timeoutNotInteger;
    if (timeoutMs < 0) return Errors.timeoutNegative;
    // Redis refuses what added to the clock leaves 64 bits; a clock plus 2^53 is the bound that is exact here.
    if (timeoutMs > Number.MAX_SAFE_INTEGER) return Errors.timeoutOutOfRange;
    this.blockMs = timeoutMs;
    return null;
  }
}

/**
 * Puts the outer header in front of what was written since `from`: how many streams answered is known only then. RESP3: a map of key to
 * entries; RESP2: an array of pairs.
 */
export function insertStreamsHeader(reply: ReplyWriterApi, from: number, streams: number): void {
  const writer = reply.writer;
  const headerBytes = 3 + digitCount(streams);
  writer.reserve(headerBytes);
  writer.bytes.copyWithin(from + headerBytes, from, writer.length);
  writer.length += headerBytes;
  writer.bytes[from] = reply.version === 3 ? 37 : 42;
  const at = writeDigits(writer.bytes, from + 1, streams);
  writer.bytes[at] = 13;
  writer.bytes[at + 1] = 10;
}

/** Begins one stream's part: its key. Its array of entries follows. */
export function writeStreamKey(reply: ReplyWriterApi, request: Request, keyArgument: number): void {
  if (reply.version === 2) reply.array(2);
  reply.bulk(request.bytes, request.start(keyArgument), request.end(keyArgument));
}
