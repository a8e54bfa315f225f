/** HINCRBYFLOAT key field increment: x86's long double, as Redis. The sum is logged as text. Source: t_hash.c hincrbyfloatCommand. */
import { bytesOf, latin1 } from "@headrace/bytes";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { addLongDoubles, longDoubleOf, longDoubleText, parseLongDouble } from "../long-double.ts";
import { defineCommand, keyAt } from "../record.ts";
import { fieldAt, findHash, putResult } from "./find-hash.ts";

export const hincrbyfloat = defineCommand({
  name: "hincrbyfloat",
  arity: 4,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "2.6.0",
  group: "hash",
  summary: "Increment the float value of a hash field by the given amount",
  complexity: "O(1)",
  syntax: "key field increment",
  argumentTypes: { increment: "double" },
  categories: ["hash"],
  keys: keyAt(1, "RW access update"),
  execute(context) {
    const { request, reply, keyspace } = context;
    const step = parseLongDouble(request.latin1(3));
    if (step === null) return reply.error(Errors.notFloat);
    if (step === "infinite") return reply.error(Errors.valueNotFinite);
    const hash = findHash(keyspace, request.latin1(1));
    if (typeof hash === "string") return reply.error(hash);
    const found = fieldAt(request, hash, 2);
    const value = found === null ? longDoubleOf(0n) : parseLongDouble(latin1(found.bytes, found.start, found.end));
    if (value === null) return reply.error(Errors.hashNotFloat);
    const sum = value === "infinite" ? null : addLongDoubles(value, step);
    if (sum === null) return reply.error(Errors.notFinite);
    const text = longDoubleText(sum);
    putResult(context, hash, bytesOf(text), "hincrbyfloat");
    reply.bulkLatin1(text);
  },
});
