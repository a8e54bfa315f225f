/**
 * What subscribers heard, and whether it can be true. On one connection, of one publisher and by one subscription, messages come in the order in which
 * they were published, none twice; one whose fate the publisher never learnt may come late, but not early. What was answered while nothing happened to
 * gateways, links and leaders is heard by all who had subscribed, and counted; an event is of a change that is committed.
 */
import type { Published } from "../message-work.ts";
import type { HeardMessage, Listening } from "../sim-subscriber.ts";

/** Before and after a message nothing must have happened for so long, for it to be one that has to arrive: a link that stalls is given up by then. */
const CALM_BEFORE_MS = 1500;
const CALM_AFTER_MS = 2500;

/** Something happened to a link of this gateway, or to this shard's leader. */
export interface Disturbance {
  readonly atMs: number;
  readonly gateway: string | null;
  readonly shardId: number;
}

/**
 * None twice, and what was answered with a count comes behind nothing that its publisher published later. A request without such an answer may still be
 * held by the network when the publisher goes on over another gateway: it is executed when it arrives.
 */
export function checkOrder({ heard }: Listening, answered: ReadonlySet<string>): void {
  const last = new Map<string, number>();
  const seen = new Set<string>();
  for (const { by, channel, message } of heard) {
    const [publisher, serial] = message.split(".") as [string, string | undefined];
    if (serial === undefined) continue;
    if (seen.has(`${by} ${message}`)) throw new Error(`${by}: ${message} was heard twice`);
    seen.add(`${by} ${message}`);
    const key = `${by} ${channel} ${publisher}`;
    const before = last.get(key) ?? 0;
    if (Number(serial) > before) last.set(key, Number(serial));
    else if (answered.has(message)) throw new Error(`${by}: ${message} was heard behind ${publisher}.${before}`);
  }
}

/** Each message that had to arrive did; answers how many that were. */
export function checkArrivals(
  published: readonly Published[],
  listenings: readonly Listening[],
  disturbances: readonly Disturbance[],
  shardOf: (channel: string) => number,
): number {
  const heard = listenings.map((listening) => new Set(listening.heard.map(nameOf)));
  let judged = 0;
  for (const { channel, message, invokedAtMs, answeredAtMs } of published) {
    const from = invokedAtMs - CALM_BEFORE_MS;
    const to = answeredAtMs + CALM_AFTER_MS;
    const near = disturbances.filter(({ atMs }) => atMs >= from && atMs <= to);
    if (near.some(({ shardId }) => shardId === shardOf(channel))) continue;
    for (const [i, { confirmedAtMs, closedAtMs, gateway }] of listenings.entries()) {
      if (confirmedAtMs >= invokedAtMs || closedAtMs <= to) continue;
      if (near.some((one) => one.gateway !== null && gateway.startsWith(`${one.gateway}:`))) continue;
      judged++;
      if (heard[i]!.has(`message ${channel} ${message}`)) continue;
      throw new Error(
        `${message} at ${channel} was answered, and not heard by a subscriber at ${gateway} (answered ${answeredAtMs})`,
      );
    }
  }
  return judged;
}

function nameOf({ by, message }: HeardMessage): string {
  return `${by} ${message}`;
}

/** Keys of which it was heard that an entry was added; each has exactly one, if the event is true. */
export function keysOfEvents(listenings: readonly Listening[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { heard } of listenings) {
    for (const { channel, message } of heard) {
      if (message === "xadd") keys.add(channel.slice("__keyspace@0__:".length));
    }
  }
  return keys;
}
