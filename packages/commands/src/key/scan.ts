/** SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]. The cursor's form is the engine's: it names a slot, and by it the shard. */
import { SLOT_COUNT } from "@headrace/bytes";
import { scanCursorSlot } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { defineCommand } from "../record.ts";

const DEFAULT_COUNT = 10;
const CURSOR_MAX = 2n ** 64n - 1n;

interface ScanOptions {
  count: number;
  pattern: string | null;
  type: string | null;
}

export const scan = defineCommand({
  name: "scan",
  arity: -2,
  flags: Flag.readonly | Flag.wholeKeyspace,
  since: "2.8.0",
  group: "generic",
  summary: "Incrementally iterate the keys space",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
  syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
  categories: ["keyspace"],
  tips: ["nondeterministic_output", "request_policy:special"],
  fanOut: { by: "cursor" },
  execute(context) {
    const { request, reply, keyspace } = context;
    const cursor = readCursor(request.latin1(1));
    if (cursor === null) return reply.error(Errors.invalidCursor);
    const options = readOptions(context);
    if (typeof options === "string") return reply.error(options);
    const found: string[] = [];
    const next =
      scanCursorSlot(cursor) >= SLOT_COUNT
        ? 0n
        : keyspace.scan(cursor, options.count, (key) => {
            if (options.pattern !== null && !globMatches(options.pattern, key.key, false)) return;
            if (options.type !== null && options.type !== key.type) return;
            found.push(key.key);
          });
    reply.array(2);
    reply.bulkLatin1(next.toString());
    reply.array(found.length);
    for (const name of found) reply.bulkLatin1(name);
  },
});

/** A client's cursor, which may be any 64-bit number; null: it is none. */
export function readCursor(text: string): bigint | null {
  // As C's strtoul takes it: nothing at all is 0, and a word ends at its first NUL.
  const nul = text.indexOf("\0");
  const word = nul < 0 ? text : text.slice(0, nul);
  if (word === "") return 0n;
  if (!/^[+-]?\d+$/.test(word)) return null;
  const cursor = word.startsWith("+") ? BigInt(word.slice(1)) : BigInt(word);
  if (cursor > CURSOR_MAX || cursor < -CURSOR_MAX) return null;
  return BigInt.asUintN(64, cursor);
}

function readOptions({ request }: ShardContext): ScanOptions | string {
  const options: ScanOptions = { count: DEFAULT_COUNT, pattern: null, type: null };
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 >= request.count) return Errors.syntax;
    if (request.is(i, "COUNT")) {
      options.count = readLong(request, i + 1);
      if (Number.isNaN(options.count)) return Errors.notInteger;
      if (options.count < 1) return Errors.syntax;
    } else if (request.is(i, "MATCH")) {
      const pattern = request.latin1(i + 1);
      options.pattern = pattern === "*" ? null : pattern;
    } else if (request.is(i, "TYPE")) {
      options.type = request.latin1(i + 1).toLowerCase();
    } else {
      return Errors.syntax;
    }
  }
  return options;
}
