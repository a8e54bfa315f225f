/** HINCRBY key field increment: signed 64-bit integers in decimal. The result is logged, not the step. Source: t_hash.c hincrbyCommand. */
import { bytesOf, readInt64 } from "@headrace/bytes";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { fieldAt, findHash, putResult } from "./find-hash.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

export const hincrby = defineCommand({
  name: "hincrby",
  arity: 4,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "2.0.0",
  group: "hash",
  summary: "Increment the integer value of a hash field by the given number",
  complexity: "O(1)",
  syntax: "key field increment",
  argumentTypes: { increment: "integer" },
  categories: ["hash"],
  keys: keyAt(1, "RW access update"),
  execute(context) {
    const { request, reply, keyspace } = context;
    const step = request.int64(3);
    if (step === null) return reply.error(Errors.notInteger);
    const hash = findHash(keyspace, request.latin1(1));
    if (typeof hash === "string") return reply.error(hash);
    const found = fieldAt(request, hash, 2);
    const value = found === null ? 0n : readInt64(found.bytes, found.start, found.end);
    if (value === null) return reply.error(Errors.hashNotInteger);
    const sum = value + step;
    if (sum > INT64_MAX || sum < INT64_MIN) return reply.error(Errors.incrementOverflows);
    putResult(context, hash, bytesOf(String(sum)), "hincrby");
    reply.integer64(sum);
  },
});
