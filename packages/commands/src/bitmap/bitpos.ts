/**
 * BITPOS key bit [start [end [BYTE | BIT]]]: a string is followed by zeros without end, unless the end of the range is given. Source: bitops.c bitposCommand.
 */
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString } from "../string/find-string.ts";
import { bitRange, type BitRange, findBit, readPosition, readUnit } from "./bits.ts";

/** Where to look in a string of `length` bytes, or the error text. */
function readRange(request: Request, length: number): BitRange | string {
  if (request.count > 6) return Errors.syntax;
  if (request.count === 3) return bitRange(0, -1, false, length);
  const start = readPosition(request, 3);
  if (typeof start === "string") return start;
  const isBits = request.count === 6 ? readUnit(request, 5) : false;
  if (isBits === null) return Errors.syntax;
  const end = request.count > 4 ? readPosition(request, 4) : -1;
  return typeof end === "string" ? end : bitRange(start, end, isBits, length);
}

export const bitpos = defineCommand({
  name: "bitpos",
  arity: -3,
  flags: Flag.readonly,
  since: "2.8.7",
  group: "bitmap",
  summary: "Find first bit set or clear in a string",
  complexity: "O(N)",
  syntax: "key bit [start [end [BYTE | BIT]]]",
  argumentTypes: { bit: "integer", start: "integer", end: "integer" },
  categories: ["bitmap"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const bit = readLong(request, 2);
    if (Number.isNaN(bit)) return reply.error(Errors.notInteger);
    if (bit !== 0 && bit !== 1) return reply.error(Errors.bitArgument);
    const value = findString(keyspace, request.latin1(1));
    if (typeof value === "string") return reply.error(value);
    if (value === null) return reply.integer(bit === 1 ? -1 : 0);
    const range = readRange(request, value.length);
    if (typeof range === "string") return reply.error(range);
    const { from, to } = range;
    if (from >= to) return reply.integer(-1);
    const found = findBit(value.bytes, bit, from, to);
    const isEndGiven = request.count > 4;
    reply.integer(found < 0 && bit === 0 && !isEndGiven ? to : found);
  },
});
