/**
 * XDELAYED key [COUNT count] | XDELAYED CANCEL key handle: what will appear in a stream later (XADD DELAY, AT), by when it is due, then by arrival;
 * and an entry that shall not appear. With two arguments the first is always a key, so a stream called CANCEL can be listed, but only without COUNT.
 */
import type { DelayedEntryView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors, wrongArity } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { readHandle, writeHandle } from "./delayed-handle.ts";
import { findStream } from "./find-stream.ts";

export const xdelayed = defineCommand({
  name: "xdelayed",
  arity: -2,
  flags: Flag.write | Flag.movablekeys,
  since: "8.10.0",
  group: "stream",
  summary: "Lists the delayed entries of a stream, or cancels one",
  complexity: "O(N) with N being the number of entries returned; O(log(N)) to cancel one of N",
  syntax: "<key [COUNT count] | CANCEL key handle>",
  categories: ["stream"],
  keys: { ...keyAt(1, "RW update"), find: findKey },
  // Whoever was told that an entry will not appear must not see it after a failover.
  handsOutData: true,
  execute,
});

function cancels(request: Request): boolean {
  return request.count > 2 && request.is(1, "CANCEL");
}

function findKey(request: Request, into: number[]): number {
  into[0] = cancels(request) ? 2 : 1;
  return 1;
}

function execute(context: ShardContext): void {
  if (cancels(context.request)) cancel(context);
  else list(context);
}

function cancel({ request, reply, keyspace, effects }: ShardContext): void {
  if (request.count !== 4) return reply.error(wrongArity("xdelayed"));
  const number = readHandle(request, 3);
  if (number < 0) return reply.error(Errors.invalidHandle);
  const found = findStream(keyspace, request.latin1(2));
  if (typeof found === "string") return reply.error(found);
  const isThere = found !== null && found.stream.delayed !== null && found.stream.delayed.find(number) !== null;
  if (isThere) effects.delays.cancel(found.key, number);
  reply.integer(isThere ? 1 : 0);
}

function list({ request, reply, keyspace }: ShardContext): void {
  let limit = Number.POSITIVE_INFINITY;
  if (request.count > 2) {
    if (request.count !== 4 || !request.is(2, "COUNT")) return reply.error(Errors.syntax);
    limit = readLong(request, 3);
    if (Number.isNaN(limit)) return reply.error(Errors.notInteger);
    if (limit < 1) return reply.error(Errors.countNotPositive);
  }
  const found = findStream(keyspace, request.latin1(1));
  if (typeof found === "string") return reply.error(found);
  const delayed = found === null ? null : found.stream.delayed;
  const shown: DelayedEntryView[] = [];
  delayed?.visit((entry) => {
    if (shown.length >= limit) return false;
    shown.push(entry);
    return true;
  });
  reply.array(shown.length);
  for (const { number, dueMs, elementCount, fields } of shown) {
    reply.array(3);
    writeHandle(reply, number);
    reply.integer(dueMs);
    // Fields are kept as a reader receives them.
    reply.array(elementCount);
    reply.writer.all(fields);
  }
}
