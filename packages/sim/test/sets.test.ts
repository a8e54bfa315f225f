/** The checker of sets: stories that can be true, and those that cannot. */
import { expect, test } from "vitest";
import { checkSets } from "../src/checkers/sets.ts";
import type { Operation } from "../src/sim-client.ts";
import { did, refused, uncertain } from "../testing/story.ts";

const T = "st:{a}";
const M = "sm:{a}";
const add = did(1, 2, `SADD ${T} x`, 1);

type Sets = readonly (readonly string[])[];

const possible: readonly (readonly [string, readonly Operation[], Sets])[] = [
  ["a ticket that stays", [add], [["x"], []]],
  ["one that is drawn", [add, did(3, 4, `SPOP ${T}`, "x")], [[], []]],
  ["one that is moved", [add, did(3, 4, `SMOVE ${T} ${M} x`, 1)], [[], ["x"]]],
  ["one that was drawn for somebody who never heard of it", [add, did(3, 4, `SPOP ${T}`, uncertain)], [[], []]],
  ["one that was added without an answer", [did(1, 2, `SADD ${T} y`, undefined)], [["y"], []]],
  ["an early acknowledgement that was lost", [did(1, 2, `SADD ${T} y`, 1, "1")], [[], []]],
  ["a look before the draw is over", [add, did(3, 6, `SPOP ${T}`, "x"), did(4, 5, `SMEMBERS ${T}`, ["x"])], [[], []]],
];

test.each(possible)("%s: can be", (_name, operations, final) => {
  checkSets(operations, final);
});

const impossible: readonly (readonly [string, readonly Operation[], Sets, RegExp])[] = [
  [
    "two draws of one ticket",
    [add, did(3, 4, `SPOP ${T}`, "x"), did(5, 6, `SPOP ${T}`, "x")],
    [[], []],
    /by c\d+ and by/,
  ],
  ["a ticket that is lost", [add], [[], []], /tickets are gone/],
  ["one that was drawn and is there", [add, did(3, 4, `SPOP ${T}`, "x")], [["x"], []], /member at the end/],
  [
    "one that was drawn and is seen",
    [add, did(3, 4, `SPOP ${T}`, "x"), did(5, 6, `SMEMBERS ${T}`, ["x"])],
    [[], []],
    /saw/,
  ],
  ["half of a move", [add, did(3, 4, `SMOVE ${T} ${M} x`, undefined)], [["x"], ["x"]], /half an SMOVE/],
  ["a move that is undone", [add, did(3, 4, `SMOVE ${T} ${M} x`, 1)], [["x"], []], /where it was before/],
  ["a ticket from nowhere", [add], [["x", "y"], []], /nobody can have added/],
  ["one that was refused", [did(1, 2, `SADD ${T} x`, refused)], [["x"], []], /nobody can have added/],
];

test.each(impossible)("%s: cannot", (_name, operations, final, message) => {
  expect(() => checkSets(operations, final)).toThrow(message);
});
