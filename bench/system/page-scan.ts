/**
 * Reads a stream page by page with XRANGE COUNT, one request at a time, and checks that its entries are those of a StreamWriter: in the order of their ids, each serial at most once. A page is looked
 * at while it arrives, where it stands, and its memory is that of the page before: the reader shares two cores with what is measured.
 */
import { connect, type Socket } from "node:net";
import type { StreamWriter } from "./write-load.ts";

export interface ScanResult {
  readonly entries: number;
  readonly seconds: number;
  /** Acknowledged and not there; of serials below `sent` when the scan began. */
  readonly lost: number;
  readonly twice: number;
  /** Serials that were never sent. */
  readonly foreign: number;
  /** From the request to the last byte of the page. */
  readonly pageP50Ms: number;
  readonly pageP99Ms: number;
}

const CR = 13;
const DASH = 45;
const DOLLAR = 36;
const STAR = 42;

const CHUNK_BYTES = 256 * 1024;
const FIRST_PAGE_BYTES = 1024 * 1024;

/** What was written: `sent` may grow meanwhile. */
type Written = Pick<StreamWriter, "key" | "sent" | "acknowledged">;

/** The latest write that has to be there is the writer's last one of now. A page is asked for when `due` says so. */
export async function scanStream(
  port: number,
  writer: Written,
  count: number,
  due: () => Promise<void>,
): Promise<ScanResult> {
  const sent = writer.sent;
  const wanted = writer.acknowledged.slice();
  const seen = new Uint8Array((sent >> 3) + 1);
  const waitedMs: number[] = [];
  let entries = 0;
  let twice = 0;
  let foreign = 0;
  let [lastMs, lastSeq] = [0, -1];
  const client = new PageClient(port, ({ ms, seq, serial }) => {
    if (ms < lastMs || (ms === lastMs && seq <= lastSeq))
      throw new Error(`${writer.key}: ${ms}-${seq} behind ${lastMs}-${lastSeq}`);
    lastMs = ms;
    lastSeq = seq;
    if (!(serial >= 0 && serial < writer.sent)) foreign++;
    else if (serial < sent) {
      const bit = 1 << (serial & 7);
      if ((seen[serial >> 3]! & bit) !== 0) twice++;
      seen[serial >> 3]! |= bit;
    }
  });
  const from = performance.now();
  try {
    for (let start = "-", found = count; found === count; start = `(${lastMs}-${lastSeq}`) {
      await due();
      const at = performance.now();
      found = await client.ask(["XRANGE", writer.key, start, "+", "COUNT", String(count)]);
      waitedMs.push(performance.now() - at);
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

interface Asked {
  readonly whole: (entries: number) => void;
  readonly failed: (error: Error) => void;
}

/** One request at a time; `onEntry` gets each entry when it is there, with the same object each time. */
class PageClient {
  readonly #socket: Socket;
  readonly #page: Page = new Page();
  readonly #onEntry: (entry: PageEntry) => void;
  #asked: Asked | null = null;

  constructor(port: number, onEntry: (entry: PageEntry) => void) {
    this.#onEntry = onEntry;
    const onread = {
      buffer: new Uint8Array(CHUNK_BYTES),
      callback: (length: number, buffer: Uint8Array): boolean => {
        this.#received(buffer.subarray(0, length));
        return true;
      },
    };
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true, onread });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /** Answers how many entries the page had. */
  ask(words: readonly string[]): Promise<number> {
    this.#page.begin();
    return new Promise((whole, failed) => {
      this.#asked = { whole, failed };
      if (this.#socket.destroyed) return this.#fail(new Error("the connection was closed"));
      this.#socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
    });
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }

  #received(chunk: Uint8Array): void {
    try {
      if (!this.#page.take(chunk, this.#onEntry)) return;
      this.#asked?.whole(this.#page.count);
      this.#asked = null;
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.#asked?.failed(error);
    this.#asked = null;
  }
}

interface PageEntry {
  readonly ms: number;
  readonly seq: number;
  /** The first field's value; NaN if that is no number, or there is none. */
  readonly serial: number;
}

/** A page as far as it has come. */
class Page implements PageEntry {
  ms = 0;
  seq = 0;
  serial = 0;
  /** Of its entries; -1: not known yet. */
  count = -1;
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_PAGE_BYTES);
  #end = 0;
  #at = 0;
  #entries = 0;

  begin(): void {
    this.count = -1;
    this.#end = 0;
    this.#at = 0;
    this.#entries = 0;
  }

  /** True when the page is whole. What is not there to its end is looked at again with the next chunk, from its beginning. */
  take(chunk: Uint8Array, onEntry: (entry: PageEntry) => void): boolean {
    if (this.#end + chunk.length > this.#bytes.length) {
      const more = Buffer.allocUnsafeSlow(2 * (this.#end + chunk.length));
      more.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = more;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
    if (this.count < 0) {
      const count = this.#header(STAR);
      if (count < 0) return false;
      this.count = count;
    }
    while (this.#entries < this.count) {
      const start = this.#at;
      if (!this.#entry()) {
        this.#at = start;
        return false;
      }
      this.#entries++;
      onEntry(this);
    }
    return true;
  }

  /** False: it is not there to its end. */
  #entry(): boolean {
    if (this.#header(STAR) < 0) return false;
    const idBytes = this.#header(DOLLAR);
    if (idBytes < 0 || this.#at + idBytes + 2 > this.#end) return false;
    this.ms = this.#number(DASH);
    this.seq = this.#number(CR);
    this.#at++;
    const values = this.#header(STAR);
    if (values < 0) return false;
    this.serial = Number.NaN;
    for (let i = 0; i < values; i++) {
      const length = this.#header(DOLLAR);
      const next = this.#at + length + 2;
      if (length < 0 || next > this.#end) return false;
      if (i === 1) this.serial = this.#number(CR);
      this.#at = next;
    }
    return true;
  }

  /** The number behind the type byte; -1: its line is not there to its end. */
  #header(type: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    if (at < end && bytes[at] !== type)
      throw new Error(`a reply that is no page: ${bytes.toString("latin1", at, Math.min(end, at + 80))}`);
    let value = 0;
    for (at++; at < end && bytes[at] !== CR; at++) value = value * 10 + bytes[at]! - 48;
    if (at + 2 > end) return -1;
    this.#at = at + 2;
    return value;
  }

  /** Up to the byte `stop`, which is passed; NaN if there is anything else than digits. */
  #number(stop: number): number {
    const bytes = this.#bytes;
    let value = 0;
    let at = this.#at;
    for (; bytes[at] !== stop && at < this.#end; at++) {
      const digit = bytes[at]! - 48;
      value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
    }
    this.#at = at + 1;
    return value;
  }
}
