/** The checker of lists: stories that can be true, and those that cannot. */
import { expect, test } from "vitest";
import { checkLists } from "../src/checkers/lists.ts";
import { LISTS } from "../src/list-work.ts";
import type { Operation } from "../src/sim-client.ts";
import { did, refused, uncertain } from "../testing/story.ts";

const Q = "lq:{a}";
const R = "lr:{a}";
const W = "lw:{a}";
const B = "lb:{c}";
const C = "lc:{c}";
const x = did(1, 2, `RPUSH ${Q} x`, 1);
const y = did(3, 4, `RPUSH ${Q} y`, 2);
const xy = did(1, 4, `RPUSH ${Q} x y`, 2);
const inBag = did(1, 2, `RPUSH ${B} x`, 1);
const moved = did(5, 6, `BLMOVE ${Q} ${W} LEFT RIGHT 1`, "x");

type Lists = Readonly<Record<string, readonly string[]>>;

function check(operations: readonly Operation[], final: Lists): void {
  checkLists(operations, new Map(LISTS.map((list) => [list, final[list] ?? []])));
}

const possible: readonly (readonly [string, readonly Operation[], Lists])[] = [
  ["an element that stays", [x], { [Q]: ["x"] }],
  ["one that is taken", [x, did(3, 4, `LPOP ${Q}`, "x")], {}],
  ["one that a call waited for", [did(0, 4, `BLPOP ${R} ${Q} 1`, [Q, "x"]), x], {}],
  ["several at once", [xy, did(5, 6, `BLMPOP 1 2 ${R} ${Q} LEFT COUNT 3`, [Q, ["x", "y"]])], {}],
  ["one that was taken for somebody who never heard of it", [x, did(3, 4, `BLPOP ${Q} 1`, uncertain)], {}],
  ["an early acknowledgement that was lost", [did(1, 2, `RPUSH ${Q} x`, 1, "1")], {}],
  ["one that is worked on", [x, moved], { [W]: ["x"] }],
  ["one that is done", [x, moved, did(7, 8, `LREM ${W} 1 x`, 1)], {}],
  ["one that may be done", [x, moved, did(7, 8, `LREM ${W} 1 x`, 1, "1")], { [W]: ["x"] }],
  [
    "one that is moved for somebody who never heard of it",
    [x, did(3, 4, moved.args.join(" "), undefined)],
    { [W]: ["x"] },
  ],
  ["two takers at the same time", [x, y, did(5, 8, `LPOP ${Q}`, "y"), did(6, 7, `LPOP ${Q}`, "x")], {}],
  ["pushes at the same time", [x, did(1, 3, `RPUSH ${Q} z`, 1), did(4, 5, `LPOP ${Q} 2`, ["z", "x"])], {}],
  ["nothing before the push is over", [did(1, 4, `RPUSH ${Q} x`, 1), did(2, 3, `LPOP ${Q}`, null)], { [Q]: ["x"] }],
  ["nothing to push to", [did(1, 2, `RPUSHX ${Q} x`, 0)], {}],
  ["a look before the take is over", [x, did(3, 6, `LPOP ${Q}`, "x"), did(4, 5, `LRANGE ${Q} 0 -1`, ["x"])], {}],
  ["one that wanders", [inBag, did(3, 4, `RPOPLPUSH ${B} ${C}`, "x"), did(5, 6, `BRPOP ${B} ${C} 1`, [C, "x"])], {}],
  ["one that was put beside another", [inBag, did(3, 4, `LINSERT ${B} BEFORE x y`, 2)], { [B]: ["y", "x"] }],
];

test.each(possible)("%s: can be", (_name, operations, final) => {
  check(operations, final);
});

const impossible: readonly (readonly [string, readonly Operation[], Lists, RegExp])[] = [
  ["two takers of one", [x, did(3, 4, `LPOP ${Q}`, "x"), did(3, 6, `BLPOP ${Q} 1`, [Q, "x"])], {}, /taken twice/],
  ["one that is moved and taken", [x, moved, did(3, 9, `LPOP ${Q}`, "x")], { [W]: ["x"] }, /taken twice/],
  ["one that is lost", [x], {}, /1 elements of .* are gone/],
  ["one that a move without an answer lost", [x, did(3, 4, moved.args.join(" "), undefined)], {}, /are gone/],
  ["one that was taken and is there", [x, did(3, 4, `LPOP ${Q}`, "x")], { [Q]: ["x"] }, /there at the end/],
  ["one that is there twice", [x, did(3, 4, moved.args.join(" "), undefined)], { [Q]: ["x"], [W]: ["x"] }, /twice/],
  ["one from nowhere", [], { [Q]: ["x"] }, /nobody can have pushed/],
  ["one that was refused", [did(1, 2, `RPUSH ${Q} x`, refused)], { [Q]: ["x"] }, /nobody can have pushed/],
  ["one that was given by another list", [x, did(3, 4, `BLPOP ${Q} 1`, [R, "x"])], {}, /something of/],
  ["more than was wanted", [xy, did(5, 6, `BLMPOP 1 1 ${Q} LEFT COUNT 1`, [Q, ["x", "y"]])], {}, /given 2 elements/],
  ["a move that led nowhere", [x, moved], {}, /not where it was moved to/],
  ["work that its worker does not find", [x, moved, did(7, 8, `LREM ${W} 1 x`, 0)], { [W]: ["x"] }, /did not find/],
  ["work that is done and is there", [x, moved, did(7, 8, `LREM ${W} 1 x`, 1)], { [W]: ["x"] }, /is done/],
  [
    "one that is taken before its turn",
    [x, y, did(5, 6, `LPOP ${Q}`, "y"), did(7, 8, `LPOP ${Q}`, "x")],
    {},
    /stood behind/,
  ],
  ["one that is passed over for ever", [x, y, did(5, 6, `LPOP ${Q}`, "y")], { [Q]: ["x"] }, /stood behind/],
  ["a push that is turned round", [xy, did(5, 6, `LPOP ${Q}`, "y"), did(7, 8, `LPOP ${Q}`, "x")], {}, /stood behind/],
  [
    "one connection's pushes that are turned round",
    [
      { ...did(1, 9, `RPUSH ${Q} x`, 1), client: "c" },
      { ...did(2, 9, `RPUSH ${Q} y`, 2), client: "c" },
      did(3, 8, `LRANGE ${Q} 0 -1`, ["y", "x"]),
    ],
    { [Q]: ["y", "x"] },
    /stands behind/,
  ],
  ["a row that is turned round", [x, y, did(5, 6, `LPOP ${Q} 2`, ["y", "x"])], {}, /stands behind/],
  ["nothing where there is something", [x, did(3, 4, `LPOP ${Q}`, null)], { [Q]: ["x"] }, /there is nothing/],
  ["a look that misses one", [x, did(3, 4, `LRANGE ${Q} 0 -1`, [])], { [Q]: ["x"] }, /did not see/],
  [
    "a look that sees what was taken",
    [x, did(3, 4, `LPOP ${Q}`, "x"), did(5, 6, `LRANGE ${Q} 0 -1`, ["x"])],
    {},
    /saw it there/,
  ],
  ["two takers of what wanders", [inBag, did(3, 4, `RPOP ${B}`, "x"), did(5, 6, `LPOP ${C}`, "x")], {}, /taken twice/],
  ["one that wandered away", [inBag, did(3, 4, `LMOVE ${B} ${C} LEFT LEFT`, "x")], {}, /are gone/],
];

test.each(impossible)("%s: cannot", (_name, operations, final, message) => {
  expect(() => check(operations, final)).toThrow(message);
});
