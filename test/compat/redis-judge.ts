/** A redis-server on a free loopback port, and connections to it that show replies as redis-cli does. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReplyReader } from "../../packages/resp/src/index.ts";
import { replyText } from "../../packages/commands/testing/reply-text.ts";
import { mayBlock } from "../../packages/commands/testing/transcript.ts";

export interface RedisServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startRedis(...more: readonly string[]): Promise<RedisServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "headrace-judge-"));
  const child = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder, ...more],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await new Promise<void>((resolve, reject) => {
    let log = "";
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`redis-server ended: ${log}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes("Ready to accept connections")) resolve();
    });
  });
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners("exit");
        child.on("exit", () => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill("SIGTERM");
      }),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

export class RedisConnection {
  readonly #socket: Socket;
  readonly #reader: ReplyReader;
  readonly #replies: string[];
  #waiting: (() => void) | null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new ReplyReader();
    this.#replies = [];
    this.#waiting = null;
    socket.on("error", () => this.#waiting?.());
    socket.on("data", (chunk: Buffer) => {
      this.#reader.feed(chunk);
      while (this.#reader.next()) {
        this.#replies.push(replyText(this.#reader.bytes, this.#reader.start, this.#reader.end));
      }
      this.#waiting?.();
    });
  }

  static open(port: number): Promise<RedisConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new RedisConnection(socket)));
      socket.on("error", reject);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  async ask(command: string): Promise<string> {
    this.#socket.write(`${command}\r\n`, "latin1");
    return (await this.replyWithin(5000)) ?? "(no reply)";
  }

  /** The reply, or null when the server says that one more client blocks. */
  async askOrBlock(command: string, control: RedisConnection, blockedBefore: number): Promise<string | null> {
    if (!mayBlock(command)) return this.ask(command);
    this.#socket.write(`${command}\r\n`, "latin1");
    for (;;) {
      const reply = await this.replyWithin(5);
      if (reply !== null) return reply;
      if ((await control.blockedClients()) > blockedBefore) return null;
    }
  }

  async blockedClients(): Promise<number> {
    const info = await this.ask("INFO clients");
    return Number(/blocked_clients:(\d+)/.exec(info)?.[1] ?? 0);
  }

  async replyWithin(timeoutMs: number): Promise<string | null> {
    if (this.#replies.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#waiting = () => {
          if (this.#replies.length === 0) return;
          clearTimeout(timer);
          resolve();
        };
      });
      this.#waiting = null;
    }
    return this.#replies.shift() ?? null;
  }
}
