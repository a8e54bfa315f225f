/** APPEND key value, SETRANGE key offset value: what is logged are the bytes that are written. Source: t_string.c. */
import { Flag } from "../command.ts";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString, fitsString } from "./find-string.ts";

export const append = defineCommand({
  name: "append",
  arity: 3,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "2.0.0",
  group: "string",
  summary: "Append a value to a key",
  complexity:
    "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
  syntax: "key value",
  categories: ["string"],
  keys: keyAt(1, "RW insert"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const value = findString(keyspace, key);
    if (typeof value === "string") return reply.error(value);
    const start = request.start(2);
    const end = request.end(2);
    const length = value === null ? 0 : value.length;
    if (value !== null && !fitsString(length, end - start)) return reply.error(Errors.stringTooLong);
    effects.values.strings.write(key, length, request.bytes, start, end, "append");
    reply.integer(length + end - start);
  },
});

export const setrange = defineCommand({
  name: "setrange",
  arity: 4,
  flags: Flag.write | Flag.denyoom,
  since: "2.2.0",
  group: "string",
  summary: "Overwrite part of a string at key starting at the specified offset",
  complexity:
    "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
  syntax: "key offset value",
  argumentTypes: { offset: "integer" },
  categories: ["string"],
  keys: keyAt(1, "RW update"),
  execute({ request, reply, keyspace, effects }) {
    const offset = readLong(request, 2);
    if (Number.isNaN(offset)) return reply.error(Errors.notInteger);
    if (offset < 0) return reply.error(Errors.offsetOutOfRange);
    const key = request.latin1(1);
    const value = findString(keyspace, key);
    if (typeof value === "string") return reply.error(value);
    const start = request.start(3);
    const end = request.end(3);
    const length = value === null ? 0 : value.length;
    if (start === end) return reply.integer(length);
    if (!fitsString(offset, end - start)) return reply.error(Errors.stringTooLong);
    effects.values.strings.write(key, offset, request.bytes, start, end, "setrange");
    reply.integer(Math.max(length, offset + end - start));
  },
});
