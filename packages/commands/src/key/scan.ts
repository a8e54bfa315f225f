/** SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]. The cursor's form is the engine's: it names a slot, and by it the shard. */
import { SLOT_COUNT } from "@headrace/bytes";
import { scanCursorSlot } from "@headrace/engine";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { defineCommand } from "../record.ts";
import { readCursor, readScanOptions } from "../scan-options.ts";

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
    const options = readScanOptions(request, 2, true);
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
