/**
 * What simulated clients do with channels: publishers send numbered messages, and write keys of their own, one entry each, whose events are published;
 * subscribers listen, hang up and come back. What they may hear, checkers/messages.ts says.
 */
import type { ByteNetwork } from "@headrace/ports";
import type { EventLoop, Life } from "./event-loop.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation, SimClient } from "./sim-client.ts";
import { SimSubscriber } from "./sim-subscriber.ts";

export const CHANNELS: readonly string[] = ["news-a", "news-b", "news-c"];
/** A message and the event of a key are heard by it; nothing else of the workload. */
const PATTERNS: readonly string[] = ["news-[ab]", "__keyspace@0__:ev:*"];
const SUBSCRIBERS = 3;
const PUBLISHERS = 2;
const PAUSE_MAX_MS = 400;

/** A message that was answered. */
export interface Published {
  readonly channel: string;
  readonly message: string;
  readonly invokedAtMs: number;
  readonly answeredAtMs: number;
  readonly receivers: number;
}

export interface MessageWorkOptions {
  readonly loop: EventLoop;
  readonly life: Life;
  readonly network: ByteNetwork;
  readonly gateways: readonly string[];
  readonly random: SeededRandom;
  client(name: string, firstGateway: number, onReply: (operation: Operation) => void): SimClient;
}

export class MessageWork {
  readonly subscribers: readonly SimSubscriber[];
  readonly published: Published[] = [];
  readonly publishers: readonly SimClient[];
  readonly #options: MessageWorkOptions;
  #working: boolean = true;

  constructor(options: MessageWorkOptions) {
    const { loop, life, network, gateways, random } = options;
    this.#options = options;
    this.subscribers = Array.from({ length: SUBSCRIBERS }, (_, i) => {
      const subscriber = new SimSubscriber({
        loop,
        life,
        network,
        gateways,
        firstGateway: i,
        channels: CHANNELS,
        patterns: PATTERNS,
      });
      const hangUp = (): void => {
        if (!this.#working) return;
        if (random.chance(1, 10)) subscriber.drop();
        loop.after(random.between(500, 4000), "client", life, "subscriber", hangUp);
      };
      hangUp();
      return subscriber;
    });
    this.publishers = Array.from({ length: PUBLISHERS }, (_, i) => this.#publisher(`p${i}`, i));
  }

  stop(): void {
    this.#working = false;
  }

  #publisher(name: string, firstGateway: number): SimClient {
    const { loop, life, random } = this.#options;
    const invokedAtMs = new Map<string, number>();
    let serial = 0;
    const client = this.#options.client(name, firstGateway, ({ args, reply }) => {
      if (args[0] !== "PUBLISH" || typeof reply !== "number") return;
      const message = args[2]!;
      this.published.push({
        channel: args[1]!,
        message,
        invokedAtMs: invokedAtMs.get(message)!,
        answeredAtMs: loop.nowMs,
        receivers: reply,
      });
    });
    const turn = (): void => {
      if (!this.#working) return;
      loop.after(random.below(PAUSE_MAX_MS), "client", life, name, turn);
      if (client.openRequests > 16) return;
      for (let n = random.between(1, 4); n > 0; n--) {
        const own = `${name}.${++serial}`;
        if (random.chance(1, 3)) {
          const tag = random.pick(["a", "b"]);
          client.send(["XADD", `ev:${own}:{${tag}}`, "ACK", random.pick(["0", "1", "ALL"]), "*", "p", own]);
        } else {
          invokedAtMs.set(own, loop.nowMs);
          client.send(["PUBLISH", random.pick(CHANNELS), own]);
        }
      }
    };
    turn();
    return client;
  }
}
