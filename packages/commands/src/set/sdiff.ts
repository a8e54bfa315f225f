/** SDIFF and SDIFFSTORE key …: members of the first set that are in none of the others. Source: t_set.c sunionDiffGenericCommand. */
import { MemberList, MemberTable } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { defineCommand, keysFrom } from "../record.ts";
import { drawSeed } from "./find-set.ts";
import { answering, storing } from "./set-operation.ts";
import { membersOf } from "./sunion.ts";

const COMPLEXITY = "O(N) where N is the total number of elements in all given sets.";

function difference([first, ...rest]: readonly (SetView | null)[], { randomBelow }: ShardContext): MemberList {
  if (first === null || first === undefined) return new MemberList();
  const others = rest.filter((set) => set !== null);
  const total = others.reduce((sum, set) => sum + set.size, 0);
  if ((first.size * (1 + rest.length)) / 2 <= first.size + total) return lookedUp(first, others);
  // The others are small: cheaper to take them away than to look for each member in all of them.
  const table = new MemberTable(drawSeed(randomBelow), null);
  first.forEach((bytes, start, end) => void table.add(bytes, start, end));
  for (const set of others) set.forEach((bytes, start, end) => void table.remove(bytes, start, end));
  return membersOf(table);
}

function lookedUp(first: SetView, others: readonly SetView[]): MemberList {
  // Who is most likely to hold a member comes first.
  const ordered = others.toSorted((a, b) => b.size - a.size);
  const members = new MemberList();
  first.forEach((bytes, start, end) => {
    for (const set of ordered) if (set === first || set.has(bytes, start, end)) return;
    members.push(bytes, start, end);
  });
  return members;
}

export const sdiff = defineCommand({
  name: "sdiff",
  arity: -2,
  flags: Flag.readonly,
  since: "1.0.0",
  group: "set",
  summary: "Subtract multiple sets",
  complexity: COMPLEXITY,
  syntax: "key [key ...]",
  categories: ["set"],
  tips: ["nondeterministic_output_order"],
  keys: keysFrom(1, "RO access"),
  execute: answering(difference),
});

export const sdiffstore = defineCommand({
  name: "sdiffstore",
  arity: -3,
  flags: Flag.write | Flag.denyoom,
  since: "1.0.0",
  group: "set",
  summary: "Subtract multiple sets and store the resulting set in a key",
  complexity: COMPLEXITY,
  syntax: "destination key [key ...]",
  argumentTypes: { destination: "key" },
  categories: ["set"],
  keys: { ...keysFrom(1, "OW update"), targetAccess: ["RO", "access"] },
  execute: storing(difference, "sdiffstore"),
});
