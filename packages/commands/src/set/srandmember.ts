/**
 * SRANDMEMBER key [count]: a negative count draws each member anew, so that some come twice. Source: t_set.c srandmemberCommand,
 * srandmemberWithCountCommand.
 */
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { drawMembers } from "./draw-members.ts";
import { findSet } from "./find-set.ts";

/** The smallest of 64 bits; Redis takes all others. */
const TOO_SMALL = -(2n ** 63n);
/** Members that may be drawn with a negative count: as many as are sure to make no reply that a process can't hold. */
const REPEATED_BYTES_MAX = 512 * 1024 * 1024;
const BULK_FRAME_BYTES = 16;

export const srandmember = defineCommand({
  name: "srandmember",
  arity: -2,
  flags: Flag.readonly,
  since: "1.0.0",
  group: "set",
  summary: "Get one or multiple random members from a set",
  complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
  syntax: "key [count]",
  argumentTypes: { count: "integer" },
  categories: ["set"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute(context) {
    const { request, reply, keyspace, randomBelow } = context;
    if (request.count === 3) return drawSome(context);
    if (request.count > 3) return reply.error(Errors.syntax);
    const set = findSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    if (set === null) return reply.nullBulk();
    set.at(randomBelow(set.size), (bytes, start, end) => reply.bulk(bytes, start, end));
  },
});

function drawSome({ request, reply, keyspace, randomBelow }: ShardContext): void {
  const count = readLong(request, 2);
  if (Number.isNaN(count)) return reply.error(Errors.notInteger);
  if (request.int64(2) === TOO_SMALL) return reply.error(Errors.notSafeNegative);
  const set = findSet(keyspace, request.latin1(1));
  if (typeof set === "string") return reply.error(set);
  if (set === null || count === 0) return reply.array(0);
  if (count >= set.size) {
    reply.array(set.size);
    return set.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
  }
  if (count > 0) {
    const drawn = drawMembers(set, count, randomBelow);
    reply.array(drawn.count);
    return drawn.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
  }
  const bytesEach = BULK_FRAME_BYTES + set.memberBytes / set.size;
  if (-count * bytesEach > REPEATED_BYTES_MAX) return reply.error(Errors.tooManyRandomMembers);
  reply.array(-count);
  for (let i = 0; i < -count; i++) {
    set.at(randomBelow(set.size), (bytes, start, end) => reply.bulk(bytes, start, end));
  }
}
