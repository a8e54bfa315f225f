/**
 * FUNCTION DUMP and RESTORE of a library that is always empty: the payload is Redis' footer alone, and only such a payload can be restored. Form of the
 * footer: dump/payload.ts.
 */
import { crc64 } from "@headrace/bytes";
import { Flag } from "../command.ts";
import { DUMP_FOOTER_BYTES, hasGoodFooter } from "../dump/payload.ts";
import { Errors, subcommandSyntax } from "../errors.ts";
import { defineCommand } from "../record.ts";

/** Of Redis 7.0, where functions began: each later one reads it. */
const RDB_VERSION = 10;
const POLICIES = ["FLUSH", "APPEND", "REPLACE"] as const;

const shared = { since: "7.0.0", group: "scripting", categories: ["scripting"] } as const;

function emptyLibrary(): Uint8Array {
  const payload = new Uint8Array(DUMP_FOOTER_BYTES);
  payload[0] = RDB_VERSION;
  payload.set(crc64(payload, 0, 2), 2);
  return payload;
}

export const dump = defineCommand({
  ...shared,
  name: "function|dump",
  arity: 2,
  flags: Flag.noscript,
  summary: "Dump all functions into a serialized binary payload",
  complexity: "O(N) where N is the number of functions",
  answer({ reply }) {
    const payload = emptyLibrary();
    reply.bulk(payload, 0, payload.length);
  },
});

export const restore = defineCommand({
  ...shared,
  name: "function|restore",
  arity: -3,
  flags: Flag.noscript | Flag.write | Flag.denyoom,
  summary: "Restore all the functions on the given payload",
  complexity: "O(N) where N is the number of functions on the payload",
  syntax: "serialized-value [FLUSH | APPEND | REPLACE]",
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  answer({ request, reply }) {
    if (request.count > 4) return reply.error(subcommandSyntax(request.latin1(1), "function"));
    const hasPolicy = request.count === 4;
    if (hasPolicy && !POLICIES.some((word) => request.is(3, word))) return reply.error(Errors.functionPolicy);
    const { bytes } = request;
    const [start, end] = [request.start(2), request.end(2)];
    if (!hasGoodFooter(bytes, start, end)) return reply.error(Errors.badDumpFooter);
    if (end - start > DUMP_FOOTER_BYTES) return reply.error(Errors.scripting);
    reply.ok();
  },
});
