/**
 * Writers that never stop: one connection a stream, a bounded number of XADDs in flight, each with a serial number. Keeps what was acknowledged, every
 * error by its code, and how long no write succeeded. Nothing is repeated: what is uncertain stays so, and the next write is another one.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { ReplyReader } from "@headrace/resp";

export interface WriteLoadOptions {
  readonly port: number;
  readonly inFlight: number;
  /** Writes a second of one stream at most; 0: as fast as replies come. */
  readonly perSecond: number;
  readonly valueBytes: number;
  /** Values that cannot be compressed; else all are the same. */
  readonly random?: boolean;
  /** Further words of XADD before the id: trimming. */
  readonly trim: readonly string[];
}

const TICK_MS = 2;
/** More than fit into a window of any compressor of blocks. */
const RANDOM_VALUES = 4096;
const PLUS_OR_DOLLAR = [36, 43];
const MINUS = 45;

export class StreamWriter {
  readonly key: string;
  readonly options: WriteLoadOptions;
  /** Bit i: the write with serial i was acknowledged. */
  acknowledged: Uint8Array = new Uint8Array(1 << 16);
  sent = 0;
  succeeded = 0;
  connectionsLost = 0;
  /** First word of an error → how often. */
  readonly errors: Map<string, number> = new Map();
  lastSuccessMs = 0;
  longestGapMs = 0;
  #socket: Socket | null = null;
  #reader = new ReplyReader();
  /** Serials in flight, in order. */
  #waiting: number[] = [];
  #head = 0;
  #budget = 0;
  #budgetAtMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  readonly #prefix: Buffer;
  readonly #suffixes: readonly Buffer[];

  constructor(key: string, options: WriteLoadOptions) {
    this.key = key;
    this.options = options;
    const words = ["XADD", key, ...options.trim, "*", "n"];
    this.#prefix = Buffer.from(`*${words.length + 3}\r\n${words.map(bulk).join("")}`);
    const head = `${bulk("v")}$${options.valueBytes}\r\n`;
    this.#suffixes =
      options.random === true
        ? Array.from({ length: RANDOM_VALUES }, () =>
            Buffer.concat([Buffer.from(head), randomBytes(options.valueBytes), Buffer.from("\r\n")]),
          )
        : [Buffer.from(`${head}${"x".repeat(options.valueBytes)}\r\n`)];
  }

  get inFlight(): number {
    return this.#waiting.length - this.#head;
  }

  /** Goes on after `stop`, with the serials that follow. */
  resume(): void {
    this.#stopped = false;
    this.#reader = new ReplyReader();
    this.start();
  }

  start(): void {
    this.#budgetAtMs = performance.now();
    this.lastSuccessMs = this.#budgetAtMs;
    this.#connect();
    this.#timer = setInterval(() => this.#fill(), TICK_MS);
  }

  /** Sends nothing more; resolves when everything sent has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    while (this.inFlight > 0) await new Promise((next) => setTimeout(next, 5));
    this.#socket?.destroy();
  }

  /** Forgets the longest gap; the running one counts from its own beginning. */
  mark(): void {
    this.longestGapMs = 0;
  }

  /** Of the gaps that ended since `mark`, and of the one that is open. */
  gapMs(nowMs: number): number {
    return Math.max(this.longestGapMs, nowMs - this.lastSuccessMs);
  }

  errorCount(): number {
    let sum = 0;
    for (const times of this.errors.values()) sum += times;
    return sum;
  }

  isAcknowledged(serial: number): boolean {
    return ((this.acknowledged[serial >> 3] ?? 0) & (1 << (serial & 7))) !== 0;
  }

  #connect(): void {
    const socket = connect({ port: this.options.port, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    this.#reader = new ReplyReader();
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("error", () => {
      // `close` follows.
    });
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#waiting = [];
      this.#head = 0;
      if (this.#stopped) return;
      this.connectionsLost++;
      setTimeout(() => this.#connect(), 20);
    });
    socket.on("connect", () => this.#fill());
  }

  #fill(): void {
    const socket = this.#socket;
    if (this.#stopped || socket === null || socket.connecting || socket.destroyed) return;
    const { inFlight, perSecond } = this.options;
    let room = inFlight - this.inFlight;
    if (perSecond > 0) {
      const nowMs = performance.now();
      // A pause is not made up for: at most what is in flight anyway.
      this.#budget = Math.min(inFlight, this.#budget + ((nowMs - this.#budgetAtMs) * perSecond) / 1000);
      this.#budgetAtMs = nowMs;
      room = Math.min(room, Math.floor(this.#budget));
      this.#budget -= Math.max(0, room);
    }
    if (room <= 0) return;
    const pieces: Buffer[] = [];
    for (let i = 0; i < room; i++) {
      const serial = this.sent++;
      this.#waiting.push(serial);
      pieces.push(this.#prefix, Buffer.from(bulk(String(serial))), this.#suffixes[serial % this.#suffixes.length]!);
    }
    socket.write(Buffer.concat(pieces));
  }

  #received(chunk: Buffer): void {
    const reader = this.#reader;
    reader.feed(chunk);
    const nowMs = performance.now();
    while (reader.next()) {
      const serial = this.#waiting[this.#head++];
      if (serial === undefined) throw new Error(`${this.key}: a reply that nobody asked for`);
      const kind = reader.bytes[reader.start]!;
      if (PLUS_OR_DOLLAR.includes(kind)) this.#succeed(serial, nowMs);
      else
        this.#fail(kind === MINUS ? Buffer.from(reader.bytes.subarray(reader.start + 1, reader.end)).toString() : "?");
    }
    if (this.#head > 4096) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    this.#fill();
  }

  #succeed(serial: number, nowMs: number): void {
    this.succeeded++;
    if (serial >> 3 >= this.acknowledged.length) {
      const larger = new Uint8Array(this.acknowledged.length * 2);
      larger.set(this.acknowledged);
      this.acknowledged = larger;
    }
    this.acknowledged[serial >> 3]! |= 1 << (serial & 7);
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.lastSuccessMs);
    this.lastSuccessMs = nowMs;
  }

  #fail(text: string): void {
    const code = text.split(/[ \r]/, 1)[0]!;
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }
}

function bulk(word: string): string {
  return `$${word.length}\r\n${word}\r\n`;
}
