/**
 * Streams that a client writes to and wants to hear of (CLIENT BACKPRESSURE ON). The last ones it named: who writes to more of them than that hears of those.
 * Their names are told to every node as those of subscriptions are, and counted like them.
 */
import { ChannelKind } from "@headrace/commands";
import type { Subscriber } from "./client-subscriptions.ts";
import type { Subscriptions } from "./subscriptions.ts";

const STREAMS_MAX = 1024;

export class WrittenStreams {
  readonly subscriber: Subscriber;
  readonly #all: Subscriptions;
  readonly #names: Set<string> = new Set();

  constructor(subscriber: Subscriber, all: Subscriptions) {
    this.subscriber = subscriber;
    this.#all = all;
  }

  wrote(name: string): void {
    if (this.#names.has(name) || this.#all.isFull) return;
    if (this.#names.size >= STREAMS_MAX) for (const oldest of this.#names) return this.#replace(oldest, name);
    this.#names.add(name);
    this.#all.add(this, ChannelKind.pressure, name);
  }

  #replace(oldest: string, name: string): void {
    this.#names.delete(oldest);
    this.#all.remove(this, ChannelKind.pressure, oldest);
    this.wrote(name);
  }

  clear(): void {
    for (const name of this.#names) this.#all.remove(this, ChannelKind.pressure, name);
    this.#names.clear();
  }
}
