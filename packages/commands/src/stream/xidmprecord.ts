/** XIDMPRECORD key producer iid id: makes the iid stand for an entry that exists. Redis writes it into its own files; it is here for who restores. */
import { readStrictId } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findStream } from "./find-stream.ts";

export const xidmprecord = defineCommand({
  name: "xidmprecord",
  arity: 5,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "8.6.2",
  group: "stream",
  summary: "An internal command for restoring the idempotency metadata of a stream",
  complexity: "O(1)",
  syntax: "key producer-id idempotent-id id",
  categories: ["stream"],
  keys: keyAt(1, "RW update"),
  execute,
});

function execute({ request, reply, keyspace, effects, nowMs }: ShardContext): void {
  const [start, end] = [request.start(3), request.end(3)];
  if (request.start(2) === request.end(2)) return reply.error(Errors.producerEmpty);
  if (start === end) return reply.error(Errors.iidEmpty);
  const id = readStrictId(request, 4);
  if (id === null) return reply.error(Errors.invalidStreamId);
  const found = findStream(keyspace, request.latin1(1));
  if (typeof found === "string") return reply.error(found);
  if (found === null) return reply.error(Errors.noSuchKey);
  const { key, stream } = found;
  if (!stream.has(id)) return reply.error(Errors.noSuchMessage);
  const producer = request.latin1(2);
  const known = stream.idempotence?.find(producer, request.bytes, start, end, nowMs) ?? null;
  if (known !== null && (known.delayed !== 0 || !known.id.equals(id))) return reply.error(Errors.iidOfAnother);
  if (known === null) effects.recordIid(key, producer, request.bytes, start, end, id);
  reply.ok();
}
