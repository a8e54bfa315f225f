/** SETBIT key offset value, GETBIT key offset. Source: bitops.c. */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString, STRING_BYTES_MAX } from "../string/find-string.ts";
import { ASKED_BYTES_MAX, bitAt, readBitOffset } from "./bits.ts";

const byte = new Uint8Array(1);

export const setbit = defineCommand({
  name: "setbit",
  arity: 4,
  flags: Flag.write | Flag.denyoom,
  since: "2.2.0",
  group: "bitmap",
  summary: "Sets or clears the bit at offset in the string value stored at key",
  complexity: "O(1)",
  syntax: "key offset value",
  argumentTypes: { offset: "integer", value: "integer" },
  categories: ["bitmap"],
  keys: keyAt(1, "RW access update"),
  execute({ request, reply, keyspace, effects }) {
    const offset = readBitOffset(request, 2, 0, STRING_BYTES_MAX);
    if (offset < 0) return reply.error(Errors.bitOffset);
    const bit = request.integer(3);
    if (bit !== 0 && bit !== 1) return reply.error(Errors.bitValue);
    const key = request.latin1(1);
    const value = findString(keyspace, key);
    if (typeof value === "string") return reply.error(value);
    const old = bitAt(value, offset);
    const at = offset >>> 3;
    const length = value === null ? 0 : value.length;
    if (at >= length || old !== bit) {
      const mask = 0x80 >>> (offset & 7);
      const before = value !== null && at < length ? value.bytes[at]! : 0;
      byte[0] = bit === 1 ? before | mask : before & ~mask;
      effects.values.strings.write(key, at, byte, 0, 1, "setbit");
    }
    reply.integer(old);
  },
});

export const getbit = defineCommand({
  name: "getbit",
  arity: 3,
  flags: Flag.readonly | Flag.fast,
  since: "2.2.0",
  group: "bitmap",
  summary: "Returns the bit value at offset in the string value stored at key",
  complexity: "O(1)",
  syntax: "key offset",
  argumentTypes: { offset: "integer" },
  categories: ["bitmap"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const offset = readBitOffset(request, 2, 0, ASKED_BYTES_MAX);
    if (offset < 0) return reply.error(Errors.bitOffset);
    const value = findString(keyspace, request.latin1(1));
    if (typeof value === "string") return reply.error(value);
    reply.integer(bitAt(value, offset));
  },
});
