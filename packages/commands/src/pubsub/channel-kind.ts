/**
 * Between sessions, shards and PUBLISH: what can be subscribed to, and what both sides may ask of each other.
 */

/**
 * What a subscription names. The numbers are the link's. Patterns are matched against channels, never against shard channels. `pressure` names a stream that
 * clients write to: no command subscribes to it.
 */
export const ChannelKind = { channel: 0, pattern: 1, shardChannel: 2, pressure: 3 } as const;
export type ChannelKind = (typeof ChannelKind)[keyof typeof ChannelKind];

/** What one connection has subscribed to. A change counts at once; that the cluster knows of it is the gateway's business. */
export interface SessionSubscriptions {
  count(kind: ChannelKind): number;
  /** In the order in which they were subscribed to. */
  names(kind: ChannelKind): Iterable<string>;
  add(kind: ChannelKind, name: string): void;
  remove(kind: ChannelKind, name: string): void;
  /** All of every kind. */
  clear(): void;
}

/** All subscribers of the cluster, as a shard's leader sees them: what PUBLISH reaches and PUBSUB shows. */
export interface Channels {
  /** Sends bytes[start, end) to who has subscribed when this command's log entry is committed; answers to how many clients. */
  publish(kind: ChannelKind, channel: string, bytes: Uint8Array, start: number, end: number): number;
  subscribers(kind: ChannelKind, name: string): number;
  /** Each name once. */
  names(kind: ChannelKind): Iterable<string>;
  /** Different names. */
  count(kind: ChannelKind): number;
}

/** Number that a subscription's reply shows: channels and patterns together, shard channels by themselves. */
export function shownCount(subscriptions: SessionSubscriptions, kind: ChannelKind): number {
  if (kind === ChannelKind.shardChannel) return subscriptions.count(kind);
  return subscriptions.count(ChannelKind.channel) + subscriptions.count(ChannelKind.pattern);
}

/** Whether the connection is a subscriber at all: in RESP2 it may then do little else. */
export function isSubscriber(subscriptions: SessionSubscriptions): boolean {
  return shownCount(subscriptions, ChannelKind.channel) + subscriptions.count(ChannelKind.shardChannel) > 0;
}
