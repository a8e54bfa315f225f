/**
 * Whether a command looks its keys up to read them: then a key that is not there is an event of class m. What writes looks up for writing,
 * and says nothing; these are the exceptions. Source: the callers of lookupKeyRead in t_stream.c, db.c, object.c.
 */
import { Flag } from "./command.ts";
import type { CommandRecord } from "./command.ts";

const WRITERS_THAT_READ: ReadonlySet<string> = new Set([
  "bitop",
  "getdel",
  "getex",
  "getset",
  "sdiffstore",
  "sinterstore",
  "sunionstore",
  "xack",
  "xautoclaim",
  "xclaim",
  "xreadgroup",
  "zdiffstore",
  "zinterstore",
  "zrangestore",
  "zunionstore",
]);
const SILENT_READERS = /^(memory|object)\|/;

export function missesAreEvents(record: CommandRecord): boolean {
  if (WRITERS_THAT_READ.has(record.name)) return true;
  return (record.flags & Flag.readonly) !== 0 && !SILENT_READERS.test(record.name);
}
