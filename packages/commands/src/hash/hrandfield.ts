/**
 * HRANDFIELD key [count [WITHVALUES]]: chance for the reply alone. A negative count draws each field anew, so that some come twice. Source: t_hash.c
 * hrandfieldCommand.
 */
import type { HashView } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { drawPlaces } from "../draw-places.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findHash } from "./find-hash.ts";

const LONG_MAX = 2n ** 63n - 1n;
/** What may be drawn with a negative count: as much as is sure to make no reply that a process can't hold. */
const REPEATED_BYTES_MAX = 512 * 1024 * 1024;
const PAIR_FRAME_BYTES = 8;

export const hrandfield = defineCommand({
  name: "hrandfield",
  arity: -2,
  flags: Flag.readonly,
  since: "6.2.0",
  group: "hash",
  summary: "Get one or multiple random fields from a hash",
  complexity: "O(N) where N is the number of fields returned",
  syntax: "key [count [WITHVALUES]]",
  argumentTypes: { count: "integer" },
  categories: ["hash"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute(context) {
    const { request, reply, keyspace, randomBelow } = context;
    const count = request.count > 2 ? readCount(context) : null;
    if (typeof count === "string") return reply.error(count);
    const hash = findHash(keyspace, request.latin1(1));
    if (typeof hash === "string") return reply.error(hash);
    if (count !== null) return writeSome(context, hash, count, request.count > 3);
    if (hash === null) return reply.nullBulk();
    hash.at(randomBelow(hash.size), (bytes, start, end) => reply.bulk(bytes, start, end));
  },
});

/** Or the error text. */
function readCount({ request }: ShardContext): number | string {
  const count = request.int64(2);
  if (count === null) return Errors.notInteger;
  if (count < -LONG_MAX) return Errors.notInt64;
  if (request.count > 4 || (request.count === 4 && !request.is(3, "WITHVALUES"))) return Errors.syntax;
  if (request.count === 4 && (count < -(LONG_MAX / 2n) || count > LONG_MAX / 2n)) return Errors.outOfRange;
  return Number(count);
}

function writeSome(context: ShardContext, hash: HashView | null, count: number, withValues: boolean): void {
  const { reply, randomBelow } = context;
  if (hash === null || count === 0) return reply.array(0);
  const { size } = hash;
  const write = writingFields(reply, withValues);
  if (count < 0 && (hash.recordBytes / size + PAIR_FRAME_BYTES) * -count > REPEATED_BYTES_MAX)
    return reply.error(Errors.tooManyRandomMembers);
  const drawn = count < 0 ? -count : Math.min(count, size);
  reply.array(withValues && reply.version === 2 ? drawn * 2 : drawn);
  if (count >= size) return hash.forEach(write);
  if (count > 0) for (const place of drawPlaces(size, count, randomBelow)) hash.at(place, write);
  else for (let i = 0; i < drawn; i++) hash.at(randomBelow(size), write);
}

/** With values: pairs in RESP3, and flat in RESP2. */
function writingFields(reply: ReplyWriterApi, withValues: boolean): Parameters<HashView["forEach"]>[0] {
  return (bytes, fieldStart, fieldEnd, valueStart, valueEnd) => {
    if (withValues && reply.version === 3) reply.array(2);
    reply.bulk(bytes, fieldStart, fieldEnd);
    if (withValues) reply.bulk(bytes, valueStart, valueEnd);
  };
}
