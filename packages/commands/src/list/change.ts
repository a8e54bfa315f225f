/** LSET, LINSERT, LREM, LTRIM: what changes inside a list. Source: t_list.c. */
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findList, fromStart } from "./find-list.ts";
import { isElement } from "./same-element.ts";

export const lset = defineCommand({
  name: "lset",
  arity: 4,
  flags: Flag.write | Flag.denyoom,
  since: "1.0.0",
  group: "list",
  summary: "Set the value of an element in a list by its index",
  complexity:
    "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
  syntax: "key index element",
  argumentTypes: { index: "integer" },
  categories: ["list"],
  keys: keyAt(1, "RW update"),
  execute({ request, reply, keyspace, effects }) {
    const key = request.latin1(1);
    const list = findList(keyspace, key);
    if (typeof list === "string") return reply.error(list);
    if (list === null) return reply.error(Errors.noSuchKey);
    const given = readLong(request, 2);
    if (Number.isNaN(given)) return reply.error(Errors.notInteger);
    const index = fromStart(given, list.length);
    if (index < 0 || index >= list.length) return reply.error(Errors.indexOutOfRange);
    effects.values.lists.set(key, index, request.bytes, request.start(3), request.end(3));
    reply.ok();
  },
});

export const linsert = defineCommand({
  name: "linsert",
  arity: 5,
  flags: Flag.write | Flag.denyoom,
  since: "2.2.0",
  group: "list",
  summary: "Insert an element before or after another element in a list",
  complexity:
    "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
  syntax: "key <BEFORE | AFTER> pivot element",
  categories: ["list"],
  keys: keyAt(1, "RW insert"),
  execute({ request, reply, keyspace, effects }) {
    const isBehind = request.is(2, "AFTER");
    if (!isBehind && !request.is(2, "BEFORE")) return reply.error(Errors.syntax);
    const key = request.latin1(1);
    const list = findList(keyspace, key);
    if (typeof list === "string") return reply.error(list);
    if (list === null) return reply.integer(0);
    const { length } = list;
    let index = 0;
    list.visit(0, length, false, (bytes, start, end) => {
      if (isElement(request, 3, bytes, start, end)) return false;
      index++;
      return true;
    });
    if (index === length) return reply.integer(-1);
    effects.values.lists.insert(key, isBehind ? index + 1 : index, request.bytes, request.start(4), request.end(4));
    reply.integer(length + 1);
  },
});

export const lrem = defineCommand({
  name: "lrem",
  arity: 4,
  flags: Flag.write,
  since: "1.0.0",
  group: "list",
  summary: "Remove elements from a list",
  complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
  syntax: "key count element",
  categories: ["list"],
  keys: keyAt(1, "RW delete"),
  execute({ request, reply, keyspace, effects }) {
    const count = readLong(request, 2);
    if (Number.isNaN(count)) return reply.error(Errors.notInteger);
    const key = request.latin1(1);
    const list = findList(keyspace, key);
    if (typeof list === "string") return reply.error(list);
    if (list === null) return reply.integer(0);
    const fromRight = count < 0;
    const wanted = count === 0 ? list.length : Math.abs(count);
    let found = 0;
    list.visit(fromRight ? list.length - 1 : 0, list.length, fromRight, (bytes, start, end) => {
      if (isElement(request, 3, bytes, start, end)) found++;
      return found < wanted;
    });
    if (found > 0) effects.values.lists.remove(key, request.bytes, request.start(3), request.end(3), found, fromRight);
    reply.integer(found);
  },
});

export const ltrim = defineCommand({
  name: "ltrim",
  arity: 4,
  flags: Flag.write,
  since: "1.0.0",
  group: "list",
  summary: "Trim a list to the specified range",
  complexity: "O(N) where N is the number of elements to be removed by the operation.",
  syntax: "key start stop",
  argumentTypes: { start: "integer", stop: "integer" },
  categories: ["list"],
  keys: keyAt(1, "RW delete"),
  execute(context) {
    const { request, reply, keyspace, effects } = context;
    const start = readLong(request, 2);
    const stop = readLong(request, 3);
    if (Number.isNaN(start) || Number.isNaN(stop)) return reply.error(Errors.notInteger);
    const key = request.latin1(1);
    const list = findList(keyspace, key);
    if (typeof list === "string") return reply.error(list);
    if (list === null) return reply.ok();
    const { length } = list;
    const from = Math.max(0, fromStart(start, length));
    const to = Math.min(length, fromStart(stop, length) + 1);
    const [left, right] = from >= to ? [length, 0] : [from, length - to];
    // It is an event, and WATCH sees it, also where nothing goes.
    context.isUncounted = left + right === 0;
    effects.values.lists.cut(key, left, right, "ltrim");
    reply.ok();
  },
});
