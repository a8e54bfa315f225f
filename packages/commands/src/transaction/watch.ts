/**
 * WATCH and UNWATCH. Which keys are watched is known where the connection is served; the flags are at the leader of their slot, which hears of both in
 * the order of the connection's requests. UNWATCH need not wait for it.
 */
import { Flag } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";

const FLAGS = Flag.noscript | Flag.loading | Flag.stale | Flag.fast | Flag.allowBusy;

export const watch = defineCommand({
  name: "watch",
  arity: -2,
  flags: FLAGS,
  since: "2.2.0",
  group: "transactions",
  summary: "Watch the given keys to determine execution of the MULTI/EXEC block",
  complexity: "O(1) for every key.",
  syntax: "key [key ...]",
  categories: ["transaction"],
  keys: keysFrom(1, "RO"),
  scope: "gateway",
});

export const unwatch = defineCommand({
  name: "unwatch",
  arity: 1,
  flags: FLAGS,
  since: "2.2.0",
  group: "transactions",
  summary: "Forget about all watched keys",
  complexity: "O(1)",
  categories: ["transaction"],
  answer({ reply, session }) {
    session.transaction.forgetWatches();
    reply.ok();
  },
});
