/**
 * The options that XADD and XTRIM share, read from the left until XADD's id:
 *
 *   [NOMKSTREAM] [ACK 0|1|ALL] [DELAY ms|AT unix-ms] [KEEPREF|DELREF|ACKED] [IDMP producer iid | IDMPAUTO producer]
 *   [MAXLEN|MINID [=|~] threshold [LIMIT n]]
 *
 * One object is used again and again: XADD is the hottest command there is. Source: t_stream.c streamParseAddOrTrimArgsOrReply.
 */
import { MIN_ID, ReferencePolicy } from "@headrace/engine";
import type { AppendTrim, Effects, NodeBounds, PolicyCut } from "@headrace/engine";
import type { StreamId, StreamKeyView, StreamView, TrimCut } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readAck } from "../ack.ts";
import { addId, AddIdForm, isByte, readAddId, readLong, readStrictId } from "../args.ts";
import type { Ack } from "../command.ts";
import { Errors } from "../errors.ts";
import { readReferencePolicy } from "./reference-policy.ts";

export const TrimStrategy = { none: 0, maxLength: 1, minId: 2 } as const;
export type TrimStrategy = (typeof TrimStrategy)[keyof typeof TrimStrategy];

/** Whether the entry has an idempotent id, and where from. */
export const Iid = { none: 0, given: 1, ofFields: 2 } as const;
export type Iid = (typeof Iid)[keyof typeof Iid];

/** Whether the entry appears at once, so long after now, or at a time. */
export const Due = { now: 0, after: 1, at: 2 } as const;
export type Due = (typeof Due)[keyof typeof Due];

/** `AppendTrim.limit` where there was no LIMIT. */
const LIMIT_NOT_GIVEN = -1;

const TILDE = 126;
const EQUALS = 61;
const STAR = 42;
const ZERO = 48;
const NINE = 57;
/** Without LIMIT a `~` trim stops after this many stream nodes' worth of entries. */
const DEFAULT_LIMIT_NODES = 100;
const DEFAULT_LIMIT_UNBOUNDED = 10_000;
const DEFAULT_LIMIT_MAX = 1_000_000;

export class AddOrTrimOptions {
  strategy: TrimStrategy;
  approximate: boolean;
  maxLength: number;
  minId: StreamId;
  /** 0 = none, whether given or not. */
  limit: number;
  limitGiven: boolean;
  /** Null: not given, references are kept. */
  policy: ReferencePolicy | null;
  noMakeStream: boolean;
  ack: Ack | null;
  due: Due;
  /** Of DELAY or AT, in ms. */
  dueValue: number;
  iid: Iid;
  producerArgument: number;
  iidArgument: number;
  /** XADD: where the id stands, and what it is. */
  idArgument: number;
  idForm: AddIdForm;
  id: StreamId;

  constructor() {
    this.strategy = TrimStrategy.none;
    this.approximate = false;
    this.maxLength = 0;
    this.minId = MIN_ID;
    this.limit = 0;
    this.limitGiven = false;
    this.policy = null;
    this.noMakeStream = false;
    this.ack = null;
    this.due = Due.now;
    this.dueValue = 0;
    this.iid = Iid.none;
    this.producerArgument = 0;
    this.iidArgument = 0;
    this.idArgument = 0;
    this.idForm = AddIdForm.invalid;
    this.id = MIN_ID;
  }

  /** Reads the options of an XADD up to its id; the error text or null. */
  readAdd(request: Request): string | null {
    this.#clear();
    let i = 2;
    for (; i < request.count; i++) {
      if (isIdLike(request, i)) break;
      const behind = this.#readOption(request, i);
      if (typeof behind === "string") return behind;
      if (behind > i) {
        i = behind - 1;
      } else if (request.is(i, "NOMKSTREAM")) {
        this.noMakeStream = true;
      } else if (request.is(i, "ACK") && i + 1 < request.count) {
        this.ack = readAck(request, ++i);
        if (this.ack === null) return Errors.ackOption;
      } else if ((request.is(i, "DELAY") || request.is(i, "AT")) && i + 1 < request.count) {
        const error = this.#readDue(request, i);
        if (error !== null) return error;
        i++;
      } else if (request.is(i, "IDMP") && i + 2 < request.count) {
        const error = this.#readIid(request, i, Iid.given);
        if (error !== null) return error;
        i += 2;
      } else if (request.is(i, "IDMPAUTO") && i + 1 < request.count) {
        const error = this.#readIid(request, i, Iid.ofFields);
        if (error !== null) return error;
        i++;
      } else if (!this.#readPolicy(request, i)) {
        break;
      }
    }
    this.idArgument = i;
    if (i < request.count) {
      this.idForm = readAddId(request, i);
      if (this.idForm === AddIdForm.invalid) return Errors.invalidStreamId;
      this.id = addId;
      if (this.iid !== Iid.none && this.idForm !== AddIdForm.auto) return Errors.iidNeedsAutoId;
      if (this.due !== Due.now && this.idForm !== AddIdForm.auto) return Errors.delayNeedsAutoId;
    }
    return this.#checkLimit() ?? this.#checkTilde();
  }

  /** Reads the options of an XTRIM; the error text or null. */
  readTrim(request: Request): string | null {
    this.#clear();
    let i = 2;
    while (i < request.count) {
      const behind = this.#readOption(request, i);
      if (typeof behind === "string") return behind;
      if (behind === i && !this.#readPolicy(request, i)) return Errors.syntax;
      i = Math.max(behind, i + 1);
    }
    const error = this.#checkLimit();
    if (error !== null) return error;
    return this.strategy === TrimStrategy.none ? Errors.trimWithoutStrategy : this.#checkTilde();
  }

  /** The trim that these options say, to be kept; null: none. */
  get appendTrim(): AppendTrim | null {
    if (this.strategy === TrimStrategy.none) return null;
    const { approximate, maxLength, limit, limitGiven } = this;
    const policy = this.policy ?? ReferencePolicy.keep;
    const minId = this.strategy === TrimStrategy.minId ? this.minId : null;
    return {
      minId,
      maxLength: minId === null ? maxLength : 0,
      approximate,
      limit: limitGiven ? limit : LIMIT_NOT_GIVEN,
      policy,
    };
  }

  /** Says from now on what was kept. */
  takeTrim({ minId, maxLength, approximate, limit, policy }: AppendTrim): void {
    this.#clear();
    this.strategy = minId === null ? TrimStrategy.maxLength : TrimStrategy.minId;
    this.minId = minId ?? MIN_ID;
    this.maxLength = maxLength;
    this.approximate = approximate;
    this.limitGiven = limit !== LIMIT_NOT_GIVEN;
    this.limit = this.limitGiven ? limit : 0;
    this.policy = policy;
  }

  /** Trims the stream as these options say; answers how many entries go. What goes entry by entry ends where `roomBytes` do. */
  trim({ key, stream }: StreamKeyView, effects: Effects, bounds: NodeBounds, roomBytes: number): number {
    const cut = this.#cutOf(stream, bounds, roomBytes, this.maxLength);
    if ("policy" in cut) effects.trimByPolicy(key, cut);
    else effects.trim(key, cut);
    return cut.count;
  }

  /** Looks at all that `trim` will look at when there is one entry more: who adds first can't wait for blocks afterwards. May throw ColdMiss. */
  lookAhead(stream: StreamView, bounds: NodeBounds, roomBytes: number): void {
    this.#cutOf(stream, bounds, roomBytes, Math.max(0, this.maxLength - 1));
  }

  #cutOf(stream: StreamView, bounds: NodeBounds, roomBytes: number, maxLength: number): TrimCut | PolicyCut {
    const limit = this.approximate && !this.limitGiven ? defaultLimit(bounds) : this.limit;
    const byLength = this.strategy === TrimStrategy.maxLength;
    if (this.policy !== null && this.policy !== ReferencePolicy.keep) {
      return stream.trimByPolicy(this.policy, { maxLength, minId: byLength ? null : this.minId }, limit, roomBytes);
    }
    return byLength
      ? stream.trimByLength(maxLength, this.approximate, limit)
      : stream.trimById(this.minId, this.approximate, limit);
  }

  /** A second policy is none: what XADD makes of it is its id. */
  #readPolicy(request: Request, i: number): boolean {
    const named = this.policy === null ? readReferencePolicy(request, i) : null;
    if (named === null) return false;
    this.policy = named;
    return true;
  }

  /** Reads MAXLEN, MINID or LIMIT at i: the position behind it, i itself when it is none of them, or the error text. */
  #readOption(request: Request, i: number): number | string {
    if (i + 1 >= request.count) return i;
    if (request.is(i, "LIMIT")) {
      this.limit = readLong(request, i + 1);
      if (Number.isNaN(this.limit)) return Errors.notInteger;
      if (this.limit < 0) return Errors.limitNegative;
      this.limitGiven = true;
      return i + 2;
    }
    const isMaxLength = request.is(i, "MAXLEN");
    if (!isMaxLength && !request.is(i, "MINID")) return i;
    if (this.strategy !== TrimStrategy.none) return Errors.bothTrimStrategies;
    let at = i + 1;
    this.approximate = false;
    if (at + 1 < request.count) {
      if (isByte(request, at, TILDE)) {
        this.approximate = true;
        at++;
      } else if (isByte(request, at, EQUALS)) {
        at++;
      }
    }
    if (isMaxLength) {
      this.maxLength = readLong(request, at);
      if (Number.isNaN(this.maxLength)) return Errors.notInteger;
      if (this.maxLength < 0) return Errors.maxLenNegative;
      this.strategy = TrimStrategy.maxLength;
    } else {
      const minId = readStrictId(request, at);
      if (minId === null) return Errors.invalidStreamId;
      this.minId = minId;
      this.strategy = TrimStrategy.minId;
    }
    return at + 1;
  }

  /** DELAY ms, or AT unix-ms, at i; the error text or null. */
  #readDue(request: Request, i: number): string | null {
    if (this.due !== Due.now) return Errors.delayTwice;
    this.due = request.is(i, "AT") ? Due.at : Due.after;
    this.dueValue = readLong(request, i + 1);
    if (Number.isNaN(this.dueValue)) return Errors.notInteger;
    return this.dueValue < 0 ? Errors.delayNegative : null;
  }

  /** IDMP producer iid, or IDMPAUTO producer, at i; the error text or null. */
  #readIid(request: Request, i: number, iid: Iid): string | null {
    if (this.iid !== Iid.none) return Errors.iidTwice;
    this.iid = iid;
    this.producerArgument = i + 1;
    this.iidArgument = i + 2;
    const isNameless = request.start(i + 1) === request.end(i + 1);
    if (iid === Iid.ofFields) return isNameless ? Errors.iidAutoProducer : null;
    if (isNameless) return Errors.iidProducer;
    return request.start(i + 2) === request.end(i + 2) ? Errors.iidGivenEmpty : null;
  }

  #checkLimit(): string | null {
    if (this.limit > 0 && this.strategy === TrimStrategy.none) return Errors.limitWithoutStrategy;
    return null;
  }

  #checkTilde(): string | null {
    return this.limitGiven && !this.approximate ? Errors.limitWithoutTilde : null;
  }

  #clear(): void {
    this.strategy = TrimStrategy.none;
    this.approximate = false;
    this.limit = 0;
    this.limitGiven = false;
    this.policy = null;
    this.noMakeStream = false;
    this.ack = null;
    this.due = Due.now;
    this.iid = Iid.none;
    this.idForm = AddIdForm.invalid;
  }
}

/** No option begins with a digit or is a star. */
function isIdLike(request: Request, i: number): boolean {
  const first = request.bytes[request.start(i)]!;
  return (first >= ZERO && first <= NINE) || (first === STAR && isByte(request, i, STAR));
}

function defaultLimit(bounds: NodeBounds): number {
  const limit = DEFAULT_LIMIT_NODES * bounds.maxEntries;
  return limit <= 0 ? DEFAULT_LIMIT_UNBOUNDED : Math.min(limit, DEFAULT_LIMIT_MAX);
}
