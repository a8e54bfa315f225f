/** Subscriptions of the harness' connections, and all of them together as a shard's leader would see them. Messages go nowhere. */
import { ChannelKind, globMatches } from "../src/index.ts";
import type { Channels, SessionSubscriptions } from "../src/index.ts";

export class FakeSubscriptions implements SessionSubscriptions {
  readonly #names: readonly Set<string>[] = [new Set(), new Set(), new Set()];

  count(kind: ChannelKind): number {
    return this.#names[kind]!.size;
  }

  names(kind: ChannelKind): Iterable<string> {
    return this.#names[kind]!;
  }

  has(kind: ChannelKind, name: string): boolean {
    return this.#names[kind]!.has(name);
  }

  add(kind: ChannelKind, name: string): void {
    this.#names[kind]!.add(name);
  }

  remove(kind: ChannelKind, name: string): void {
    this.#names[kind]!.delete(name);
  }

  clear(): void {
    for (const names of this.#names) names.clear();
  }
}

export class FakeChannels implements Channels {
  readonly #all: () => readonly FakeSubscriptions[];

  constructor(all: () => readonly FakeSubscriptions[]) {
    this.#all = all;
  }

  publish(kind: ChannelKind, channel: string): number {
    let receivers = this.subscribers(kind, channel);
    if (kind === ChannelKind.shardChannel) return receivers;
    for (const each of this.#all()) {
      for (const pattern of each.names(ChannelKind.pattern)) if (globMatches(pattern, channel, false)) receivers++;
    }
    return receivers;
  }

  subscribers(kind: ChannelKind, name: string): number {
    return this.#all().filter((each) => each.has(kind, name)).length;
  }

  names(kind: ChannelKind): Iterable<string> {
    return new Set(this.#all().flatMap((each) => [...each.names(kind)]));
  }

  count(kind: ChannelKind): number {
    return [...this.names(kind)].length;
  }
}
