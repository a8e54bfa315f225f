/** XRANGE key start end [COUNT n] and XREVRANGE key end start [COUNT n]: slices of blocks, as they will be read. */
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { readLong, readRangeEnd, readRangeStart } from "../args.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findStream } from "./find-stream.ts";

function answerRange({ request, reply, keyspace }: ShardContext, reverse: boolean): void {
  const start = readRangeStart(request, reverse ? 3 : 2);
  if (typeof start === "string") return reply.error(start);
  const end = readRangeEnd(request, reverse ? 2 : 3);
  if (typeof end === "string") return reply.error(end);
  let count = Number.POSITIVE_INFINITY;
  for (let i = 4; i < request.count; i += 2) {
    if (!request.is(i, "COUNT") || i + 1 >= request.count) return reply.error(Errors.syntax);
    count = readLong(request, i + 1);
    if (Number.isNaN(count)) return reply.error(Errors.notInteger);
    if (count < 0) count = 0;
  }
  const found = findStream(keyspace, request.latin1(1));
  if (typeof found === "string") return reply.error(found);
  if (found === null) return reply.array(0);
  if (count === 0) return reply.nullArray();
  const range = found.stream.range(start, end, count, reverse);
  reply.array(range.count);
  range.writeTo(reply.writer);
}

const shared = {
  arity: -4,
  flags: Flag.readonly,
  since: "5.0.0",
  group: "stream",
  categories: ["stream"],
  keys: keyAt(1, "RO access"),
} as const;

export const xrange = defineCommand({
  ...shared,
  name: "xrange",
  summary: "Return a range of elements in a stream, with IDs matching the specified IDs interval",
  complexity:
    "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
  syntax: "key start end [COUNT count]",
  execute: (context) => answerRange(context, false),
});

export const xrevrange = defineCommand({
  ...shared,
  name: "xrevrange",
  summary:
    "Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse order (from greater to smaller IDs) compared to XRANGE",
  complexity:
    "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
  syntax: "key end start [COUNT count]",
  execute: (context) => answerRange(context, true),
});
