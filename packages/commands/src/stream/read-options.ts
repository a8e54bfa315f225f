/**
 * What XREAD and XREADGROUP share: their options, read from the left up to STREAMS.
 * Source: t_stream.c xreadCommand.
 */
import type { Request } from "@headrace/resp";
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
