/** SUNION and SUNIONSTORE key …. Source: t_set.c sunionDiffGenericCommand. */
import { MemberList, MemberTable } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { drawSeed } from "./find-set.ts";
import { answering, storing } from "./set-operation.ts";

const COMPLEXITY = "O(N) where N is the total number of elements in all given sets.";

function union(sets: readonly (SetView | null)[], { randomBelow }: ShardContext): MemberList {
  const table = new MemberTable(drawSeed(randomBelow), null);
  for (const set of sets) set?.forEach((bytes, start, end) => void table.add(bytes, start, end));
  return membersOf(table);
}

/** In the order that a set made of them has. */
export function membersOf(table: MemberTable): MemberList {
  const members = new MemberList();
  members.wasTable = !table.isIntset;
  table.forEach((bytes, start, end) => members.push(bytes, start, end));
  return members;
}

export const sunion = defineCommand({
  name: "sunion",
  arity: -2,
  flags: Flag.readonly,
  since: "1.0.0",
  group: "set",
  summary: "Add multiple sets",
  complexity: COMPLEXITY,
  syntax: "key [key ...]",
  categories: ["set"],
  tips: ["nondeterministic_output_order"],
  keys: keysFrom(1, "RO access"),
  execute: answering(union),
});

export const sunionstore = defineCommand({
  name: "sunionstore",
  arity: -3,
  flags: Flag.write | Flag.denyoom,
  since: "1.0.0",
  group: "set",
  summary: "Add multiple sets and store the resulting set in a key",
  complexity: COMPLEXITY,
  syntax: "destination key [key ...]",
  argumentTypes: { destination: "key" },
  categories: ["set"],
  keys: { ...keysFrom(1, "OW update"), targetAccess: ["RO", "access"] },
  execute: storing(union, "sunionstore"),
});
