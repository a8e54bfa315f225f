/** A simulated client that only listens: subscribes on every new connection, and keeps what it hears by connection. */
import type { ByteConnection, ByteNetwork } from "@headrace/ports";
import { ReplyReader } from "@headrace/resp";
import type { EventLoop, Life } from "./event-loop.ts";
import { replyValue } from "./reply-value.ts";
import { encodedRequest } from "./sim-client.ts";

export interface HeardMessage {
  /** What brought it: `message news` or `pmessage n*`. */
  readonly by: string;
  readonly channel: string;
  readonly message: string;
}

/** One connection's life. */
export interface Listening {
  readonly gateway: string;
  /** Infinity: not all its subscriptions are confirmed. */
  confirmedAtMs: number;
  /** Infinity: still open. */
  closedAtMs: number;
  readonly heard: HeardMessage[];
}

const RECONNECT_MS = 60;

export class SimSubscriber {
  readonly channels: readonly string[];
  readonly patterns: readonly string[];
  readonly listenings: Listening[] = [];
  readonly #loop: EventLoop;
  readonly #life: Life;
  readonly #network: ByteNetwork;
  readonly #gateways: readonly string[];
  #connection: ByteConnection | null = null;
  #nextGateway: number;

  constructor(options: {
    readonly loop: EventLoop;
    readonly life: Life;
    readonly network: ByteNetwork;
    readonly gateways: readonly string[];
    readonly firstGateway: number;
    readonly channels: readonly string[];
    readonly patterns: readonly string[];
  }) {
    this.#loop = options.loop;
    this.#life = options.life;
    this.#network = options.network;
    this.#gateways = options.gateways;
    this.#nextGateway = options.firstGateway;
    this.channels = options.channels;
    this.patterns = options.patterns;
    this.#connect();
  }

  get current(): Listening {
    return this.listenings.at(-1)!;
  }

  /** Hangs up and calls again, perhaps elsewhere. */
  drop(): void {
    this.#connection?.destroy();
  }

  #connect(): void {
    const gateway = this.#gateways[this.#nextGateway++ % this.#gateways.length]!;
    const listening: Listening = { gateway, confirmedAtMs: Infinity, closedAtMs: Infinity, heard: [] };
    this.listenings.push(listening);
    const connection = this.#network.connect(gateway);
    this.#connection = connection;
    const reader = new ReplyReader();
    let unconfirmed = this.channels.length + this.patterns.length;
    for (const channel of this.channels) connection.write(encodedRequest(["SUBSCRIBE", channel]));
    for (const pattern of this.patterns) connection.write(encodedRequest(["PSUBSCRIBE", pattern]));
    connection.listen({
      onData: (chunk) => {
        reader.feed(chunk);
        while (reader.next()) {
          const push = replyValue(reader.bytes, reader.start, reader.end);
          if (!Array.isArray(push)) throw new Error(`a subscriber got ${JSON.stringify(push)}`);
          const [kind, first, second, third] = push as unknown as readonly [string, string, string, string];
          if (kind === "message") listening.heard.push({ by: `message ${first}`, channel: first, message: second });
          else if (kind === "pmessage") {
            listening.heard.push({ by: `pmessage ${first}`, channel: second, message: third });
          } else if (--unconfirmed === 0) listening.confirmedAtMs = this.#loop.nowMs;
        }
      },
      onDrain: () => undefined,
      onClose: () => {
        if (this.#connection !== connection) return;
        this.#connection = null;
        listening.closedAtMs = this.#loop.nowMs;
        this.#loop.after(RECONNECT_MS, "timer", this.#life, "subscriber reconnect", () => this.#connect());
      },
    });
  }
}
