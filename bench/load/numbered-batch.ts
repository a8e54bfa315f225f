/**
 * Requests in one buffer, each with a number that is changed where it stands: many keys or ids without making requests anew, which at the rates that are
 * measured here would be what is measured.
 */
import { requestBytes } from "./request-bytes.ts";

const ZERO = 48;

export class NumberedBatch {
  /** Of all requests; to be written as it is, and changed only when nothing of it is under way. */
  readonly bytes: Buffer;
  readonly #places: readonly number[];
  readonly #digits: number;

  /** `wordsOf` makes each request's words around a text of so many digits, which they have once. */
  constructor(requests: number, digits: number, wordsOf: (text: string) => readonly string[]) {
    const parts: Buffer[] = [];
    const places: number[] = [];
    let length = 0;
    for (let i = 0; i < requests; i++) {
      const words = wordsOf("0".repeat(digits));
      const request = requestBytes(words);
      places.push(length + placeOf(words, "0".repeat(digits)));
      parts.push(request);
      length += request.length;
    }
    this.bytes = Buffer.concat(parts);
    this.#places = places;
    this.#digits = digits;
  }

  /** Number of requests. */
  get size(): number {
    return this.#places.length;
  }

  /** Of the request at this place, from 0. */
  set(at: number, number: number): void {
    const first = this.#places[at]!;
    let rest = number;
    for (let place = first + this.#digits - 1; place >= first; place--) {
      const above = Math.floor(rest / 10);
      this.bytes[place] = ZERO + (rest - above * 10);
      rest = above;
    }
  }
}

/** Where the first word that has the text has it, in the request's bytes. */
function placeOf(words: readonly string[], text: string): number {
  const at = words.findIndex((word) => word.includes(text));
  if (at < 0) throw new Error(`no word has ${text.length} digits`);
  const { length } = words;
  const before = requestBytes(words.slice(0, at)).length - `*${at}\r\n`.length;
  const word = words[at]!;
  return `*${length}\r\n`.length + before + `$${word.length}\r\n`.length + word.indexOf(text);
}
