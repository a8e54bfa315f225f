/**
 * INCR, DECR, INCRBY, DECRBY: signed 64-bit integers in decimal. The result is logged, not the step. Source: t_string.c incrDecrCommand.
 */
import { bytesOf, readInteger } from "@headrace/bytes";
import type { StringView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString } from "./find-string.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Of that sum and step no bit is lost in a double. */
const EXACT_MAX = 2 ** 52;

/** As Redis' string2ll takes it; null: it is none. */
export function int64Of(text: string): bigint | null {
  if (text.length > 20 || !/^(?:0|-?[1-9]\d*)$/.test(text)) return null;
  const value = BigInt(text);
  return value > INT64_MAX || value < INT64_MIN ? null : value;
}

function addTo(context: ShardContext, step: bigint): void {
  const { request, reply, keyspace, effects } = context;
  const key = request.latin1(1);
  const found = findString(keyspace, key);
  if (typeof found === "string") return reply.error(found);
  const sum = sumOf(found, step);
  if (typeof sum === "string") return reply.error(sum);
  const bytes = bytesOf(String(sum));
  effects.values.strings.replace(key, bytes, 0, bytes.length, "incrby");
  if (typeof sum === "number") reply.integer(sum);
  else reply.integer64(sum);
}

/** Or the error text. */
function sumOf(value: StringView | null, step: bigint): number | bigint | string {
  if (value === null) return step;
  const { text } = value;
  if (text === null) return Errors.notInteger;
  const { bytes, length } = value;
  const exact = readInteger(bytes, 0, length);
  if (Math.abs(exact) < EXACT_MAX && step < EXACT_MAX && step > -EXACT_MAX) return exact + Number(step);
  const wide = int64Of(text);
  if (wide === null) return Errors.notInteger;
  const sum = wide + step;
  return sum > INT64_MAX || sum < INT64_MIN ? Errors.incrementOverflows : sum;
}

const shared = {
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  categories: ["string"],
  keys: keyAt(1, "RW access update"),
} as const;

function byOne(name: string, step: bigint, summary: string): CommandRecord {
  return defineCommand({
    ...shared,
    name,
    arity: 2,
    summary,
    syntax: "key",
    execute: (context) => addTo(context, step),
  });
}

export const incr = byOne("incr", 1n, "Increment the integer value of a key by one");
export const decr = byOne("decr", -1n, "Decrement the integer value of a key by one");

export const incrby = defineCommand({
  ...shared,
  name: "incrby",
  arity: 3,
  summary: "Increment the integer value of a key by the given amount",
  syntax: "key increment",
  argumentTypes: { increment: "integer" },
  execute(context) {
    const step = context.request.int64(2);
    if (step === null) context.reply.error(Errors.notInteger);
    else addTo(context, step);
  },
});

export const decrby = defineCommand({
  ...shared,
  name: "decrby",
  arity: 3,
  summary: "Decrement the integer value of a key by the given number",
  syntax: "key decrement",
  argumentTypes: { decrement: "integer" },
  execute(context) {
    const step = context.request.int64(2);
    if (step === null) return context.reply.error(Errors.notInteger);
    if (step === INT64_MIN) return context.reply.error(Errors.decrementOverflows);
    addTo(context, -step);
  },
});
