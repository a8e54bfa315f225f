/** Writes many entries as fast as they are taken: one connection, a window of requests in flight, keys in turn. Any error ends it. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { ReplyReader } from "@headrace/resp";

const IN_FLIGHT = 2000;
/** Requests to one key one behind the other, at most: runs are what a pipeline of one producer looks like. */
const RUN = 50;
const VALUES = 1024;
const MINUS = 45;
const TOLD_EVERY = 10_000;

export class BulkWriter {
  readonly #port: number;
  readonly #keys: readonly string[];
  readonly #suffixes: readonly Buffer[];

  constructor(port: number, keys: readonly string[], valueBytes: number) {
    this.#suffixes = Array.from({ length: VALUES }, () =>
      Buffer.concat([Buffer.from(`$${valueBytes}\r\n`), randomBytes(valueBytes), Buffer.from("\r\n")]),
    );
    this.#port = port;
    this.#keys = keys;
  }

  /** The entries with the numbers [from, to). */
  async write(from: number, to: number, told: (done: number) => void): Promise<void> {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    try {
      await this.#run(socket, from, to, told);
    } finally {
      socket.destroy();
    }
  }

  #run(socket: Socket, from: number, to: number, told: (done: number) => void): Promise<void> {
    const reader = new ReplyReader();
    const run = Math.max(1, Math.min(RUN, Math.floor((to - from) / this.#keys.length)));
    let sent = from;
    let done = from;
    let toldAt = from;
    return new Promise((ready, failed) => {
      const fill = (): void => {
        const pieces: Buffer[] = [];
        while (sent < to && sent - done < IN_FLIGHT) pieces.push(this.#request(sent++, run));
        if (pieces.length > 0) socket.write(Buffer.concat(pieces));
      };
      socket.once("connect", fill);
      socket.once("error", failed);
      socket.once("close", () => failed(new Error("the connection was closed")));
      socket.on("data", (chunk: Buffer) => {
        reader.feed(chunk);
        while (reader.next()) {
          done++;
          if (reader.bytes[reader.start] !== MINUS) continue;
          failed(new Error(Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString()));
        }
        if (done - toldAt >= TOLD_EVERY) {
          toldAt = done;
          told(done);
        }
        if (done === to) ready();
        else fill();
      });
    });
  }

  #request(serial: number, run: number): Buffer {
    const key = this.#keys[Math.floor(serial / run) % this.#keys.length]!;
    const head = `*5\r\n$4\r\nXADD\r\n$${key.length}\r\n${key}\r\n$1\r\n*\r\n$1\r\nv\r\n`;
    return Buffer.concat([Buffer.from(head), this.#suffixes[serial % VALUES]!]);
  }
}
