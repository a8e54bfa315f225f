/** XACK key group id [id …]: no key or no group answers 0 before the ids are looked at; then all ids are read before any goes. */
import { Flag } from "../command.ts";
import { readStrictIds } from "../args.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { distinctIds } from "./distinct-ids.ts";
import { findStream } from "./find-stream.ts";

export const xack = defineCommand({
  name: "xack",
  arity: -4,
  flags: Flag.write | Flag.fast,
  since: "5.0.0",
  group: "stream",
  summary:
    "Marks a pending message as correctly processed, effectively removing it from the pending entries list of the consumer group. Return value of the command is the number of messages successfully acknowledged, that is, the IDs we were actually able to resolve in the PEL.",
  complexity: "O(1) for each message ID processed.",
  syntax: "key group id [id ...]",
  categories: ["stream"],
  keys: keyAt(1, "RW update"),
  execute({ request, reply, keyspace, effects }) {
    const found = findStream(keyspace, request.latin1(1));
    if (typeof found === "string") return reply.error(found);
    const group = found === null ? null : found.stream.group(request.latin1(2));
    if (found === null || group === null) return reply.integer(0);
    const ids = readStrictIds(request, 3, request.count);
    if (ids === null) return reply.error(Errors.invalidStreamId);
    const pending = distinctIds(ids, (id) => group.pending.find(id) !== null);
    if (pending.length > 0) effects.acknowledge(found.key, group.name, pending);
    reply.integer(pending.length);
  },
});
