/**
 * What XREAD and XREADGROUP share: their options, read from the left up to STREAMS.
 * Source: t_stream.c xreadCommand.
 */
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";

const NOT_BLOCKING = -1;
const NOT_CLAIMING = -1;

export class ReadOptions {
  /** Entries a stream; Infinity without COUNT (or COUNT 0). */
  count: number;
  /** −1: no BLOCK; 0: for ever. */
  blockMs: number;
  /** Argument of the group's name, the consumer's behind it; 0: no GROUP. */
  groupArgument: number;
  noAck: boolean;
  /** CLAIM; −1: not given. */
  claimMinIdleMs: number;
  /** MAXCOUNT and MAXSIZE; Infinity: not given. */
  maxCount: number;
  maxSize: number;
  firstKey: number;
  streamCount: number;

  constructor() {
    this.count = Number.POSITIVE_INFINITY;
    this.blockMs = NOT_BLOCKING;
    this.groupArgument = 0;
    this.noAck = false;
    this.claimMinIdleMs = NOT_CLAIMING;
    this.maxCount = Number.POSITIVE_INFINITY;
    this.maxSize = Number.POSITIVE_INFINITY;
    this.firstKey = 0;
    this.streamCount = 0;
  }

  get claims(): boolean {
    return this.claimMinIdleMs !== NOT_CLAIMING;
  }

  /** MAXCOUNT or MAXSIZE. */
  get isBounded(): boolean {
    return this.maxCount !== Number.POSITIVE_INFINITY || this.maxSize !== Number.POSITIVE_INFINITY;
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
    this.claimMinIdleMs = NOT_CLAIMING;
    this.maxCount = Number.POSITIVE_INFINITY;
    this.maxSize = Number.POSITIVE_INFINITY;
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
      } else if (more >= 1 && request.is(i, "MAXCOUNT")) {
        this.maxCount = readLong(request, i + 1);
        if (!(this.maxCount >= 1)) return Errors.maxCountNotPositive;
        i += 2;
      } else if (more >= 1 && request.is(i, "MAXSIZE")) {
        this.maxSize = readLong(request, i + 1);
        if (!(this.maxSize >= 1)) return Errors.maxSizeNotPositive;
        i += 2;
      } else if (more >= 1 && request.is(i, "CLAIM")) {
        if (!isGroupRead) return Errors.claimOnlyReadGroup;
        this.claimMinIdleMs = readLong(request, i + 1);
        if (Number.isNaN(this.claimMinIdleMs)) return Errors.readMinIdle;
        if (this.claimMinIdleMs < 0) return Errors.readMinIdleNegative;
        i += 2;
      } else if (request.is(i, "NOACK")) {
        if (!isGroupRead) return Errors.noAckOnlyReadGroup;
        this.noAck = true;
        i++;
      } else {
        return Errors.syntax;
      }
    }
    if (this.firstKey === 0) return Errors.syntax;
    if (isGroupRead && this.groupArgument === 0) return Errors.missingGroup;
    const isCounted = this.count !== Number.POSITIVE_INFINITY;
    return isCounted && this.maxCount < this.count ? Errors.maxCountBelowCount : null;
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
