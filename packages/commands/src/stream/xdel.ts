/** XDEL key id [id …]: all ids are read before any entry goes; a missing key answers 0 before they are looked at. */
import { Flag } from "../command.ts";
import { readStrictIds } from "../args.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { distinctIds } from "./distinct-ids.ts";
import { findStream } from "./find-stream.ts";

export const xdel = defineCommand({
  name: "xdel",
  arity: -3,
  flags: Flag.write | Flag.fast,
  since: "5.0.0",
  group: "stream",
  summary:
    "Removes the specified entries from the stream. Returns the number of items actually deleted, that may be different from the number of IDs passed in case certain IDs do not exist.",
  complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
  syntax: "key id [id ...]",
  categories: ["stream"],
  keys: keyAt(1, "RW delete"),
  execute({ request, reply, keyspace, effects }) {
    const found = findStream(keyspace, request.latin1(1));
    if (typeof found === "string") return reply.error(found);
    if (found === null) return reply.integer(0);
    const ids = readStrictIds(request, 2, request.count);
    if (ids === null) return reply.error(Errors.invalidStreamId);
    found.stream.needEntries(ids);
    const existing = distinctIds(ids, (id) => found.stream.has(id));
    if (existing.length > 0) effects.deleteEntries(found.key, existing);
    reply.integer(existing.length);
  },
});
