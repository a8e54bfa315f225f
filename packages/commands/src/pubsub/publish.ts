/**
 * PUBLISH channel message · SPUBLISH shardchannel message: the number of clients that get it. Runs on the leader of the shard that owns the
 * channel's slot; inside MULTI PUBLISH runs on the transaction's shard, and its message leaves when the transaction is committed.
 */
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { ChannelKind } from "./channel-kind.ts";

/** The message follows everything that was executed before it: a subscriber never hears of what a failover could take back. */
const FLAGS = Flag.pubsub | Flag.loading | Flag.stale | Flag.fast | Flag.wholeKeyspace;

function publishing(kind: ChannelKind): (context: ShardContext) => void {
  return ({ request, reply, channels }) => {
    reply.integer(channels.publish(kind, request.latin1(1), request.bytes, request.start(2), request.end(2)));
  };
}

export const publish = defineCommand({
  name: "publish",
  arity: 3,
  flags: FLAGS,
  since: "2.0.0",
  group: "pubsub",
  summary: "Post a message to a channel",
  complexity:
    "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
  syntax: "channel message",
  fanOut: { by: "channel" },
  execute: publishing(ChannelKind.channel),
});

export const spublish = defineCommand({
  name: "spublish",
  arity: 3,
  flags: FLAGS,
  since: "7.0.0",
  group: "pubsub",
  summary: "Post a message to a shard channel",
  complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
  syntax: "shardchannel message",
  keys: keyAt(1, "not_key"),
  execute: publishing(ChannelKind.shardChannel),
});
