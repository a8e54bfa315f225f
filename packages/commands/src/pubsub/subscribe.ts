/**
 * SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE: each name is answered by a push of its own, in RESP2 too (an array
 * there). Without names the UN forms mean all of their kind. Source: pubsub.c.
 */
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { ChannelKind, shownCount } from "./channel-kind.ts";

const FLAGS = Flag.pubsub | Flag.noscript | Flag.loading | Flag.stale;

type SubscribeSpec = Pick<CommandRecord, "name" | "since" | "summary" | "complexity" | "syntax"> & {
  readonly kind: ChannelKind;
};

/** In a cluster a shard channel belongs to a slot as a key does, without being one. */
function shardChannels(kind: ChannelKind): Partial<CommandRecord> {
  return kind === ChannelKind.shardChannel ? { keys: keysFrom(1, "not_key") } : {};
}

function subscribing({ kind, ...spec }: SubscribeSpec): CommandRecord {
  return defineCommand({
    ...spec,
    ...shardChannels(kind),
    arity: -2,
    flags: FLAGS,
    group: "pubsub",
    answer({ request, reply, session }) {
      for (let i = 1; i < request.count; i++) {
        const name = request.latin1(i);
        session.subscriptions.add(kind, name);
        reply.push(3);
        reply.bulkLatin1(spec.name);
        reply.bulkLatin1(name);
        reply.integer(shownCount(session.subscriptions, kind));
      }
    },
  });
}

function unsubscribing({ kind, ...spec }: SubscribeSpec): CommandRecord {
  return defineCommand({
    ...spec,
    ...shardChannels(kind),
    arity: -1,
    flags: FLAGS,
    group: "pubsub",
    answer(context) {
      const { request, session } = context;
      const names = [...(request.count === 1 ? session.subscriptions.names(kind) : argumentsOf(context))];
      for (const name of names) {
        session.subscriptions.remove(kind, name);
        writeLeft(context, spec.name, kind, name);
      }
      if (names.length === 0) writeLeft(context, spec.name, kind, null);
    },
  });
}

function* argumentsOf({ request }: SessionContext): Iterable<string> {
  for (let i = 1; i < request.count; i++) yield request.latin1(i);
}

/** `name` null: there was nothing to leave. */
function writeLeft({ reply, session }: SessionContext, word: string, kind: ChannelKind, name: string | null): void {
  reply.push(3);
  reply.bulkLatin1(word);
  if (name === null) reply.nullBulk();
  else reply.bulkLatin1(name);
  reply.integer(shownCount(session.subscriptions, kind));
}

export const subscribe = subscribing({
  name: "subscribe",
  kind: ChannelKind.channel,
  since: "2.0.0",
  summary: "Listen for messages published to the given channels",
  complexity: "O(N) where N is the number of channels to subscribe to.",
  syntax: "channel [channel ...]",
});

export const unsubscribe = unsubscribing({
  name: "unsubscribe",
  kind: ChannelKind.channel,
  since: "2.0.0",
  summary: "Stop listening for messages posted to the given channels",
  complexity: "O(N) where N is the number of clients already subscribed to a channel.",
  syntax: "[channel [channel ...]]",
});

export const psubscribe = subscribing({
  name: "psubscribe",
  kind: ChannelKind.pattern,
  since: "2.0.0",
  summary: "Listen for messages published to channels matching the given patterns",
  complexity: "O(N) where N is the number of patterns the client is already subscribed to.",
  syntax: "pattern [pattern ...]",
});

export const punsubscribe = unsubscribing({
  name: "punsubscribe",
  kind: ChannelKind.pattern,
  since: "2.0.0",
  summary: "Stop listening for messages posted to channels matching the given patterns",
  complexity:
    "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).",
  syntax: "[pattern [pattern ...]]",
});

export const ssubscribe = subscribing({
  name: "ssubscribe",
  kind: ChannelKind.shardChannel,
  since: "7.0.0",
  summary: "Listen for messages published to the given shard channels",
  complexity: "O(N) where N is the number of shard channels to subscribe to.",
  syntax: "shardchannel [shardchannel ...]",
});

export const sunsubscribe = unsubscribing({
  name: "sunsubscribe",
  kind: ChannelKind.shardChannel,
  since: "7.0.0",
  summary: "Stop listening for messages posted to the given shard channels",
  complexity: "O(N) where N is the number of clients already subscribed to a shard channel.",
  syntax: "[shardchannel [shardchannel ...]]",
});
