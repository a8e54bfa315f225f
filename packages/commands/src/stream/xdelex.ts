/**
 * XDELEX key [KEEPREF|DELREF|ACKED] IDS n id …: what became of each id. With ACKED an id beyond the slowest group's position is "still referenced"
 * (2) even if there was never such an entry; with DELREF references go although the entry is gone already. Source: t_stream.c xdelexCommand.
 */
import { ReferencePolicy } from "@headrace/engine";
import type { StreamId } from "@headrace/engine";
import { readStrictIds } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { distinctIds } from "./distinct-ids.ts";
import { effectBytes, ID_BYTES } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { answerAllMissing, answerOutcomes, IdOutcome, readNamedIds } from "./named-ids.ts";

/** References and entries. */
const EFFECTS_MAX = 2;

export const xdelex = defineCommand({
  name: "xdelex",
  arity: -5,
  flags: Flag.write | Flag.fast,
  since: "8.2.0",
  group: "stream",
  summary: "Deletes one or multiple entries from the stream.",
  complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
  syntax: "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
  categories: ["stream"],
  keys: keyAt(1, "RW delete"),
  execute,
});

function execute({ request, reply, keyspace, effects, effectRoomBytes }: ShardContext): void {
  const named = readNamedIds(request, 2);
  if (typeof named === "string") return reply.error(named);
  const { policy, firstId, idCount } = named;
  const found = findStream(keyspace, request.latin1(1));
  if (typeof found === "string") return reply.error(found);
  if (found === null) return answerAllMissing(reply, idCount);
  const ids = readStrictIds(request, firstId, firstId + idCount);
  if (ids === null) return reply.error(Errors.invalidStreamId);
  if (effectBytes(EFFECTS_MAX, found.key) + EFFECTS_MAX * idCount * ID_BYTES > effectRoomBytes) {
    return reply.error(Errors.tooLargeForEntry);
  }
  const { stream } = found;
  stream.needEntries(ids);
  const deleted: StreamId[] = [];
  const decide = (id: StreamId): IdOutcome => {
    if (policy === ReferencePolicy.acknowledged && stream.isReferenced(id)) return IdOutcome.kept;
    if (!stream.has(id)) return IdOutcome.missing;
    deleted.push(id);
    return IdOutcome.done;
  };
  answerOutcomes(reply, ids, decide, (outcome) => outcome === IdOutcome.kept);
  if (policy === ReferencePolicy.drop) {
    const referenced = distinctIds(ids, (id) => isPending(stream.groups(), id));
    if (referenced.length > 0) effects.dropReferences(found.key, referenced);
  }
  if (deleted.length > 0) effects.deleteEntries(found.key, deleted);
}

function isPending(groups: Iterable<{ readonly pending: { has(id: StreamId): boolean } }>, id: StreamId): boolean {
  for (const { pending } of groups) if (pending.has(id)) return true;
  return false;
}
