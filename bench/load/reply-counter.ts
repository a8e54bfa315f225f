/**
 * Counts whole replies (RESP2) in a stream of chunks without gathering them: payloads are stepped over, nothing is copied. Some 10 ns a reply, so
 * that counting is never what is measured. Errors are counted and the first one is kept; so is the last integer, for WAIT.
 */

const LF = 10;
const CR = 13;
const MINUS = 45;
const ZERO = 48;
const KEPT_CHARS = 200;

export class ReplyCounter {
  replies = 0;
  errors = 0;
  firstError = "";
  /** Of the last integer reply that was complete. */
  lastInteger = 0;
  /** Elements that the reply at hand still lacks, itself included. */
  #open = 0;
  /** Payload bytes to step over, CR LF included. */
  #skip = 0;
  /** Type byte of the header line at hand; 0: between lines. */
  #type = 0;
  #number = 0;
  #negative = false;
  #text = "";

  /** Looks at bytes[from, end); answers how many replies became complete. */
  feed(bytes: Uint8Array, from: number, end: number): number {
    const before = this.replies;
    let at = from;
    while (at < end) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, end - at);
        this.#skip -= step;
        at += step;
        if (this.#skip === 0) this.#close(0);
        continue;
      }
      if (this.#type === 0) {
        this.#type = bytes[at++]!;
        this.#number = 0;
        this.#negative = false;
        if (this.#open === 0) this.#open = 1;
        continue;
      }
      at = this.#line(bytes, at, end);
    }
    return this.replies - before;
  }

  /** Goes on in a header line; answers where it stopped. */
  #line(bytes: Uint8Array, from: number, end: number): number {
    let number = this.#number;
    const isText = this.#type === MINUS;
    for (let at = from; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === LF) {
        this.#number = number;
        this.#header();
        return at + 1;
      }
      if (isText) {
        if (byte !== CR && this.#text.length < KEPT_CHARS) this.#text += String.fromCharCode(byte);
      } else if (byte === MINUS) this.#negative = true;
      else if (byte !== CR) number = number * 10 + byte - ZERO;
    }
    this.#number = number;
    return end;
  }

  #header(): void {
    const type = this.#type;
    this.#type = 0;
    switch (type) {
      case 36: // $
        if (this.#negative) this.#close(0);
        else this.#skip = this.#number + 2;
        return;
      case 42: // *
        this.#close(this.#negative ? 0 : this.#number);
        return;
      case 58: // :
        this.lastInteger = this.#negative ? -this.#number : this.#number;
        this.#close(0);
        return;
      case 43: // +
        this.#close(0);
        return;
      case MINUS:
        this.errors++;
        if (this.firstError === "") this.firstError = this.#text;
        this.#text = "";
        this.#close(0);
        return;
      default:
        throw new Error(`not a RESP2 reply: type byte ${type}`);
    }
  }

  /** One element is complete, and brought this many more. */
  #close(children: number): void {
    this.#open += children - 1;
    if (this.#open === 0) this.replies++;
  }
}
