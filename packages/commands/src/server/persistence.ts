/**
 * SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE. Every acknowledged write is in the logs of its shard's replicas, and checkpoints follow all the time; so what
 * these commands ask for is being done, and they answer as Redis does when it is.
 */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

const ADMIN = Flag.admin | Flag.noscript | Flag.noAsyncLoading;

export const save = defineCommand({
  name: "save",
  arity: 1,
  flags: ADMIN | Flag.noMulti,
  since: "1.0.0",
  group: "server",
  summary: "Synchronously save the dataset to disk",
  complexity: "O(N) where N is the total number of keys in all databases",
  answer: ({ reply }) => reply.ok(),
});

export const bgsave = defineCommand({
  name: "bgsave",
  arity: -1,
  flags: ADMIN,
  since: "1.0.0",
  group: "server",
  summary: "Asynchronously save the dataset to disk",
  complexity: "O(1)",
  syntax: "[SCHEDULE]",
  answer({ request, reply }) {
    const isScheduled = request.count === 2 && request.is(1, "SCHEDULE");
    if (request.count > 1 && !isScheduled) return reply.error(Errors.syntax);
    reply.simple("Background saving started");
  },
});

export const bgrewriteaof = defineCommand({
  name: "bgrewriteaof",
  arity: 1,
  flags: ADMIN,
  since: "1.0.0",
  group: "server",
  summary: "Asynchronously rewrite the append-only file",
  complexity: "O(1)",
  answer: ({ reply }) => reply.simple("Background append only file rewriting started"),
});

export const lastsave = defineCommand({
  name: "lastsave",
  arity: 1,
  flags: Flag.loading | Flag.stale | Flag.fast,
  since: "1.0.0",
  group: "server",
  summary: "Get the UNIX time stamp of the last successful save to disk",
  complexity: "O(1)",
  categories: ["admin", "dangerous"],
  tips: ["nondeterministic_output"],
  answer: ({ reply, services }) => reply.integer(Math.floor(services.wallMs / 1000)),
});
