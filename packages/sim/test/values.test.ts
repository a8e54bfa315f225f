/** The checker of counters: stories that can be true, and those that cannot. */
import { expect, test } from "vitest";
import { checkValues, type ValueView } from "../src/checkers/values.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { AckLevel, Operation } from "../src/sim-client.ts";

const COUNTER = "v:{a}";
let clients = 0;

function operation(from: number, to: number, fields: Partial<Operation>): Operation {
  return {
    client: `c${++clients}`,
    args: [],
    ack: "ALL",
    connection: 1,
    invokedStep: from,
    completedStep: to,
    reply: undefined,
    open: false,
    ...fields,
  };
}

function incr(from: number, to: number, reply: ReplyValue | undefined, ack: AckLevel = "ALL"): Operation {
  return operation(from, to, { args: ["INCR", COUNTER], reply, ack });
}

function get(from: number, to: number, reply: ReplyValue): Operation {
  return operation(from, to, { args: ["GET", COUNTER], reply });
}

function exec(from: number, to: number, words: string, reply: ReplyValue | undefined): Operation {
  return operation(from, to, { args: ["EXEC"], parts: words.split(", ").map((part) => part.split(" ")), reply });
}

const GROW = "XADD z:{d} * f v, INCR zn:{d}, APPEND zt:{d} x";
const LOOK = "XLEN z:{d}, GET zn:{d}, STRLEN zt:{d}";
const uncertain = new ErrorReply("UNCERTAIN The fate of this write is unknown");
const refused = new ErrorReply("CLUSTERDOWN nothing happened");

function view(counter: number, growing: readonly number[] = [0, 0, 0]): ValueView {
  return {
    counters: new Map([
      [COUNTER, counter],
      ["v:{c}", 0],
    ]),
    growing,
    sets: [],
    hashes: { registers: [], counts: [], quarters: [] },
  };
}

const possible: readonly (readonly [string, Operation[], ValueView])[] = [
  ["steps that were answered", [incr(1, 2, 1), incr(3, 4, 2), get(5, 6, "2")], view(2)],
  ["a step without an answer that was made", [incr(1, 2, undefined), incr(1, 4, uncertain)], view(2)],
  ["and one that was not", [incr(1, 2, undefined), incr(3, 4, 1)], view(1)],
  ["an early acknowledgement that was lost", [incr(1, 2, 1, "1"), incr(5, 6, 1)], view(1)],
  ["a step at a lower level whose leader others have left behind", [incr(1, 2, 1), incr(3, 4, 1, "1")], view(1)],
  ["a step that was refused", [incr(1, 2, refused)], view(0)],
  [
    "what grows together",
    [exec(1, 2, GROW, ["1-0", 1, 1] as never), exec(3, 4, LOOK, [1, "1", 1] as never)],
    view(0, [1, 1, 1]),
  ],
];

test.each(possible)("%s: can be", (_name, operations, final) => {
  checkValues(operations, final);
});

const impossible: readonly (readonly [string, Operation[], ValueView, RegExp])[] = [
  ["a step that is lost", [incr(1, 2, 1), incr(3, 4, 2)], view(1), /2 steps were acknowledged/],
  ["a step that was made twice", [incr(1, 2, undefined)], view(2), /repeated/],
  ["a refused step that was made", [incr(1, 2, refused)], view(1), /repeated/],
  ["two steps with one answer", [incr(1, 5, 1), incr(1, 6, 1), incr(1, 2, undefined)], view(3), /for c\d+ and c\d+/],
  ["a look that goes back", [incr(1, 2, 1), get(3, 4, null)], view(1), /had been seen at 1/],
  ["what was seen and is gone", [incr(1, 2, 1, "0"), get(3, 4, "1")], view(0), /seen and gone/],
  ["half a transaction", [exec(1, 2, LOOK, [1, "0", 1] as never)], view(0, [1, 1, 1]), /half a transaction for/],
  ["half a transaction at the end", [exec(1, 2, GROW, undefined)], view(0, [1, 1, 0]), /half a transaction at the end/],
];

test.each(impossible)("%s: cannot", (_name, operations, final, message) => {
  expect(() => checkValues(operations, final)).toThrow(message);
});
