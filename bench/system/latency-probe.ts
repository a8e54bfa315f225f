/**
 * A writer at a fixed rate on one connection, open loop: each write has a time at which it is due, and its latency counts from there, whenever it could be
 * sent (no coordinated omission).
 */
import { connect, type Socket } from "node:net";
import { ReplyReader } from "@headrace/resp";

export interface ProbeLatency {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

const TICK_MS = 1;
const MINUS = 45;

export class LatencyProbe {
  readonly #socket: Socket;
  readonly #request: Buffer;
  readonly #perSecond: number;
  readonly #reader: ReplyReader = new ReplyReader();
  readonly #due: number[] = [];
  #head = 0;
  #latenciesMs: number[] = [];
  #fromMs = 0;
  #nextDueMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(port: number, key: string, perSecond: number, valueBytes: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#perSecond = perSecond;
    const words = ["XADD", key, "MAXLEN", "~", "100000", "*", "v", "x".repeat(valueBytes)];
    this.#request = Buffer.from(
      `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`,
    );
    this.#socket.on("data", (chunk: Buffer) => this.#received(chunk));
  }

  async start(): Promise<void> {
    await new Promise<void>((connected, failed) => {
      this.#socket.once("connect", () => connected());
      this.#socket.once("error", failed);
    });
    this.#fromMs = performance.now();
    this.#nextDueMs = this.#fromMs;
    this.#timer = setInterval(() => this.#send(), TICK_MS);
  }

  /** Of the writes that were answered since the last call. */
  take(): ProbeLatency {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    const nowMs = performance.now();
    const seconds = (nowMs - this.#fromMs) / 1000;
    this.#latenciesMs = [];
    this.#fromMs = nowMs;
    const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99), perSecond: Math.round(sorted.length / seconds) };
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    while (this.#head < this.#due.length) await new Promise((next) => setTimeout(next, 5));
    this.#socket.destroy();
  }

  #send(): void {
    const nowMs = performance.now();
    const pieces: Buffer[] = [];
    for (; this.#nextDueMs <= nowMs; this.#nextDueMs += 1000 / this.#perSecond) {
      this.#due.push(this.#nextDueMs);
      pieces.push(this.#request);
    }
    if (pieces.length > 0) this.#socket.write(Buffer.concat(pieces));
  }

  #received(chunk: Buffer): void {
    const reader = this.#reader;
    reader.feed(chunk);
    const nowMs = performance.now();
    while (reader.next()) {
      if (reader.bytes[reader.start] === MINUS)
        throw new Error(Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString());
      this.#latenciesMs.push(nowMs - this.#due[this.#head++]!);
    }
    if (this.#head > 8192) {
      this.#due.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
