/** ZSCAN key cursor [MATCH pattern] [COUNT count]. What Redis keeps in a listpack comes in one piece. Source: t_zset.c zscanCommand, db.c scanGenericCommand. */
import type { SortedSetView } from "@headrace/engine";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { defineCommand, keyAt } from "../record.ts";
import { readCursor, readScanOptions, type ScanOptions } from "../scan-options.ts";
import { findSortedSet } from "./find-sorted-set.ts";
import { doubleText } from "@headrace/resp";

/** Cursors are of 32 bits; one that is larger has never been given, and is at the end. */
const CURSOR_MAX = 0xffff_ffffn;

/** LLONG_MAX / 2, as a double. Source: util.c double2ll. */
const LISTPACK_INTEGER_MAX = 2 ** 62;

export const zscan = defineCommand({
  name: "zscan",
  arity: -3,
  flags: Flag.readonly,
  since: "2.8.0",
  group: "sorted-set",
  summary: "Incrementally iterate sorted sets elements and associated scores",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  syntax: "key cursor [MATCH pattern] [COUNT count]",
  categories: ["sortedset"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const cursor = readCursor(request.latin1(2));
    if (cursor === null) return reply.error(Errors.invalidCursor);
    const set = findSortedSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    const options = set === null ? null : readScanOptions(request, 3);
    if (typeof options === "string") return reply.error(options);
    const found: string[] = [];
    const next = set === null ? 0 : scan(set, cursor, options!, found);
    reply.array(2);
    reply.bulkInteger(next);
    reply.array(found.length);
    for (const text of found) reply.bulkLatin1(text);
  },
});

/** Members and scores, one behind the other, into `found`; answers the next cursor. */
function scan(set: SortedSetView, cursor: bigint, { count, pattern }: ScanOptions, found: string[]): number {
  const visit = (member: string, score: number): void => {
    if (pattern === null || globMatches(pattern, member, false)) found.push(member, scoreText(score, set.encoding));
  };
  if (set.encoding === "listpack") {
    set.visit(0, set.count, false, visit);
    return 0;
  }
  return cursor > CURSOR_MAX ? 0 : set.scan(Number(cursor), count, visit);
}

/** A listpack keeps whole numbers as such, and shows all their digits. */
function scoreText(score: number, encoding: string): string {
  const isWhole = encoding === "listpack" && Number.isInteger(score) && Math.abs(score) <= LISTPACK_INTEGER_MAX;
  return isWhole ? BigInt(score).toString() : doubleText(score);
}
