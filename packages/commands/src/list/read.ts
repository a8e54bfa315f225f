/** LLEN, LRANGE, LINDEX, LPOS. Source: t_list.c. */
import type { ListView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findList, fromStart, writeElements } from "./find-list.ts";
import { isElement } from "./same-element.ts";

const INT64_MIN = -(2n ** 63n);

export const llen = defineCommand({
  name: "llen",
  arity: 2,
  flags: Flag.readonly | Flag.fast,
  since: "1.0.0",
  group: "list",
  summary: "Get the length of a list",
  complexity: "O(1)",
  syntax: "key",
  categories: ["list"],
  keys: keyAt(1, "RO"),
  execute({ request, reply, keyspace }) {
    const list = findList(keyspace, request.latin1(1));
    if (typeof list === "string") reply.error(list);
    else reply.integer(list === null ? 0 : list.length);
  },
});

export const lrange = defineCommand({
  name: "lrange",
  arity: 4,
  flags: Flag.readonly,
  since: "1.0.0",
  group: "list",
  summary: "Get a range of elements from a list",
  complexity:
    "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
  syntax: "key start stop",
  argumentTypes: { start: "integer", stop: "integer" },
  categories: ["list"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const start = readLong(request, 2);
    const stop = readLong(request, 3);
    if (Number.isNaN(start) || Number.isNaN(stop)) return reply.error(Errors.notInteger);
    const list = findList(keyspace, request.latin1(1));
    if (typeof list === "string") return reply.error(list);
    if (list === null) return reply.array(0);
    const from = Math.max(0, fromStart(start, list.length));
    const to = Math.min(list.length, fromStart(stop, list.length) + 1);
    const count = Math.max(0, to - from);
    reply.array(count);
    if (count > 0) writeElements(reply, list, from, count, false);
  },
});

export const lindex = defineCommand({
  name: "lindex",
  arity: 3,
  flags: Flag.readonly,
  since: "1.0.0",
  group: "list",
  summary: "Get an element from a list by its index",
  complexity:
    "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
  syntax: "key index",
  argumentTypes: { index: "integer" },
  categories: ["list"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const list = findList(keyspace, request.latin1(1));
    if (typeof list === "string") return reply.error(list);
    if (list === null) return reply.nullBulk();
    const given = readLong(request, 2);
    if (Number.isNaN(given)) return reply.error(Errors.notInteger);
    const index = fromStart(given, list.length);
    if (index < 0 || index >= list.length) reply.nullBulk();
    else writeElements(reply, list, index, 1, false);
  },
});

interface PositionOptions {
  /** Negative: from the list's end. */
  rank: number;
  /** −1: not given, 0: all. */
  count: number;
  /** 0: all elements are compared. */
  maxLength: number;
}

function readPositionOptions(request: Request): PositionOptions | string {
  const options: PositionOptions = { rank: 1, count: -1, maxLength: 0 };
  for (let i = 3; i < request.count; i++) {
    const hasMore = i + 1 < request.count;
    if (request.is(i, "RANK") && hasMore) {
      const rank = request.int64(++i);
      if (rank === null) return Errors.notInteger;
      if (rank === INT64_MIN) return Errors.rankOutOfRange;
      if (rank === 0n) return Errors.rankZero;
      options.rank = Number(rank);
    } else if (request.is(i, "COUNT") && hasMore) {
      options.count = readLong(request, ++i);
      if (!(options.count >= 0)) return Errors.matchCountNegative;
    } else if (request.is(i, "MAXLEN") && hasMore) {
      options.maxLength = readLong(request, ++i);
      if (!(options.maxLength >= 0)) return Errors.maxLengthNegative;
    } else {
      return Errors.syntax;
    }
  }
  return options;
}

function positionsOf(request: Request, list: ListView, { rank, count, maxLength }: PositionOptions): number[] {
  const isBackwards = rank < 0;
  const wanted = count < 0 ? 1 : count;
  const found: number[] = [];
  let passed = Math.abs(rank) - 1;
  let index = isBackwards ? list.length - 1 : 0;
  const compared = maxLength === 0 ? list.length : Math.min(maxLength, list.length);
  list.visit(index, compared, isBackwards, (bytes, start, end) => {
    if (isElement(request, 2, bytes, start, end) && passed-- <= 0) found.push(index);
    index += isBackwards ? -1 : 1;
    return wanted === 0 || found.length < wanted;
  });
  return found;
}

export const lpos = defineCommand({
  name: "lpos",
  arity: -3,
  flags: Flag.readonly,
  since: "6.0.6",
  group: "list",
  summary: "Return the index of matching elements on a list",
  complexity:
    "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
  syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
  argumentTypes: { rank: "integer", "num-matches": "integer", len: "integer" },
  categories: ["list"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace }) {
    const options = readPositionOptions(request);
    if (typeof options === "string") return reply.error(options);
    const list = findList(keyspace, request.latin1(1));
    if (typeof list === "string") return reply.error(list);
    const found = list === null ? [] : positionsOf(request, list, options);
    if (options.count >= 0) {
      reply.array(found.length);
      for (const index of found) reply.integer(index);
    } else if (found.length > 0) {
      reply.integer(found[0]!);
    } else {
      reply.nullBulk();
    }
  },
});
