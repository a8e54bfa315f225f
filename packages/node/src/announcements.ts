/**
 * What a shard's leader says to subscribers: messages of PUBLISH and events of keys. They leave in the order of execution, each when everything
 * that was executed up to it is committed: nobody hears of what a failover could take back. All of it belongs to one term (I12); nothing
 * goes through the log.
 *
 *   execution ─► reach (who is interested, now) ─► queue, if anybody ─► commit passes its index ─► one frame for each gateway
 *
 * Must not know: links, who subscribed, what the commands mean.
 */
import { assert, bytesOf, copyOf } from "@headrace/bytes";
import { ChannelKind } from "@headrace/commands";
import type { Channels } from "@headrace/commands";
import type { Effects, KeyEventClass, KeyEvents } from "@headrace/engine";
import { NOTIFY_KEYEVENT, NOTIFY_KEYSPACE } from "@headrace/meta";
import type { ChannelRegistry, MessageSink } from "./channel-registry.ts";
import type { ShardSettings } from "./shard-api.ts";

/** What one costs beside its bytes. */
const OVERHEAD_BYTES = 200;
const COMPACT_AT = 256;

interface Announcement {
  /** Leaves when this is committed. */
  readonly index: number;
  readonly kind: ChannelKind;
  readonly channel: string;
  readonly message: Uint8Array;
  readonly sinks: readonly MessageSink[];
}

export class Announcements implements Channels, KeyEvents {
  /** The open batch: where the commands stand that speak now. */
  batch: Pick<Effects, "index" | "count"> | null;
  /** Waiting for commit. */
  bytes: number;
  /** Noted since the counter was last set back: a turn is bounded by it. */
  turnBytes: number;
  readonly #shardId: number;
  readonly #registry: ChannelRegistry;
  readonly #settings: Pick<ShardSettings, "notify">;
  #term: number;
  #queue: Announcement[];
  #head: number;

  constructor(shardId: number, registry: ChannelRegistry, settings: Pick<ShardSettings, "notify">) {
    this.batch = null;
    this.bytes = 0;
    this.turnBytes = 0;
    this.#shardId = shardId;
    this.#registry = registry;
    this.#settings = settings;
    this.#term = 0;
    this.#queue = [];
    this.#head = 0;
  }

  /** Somebody might hear of events of this class. False costs the commands nothing. */
  wants(classes: number): boolean {
    const { notify } = this.#settings;
    return (notify & classes) !== 0 && (notify & (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT)) !== 0 && !this.#registry.isEmpty;
  }

  begin(term: number): void {
    assert(this.#head === this.#queue.length, "messages outlive their term (I12)");
    this.#term = term;
  }

  /** Commit has moved. */
  release(committed: number): void {
    const queue = this.#queue;
    while (this.#head < queue.length && queue[this.#head]!.index <= committed) this.#send(queue[this.#head++]!);
    if (this.#head === queue.length) {
      if (this.#head === 0) return;
      queue.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_AT && this.#head * 2 > queue.length) {
      queue.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Leadership is lost: what is known to be committed is said, the rest never was. */
  resolve(isCommitted: (index: number) => boolean): void {
    for (let i = this.#head; i < this.#queue.length; i++) {
      const announcement = this.#queue[i]!;
      if (isCommitted(announcement.index)) this.#send(announcement);
    }
    this.#queue = [];
    this.#head = 0;
    this.bytes = 0;
  }

  // ── what handlers say and ask ─────────────────────────────────────────────────────────────────────────────────────────────────────

  publish(kind: ChannelKind, channel: string, bytes: Uint8Array, start: number, end: number): number {
    const { receivers, sinks } = this.#registry.reach(kind, channel);
    if (receivers > 0) this.#note(kind, channel, copyOf(bytes, start, end), sinks);
    return receivers;
  }

  subscribers(kind: ChannelKind, name: string): number {
    return this.#registry.subscribers(kind, name);
  }

  names(kind: ChannelKind): Iterable<string> {
    return this.#registry.names(kind);
  }

  count(kind: ChannelKind): number {
    return this.#registry.count(kind);
  }

  // ── what the effects say ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  keyEvent(eventClass: KeyEventClass, event: string, key: string): void {
    const { notify } = this.#settings;
    if ((notify & eventClass) === 0) return;
    if ((notify & NOTIFY_KEYSPACE) !== 0) this.#event(`__keyspace@0__:${key}`, event);
    if ((notify & NOTIFY_KEYEVENT) !== 0) this.#event(`__keyevent@0__:${event}`, key);
  }

  #event(channel: string, message: string): void {
    const { receivers, sinks } = this.#registry.reach(ChannelKind.channel, channel);
    if (receivers > 0) this.#note(ChannelKind.channel, channel, bytesOf(message), sinks);
  }

  #note(kind: ChannelKind, channel: string, message: Uint8Array, sinks: readonly MessageSink[]): void {
    const { index, count } = this.batch!;
    // A batch without an effect never becomes an entry: what was seen is the state before it.
    const announcement = { index: count > 0 ? index : index - 1, kind, channel, message, sinks };
    const weight = weightOf(announcement);
    this.bytes += weight;
    this.turnBytes += weight;
    this.#queue.push(announcement);
  }

  #send(announcement: Announcement): void {
    this.bytes -= weightOf(announcement);
    const { kind, channel, message, sinks } = announcement;
    for (const sink of sinks) sink.message(this.#shardId, this.#term, kind, channel, message);
  }
}

function weightOf({ channel, message }: Announcement): number {
  return channel.length + message.length + OVERHEAD_BYTES;
}
