/**
 * The options of SET and GETEX: which may stand together, and the time that they name. Source: t_string.c parseExtendedStringArgumentsOrReply,
 * getExpireMillisecondsOrReply.
 */
import type { Request } from "@headrace/resp";
import { Errors, invalidExpireTime } from "../errors.ts";
import { NOT_INTEGER, OUT_OF_RANGE, readExpireTime } from "../key/expire-time.ts";

const Bit = { nx: 1, xx: 2, get: 4, keepTtl: 8, persist: 16, ex: 32, px: 64, exAt: 128, pxAt: 256 } as const;
const EXPIRES = Bit.ex | Bit.px | Bit.exAt | Bit.pxAt;

/** A word, what must not have been said before it, and whether a time follows. */
interface OptionWord {
  readonly word: string;
  readonly bit: number;
  readonly excludes: number;
  readonly hasTime: boolean;
}

function word(text: string, bit: number, excludes: number, hasTime: boolean): OptionWord {
  return { word: text, bit, excludes, hasTime };
}

/** A time may be said twice in the same unit: then the last one counts. */
function timeWord(text: string, bit: number): OptionWord {
  return word(text, bit, Bit.keepTtl | Bit.persist | (EXPIRES & ~bit), true);
}

const TIMES = [
  timeWord("EX", Bit.ex),
  timeWord("PX", Bit.px),
  timeWord("EXAT", Bit.exAt),
  timeWord("PXAT", Bit.pxAt),
] as const;

const SET_WORDS: readonly OptionWord[] = [
  word("NX", Bit.nx, Bit.xx, false),
  word("XX", Bit.xx, Bit.nx, false),
  word("GET", Bit.get, 0, false),
  word("KEEPTTL", Bit.keepTtl, Bit.persist | EXPIRES, false),
  ...TIMES,
];

const GETEX_WORDS: readonly OptionWord[] = [word("PERSIST", Bit.persist, EXPIRES | Bit.keepTtl, false), ...TIMES];

export class StringOptions {
  #bits: number;
  #timeArgument: number;

  constructor() {
    this.#bits = 0;
    this.#timeArgument = 0;
  }

  /** The error text or null. */
  readSet(request: Request): string | null {
    return this.#read(request, 3, SET_WORDS);
  }

  readGetEx(request: Request): string | null {
    return this.#read(request, 2, GETEX_WORDS);
  }

  #read(request: Request, from: number, words: readonly OptionWord[]): string | null {
    this.#bits = 0;
    this.#timeArgument = 0;
    for (let i = from; i < request.count; i++) {
      const found = words.find((each) => request.is(i, each.word));
      if (found === undefined || (this.#bits & found.excludes) !== 0) return Errors.syntax;
      this.#bits |= found.bit;
      if (!found.hasTime) continue;
      if (++i >= request.count) return Errors.syntax;
      this.#timeArgument = i;
    }
    return null;
  }

  get onlyNew(): boolean {
    return (this.#bits & Bit.nx) !== 0;
  }

  get onlyExisting(): boolean {
    return (this.#bits & Bit.xx) !== 0;
  }

  get wantsOld(): boolean {
    return (this.#bits & Bit.get) !== 0;
  }

  get keepsExpiry(): boolean {
    return (this.#bits & Bit.keepTtl) !== 0;
  }

  get persists(): boolean {
    return (this.#bits & Bit.persist) !== 0;
  }

  get hasTime(): boolean {
    return this.#timeArgument !== 0;
  }

  /** A point in time was named, which may have come already. */
  get isAbsolute(): boolean {
    return (this.#bits & (Bit.exAt | Bit.pxAt)) !== 0;
  }

  /** When the key goes (`hasTime`), or the error text. */
  expiresAtMs(request: Request, command: string, nowMs: number): number | string {
    const unitMs = (this.#bits & (Bit.ex | Bit.exAt)) !== 0 ? 1000 : 1;
    return readPositiveTime(request, this.#timeArgument, unitMs, this.isAbsolute ? 0 : nowMs, command);
  }
}

/** A time above 0, or the error text. */
export function readPositiveTime(
  request: Request,
  i: number,
  unitMs: 1 | 1000,
  baseMs: number,
  command: string,
): number | string {
  const given = request.int64(i);
  if (given === null) return Errors.notInteger;
  const atMs = given <= 0n ? OUT_OF_RANGE : readExpireTime(request, i, unitMs, baseMs);
  if (atMs === NOT_INTEGER) return Errors.notInteger;
  return atMs === OUT_OF_RANGE ? invalidExpireTime(command) : atMs;
}
