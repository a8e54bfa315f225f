/**
 * XACKDEL key group [KEEPREF|DELREF|ACKED] IDS n id …: acknowledges in this group, and deletes the entry: at all events, with all other references,
 * or only if no group still needs it (else 2: acknowledged, but kept). Source: t_stream.c xackdelCommand.
 */
import { ReferencePolicy } from "@headrace/engine";
import type { GroupView, StreamId, StreamView } from "@headrace/engine";
import { readStrictIds } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { effectBytes, ID_BYTES } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { answerAllMissing, answerOutcomes, IdOutcome, readNamedIds } from "./named-ids.ts";

/** Acknowledged, references, entries. */
const EFFECTS_MAX = 3;

export const xackdel = defineCommand({
  name: "xackdel",
  arity: -6,
  flags: Flag.write | Flag.fast,
  since: "8.2.0",
  group: "stream",
  summary: "Acknowledges and deletes one or multiple messages for a stream consumer group.",
  complexity: "O(1) for each message ID processed.",
  syntax: "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
  categories: ["stream"],
  keys: keyAt(1, "RW delete"),
  execute,
});

function execute({ request, reply, keyspace, effects, effectRoomBytes }: ShardContext): void {
  const named = readNamedIds(request, 3);
  if (typeof named === "string") return reply.error(named);
  const { policy, firstId, idCount } = named;
  const found = findStream(keyspace, request.latin1(1));
  if (typeof found === "string") return reply.error(found);
  const group = found === null ? null : found.stream.group(request.latin1(2));
  if (found === null || group === null) return answerAllMissing(reply, idCount);
  const ids = readStrictIds(request, firstId, firstId + idCount);
  if (ids === null) return reply.error(Errors.invalidStreamId);
  if (effectBytes(EFFECTS_MAX, found.key, group.name) + EFFECTS_MAX * idCount * ID_BYTES > effectRoomBytes) {
    return reply.error(Errors.tooLargeForEntry);
  }
  const { stream } = found;
  stream.needEntries(ids);
  const acknowledged: StreamId[] = [];
  const deleted: StreamId[] = [];
  const decide = (id: StreamId): IdOutcome => {
    if (!group.pending.has(id)) return IdOutcome.missing;
    acknowledged.push(id);
    if (policy === ReferencePolicy.acknowledged && isNeeded(stream, group, id)) return IdOutcome.kept;
    if (stream.has(id)) deleted.push(id);
    return IdOutcome.done;
  };
  answerOutcomes(reply, ids, decide, (outcome) => outcome === IdOutcome.missing);
  if (acknowledged.length === 0) return;
  effects.acknowledge(found.key, group.name, acknowledged);
  if (policy === ReferencePolicy.drop) effects.dropReferences(found.key, acknowledged);
  if (deleted.length > 0) effects.deleteEntries(found.key, deleted);
}

/** Some group still refers to the id when this one has acknowledged it. */
function isNeeded(stream: StreamView, acknowledging: GroupView, id: StreamId): boolean {
  for (const group of stream.groups()) {
    if (group.lastDeliveredId.compare(id) < 0) return true;
    if (group.name !== acknowledging.name && group.pending.has(id)) return true;
  }
  return false;
}
