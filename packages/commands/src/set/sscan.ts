/** SSCAN key cursor [MATCH pattern] [COUNT count]. Of a free key options are not looked at. Source: db.c scanGenericCommand. */
import { latin1 } from "@headrace/bytes";
import { MemberList } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { defineCommand, keyAt } from "../record.ts";
import { readCursor, readScanOptions } from "../scan-options.ts";
import { findSet } from "./find-set.ts";

/** Cursors are hashes. */
const CURSORS = 2n ** 32n;

export const sscan = defineCommand({
  name: "sscan",
  arity: -3,
  flags: Flag.readonly,
  since: "2.8.0",
  group: "set",
  summary: "Incrementally iterate Set elements",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  syntax: "key cursor [MATCH pattern] [COUNT count]",
  categories: ["set"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const cursor = readCursor(request.latin1(2));
    if (cursor === null) return reply.error(Errors.invalidCursor);
    const set = findSet(keyspace, request.latin1(1));
    if (typeof set === "string") return reply.error(set);
    const members = new MemberList();
    const next = set === null ? 0 : scanSet(request, set, cursor, members);
    if (typeof next === "string") return reply.error(next);
    reply.array(2);
    reply.bulkInteger(next);
    reply.array(members.count);
    members.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
  },
});

/** The next cursor, or the error text. */
function scanSet(request: Request, set: SetView, cursor: bigint, into: MemberList): number | string {
  const options = readScanOptions(request, 3);
  if (typeof options === "string") return options;
  const { count, pattern } = options;
  const take = (bytes: Uint8Array, start: number, end: number): void => {
    if (pattern === null || globMatches(pattern, latin1(bytes, start, end), false)) into.push(bytes, start, end);
  };
  // As Redis: an intset comes whole.
  if (set.isIntset) {
    set.forEach(take);
    return 0;
  }
  return cursor >= CURSORS ? 0 : set.scan(Number(cursor), count, take);
}
