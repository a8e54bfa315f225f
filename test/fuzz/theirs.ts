/** The judge's side: a redis-server 7.0.15 whose wall clock stands still (still-clock.c), reached through a socket file. */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { copyOf } from "@headrace/bytes";
import { ReplyReader } from "@headrace/resp";

export class StillRedis {
  readonly socketPath: string;
  readonly #clock: number;
  readonly #end: () => Promise<void>;

  private constructor(socketPath: string, clock: number, end: () => Promise<void>) {
    this.socketPath = socketPath;
    this.#clock = clock;
    this.#end = end;
  }

  /** Needs redis-server and a C compiler. */
  static async start(nowMs: number): Promise<StillRedis> {
    const folder = mkdtempSync(join(tmpdir(), "headrace-fuzz-"));
    const shim = join(folder, "still-clock.so");
    execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", shim, join(import.meta.dirname, "still-clock.c")]);
    // In memory where there is such a place: it is written at every step of time.
    const clockPath = join(existsSync("/dev/shm") ? "/dev/shm" : folder, `${basename(folder)}-clock`);
    const clock = openSync(clockPath, "w+");
    writeClock(clock, nowMs);
    const socketPath = join(folder, "socket");
    const options = ["--port", "0", "--unixsocket", socketPath, "--save", "", "--appendonly", "no", "--dir", folder];
    const child = spawn("redis-server", [...options, "--enable-debug-command", "yes"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, LD_PRELOAD: shim, STILL_CLOCK: clockPath },
    });
    await new Promise<void>((resolve, reject) => {
      let log = "";
      child.on("error", reject);
      child.on("exit", (code) => reject(new Error(`redis-server ended with ${code}: ${log}`)));
      child.stdout.on("data", (chunk: Buffer) => {
        log += chunk.toString();
        if (log.includes("Ready to accept connections") || log.includes("The server is now ready")) resolve();
      });
    });
    const end = (): Promise<void> =>
      new Promise((resolve) => {
        child.removeAllListeners("exit");
        child.on("exit", () => {
          closeSync(clock);
          rmSync(clockPath, { force: true });
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill("SIGTERM");
      });
    return new StillRedis(socketPath, clock, end);
  }

  setClock(nowMs: number): void {
    writeClock(this.#clock, nowMs);
  }

  open(): Promise<RawConnection> {
    return RawConnection.open(this.socketPath);
  }

  stop(): Promise<void> {
    return this.#end();
  }
}

function writeClock(file: number, nowMs: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(nowMs) * 1000n);
  writeSync(file, bytes, 0, 8, 0);
}

export class RawConnection {
  /** Whole replies that nobody has taken. */
  readonly replies: Uint8Array[] = [];
  isClosed: boolean = false;
  readonly #socket: Socket;
  readonly #reader: ReplyReader = new ReplyReader();
  #wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#reader.feed(chunk);
      while (this.#reader.next()) this.replies.push(copyOf(this.#reader.bytes, this.#reader.start, this.#reader.end));
      this.#wake?.();
    });
    socket.on("error", () => this.#closed());
    socket.on("close", () => this.#closed());
  }

  static open(path: string): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new RawConnection(socket)));
      socket.once("error", reject);
    });
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Resolves when there are so many, or the connection is closed. */
  async waitFor(count: number): Promise<void> {
    while (this.replies.length < count && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  /** One request, one reply; with nothing else under way. */
  async ask(bytes: Uint8Array): Promise<Uint8Array> {
    this.send(bytes);
    await this.waitFor(1);
    const reply = this.replies.shift();
    if (reply === undefined) throw new Error("redis-server has closed the connection");
    return reply;
  }

  close(): void {
    this.#socket.destroy();
  }

  #closed(): void {
    this.isClosed = true;
    this.#wake?.();
  }
}
