/**
 * A simulated Redis client: one connection to a gateway, pipelined requests, replies in order. What it does not hear is unknown; it never repeats
 * anything by itself.
 */
import { ByteWriter } from "@headrace/bytes";
import type { ByteConnection, ByteNetwork } from "@headrace/ports";
import { ReplyReader } from "@headrace/resp";
import type { EventLoop, Life } from "./event-loop.ts";
import { replyValue, type ReplyValue } from "./reply-value.ts";

/** One request and what became of it. */
export interface Operation {
  readonly client: string;
  readonly args: readonly string[];
  /** Of an EXEC: what was queued before it. */
  readonly parts?: readonly (readonly string[])[];
  /** It stands behind MULTI: its reply says nothing of what it does. */
  readonly isQueued?: boolean;
  /** Level of a write: the command's own, else its connection's. Only ALL promises anything. */
  readonly ack: AckLevel;
  /** Counts the client's connections: WAIT speaks of the writes of one. */
  readonly connection: number;
  readonly invokedStep: number;
  completedStep: number;
  /** undefined: no reply came and none will. */
  reply: ReplyValue | undefined;
  /** True while a reply may still come. */
  open: boolean;
}

export type AckLevel = "ALL" | "1" | "0";

const RECONNECT_MS = 40;

export class SimClient {
  readonly name: string;
  readonly #loop: EventLoop;
  readonly #life: Life;
  readonly #network: ByteNetwork;
  readonly #gateways: readonly string[];
  readonly #onReply: (operation: Operation) => void;
  #connection: ByteConnection | null = null;
  #reader = new ReplyReader();
  #waiting: Operation[] = [];
  #nextGateway: number;
  readonly #ack: AckLevel;
  #connections = 0;

  constructor(
    options: {
      readonly name: string;
      readonly loop: EventLoop;
      readonly life: Life;
      readonly network: ByteNetwork;
      readonly gateways: readonly string[];
      readonly firstGateway: number;
      /** Set by CLIENT ACK on every new connection. */
      readonly ack: AckLevel;
    },
    onReply: (operation: Operation) => void,
  ) {
    this.name = options.name;
    this.#loop = options.loop;
    this.#life = options.life;
    this.#network = options.network;
    this.#gateways = options.gateways;
    this.#nextGateway = options.firstGateway;
    this.#ack = options.ack;
    this.#onReply = onReply;
    this.#connect();
  }

  get openRequests(): number {
    return this.#waiting.length;
  }

  /** Counts the connections, the present one included. */
  get connections(): number {
    return this.#connections;
  }

  send(args: readonly string[], more: Partial<Pick<Operation, "parts" | "isQueued">> = {}): Operation {
    const operation: Operation = {
      client: this.name,
      args,
      ...more,
      ack: args[0] === "XADD" && args[2] === "ACK" ? (args[3] as AckLevel) : this.#ack,
      connection: this.#connections,
      invokedStep: this.#loop.steps,
      completedStep: -1,
      reply: undefined,
      open: true,
    };
    const connection = this.#connection;
    if (connection === null) {
      // It never left: as unknown as a lost reply, and the checkers need no third case.
      operation.open = false;
      return operation;
    }
    this.#waiting.push(operation);
    connection.write(encodedRequest(args));
    return operation;
  }

  /** Hangs up and calls again later: what was open stays unknown. */
  drop(): void {
    this.#connection?.destroy();
  }

  #connect(): void {
    const address = this.#gateways[this.#nextGateway++ % this.#gateways.length]!;
    const connection = this.#network.connect(address);
    this.#connection = connection;
    this.#connections++;
    this.#reader = new ReplyReader();
    if (this.#ack !== "ALL") this.send(["CLIENT", "ACK", this.#ack]);
    connection.listen({
      onData: (chunk) => this.#received(chunk),
      onDrain: () => undefined,
      onClose: () => {
        if (this.#connection !== connection) return;
        this.#connection = null;
        const lost = this.#waiting;
        this.#waiting = [];
        for (const operation of lost) {
          operation.open = false;
          this.#onReply(operation);
        }
        this.#loop.after(RECONNECT_MS, "timer", this.#life, "client reconnect", () => this.#connect());
      },
    });
  }

  #received(chunk: Uint8Array): void {
    this.#reader.feed(chunk);
    while (this.#reader.next()) {
      const operation = this.#waiting.shift();
      if (operation === undefined) throw new Error(`${this.name}: a reply that nobody asked for`);
      operation.reply = replyValue(this.#reader.bytes, this.#reader.start, this.#reader.end);
      operation.completedStep = this.#loop.steps;
      operation.open = false;
      this.#loop.note(`reply ${this.name} ${operation.args[0]} ${JSON.stringify(operation.reply)}`);
      this.#onReply(operation);
    }
  }
}

export function encodedRequest(args: readonly string[]): Uint8Array {
  const writer = new ByteWriter(128);
  writer.latin1(`*${args.length}\r\n`);
  for (const argument of args) writer.latin1(`$${argument.length}\r\n${argument}\r\n`);
  return writer.take();
}
