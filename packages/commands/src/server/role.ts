/** ROLE, REPLICAOF and SLAVEOF: the process stands for the whole cluster, which has no master outside. */
import { Flag } from "../command.ts";
import type { SessionContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

export const role = defineCommand({
  name: "role",
  arity: 1,
  flags: Flag.noscript | Flag.loading | Flag.stale | Flag.fast,
  since: "2.8.12",
  group: "server",
  summary: "Return the role of the instance in the context of replication",
  complexity: "O(1)",
  categories: ["admin", "dangerous"],
  answer({ reply, services }) {
    reply.array(3);
    reply.bulkLatin1("master");
    reply.integer(services.info().shards.logIndex);
    reply.array(0);
  },
});

/** `NO ONE` is how things are. */
function answerReplicaOf({ request, reply }: SessionContext): void {
  if (request.is(1, "NO") && request.is(2, "ONE")) reply.ok();
  else reply.error(Errors.replicaOf);
}

const shared = {
  arity: 3,
  flags: Flag.admin | Flag.noscript | Flag.stale | Flag.noAsyncLoading,
  group: "server",
  complexity: "O(1)",
  syntax: "<host port | NO ONE>",
  answer: answerReplicaOf,
} as const;

export const replicaof = defineCommand({
  ...shared,
  name: "replicaof",
  since: "5.0.0",
  summary: "Make the server a replica of another instance, or promote it as master.",
});

export const slaveof = defineCommand({
  ...shared,
  name: "slaveof",
  since: "1.0.0",
  summary: "Make the server a replica of another instance, or promote it as master.",
});
