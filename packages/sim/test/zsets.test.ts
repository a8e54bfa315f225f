/** The checker of sorted sets: stories that can be true, and those that cannot. */
import { expect, test } from "vitest";
import { checkZsets } from "../src/checkers/zsets.ts";
import type { Operation } from "../src/sim-client.ts";
import { BEST_MAX, BOARD_MAX, type Scored, TICKET_SETS } from "../src/zset-work.ts";
import { did, refused, uncertain } from "../testing/story.ts";

const T = "bt:{b}";
const U = "bu:{b}";
const x = did(1, 2, `ZADD ${T} 1 x`, 1);
const y = did(1, 2, `ZADD ${T} CH 2 y`, 1);
const step = did(1, 2, "ZINCRBY bc:{a} 1 m", "1");
const cut = did(5, 6, `ZREMRANGEBYRANK br:{d} 0 ${-BOARD_MAX - 1}`, 1);
/** One more than the board takes; the first is the worst. */
const ranked = Array.from({ length: BOARD_MAX + 1 }, (_, i): Scored => [`m${i}`, i]);
const filled = did(
  3,
  4,
  `ZADD br:{d} ${ranked.map(([member, score]) => `${score} ${member}`).join(" ")}`,
  ranked.length,
);

interface Sets {
  readonly t?: readonly Scored[];
  readonly m?: number;
  readonly board?: readonly Scored[];
  readonly best?: readonly Scored[];
}

function check(operations: readonly Operation[], { t = [], m = 0, board = [], best }: Sets): void {
  checkZsets(operations, {
    tickets: new Map(TICKET_SETS.map((set) => [set, set === T ? t : []])),
    counted: new Map([["m", m]]),
    board,
    best: best ?? board.slice(-BEST_MAX),
  });
}

const possible: readonly (readonly [string, readonly Operation[], Sets])[] = [
  ["a ticket that stays", [x], { t: [["x", 1]] }],
  ["one that is taken", [x, did(3, 4, `ZPOPMIN ${T}`, ["x", "1"])], {}],
  ["one that a call waited for", [did(0, 4, `BZPOPMIN ${U} ${T} 1`, [T, "x", "1"]), x], {}],
  [
    "several at once",
    [
      x,
      y,
      did(5, 6, `BZMPOP 1 2 ${U} ${T} MAX COUNT 3`, [
        T,
        [
          ["y", "2"],
          ["x", "1"],
        ],
      ]),
    ],
    {},
  ],
  ["one that was taken for somebody who never heard of it", [x, did(3, 4, `BZPOPMAX ${T} 1`, uncertain)], {}],
  ["an early acknowledgement that was lost", [did(1, 2, `ZADD ${T} 1 x`, 1, "1")], {}],
  [
    "a lower one that came meanwhile",
    [y, did(3, 6, `ZPOPMIN ${T}`, ["y", "2"]), did(4, 5, `ZADD ${T} 1 x`, 1)],
    { t: [["x", 1]] },
  ],
  ["one that was removed", [x, did(3, 4, `ZREM ${T} x`, 1)], {}],
  ["nothing before it is put in", [did(1, 4, `ZADD ${T} 1 x`, 1), did(2, 3, `ZPOPMAX ${T} 2`, [])], { t: [["x", 1]] }],
  [
    "a look",
    [x, y, did(3, 4, `ZRANGE ${T} 0 -1 WITHSCORES`, ["x", "1", "y", "2"])],
    {
      t: [
        ["x", 1],
        ["y", 2],
      ],
    },
  ],
  [
    "a member that is counted",
    [step, did(3, 4, "ZADD bc:{a} INCR 1 m", "2"), did(5, 6, "ZSCORE bc:{a} m", "2")],
    { m: 2 },
  ],
  ["a board that is not cut", [filled], { board: ranked }],
  ["a board that is cut", [filled, cut], { board: ranked.slice(1) }],
];

test.each(possible)("%s: can be", (_name, operations, final) => {
  check(operations, final);
});

const impossible: readonly (readonly [string, readonly Operation[], Sets, RegExp])[] = [
  [
    "two takers of one",
    [x, did(3, 4, `ZPOPMIN ${T}`, ["x", "1"]), did(3, 6, `BZPOPMAX ${T} 1`, [T, "x", "1"])],
    {},
    /taken twice/,
  ],
  ["one that is lost", [x], {}, /1 tickets of .* are gone/],
  [
    "one that was taken and is there",
    [x, did(3, 4, `ZPOPMIN ${T}`, ["x", "1"])],
    { t: [["x", 1]] },
    /there at the end/,
  ],
  ["one from nowhere", [], { t: [["x", 1]] }, /put in with nothing/],
  ["one that was refused", [did(1, 2, `ZADD ${T} 1 x`, refused)], { t: [["x", 1]] }, /put in with nothing/],
  ["another score", [x], { t: [["x", 2]] }, /shown with 2, and was put in with 1/],
  ["another score for who takes it", [x, did(3, 4, `ZPOPMIN ${T}`, ["x", "3"])], {}, /taken with 3/],
  ["an answer that counts too many", [did(1, 2, `ZADD ${T} 1 x`, 2)], {}, /answered with 2/],
  [
    "the highest for who wants the lowest",
    [x, y, did(3, 4, `ZPOPMIN ${T}`, ["y", "2"])],
    { t: [["x", 1]] },
    /whose turn it was/,
  ],
  [
    "the lowest for who wants the highest",
    [x, y, did(3, 4, `BZPOPMAX ${T} 1`, [T, "x", "1"])],
    { t: [["y", 2]] },
    /whose turn it was/,
  ],
  [
    "several out of order",
    [
      x,
      y,
      did(3, 4, `ZMPOP 1 ${T} MIN COUNT 2`, [
        T,
        [
          ["y", "2"],
          ["x", "1"],
        ],
      ]),
    ],
    {},
    /out of order/,
  ],
  [
    "the second set where the first has something",
    [x, did(1, 2, `ZADD ${U} 1 u`, 1), did(3, 4, `BZMPOP 1 2 ${T} ${U} MIN COUNT 1`, [U, [["u", "1"]]])],
    { t: [["x", 1]] },
    /took of bu/,
  ],
  [
    "nothing where there is something",
    [x, did(3, 4, `ZMPOP 1 ${T} MIN COUNT 1`, null)],
    { t: [["x", 1]] },
    /there is nothing/,
  ],
  ["a look that misses one", [x, did(3, 4, `ZRANGE ${T} 0 -1 WITHSCORES`, [])], { t: [["x", 1]] }, /did not see/],
  [
    "a look that sees what was taken",
    [x, did(3, 4, `ZPOPMAX ${T}`, ["x", "1"]), did(5, 6, `ZRANGE ${T} 0 -1 WITHSCORES`, ["x", "1"])],
    {},
    /saw it there/,
  ],
  [
    "a look out of order",
    [x, y, did(3, 4, `ZRANGE ${T} 0 -1 WITHSCORES`, ["y", "2", "x", "1"])],
    {
      t: [
        ["x", 1],
        ["y", 2],
      ],
    },
    /out of order/,
  ],
  ["one count for two", [step, did(3, 4, "ZADD bc:{a} INCR 1 m", "1")], { m: 2 }, /was counted to 1/],
  ["a count that is lost", [step], { m: 0 }, /1 steps were acknowledged/],
  ["one of the best that is gone", [filled, cut], { board: ranked.slice(1, -1) }, /one of the best/],
  ["one of the worst that stays", [filled, cut], { board: ranked }, /beyond the best/],
  ["other members than the best", [filled], { board: ranked, best: ranked.slice(0, BEST_MAX) }, /the best are/],
];

test.each(impossible)("%s: cannot", (_name, operations, final, message) => {
  expect(() => check(operations, final)).toThrow(message);
});
