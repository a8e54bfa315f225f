/** LMPOP numkeys key … LEFT | RIGHT [COUNT count], and BLMPOP with a timeout in front (first-pop.ts). */
import type { ListView } from "@headrace/engine";
import { Flag } from "../command.ts";
import { blockingMultiPop, multiPop, type PoppedKind } from "../first-pop.ts";
import { countedKeys, defineCommand } from "../record.ts";
import { findList, pop, readSide } from "./find-list.ts";

export const poppedList: PoppedKind<ListView> = {
  kind: "list",
  find: findList,
  sizeOf: (list) => list.length,
  readEnd: readSide,
  take: ({ reply, effects }, key, list, count, isLeft) => pop(reply, effects, key, list, isLeft, count),
};

const shared = {
  since: "7.0.0",
  group: "list",
  complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
  categories: ["list"],
  handsOutData: true,
} as const;

export const lmpop = defineCommand({
  ...shared,
  name: "lmpop",
  arity: -4,
  flags: Flag.write | Flag.movablekeys,
  summary: "Pop elements from a list",
  syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
  keys: countedKeys(1, "RW access delete"),
  execute: (context) => multiPop(poppedList, context),
});

export const blmpop = defineCommand({
  ...shared,
  name: "blmpop",
  arity: -5,
  flags: Flag.write | Flag.blocking | Flag.movablekeys,
  summary: "Pop elements from a list, or block until one is available",
  syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
  argumentTypes: { timeout: "double" },
  keys: countedKeys(2, "RW access delete"),
  timeOut: (reply) => reply.nullArray(),
  timeoutAt: 1,
  execute: (context) => blockingMultiPop(poppedList, context),
});
