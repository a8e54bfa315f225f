/** ZRANDMEMBER key [count [WITHSCORES]]: chance for the reply alone. Source: t_zset.c zrandmemberCommand. */
import type { SortedSetView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { drawPlaces } from "../draw-places.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findSortedSet, writeElement, writeElementsHead, writeRanks } from "./find-sorted-set.ts";

const LONG_MAX = 2n ** 63n - 1n;
/** Of members that may come again: Redis goes on as long as there is memory. */
const REPEATED_MAX = 1_048_576;

export const zrandmember = defineCommand({
  name: "zrandmember",
  arity: -2,
  flags: Flag.readonly,
  since: "6.2.0",
  group: "sorted-set",
  summary: "Get one or multiple random elements from a sorted set",
  complexity: "O(N) where N is the number of elements returned",
  syntax: "key [count [WITHSCORES]]",
  categories: ["sortedset"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute(context) {
    const { request, reply, keyspace } = context;
    const count = request.count > 2 ? readCount(context) : null;
    if (typeof count === "string") return reply.error(count);
    const set = findSortedSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    if (count !== null) return writeSome(context, set, count, request.count > 3);
    if (set === null) return reply.nullBulk();
    const rank = context.randomBelow(set.count);
    set.visit(rank, rank + 1, false, (member) => reply.bulkLatin1(member));
  },
});

/** Or the error text. */
function readCount({ request }: ShardContext): number | string {
  const count = request.int64(2);
  if (count === null) return Errors.notInteger;
  if (count < -LONG_MAX) return Errors.notInt64;
  if (request.count > 4 || (request.count === 4 && !request.is(3, "WITHSCORES"))) return Errors.syntax;
  if (request.count === 4 && (count < -(LONG_MAX / 2n) || count > LONG_MAX / 2n)) return Errors.outOfRange;
  return count < -BigInt(REPEATED_MAX) ? Errors.outOfRange : Number(count);
}

function writeSome(context: ShardContext, set: SortedSetView | null, count: number, withScores: boolean): void {
  const { reply, randomBelow } = context;
  if (set === null || count === 0) return reply.array(0);
  if (count >= set.count) return writeRanks(reply, set, { from: 0, to: set.count }, true, withScores);
  const ranks = count < 0 ? repeated(-count, set.count, randomBelow) : [...drawPlaces(set.count, count, randomBelow)];
  writeElementsHead(reply, ranks.length, withScores);
  for (const rank of ranks)
    set.visit(rank, rank + 1, false, (member, score) => writeElement(reply, member, score, withScores));
}

function repeated(count: number, size: number, randomBelow: (n: number) => number): number[] {
  return Array.from({ length: count }, () => randomBelow(size));
}
