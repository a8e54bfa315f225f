/**
 * The subscribers of this gateway. It tells every node how many there are of each name, holds the reply to SUBSCRIBE until the nodes have taken
 * that (from then on a PUBLISH anywhere reaches the client), and hands messages out.
 *
 *   SUBSCRIBE ─► counts changed ─► one frame a turn to every node ─► all have taken it ─► reply, messages from here on
 *   Message from a leader ─► subscribers of the channel, then of the patterns that match
 *
 * A node that is out of reach is not waited for: it hears everything when its link comes up. Messages are at most once; of a shard that
 * changes its leader those of the older term are dropped, so that order holds.
 *
 * Must not know: routing, how a link carries frames.
 */
import { bytesOf, ByteWriter, latin1 } from "@headrace/bytes";
import { ChannelKind, globMatches } from "@headrace/commands";
import type { ChannelMessage, SubscriptionChange } from "@headrace/link";
import { ReplyWriter } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { ClientSubscriptions, Subscriber } from "./client-subscriptions.ts";
import { ReplySlot } from "./reply-queue.ts";

/** A link as far as subscriptions go over it. */
export interface SubscriptionLink {
  readonly isReady: boolean;
  /** The last number that its node has taken. */
  readonly takenNumber: number;
  /** For how long nothing has been heard of the node, over connections. */
  unheardForMs(nowMs: number): number;
  sendSubscriptions(number: number, changes: Iterable<SubscriptionChange>): void;
}

export interface SubscriptionsHost {
  readonly nowMs: number;
  readonly limits: { readonly holdMs: number; readonly suspectMs: number; readonly subscriptionBytes: number };
  subscriptionLinks(): Iterable<SubscriptionLink>;
  /** `flush` is to be called at the end of this turn. */
  requestTurn(): void;
}

/** A reply to SUBSCRIBE that waits for the nodes and for the client's earlier replies. */
interface Confirmation {
  readonly client: ClientConnection;
  readonly subscriptions: ClientSubscriptions;
  readonly slot: ReplySlot;
  readonly bytes: Uint8Array;
  readonly names: readonly { readonly kind: ChannelKind; readonly name: string }[];
  readonly sinceMs: number;
  /** Of the frame that brings it to the nodes; 0: not sent yet. */
  number: number;
  isTaken: boolean;
  isFirst: boolean;
}

/** A client, as far as it hears of one kind of names. */
export interface Hearer {
  readonly subscriber: Subscriber;
}

/** name → its subscribers; null: may hear messages, else the confirmation that comes first. */
type Table = Map<string, Map<Hearer, Confirmation | null>>;

/** What a name costs a node beside its bytes. */
const NAME_OVERHEAD_BYTES = 120;

const KINDS = [ChannelKind.channel, ChannelKind.pattern, ChannelKind.shardChannel, ChannelKind.pressure] as const;
const VERSIONS = [2, 3] as const;
const ONLY_RESP3 = [3] as const;

export class Subscriptions {
  readonly #host: SubscriptionsHost;
  readonly #tables: readonly Table[] = KINDS.map(() => new Map());
  /** Names whose count the nodes do not know yet. */
  readonly #changed: readonly Set<string>[] = KINDS.map(() => new Set());
  /** Streams that clients write to, and the last word of each. */
  readonly #pressure: Map<string, string> = new Map();
  #nameBytes: number = 0;
  /** Of the last frame. */
  #number: number = 0;
  #unsent: Confirmation[] = [];
  /** Sent, in the order of their numbers. */
  #untaken: Confirmation[] = [];
  /** The highest term in which a shard's leader has sent messages. */
  readonly #terms: Map<number, number> = new Map();

  constructor(host: SubscriptionsHost) {
    this.#host = host;
  }

  /** Different names, by kind. */
  count(kind: ChannelKind): number {
    return this.#tables[kind]!.size;
  }

  /** What the names cost every node; bounded there too, so nothing may be added at the bound. */
  get isFull(): boolean {
    return this.#nameBytes >= this.#host.limits.subscriptionBytes;
  }

  // ── what clients do ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  add(client: Hearer, kind: ChannelKind, name: string): void {
    const table = this.#tables[kind]!;
    let subscribers = table.get(name);
    if (subscribers === undefined) {
      subscribers = new Map();
      table.set(name, subscribers);
      this.#nameBytes += name.length + NAME_OVERHEAD_BYTES;
    }
    subscribers.set(client, null);
    this.#noteChange(kind, name);
    if (kind === ChannelKind.pressure && this.#pressure.get(name) === "full") {
      const word = bytesOf("full");
      handOut(
        new Map([[client, null]]),
        ["backpressure", name],
        { bytes: word, start: 0, end: word.length },
        ONLY_RESP3,
      );
    }
  }

  remove(client: Hearer, kind: ChannelKind, name: string): void {
    const table = this.#tables[kind]!;
    const subscribers = table.get(name);
    if (subscribers === undefined || !subscribers.delete(client)) return;
    if (subscribers.size === 0) {
      table.delete(name);
      if (kind === ChannelKind.pressure) this.#pressure.delete(name);
      this.#nameBytes -= name.length + NAME_OVERHEAD_BYTES;
    }
    this.#noteChange(kind, name);
  }

  /** The reply to a command that subscribed to something new: it leaves in its place when all nodes know. */
  confirm(client: ClientConnection, subscriptions: ClientSubscriptions, bytes: Uint8Array): void {
    const names = subscriptions.takeFresh();
    client.closeRun();
    const confirmation: Confirmation = {
      client,
      subscriptions,
      slot: new ReplySlot(1),
      bytes,
      names,
      sinceMs: this.#host.nowMs,
      number: 0,
      isTaken: false,
      isFirst: false,
    };
    for (const { kind, name } of names) this.#tables[kind]!.get(name)?.set(subscriptions, confirmation);
    confirmation.slot.onFirst = () => {
      confirmation.isFirst = true;
      this.#settle(confirmation);
    };
    client.replies.push(confirmation.slot);
    this.#unsent.push(confirmation);
    this.#host.requestTurn();
  }

  #noteChange(kind: ChannelKind, name: string): void {
    this.#changed[kind]!.add(name);
    this.#host.requestTurn();
  }

  /** Taken, and first in the client's order: said, and from here on messages may follow. */
  #settle(confirmation: Confirmation): void {
    const { client, subscriptions, slot, bytes, names, isTaken, isFirst } = confirmation;
    if (!isTaken || !isFirst || client.isGone) return;
    for (const { kind, name } of names) {
      const subscribers = this.#tables[kind]!.get(name);
      // It may have been left, and subscribed to again, since.
      if (subscribers?.get(subscriptions) === confirmation) subscribers.set(subscriptions, null);
    }
    client.replies.deliver(slot, 1, bytes, 0, bytes.length);
  }

  // ── what the nodes know ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** End of a turn: what has changed goes to every node. */
  flush(): void {
    const changes = this.#takeChanges();
    if (changes.length > 0) {
      this.#number++;
      for (const link of this.#host.subscriptionLinks()) {
        if (link.isReady) link.sendSubscriptions(this.#number, changes);
      }
    }
    if (this.#unsent.length === 0) return;
    for (const confirmation of this.#unsent) confirmation.number = this.#number;
    this.#untaken.push(...this.#unsent);
    this.#unsent = [];
    this.judge();
  }

  /** The node knows nothing: it is told everything before anything else. */
  onLinkUp(link: SubscriptionLink): void {
    // Nobody has ever subscribed.
    if (this.#number === 0) return;
    const all: SubscriptionChange[] = [];
    for (const kind of KINDS) {
      for (const [name, { size }] of this.#tables[kind]!) all.push({ kind, name, subscribers: size });
    }
    link.sendSubscriptions(this.#number, all);
  }

  /** A node has taken something, a link went, or time has passed: which replies need not wait any longer. */
  judge(): void {
    if (this.#untaken.length === 0) return;
    const { nowMs, limits } = this.#host;
    const taken = this.#takenEverywhere();
    let settled = 0;
    for (const confirmation of this.#untaken) {
      // Without any node nobody can publish either: as a lone server would, it says yes in the end.
      if (confirmation.number > taken && nowMs - confirmation.sinceMs < limits.holdMs) break;
      settled++;
    }
    for (const confirmation of this.#untaken.splice(0, settled)) {
      confirmation.isTaken = true;
      this.#settle(confirmation);
    }
  }

  /** The number up to which every node knows that is there; −1: there is none. */
  #takenEverywhere(): number {
    const { nowMs, limits } = this.#host;
    let taken = Infinity;
    for (const link of this.#host.subscriptionLinks()) {
      if (link.unheardForMs(nowMs) >= limits.suspectMs) continue;
      taken = Math.min(taken, link.isReady ? link.takenNumber : -1);
    }
    return taken === Infinity ? -1 : taken;
  }

  #takeChanges(): SubscriptionChange[] {
    const changes: SubscriptionChange[] = [];
    for (const kind of KINDS) {
      const names = this.#changed[kind]!;
      if (names.size === 0) continue;
      for (const name of names) changes.push({ kind, name, subscribers: this.#tables[kind]!.get(name)?.size ?? 0 });
      names.clear();
    }
    return changes;
  }

  // ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The message is bytes[start, end). */
  onMessage(shardId: number, { term, kind, channel, start, end }: ChannelMessage, bytes: Uint8Array): void {
    if (term < (this.#terms.get(shardId) ?? 0)) return;
    this.#terms.set(shardId, term);
    const message = { bytes, start, end };
    if (kind === ChannelKind.pressure) return this.#onPressure(channel, message);
    const exact = this.#tables[kind]!.get(channel);
    if (exact !== undefined) {
      const word = kind === ChannelKind.shardChannel ? "smessage" : "message";
      handOut(exact, [word, channel], message);
    }
    if (kind === ChannelKind.shardChannel) return;
    for (const [pattern, subscribers] of this.#tables[ChannelKind.pattern]!) {
      if (globMatches(pattern, channel, false)) handOut(subscribers, ["pmessage", pattern, channel], message);
    }
  }

  /** Leaders say how a stream stands, a new one again; clients hear what is new. One that nobody has spoken of is free. */
  #onPressure(stream: string, message: MessageBytes): void {
    const writers = this.#tables[ChannelKind.pressure]!.get(stream);
    const word = latin1(message.bytes, message.start, message.end);
    if (writers === undefined || word === (this.#pressure.get(stream) ?? "free")) return;
    this.#pressure.set(stream, word);
    handOut(writers, ["backpressure", stream], message, ONLY_RESP3);
  }
}

interface MessageBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** One push for all who may hear it, written once for each protocol version. */
function handOut(
  subscribers: ReadonlyMap<Hearer, Confirmation | null>,
  words: readonly string[],
  message: MessageBytes,
  versions: readonly (2 | 3)[] = VERSIONS,
): void {
  for (const version of versions) {
    let push: Uint8Array | null = null;
    for (const [{ subscriber }, confirmation] of subscribers) {
      if (confirmation !== null || subscriber.session.respVersion !== version) continue;
      push ??= pushBytes(version, words, message);
      subscriber.append(push, 0, push.length);
    }
  }
}

function pushBytes(version: 2 | 3, words: readonly string[], { bytes, start, end }: MessageBytes): Uint8Array {
  const reply = new ReplyWriter(new ByteWriter(64 + end - start), version);
  reply.push(words.length + 1);
  for (const word of words) reply.bulkLatin1(word);
  reply.bulk(bytes, start, end);
  return reply.writer.take(0);
}
