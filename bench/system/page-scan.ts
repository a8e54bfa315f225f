/**
 * Reads a stream page by page with XRANGE COUNT, one request at a time, the next one while a page is looked at, and checks that its entries are those of a StreamWriter: in the order of their
 * ids, each serial at most once. Entries are read where they stand in the reply, so that the reader is not what is measured.
 */
import { connect, type Socket } from "node:net";
import { latin1 } from "@headrace/bytes";
import type { StreamWriter } from "./write-load.ts";

export interface ScanResult {
  readonly entries: number;
  readonly seconds: number;
  /** Acknowledged and not there; of serials below `sent` when the scan began. */
  readonly lost: number;
  readonly twice: number;
  /** Serials that were never sent. */
  readonly foreign: number;
  /** What the reader waited for a page after it had looked at the one before. */
  readonly pageP50Ms: number;
  readonly pageP99Ms: number;
}

const CR = 13;
const LF = 10;
const MINUS = 45;
const DASH = MINUS;
const DOLLAR = 36;
const STAR = 42;
/** An error, an integer, a simple string: its line is all of it. */
const OTHER = 1;

/** The latest write that has to be there is the writer's last one of now. */
export async function scanStream(port: number, writer: StreamWriter, count: number): Promise<ScanResult> {
  const client = new PageClient(port);
  const sent = writer.sent;
  const wanted = writer.acknowledged.slice();
  const seen = new Uint8Array((sent >> 3) + 1);
  const waitedMs: number[] = [];
  let entries = 0;
  let twice = 0;
  let foreign = 0;
  let lastMs = 0;
  let lastSeq = -1;
  const from = performance.now();
  try {
    let start = "-";
    let asked = client.ask(rangeOf(writer.key, start, count));
    for (let isLast = false; !isLast;) {
      const at = performance.now();
      const page = await asked;
      waitedMs.push(performance.now() - at);
      const { found, lastId } = endOf(page);
      isLast = found < count;
      // Where the next page begins is all that it needs of this one: it is on its way while this one is looked at.
      if (!isLast) {
        start = `(${lastId}`;
        asked = client.ask(rangeOf(writer.key, start, count));
      }
      const cursor = new Cursor(page);
      cursor.header(STAR);
      for (let i = 0; i < found; i++) {
        cursor.header(STAR);
        cursor.id();
        if (!cursor.isBehind(lastMs, lastSeq))
          throw new Error(`${writer.key}: ${cursor.ms}-${cursor.seq} behind ${lastMs}-${lastSeq}`);
        lastMs = cursor.ms;
        lastSeq = cursor.seq;
        cursor.header(STAR);
        cursor.skip();
        const serial = cursor.digits();
        cursor.skip();
        cursor.skip();
        if (!(serial >= 0 && serial < writer.sent)) foreign++;
        else if (serial < sent) {
          const bit = 1 << (serial & 7);
          if ((seen[serial >> 3]! & bit) !== 0) twice++;
          seen[serial >> 3]! |= bit;
        }
      }
      entries += found;
    }
  } finally {
    client.close();
  }
  const seconds = (performance.now() - from) / 1000;
  let lost = 0;
  for (let serial = 0; serial < sent; serial++) {
    const bit = 1 << (serial & 7);
    if (((wanted[serial >> 3] ?? 0) & bit) !== 0 && (seen[serial >> 3]! & bit) === 0) lost++;
  }
  waitedMs.sort((a, b) => a - b);
  return {
    entries,
    seconds,
    lost,
    twice,
    foreign,
    pageP50Ms: waitedMs[Math.floor(waitedMs.length / 2)]!,
    pageP99Ms: waitedMs[Math.floor(waitedMs.length * 0.99)]!,
  };
}

function rangeOf(key: string, start: string, count: number): readonly string[] {
  return ["XRANGE", key, start, "+", "COUNT", String(count)];
}

/** How many entries a page has, and the id of the last one. */
function endOf(page: Buffer): { readonly found: number; readonly lastId: string } {
  const cursor = new Cursor(page);
  const found = cursor.header(STAR);
  let lastId = "";
  for (let i = 0; i < found; i++) {
    cursor.header(STAR);
    if (i === found - 1) lastId = cursor.bulk();
    else cursor.skip();
    for (let values = cursor.header(STAR); values > 0; values--) cursor.skip();
  }
  return { found, lastId };
}

/** One request at a time; a reply is whole when its arrays are full. */
class PageClient {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #wake: () => void = () => {};
  #failure: Error | null = null;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    this.#socket.on("error", (error) => {
      this.#failure = error;
      this.#wake();
    });
    this.#socket.on("close", () => {
      this.#failure ??= new Error("the connection was closed");
      this.#wake();
    });
  }

  async ask(words: readonly string[]): Promise<Buffer> {
    this.#socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
    const end = new ReplyEnd();
    let seen = 0;
    for (;;) {
      while (seen < this.#chunks.length) {
        if (end.takes(this.#chunks[seen++]!)) {
          const reply = Buffer.concat(this.#chunks);
          this.#chunks = [];
          if (reply[0] !== STAR) throw new Error(reply.toString("latin1").trim());
          return reply;
        }
      }
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }
}

/** Finds where a reply of arrays and bulk strings ends, over chunks. Makes no strings: at the rates that are measured here they would be half of it. */
class ReplyEnd {
  #open = 1;
  /** Bytes of a bulk string that are to be passed over. */
  #skip = 0;
  /** The header that is being read: its type, 0 before it, and its number so far. */
  #type = 0;
  #number = 0;
  #isNull = false;

  /** True with the chunk that has its last byte. */
  takes(chunk: Buffer): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, chunk.length - at);
        this.#skip -= passed;
        at += passed;
      } else {
        const byte = chunk[at++]!;
        if (this.#type === 0) this.#begin(byte);
        else if (byte === MINUS) this.#isNull = true;
        else if (byte === LF) this.#headerIsOver();
        else if (byte !== CR && this.#type !== OTHER) this.#number = this.#number * 10 + byte - 48;
      }
      if (this.#open === 0 && this.#skip === 0 && this.#type === 0) return true;
    }
    return false;
  }

  #begin(byte: number): void {
    this.#type = byte === STAR || byte === DOLLAR ? byte : OTHER;
    this.#number = 0;
    this.#isNull = false;
  }

  #headerIsOver(): void {
    this.#open--;
    if (this.#type === STAR && !this.#isNull) this.#open += this.#number;
    if (this.#type === DOLLAR && !this.#isNull) this.#skip = this.#number + 2;
    this.#type = 0;
  }
}

/** Steps over a whole reply. */
class Cursor {
  /** Of the id that was read last. */
  ms = 0;
  seq = 0;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The number behind the type byte. */
  header(type: number): number {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== type)
      throw new Error(`a reply that is no page: ${latin1(bytes, this.#at, Math.min(bytes.length, this.#at + 80))}`);
    let value = 0;
    let at = this.#at + 1;
    for (; bytes[at] !== CR; at++) value = value * 10 + bytes[at]! - 48;
    this.#at = at + 2;
    return value;
  }

  /** A stream id into `ms` and `seq`. */
  id(): void {
    const length = this.header(DOLLAR);
    const end = this.#at + length;
    this.ms = this.#number(end, DASH);
    this.#at++;
    this.seq = this.#number(end, CR);
    this.#at = end + 2;
  }

  isBehind(ms: number, seq: number): boolean {
    return this.ms > ms || (this.ms === ms && this.seq > seq);
  }

  /** A bulk string of digits; NaN if it is none. */
  digits(): number {
    const length = this.header(DOLLAR);
    const end = this.#at + length;
    const value = this.#number(end, CR);
    this.#at = end + 2;
    return value;
  }

  #number(end: number, stop: number): number {
    let value = 0;
    for (; this.#at < end && this.#bytes[this.#at] !== stop; this.#at++) {
      const digit = this.#bytes[this.#at]! - 48;
      value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
    }
    return value;
  }

  bulk(): string {
    const length = this.header(DOLLAR);
    const start = this.#at;
    this.#at += length + 2;
    return latin1(this.#bytes, start, start + length);
  }

  skip(): void {
    const length = this.header(DOLLAR);
    this.#at += length + 2;
  }
}
