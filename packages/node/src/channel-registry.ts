/**
 * Who wants which messages: for each channel, pattern and shard channel the gateways with subscribers, and how many each has. Every gateway
 * tells every node that it is linked with, so whoever leads a shard can reach all subscribers at once, and knows how many there are.
 *
 * Must not know: frames, shards, clients.
 */
import { ChannelKind, globMatches } from "@headrace/commands";

/** A gateway that takes messages. One that is gone or overfull drops them. */
export interface MessageSink {
  message(shardId: number, term: number, kind: ChannelKind, channel: string, message: Uint8Array): void;
}

/** Whom a message goes to, as of its publishing. */
export interface Reach {
  /** Clients; one with a channel and a pattern that matches counts twice, since it gets it twice. */
  readonly receivers: number;
  /** Each once. */
  readonly sinks: readonly MessageSink[];
}

const NOBODY: Reach = { receivers: 0, sinks: [] };

/** What a name costs beside its bytes: two map entries and a string. */
const NAME_OVERHEAD_BYTES = 120;

type Table = Map<string, Map<MessageSink, number>>;

export class ChannelRegistry {
  readonly #tables: readonly Table[];
  readonly #bytes: Map<MessageSink, number>;

  constructor() {
    this.#tables = [new Map(), new Map(), new Map(), new Map()];
    this.#bytes = new Map();
  }

  get isEmpty(): boolean {
    return this.#bytes.size === 0;
  }

  /** Memory that the gateway's names take here. */
  bytesOf(sink: MessageSink): number {
    return this.#bytes.get(sink) ?? 0;
  }

  /** The gateway has this many subscribers of the name; 0: none any more. */
  set(sink: MessageSink, kind: ChannelKind, name: string, subscribers: number): void {
    const table = this.#tables[kind]!;
    let sinks = table.get(name);
    const isKnown = sinks !== undefined && sinks.has(sink);
    if (subscribers === 0) {
      if (isKnown) this.#drop(table, name, sink);
      return;
    }
    if (sinks === undefined) {
      sinks = new Map();
      table.set(name, sinks);
    }
    sinks.set(sink, subscribers);
    if (!isKnown) this.#bytes.set(sink, this.bytesOf(sink) + name.length + NAME_OVERHEAD_BYTES);
  }

  /** The gateway is gone. */
  forget(sink: MessageSink): void {
    if (!this.#bytes.has(sink)) return;
    for (const table of this.#tables) {
      for (const [name, sinks] of table) {
        if (sinks.delete(sink) && sinks.size === 0) table.delete(name);
      }
    }
    this.#bytes.delete(sink);
  }

  /** Subscribers of the channel, and of the patterns that match it. */
  reach(kind: ChannelKind, channel: string): Reach {
    const exact = this.#tables[kind]!.get(channel);
    const patterns = this.#tables[ChannelKind.pattern]!;
    if (kind !== ChannelKind.channel || patterns.size === 0) {
      return exact === undefined ? NOBODY : { receivers: sumOf(exact), sinks: [...exact.keys()] };
    }
    let receivers = exact === undefined ? 0 : sumOf(exact);
    const sinks = new Set(exact?.keys());
    for (const [pattern, interested] of patterns) {
      if (!globMatches(pattern, channel, false)) continue;
      receivers += sumOf(interested);
      for (const sink of interested.keys()) sinks.add(sink);
    }
    return sinks.size === 0 ? NOBODY : { receivers, sinks: [...sinks] };
  }

  subscribers(kind: ChannelKind, name: string): number {
    const sinks = this.#tables[kind]!.get(name);
    return sinks === undefined ? 0 : sumOf(sinks);
  }

  names(kind: ChannelKind): Iterable<string> {
    return this.#tables[kind]!.keys();
  }

  /** Different names. */
  count(kind: ChannelKind): number {
    return this.#tables[kind]!.size;
  }

  #drop(table: Table, name: string, sink: MessageSink): void {
    const sinks = table.get(name)!;
    sinks.delete(sink);
    if (sinks.size === 0) table.delete(name);
    const left = this.bytesOf(sink) - name.length - NAME_OVERHEAD_BYTES;
    if (left > 0) this.#bytes.set(sink, left);
    else this.#bytes.delete(sink);
  }
}

function sumOf(sinks: ReadonlyMap<MessageSink, number>): number {
  let sum = 0;
  for (const subscribers of sinks.values()) sum += subscribers;
  return sum;
}
