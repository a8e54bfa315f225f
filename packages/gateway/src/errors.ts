import { Errors } from "@headrace/commands";

/** The gateway's own error replies; the texts that Redis has are in the commands' catalogue. Code word first, no `-`. */
export const GatewayErrors = {
  maxClients: "ERR max number of clients reached",
  uncertain: Errors.uncertain,
  noLeader: "CLUSTERDOWN The shard has no leader; nothing happened",
  noPlacement: "CLUSTERDOWN The placement is not known yet; nothing happened",
  noAnswer: "CLUSTERDOWN The shard did not answer in time; nothing happened",
  overloaded: "BACKPRESSURE The shard is overloaded; nothing happened",
  crossSlot: Errors.crossSlot,
  waitUncertain: "UNCERTAIN A failover may have taken back writes of this connection",
  waitNoLeader: "CLUSTERDOWN A shard that this connection wrote to has no leader",
  tooManySubscriptions: "BACKPRESSURE This gateway has as many subscriptions as it may have; nothing happened",
  settingNotReached: "ERR the metadata group did not answer; the setting may or may not have changed",
} as const;
