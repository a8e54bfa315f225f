/** Reads a RESP2 reply into plain values, for the checkers only: errors stay recognisable. */
import { latin1, readInteger } from "@headrace/bytes";

export class ErrorReply {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Its first word. */
  get code(): string {
    return this.text.split(" ", 1)[0]!;
  }
}

export type ReplyValue = string | number | null | ErrorReply | readonly ReplyValue[];

/** The value of the one whole RESP2 reply in bytes[start, end). */
export function replyValue(bytes: Uint8Array, start: number, end: number): ReplyValue {
  return new ValueReader(bytes, start, end).value();
}

class ValueReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  value(): ReplyValue {
    const kind = this.#bytes[this.#at]!;
    const lineStart = this.#at + 1;
    let lineEnd = lineStart;
    while (lineEnd < this.#end && this.#bytes[lineEnd] !== 13) lineEnd++;
    this.#at = lineEnd + 2;
    switch (String.fromCharCode(kind)) {
      case "+":
        return latin1(this.#bytes, lineStart, lineEnd);
      case "-":
        return new ErrorReply(latin1(this.#bytes, lineStart, lineEnd));
      case ":":
        return readInteger(this.#bytes, lineStart, lineEnd);
      case "$": {
        const length = readInteger(this.#bytes, lineStart, lineEnd);
        if (length < 0) return null;
        const text = latin1(this.#bytes, this.#at, this.#at + length);
        this.#at += length + 2;
        return text;
      }
      case "*": {
        const count = readInteger(this.#bytes, lineStart, lineEnd);
        if (count < 0) return null;
        const items: ReplyValue[] = [];
        for (let i = 0; i < count; i++) items.push(this.value());
        return items;
      }
      default:
        throw new Error(`no RESP2 reply: ${String.fromCharCode(kind)}`);
    }
  }
}
