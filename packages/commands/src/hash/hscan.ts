/** HSCAN key cursor [MATCH pattern] [COUNT count]. What Redis keeps in a listpack comes in one piece. Source: t_hash.c hscanCommand, db.c scanGenericCommand. */
import { latin1 } from "@headrace/bytes";
import { MemberList } from "@headrace/engine";
import type { HashView } from "@headrace/engine";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { defineCommand, keyAt } from "../record.ts";
import { readCursor, readScanOptions, type ScanOptions } from "../scan-options.ts";
import { findHash } from "./find-hash.ts";

/** Cursors are hashes. */
const CURSORS = 2n ** 32n;

export const hscan = defineCommand({
  name: "hscan",
  arity: -3,
  flags: Flag.readonly,
  since: "2.8.0",
  group: "hash",
  summary: "Incrementally iterate hash fields and associated values",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  syntax: "key cursor [MATCH pattern] [COUNT count]",
  categories: ["hash"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const cursor = readCursor(request.latin1(2));
    if (cursor === null) return reply.error(Errors.invalidCursor);
    const hash = findHash(keyspace, request.latin1(1));
    if (typeof hash === "string") return reply.error(hash);
    // Of a free key options are not looked at.
    const options = hash === null ? null : readScanOptions(request, 3);
    if (typeof options === "string") return reply.error(options);
    const found = new MemberList();
    const next = hash === null ? 0 : scan(hash, cursor, options!, found);
    reply.array(2);
    reply.bulkInteger(next);
    reply.array(found.count);
    found.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
  },
});

/** Fields and values, one behind the other, into `found`; answers the next cursor. */
function scan(hash: HashView, cursor: bigint, { count, pattern }: ScanOptions, found: MemberList): number {
  const visit = (bytes: Uint8Array, start: number, end: number, valueStart: number, valueEnd: number): void => {
    if (pattern !== null && !globMatches(pattern, latin1(bytes, start, end), false)) return;
    found.push(bytes, start, end);
    found.push(bytes, valueStart, valueEnd);
  };
  if (hash.isListpack) {
    hash.forEach(visit);
    return 0;
  }
  return cursor >= CURSORS ? 0 : hash.scan(Number(cursor), count, visit);
}
