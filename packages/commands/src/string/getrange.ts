/** GETRANGE key start end, and SUBSTR, its old name. Source: t_string.c getrangeCommand. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString } from "./find-string.ts";

function rangeCommand(name: string, since: string): CommandRecord {
  return defineCommand({
    name,
    arity: 4,
    flags: Flag.readonly,
    since,
    group: "string",
    summary: "Get a substring of the string stored at a key",
    complexity:
      "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
    syntax: "key start end",
    argumentTypes: { start: "integer", end: "integer" },
    categories: ["string"],
    keys: keyAt(1, "RO access"),
    execute({ request, reply, keyspace }) {
      let start = readLong(request, 2);
      let end = readLong(request, 3);
      if (Number.isNaN(start) || Number.isNaN(end)) return reply.error(Errors.notInteger);
      const value = findString(keyspace, request.latin1(1));
      if (typeof value === "string") return reply.error(value);
      if (value === null || (start < 0 && end < 0 && start > end)) return reply.bulkLatin1("");
      const { length } = value;
      if (start < 0) start = Math.max(0, length + start);
      if (end < 0) end = Math.max(0, length + end);
      end = Math.min(end, length - 1);
      if (start > end) return reply.bulkLatin1("");
      const { text } = value;
      if (text !== null) reply.bulkLatin1(text.slice(start, end + 1));
      else reply.bulk(value.bytes, start, end + 1);
    },
  });
}

export const getrange = rangeCommand("getrange", "2.4.0");
export const substr = rangeCommand("substr", "1.0.0");
