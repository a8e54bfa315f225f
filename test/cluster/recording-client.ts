/**
 * The simulator's client over a real socket: pipelined requests, replies in order, everything written down as the checkers want it. One counter counts
 * sent requests and received replies of all clients: what has the smaller number truly came first, since one thread saw both.
 */
import { connect, type Socket } from "node:net";
import { ReplyReader } from "@headrace/resp";
import { replyValue, type AckLevel, type Operation } from "@headrace/sim";

export class EventCounter {
  steps = 0;
}

export interface RecordingClientOptions {
  readonly name: string;
  /** Gateways; the next one is tried after each lost connection. */
  readonly ports: readonly number[];
  readonly firstPort: number;
  /** Set by CLIENT ACK on every new connection. */
  readonly ack: AckLevel;
  readonly counter: EventCounter;
}

const RECONNECT_MS = 40;

export class RecordingClient {
  readonly #options: RecordingClientOptions;
  readonly #onReply: (operation: Operation) => void;
  #socket: Socket | null = null;
  #reader = new ReplyReader();
  #waiting: Operation[] = [];
  #nextPort: number;
  #connections = 0;
  #closed = false;
  failure: Error | null = null;

  constructor(options: RecordingClientOptions, onReply: (operation: Operation) => void) {
    this.#options = options;
    this.#onReply = onReply;
    this.#nextPort = options.firstPort;
    this.#connect();
  }

  get openRequests(): number {
    return this.#waiting.length;
  }

  /** What cannot be sent is unknown, like a lost reply. */
  send(args: readonly string[]): Operation {
    const { name, ack, counter } = this.#options;
    const operation: Operation = {
      client: name,
      args,
      ack: args[0] === "XADD" && args[2] === "ACK" ? (args[3] as AckLevel) : ack,
      connection: this.#connections,
      invokedStep: ++counter.steps,
      completedStep: -1,
      reply: undefined,
      open: true,
    };
    if (this.#socket === null) {
      operation.open = false;
      return operation;
    }
    this.#waiting.push(operation);
    this.#socket.write(encoded(args));
    return operation;
  }

  /** Hangs up and calls again: what was open stays unknown. */
  drop(): void {
    this.#socket?.destroy();
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  #connect(): void {
    const { ports, ack } = this.#options;
    const socket = connect({ port: ports[this.#nextPort++ % ports.length]!, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    this.#connections++;
    this.#reader = new ReplyReader();
    socket.on("data", (chunk: Buffer) => {
      try {
        this.#received(chunk);
      } catch (error) {
        this.failure ??= error as Error;
        socket.destroy();
      }
    });
    socket.on("error", () => {
      // `close` follows.
    });
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      for (const operation of this.#waiting.splice(0)) {
        operation.open = false;
        this.#onReply(operation);
      }
      if (!this.#closed) setTimeout(() => this.#connect(), RECONNECT_MS);
    });
    if (ack !== "ALL") this.send(["CLIENT", "ACK", ack]);
  }

  #received(chunk: Buffer): void {
    this.#reader.feed(chunk);
    while (this.#reader.next()) {
      const operation = this.#waiting.shift();
      if (operation === undefined) throw new Error(`${this.#options.name}: a reply that nobody asked for`);
      operation.reply = replyValue(this.#reader.bytes, this.#reader.start, this.#reader.end);
      operation.completedStep = ++this.#options.counter.steps;
      operation.open = false;
      this.#onReply(operation);
    }
  }
}

function encoded(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((argument) => `$${argument.length}\r\n${argument}\r\n`).join("")}`;
}
