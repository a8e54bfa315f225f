/**
 * What the parts of a read over several shards have answered (link/frame.ts, PARTS), and the one reply that they make: streams in the caller's order,
 * copied as they came. Entries are not looked into; only where MAXCOUNT or MAXSIZE of an XREAD cut them off are they passed over one by one.
 */
import { assert, ByteWriter, copyOf, latin1 } from "@headrace/bytes";
import type { ReadBudget } from "@headrace/commands";
import type { ReadUse } from "@headrace/link";
import { ReplyWriter, behindHeader, headerNumber, skipReply } from "@headrace/resp";
import { GatewayErrors } from "./errors.ts";
import type { ReadPart } from "./read-plan.ts";

const MINUS = 45;
const STAR = 42;
const DOLLAR = 36;
const COLON = 58;
const UNCERTAIN = GatewayErrors.uncertain.slice(0, GatewayErrors.uncertain.indexOf(" "));

/** One stream's bytes of the reply. */
interface Section {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class PartAnswers {
  readonly parts: readonly ReadPart[];
  /** Parts that have not answered. */
  left: number;
  readonly #answers: (Uint8Array | null)[];

  constructor(parts: readonly ReadPart[]) {
    this.parts = parts;
    this.left = parts.length;
    this.#answers = parts.map(() => null);
  }

  has(part: number): boolean {
    return this.#answers[part] !== null;
  }

  /** The bytes are copied. */
  take(part: number, bytes: Uint8Array, start: number, end: number): void {
    assert(this.#answers[part] === null, "a part answers once");
    this.#answers[part] = copyOf(bytes, start, end);
    this.left--;
  }

  /** Whether any stream has something to show. */
  get hasStreams(): boolean {
    return this.#answers.some((answer) => answer !== null && isSections(answer));
  }

  /** Whether this part has. */
  gave(part: number): boolean {
    const answer = this.#answers[part]!;
    return answer !== null && isSections(answer);
  }

  /**
   * That a part's fate is unknown comes before everything that says that nothing happened. Then the error that Redis would have met first: those that come
   * from looking at the streams, in the caller's order, then a shard's own.
   */
  firstError(): Uint8Array | null {
    const errors = this.#answers.filter((answer) => answer !== null && answer[0] === MINUS);
    return errors.find((error) => isUncertain(error!)) ?? this.refusal() ?? errors[0] ?? null;
  }

  /** The error of the first stream that is a reason to refuse the call. */
  refusal(): Uint8Array | null {
    let first = Infinity;
    let error: Uint8Array | null = null;
    for (const [i, answer] of this.#answers.entries()) {
      if (answer === null || !isPlacedError(answer)) continue;
      const placeAt = behindHeader(answer, 0, answer.length);
      const stream = this.parts[i]!.streams[headerNumber(answer, placeAt, answer.length)]!;
      if (stream >= first) continue;
      first = stream;
      error = answer.subarray(behindHeader(answer, placeAt, answer.length));
    }
    return error;
  }

  /** All streams that answered as one reply, within the budget if there is one; null: none did. */
  reply(respVersion: 2 | 3, budget: ReadBudget | null): Uint8Array | null {
    const sections = this.#sections();
    if (sections.length === 0) return null;
    const body = new ByteWriter(1024);
    let count = 0;
    for (const section of sections) {
      if (budget === null) body.raw(section.bytes, section.start, section.end);
      else if (!copyWithin(budget, section, respVersion, body)) break;
      count++;
    }
    const writer = new ByteWriter(body.length + 16);
    const reply = new ReplyWriter(writer, respVersion);
    if (respVersion === 3) reply.map(count);
    else reply.array(count);
    writer.raw(body.bytes, 0, body.length);
    return writer.take(0);
  }

  /** What all of it takes of MAXCOUNT and MAXSIZE: entries, and bytes but for the lengths of arrays. */
  use(respVersion: 2 | 3): ReadUse {
    let [entries, bytes] = [0, 0];
    for (const section of this.#sections()) {
      const entriesAt = behindKey(section, respVersion);
      entries += headerNumber(section.bytes, entriesAt, section.end);
      bytes += entriesAt - section.start + section.end - behindHeader(section.bytes, entriesAt, section.end);
    }
    return { entries, bytes };
  }

  /** In the caller's order. */
  #sections(): readonly Section[] {
    const sections: (Section & { readonly stream: number })[] = [];
    for (const [i, answer] of this.#answers.entries()) {
      if (answer === null || !isSections(answer)) continue;
      let at = behindHeader(answer, 0, answer.length);
      for (const stream of this.parts[i]!.streams) {
        const length = headerNumber(answer, at, answer.length);
        at = behindHeader(answer, at, answer.length);
        if (length < 0) continue;
        sections.push({ stream, bytes: answer, start: at, end: at + length });
        at += length + 2;
      }
    }
    return sections.toSorted((a, b) => a.stream - b.stream);
  }
}

function isUncertain(error: Uint8Array): boolean {
  return latin1(error, 1, Math.min(error.length, 1 + UNCERTAIN.length)) === UNCERTAIN;
}

/** Where the array of entries begins. */
function behindKey({ bytes, start, end }: Section, respVersion: 2 | 3): number {
  return skipReply(bytes, respVersion === 2 ? behindHeader(bytes, start, end) : start, end);
}

/** Copies as many entries as the budget lets go. False: none. */
function copyWithin(budget: ReadBudget, section: Section, respVersion: 2 | 3, into: ByteWriter): boolean {
  if (budget.isSpent) return false;
  const { bytes, start, end } = section;
  const entriesAt = behindKey(section, respVersion);
  const keyAt = respVersion === 2 ? behindHeader(bytes, start, end) : start;
  budget.addKey(headerNumber(bytes, keyAt, end), respVersion);
  const firstAt = behindHeader(bytes, entriesAt, end);
  let at = firstAt;
  let count = 0;
  while (at < end) {
    const next = skipReply(bytes, at, end);
    if (!budget.admit(next - at)) break;
    at = next;
    count++;
  }
  if (count === 0) return false;
  into.raw(bytes, start, entriesAt);
  new ReplyWriter(into, respVersion).array(count);
  into.raw(bytes, firstAt, at);
  return true;
}

function isSections(answer: Uint8Array): boolean {
  return answer[0] === STAR && answer[behindHeader(answer, 0, answer.length)] === DOLLAR;
}

function isPlacedError(answer: Uint8Array): boolean {
  return answer[0] === STAR && answer[behindHeader(answer, 0, answer.length)] === COLON;
}
