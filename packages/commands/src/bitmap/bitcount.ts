/** BITCOUNT key [start end [BYTE | BIT]]: a key that is not there has no bits, whatever the range says. Source: bitops.c bitcountCommand. */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString } from "../string/find-string.ts";
import { bitRange, countBits, readPosition, readUnit } from "./bits.ts";

export const bitcount = defineCommand({
  name: "bitcount",
  arity: -2,
  flags: Flag.readonly,
  since: "2.6.0",
  group: "bitmap",
  summary: "Count set bits in a string",
  complexity: "O(N)",
  syntax: "key [start end [BYTE | BIT]]",
  argumentTypes: { start: "integer", end: "integer" },
  categories: ["bitmap"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const value = findString(keyspace, request.latin1(1));
    if (typeof value === "string") return reply.error(value);
    if (value === null) return reply.integer(0);
    let start = 0;
    let end = -1;
    let isBits = false;
    if (request.count === 4 || request.count === 5) {
      const [given, givenEnd] = [readPosition(request, 2), readPosition(request, 3)];
      if (typeof given === "string") return reply.error(given);
      if (typeof givenEnd === "string") return reply.error(givenEnd);
      [start, end] = [given, givenEnd];
      if (start < 0 && end < 0 && start > end) return reply.integer(0);
      const unit = request.count === 5 ? readUnit(request, 4) : false;
      if (unit === null) return reply.error(Errors.syntax);
      isBits = unit;
    } else if (request.count !== 2) {
      return reply.error(Errors.syntax);
    }
    const { from, to } = bitRange(start, end, isBits, value.length);
    reply.integer(from >= to ? 0 : countBits(value.bytes, from, to));
  },
});
