/**
 * What clients hear of streams that have limits of lag and that they write to (CLIENT BACKPRESSURE): that one is nearly full, and that it is free again. A
 * gateway says which keys its clients write to as it says what they subscribe to, so that a new leader knows whom to tell; the words go the way of messages,
 * at most once each, when what they tell of is committed.
 *
 * Looked at are keys that somebody asks for, when an XADD meets their limits, and, once one is nearly full, whenever it is touched. What was said is known
 * to this leader alone: a new one looks at all that is asked for, and says how they stand; gateways pass on what is new.
 */
import { bytesOf } from "@headrace/bytes";
import { ChannelKind } from "@headrace/commands";
import type { Channels } from "@headrace/commands";
import type { ShardStateApi } from "@headrace/engine";

/** From this share of a limit on a stream is nearly full, and free again below that one: else each entry at the border would be news. */
const FULL_SHARE = 0.8;
const FREE_SHARE = 0.5;
const LOOKS_PER_TURN = 64;

const FULL = bytesOf("full");
const FREE = bytesOf("free");

export class PressureNews {
  readonly #channels: Channels;
  #state: ShardStateApi;
  /** Keys of which something was said, and whether they are nearly full: those are watched. */
  readonly #said: Map<string, boolean>;
  #fullCount: number;
  /** Of a new term: not looked at yet. */
  #toLook: string[];

  constructor(channels: Channels, state: ShardStateApi) {
    this.#channels = channels;
    this.#state = state;
    this.#said = new Map();
    this.#fullCount = 0;
    this.#toLook = [];
  }

  /** Some key is watched: what was touched has to be asked for. */
  get isWatching(): boolean {
    return this.#fullCount > 0;
  }

  get hasToLook(): boolean {
    return this.#toLook.length > 0;
  }

  beginTerm(): void {
    this.#toLook = [...this.#channels.names(ChannelKind.pressure)];
  }

  endTerm(): void {
    for (const [key, isFull] of this.#said) if (isFull) this.#state.unwatchKey(key);
    this.#forget();
  }

  /** The state that was watched is gone. */
  replaceState(state: ShardStateApi): void {
    this.#forget();
    this.#state = state;
    this.beginTerm();
  }

  /** A batch is open. Some of what a new leader has to look at. */
  lookOn(): void {
    for (const key of this.#toLook.splice(0, LOOKS_PER_TURN)) {
      const stream = this.#state.keyspace.find(key)?.stream ?? null;
      if (stream !== null && stream.isLimited) this.look(key);
    }
  }

  /** An XADD has met the limits of this stream. */
  met(key: string): void {
    if (this.#channels.subscribers(ChannelKind.pressure, key) > 0) this.look(key);
  }

  touched(key: string): void {
    if (this.#said.get(key) === true) this.look(key);
  }

  look(key: string): void {
    const nearest = this.#state.keyspace.find(key)?.stream?.nearestLimit() ?? null;
    const share = nearest === null ? 0 : nearest.behind / nearest.limit;
    const before = this.#said.get(key);
    const isFull = before === true ? share >= FREE_SHARE : share >= FULL_SHARE;
    if (isFull === before) return;
    this.#said.set(key, isFull);
    if (isFull) {
      this.#fullCount++;
      this.#state.watchKey(key);
    } else if (before === true) {
      this.#fullCount--;
      this.#state.unwatchKey(key);
    }
    const word = isFull ? FULL : FREE;
    const receivers = this.#channels.publish(ChannelKind.pressure, key, word, 0, word.length);
    // Nobody asks any more: nothing is remembered of keys that were written to once.
    if (receivers === 0 && !isFull) this.#said.delete(key);
  }

  #forget(): void {
    this.#said.clear();
    this.#fullCount = 0;
    this.#toLook = [];
  }
}
