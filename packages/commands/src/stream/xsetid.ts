/** XSETID key last-id [ENTRIESADDED n] [MAXDELETEDID id]: the last id may move backwards, not below an entry or a deleted one. */
import { MAX_ID, MIN_ID } from "@headrace/engine";
import type { StreamId } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { readLong, readStrictId } from "../args.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findStream } from "./find-stream.ts";

const NOT_GIVEN = -1;

export const xsetid = defineCommand({
  name: "xsetid",
  arity: -3,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "5.0.0",
  group: "stream",
  summary: "An internal command for replicating stream values",
  complexity: "O(1)",
  syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
  categories: ["stream"],
  keys: keyAt(1, "RW update"),
  execute,
});

function execute({ request, reply, keyspace, effects }: ShardContext): void {
  const id = readStrictId(request, 2);
  if (id === null) return reply.error(Errors.invalidStreamId);
  let entriesAdded = NOT_GIVEN;
  let maxDeletedId: StreamId = MIN_ID;
  for (let i = 3; i < request.count; i += 2) {
    const hasValue = i + 1 < request.count;
    if (hasValue && request.is(i, "ENTRIESADDED")) {
      entriesAdded = readLong(request, i + 1);
      if (Number.isNaN(entriesAdded)) return reply.error(Errors.notInteger);
      if (entriesAdded < 0) return reply.error(Errors.entriesAddedNegative);
      entriesAdded = Math.min(entriesAdded, Number.MAX_SAFE_INTEGER);
    } else if (hasValue && request.is(i, "MAXDELETEDID")) {
      const given = readStrictId(request, i + 1);
      if (given === null) return reply.error(Errors.invalidStreamId);
      if (id.compare(given) < 0) return reply.error(Errors.setIdBelowGivenDeleted);
      maxDeletedId = given;
    } else {
      return reply.error(Errors.syntax);
    }
  }
  const found = findStream(keyspace, request.latin1(1));
  if (typeof found === "string") return reply.error(found);
  if (found === null) return reply.error(Errors.noSuchKey);
  const stream = found.stream;
  if (id.compare(stream.maxDeletedId) < 0) return reply.error(Errors.setIdBelowDeleted);
  if (stream.length > 0) {
    const topId = stream.range(MIN_ID, MAX_ID, 1, true).firstId;
    if (id.compare(topId) < 0) return reply.error(Errors.setIdBelowTop);
    if (entriesAdded !== NOT_GIVEN && stream.length > entriesAdded) return reply.error(Errors.entriesAddedBelowLength);
  }
  effects.setStreamId(
    found.key,
    id,
    entriesAdded === NOT_GIVEN ? stream.entriesAdded : entriesAdded,
    maxDeletedId.isZero() ? stream.maxDeletedId : maxDeletedId,
  );
  reply.ok();
}
