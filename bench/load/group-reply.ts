/**
 * Reads what XACK and XREADGROUP answer in one go (RESP2) and writes the XACK of those entries on the way: an id's bytes in the reply are an argument's bytes
 * in the request. All entries have the same field section, which is stepped over. Goes on where it stopped when a reply comes in pieces.
 */

const DOLLAR = 36;
const STAR = 42;
const COLON = 58;
const MINUS = 45;
const LF = 10;
const ZERO = 48;
/** `*2\r\n` before each id. */
const ENTRY_HEAD = 4;

const Part = { ack: 0, head: 1, entries: 2 } as const;

export class GroupReply {
  /** Entries of the reply that is complete. */
  entries = 0;
  /** Their ids as bulk strings, in idBytes[0, idLength). */
  readonly idBytes: Buffer;
  idLength = 0;
  #bytes: Buffer = Buffer.allocUnsafe(64 * 1024);
  #at = 0;
  #filled = 0;
  #part: number = Part.head;
  #missing = 0;
  readonly #headLength: number;
  readonly #fieldsLength: number;

  /** Of pages with at most `count` entries of the one key, whose field section has `fieldsLength` bytes. */
  constructor(key: string, count: number, fieldsLength: number) {
    this.#headLength = `*1\r\n*2\r\n$${key.length}\r\n${key}\r\n`.length;
    this.#fieldsLength = fieldsLength;
    this.idBytes = Buffer.allocUnsafe(count * 48);
  }

  /** What was read is done with: the next reply, with that of XACK before it or not. */
  expect(withAck: boolean): void {
    this.entries = 0;
    this.idLength = 0;
    this.#part = withAck ? Part.ack : Part.head;
    if (this.#at === this.#filled) this.#at = this.#filled = 0;
  }

  /** Takes a copy of bytes[0, length); true when the whole reply is there. Errors are thrown with Redis' text. */
  feed(bytes: Buffer, length: number): boolean {
    if (this.#filled + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe((this.#filled + length) * 2);
      this.#bytes.copy(larger, 0, 0, this.#filled);
      this.#bytes = larger;
    }
    bytes.copy(this.#bytes, this.#filled, 0, length);
    this.#filled += length;
    if (this.#part === Part.ack && !this.#ack()) return false;
    if (this.#part === Part.head && !this.#head()) return false;
    return this.#rest();
  }

  #ack(): boolean {
    const end = this.#lineEnd(this.#at);
    if (end < 0) return false;
    if (this.#bytes[this.#at] !== COLON) throw new Error(this.#lineText(end));
    this.#at = end;
    this.#part = Part.head;
    return true;
  }

  #head(): boolean {
    const first = this.#lineEnd(this.#at);
    if (first < 0) return false;
    if (this.#bytes[this.#at] !== STAR) throw new Error(this.#lineText(first));
    if (this.#bytes[this.#at + 1] === MINUS) {
      this.#at = first;
      this.#missing = 0;
      this.#part = Part.entries;
      return true;
    }
    const second = this.#at + this.#headLength;
    const end = this.#lineEnd(second);
    if (end < 0) return false;
    this.#missing = this.#number(second + 1);
    this.#at = end;
    this.#part = Part.entries;
    return true;
  }

  #rest(): boolean {
    const bytes = this.#bytes;
    const ids = this.idBytes;
    while (this.#missing > 0) {
      const idAt = this.#at + ENTRY_HEAD;
      const line = this.#lineEnd(idAt);
      if (line < 0) return false;
      if (bytes[idAt] !== DOLLAR) throw new Error(`no entry at ${idAt}`);
      const idEnd = line + this.#number(idAt + 1) + 2;
      const end = idEnd + this.#fieldsLength;
      if (end > this.#filled) return false;
      if (bytes[idEnd] !== STAR || bytes[end - 1] !== LF) throw new Error("an entry with other fields");
      let length = this.idLength;
      for (let at = idAt; at < idEnd; at++) ids[length++] = bytes[at]!;
      this.idLength = length;
      this.#at = end;
      this.#missing--;
      this.entries++;
    }
    return true;
  }

  /** Behind the LF of the line at `from`; −1 while it is not there. */
  #lineEnd(from: number): number {
    for (let at = from; at < this.#filled; at++) if (this.#bytes[at] === LF) return at + 1;
    return -1;
  }

  #number(from: number): number {
    let number = 0;
    for (let at = from; this.#bytes[at]! >= ZERO; at++) number = number * 10 + this.#bytes[at]! - ZERO;
    return number;
  }

  #lineText(end: number): string {
    return this.#bytes.toString("latin1", this.#at, end - 2);
  }
}
