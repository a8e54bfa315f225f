/**
 * What the parts of a read over several shards have answered (link/frame.ts, PARTS), and the one reply that they make: streams in the caller's order,
 * copied as they came. Entries are never looked into.
 */
import { assert, ByteWriter, copyOf } from "@headrace/bytes";
import { ReplyWriter, behindHeader, headerNumber } from "@headrace/resp";
import type { ReadPart } from "./read-plan.ts";

const MINUS = 45;
const STAR = 42;
const DOLLAR = 36;
const COLON = 58;

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

  /** The error that Redis would have met first: those that come from looking at the streams, in the caller's order, then a shard's own. */
  firstError(): Uint8Array | null {
    return this.refusal() ?? this.#answers.find((answer) => answer !== null && answer[0] === MINUS) ?? null;
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

  /** All streams that answered as one reply; null: none did. */
  reply(streamCount: number, respVersion: 2 | 3): Uint8Array | null {
    const sections: (Section | null)[] = Array.from({ length: streamCount }, () => null);
    let count = 0;
    for (const [i, answer] of this.#answers.entries()) {
      if (answer === null || !isSections(answer)) continue;
      let at = behindHeader(answer, 0, answer.length);
      for (const stream of this.parts[i]!.streams) {
        const length = headerNumber(answer, at, answer.length);
        at = behindHeader(answer, at, answer.length);
        if (length < 0) continue;
        sections[stream] = { bytes: answer, start: at, end: at + length };
        at += length + 2;
        count++;
      }
    }
    if (count === 0) return null;
    const writer = new ByteWriter(1024);
    const reply = new ReplyWriter(writer, respVersion);
    if (respVersion === 3) reply.map(count);
    else reply.array(count);
    for (const section of sections) if (section !== null) writer.raw(section.bytes, section.start, section.end);
    return writer.take(0);
  }
}

function isSections(answer: Uint8Array): boolean {
  return answer[0] === STAR && answer[behindHeader(answer, 0, answer.length)] === DOLLAR;
}

function isPlacedError(answer: Uint8Array): boolean {
  return answer[0] === STAR && answer[behindHeader(answer, 0, answer.length)] === COLON;
}
