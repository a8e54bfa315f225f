/**
 * PUBSUB CHANNELS NUMSUB NUMPAT SHARDCHANNELS SHARDNUMSUB HELP: who listens, in the whole cluster: any leader knows (each gateway tells every
 * node).
 */
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { subcommandSyntax } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import { ChannelKind } from "./channel-kind.ts";

const FLAGS = Flag.pubsub | Flag.loading | Flag.stale | Flag.wholeKeyspace;

function sub(
  word: string,
  spec: Pick<CommandRecord, "arity" | "since" | "summary" | "complexity" | "syntax"> & {
    readonly execute: (context: ShardContext) => void;
  },
): CommandRecord {
  return defineCommand({ ...spec, name: `pubsub|${word}`, flags: FLAGS, group: "pubsub" });
}

function listing(kind: ChannelKind): (context: ShardContext) => void {
  return ({ request, reply, channels }) => {
    if (request.count > 3) return reply.error(subcommandSyntax(request.latin1(1), "pubsub"));
    const pattern = request.count > 2 ? request.latin1(2) : null;
    const found: string[] = [];
    for (const name of channels.names(kind)) {
      if (pattern === null || globMatches(pattern, name, false)) found.push(name);
    }
    reply.array(found.length);
    for (const name of found) reply.bulkLatin1(name);
  };
}

function counting(kind: ChannelKind): (context: ShardContext) => void {
  return ({ request, reply, channels }) => {
    reply.array((request.count - 2) * 2);
    for (let i = 2; i < request.count; i++) {
      reply.bulk(request.bytes, request.start(i), request.end(i));
      reply.integer(channels.subscribers(kind, request.latin1(i)));
    }
  };
}

const channels = sub("channels", {
  arity: -2,
  since: "2.8.0",
  summary: "List active channels",
  complexity:
    "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
  syntax: "[pattern]",
  execute: listing(ChannelKind.channel),
});

const numsub = sub("numsub", {
  arity: -2,
  since: "2.8.0",
  summary: "Get the count of subscribers for channels",
  complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
  syntax: "[channel [channel ...]]",
  execute: counting(ChannelKind.channel),
});

const numpat = sub("numpat", {
  arity: 2,
  since: "2.8.0",
  summary: "Get the count of unique patterns pattern subscriptions",
  complexity: "O(1)",
  syntax: "",
  execute: ({ reply, channels: all }) => reply.integer(all.count(ChannelKind.pattern)),
});

const shardchannels = sub("shardchannels", {
  arity: -2,
  since: "7.0.0",
  summary: "List active shard channels",
  complexity:
    "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
  syntax: "[pattern]",
  execute: listing(ChannelKind.shardChannel),
});

const shardnumsub = sub("shardnumsub", {
  arity: -2,
  since: "7.0.0",
  summary: "Get the count of subscribers for shard channels",
  complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
  syntax: "[shardchannel [shardchannel ...]]",
  execute: counting(ChannelKind.shardChannel),
});

const help = helpCommand(
  "pubsub",
  "pubsub",
  [],
  [
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
  ],
);

export const pubsub = defineCommand({
  name: "pubsub",
  arity: -2,
  since: "2.8.0",
  group: "pubsub",
  summary: "A container for Pub/Sub commands",
  complexity: "Depends on subcommand.",
  subcommands: [channels, help, numpat, numsub, shardchannels, shardnumsub],
});
