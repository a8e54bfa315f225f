/** What one client has subscribed to, as its commands see and change it. Who hears of it is `Subscriptions`' business. */
import type { ChannelKind, SessionSubscriptions } from "@headrace/commands";
import type { Subscriptions } from "./subscriptions.ts";

/** Takes the messages of one client. */
export interface Subscriber {
  readonly session: { readonly respVersion: 2 | 3 };
  append(bytes: Uint8Array, start: number, end: number): void;
}

export class ClientSubscriptions implements SessionSubscriptions {
  readonly subscriber: Subscriber;
  readonly #all: Subscriptions;
  readonly #names: readonly Set<string>[] = [new Set(), new Set(), new Set()];
  /** Of every kind. */
  total: number = 0;
  /** Subscribed to by the command that runs, and not known to the nodes yet. */
  #fresh: { readonly kind: ChannelKind; readonly name: string }[] = [];

  constructor(subscriber: Subscriber, all: Subscriptions) {
    this.subscriber = subscriber;
    this.#all = all;
  }

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
    const names = this.#names[kind]!;
    if (names.has(name)) return;
    names.add(name);
    this.total++;
    this.#fresh.push({ kind, name });
    this.#all.add(this, kind, name);
  }

  remove(kind: ChannelKind, name: string): void {
    if (!this.#names[kind]!.delete(name)) return;
    this.total--;
    this.#all.remove(this, kind, name);
  }

  clear(): void {
    for (const kind of [0, 1, 2] as const) for (const name of this.#names[kind]!) this.remove(kind, name);
  }

  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  /** What the command that has just run subscribed to; asked once. */
  takeFresh(): readonly { readonly kind: ChannelKind; readonly name: string }[] {
    const fresh = this.#fresh;
    if (fresh.length > 0) this.#fresh = [];
    return fresh;
  }
}
