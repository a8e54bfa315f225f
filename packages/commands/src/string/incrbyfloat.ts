/** INCRBYFLOAT key increment: x86's long double, as Redis. The sum is logged as text. Source: t_string.c incrbyfloatCommand. */
import { bytesOf, latin1 } from "@headrace/bytes";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { addLongDoubles, longDoubleOf, longDoubleText, parseLongDouble } from "../long-double.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString } from "./find-string.ts";

export const incrbyfloat = defineCommand({
  name: "incrbyfloat",
  arity: 3,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "2.6.0",
  group: "string",
  summary: "Increment the float value of a key by the given amount",
  complexity: "O(1)",
  syntax: "key increment",
  argumentTypes: { increment: "double" },
  categories: ["string"],
  keys: keyAt(1, "RW access update"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const found = findString(keyspace, key);
    if (typeof found === "string") return reply.error(found);
    const value =
      found === null ? longDoubleOf(0n) : parseLongDouble(found.text ?? latin1(found.bytes, 0, found.length));
    const step = value === null ? null : parseLongDouble(request.latin1(2));
    if (value === null || step === null) return reply.error(Errors.notFloat);
    const sum = value === "infinite" || step === "infinite" ? null : addLongDoubles(value, step);
    if (sum === null) return reply.error(Errors.notFinite);
    const text = longDoubleText(sum);
    const bytes = bytesOf(text);
    effects.values.strings.replace(key, bytes, 0, bytes.length, "incrbyfloat");
    reply.bulkLatin1(text);
  },
});
