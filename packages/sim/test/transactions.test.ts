/** The judge of transactions: histories that are possible pass, and each with one lie in it does not. */
import { expect, test } from "vitest";
import type { Placement } from "../src/checkers/history.ts";
import type { Entry } from "../src/checkers/reading.ts";
import { checkTransactions, type TransactionView } from "../src/checkers/transactions.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { AckLevel, Operation } from "../src/sim-client.ts";

const uncertain = new ErrorReply("UNCERTAIN nobody knows");
const refused = new ErrorReply("CLUSTERDOWN no leader");

function exec(from: number, to: number, parts: readonly string[], reply: ReplyValue, ack: AckLevel = "ALL"): Operation {
  const queued = parts.map((part) => part.split(" "));
  return {
    client: "c1",
    args: ["EXEC"],
    parts: queued,
    ack,
    connection: 1,
    invokedStep: from,
    completedStep: to,
    reply,
    open: false,
  };
}

/** Writes c1.n and c1.n+1. */
function write(from: number, to: number, n: number, reply: ReplyValue, ack: AckLevel = "ALL"): Operation {
  return exec(from, to, [`XADD y1:{a} * p c1.${n}`, `XADD y2:{a} * p c1.${n + 1}`], reply, ack);
}

function look(from: number, to: number, first: readonly Entry[], second: readonly Entry[]): Operation {
  return exec(from, to, ["XRANGE y1:{a} - +", "XRANGE y2:{a} - +"], [first, second] as never);
}

function link(n: number, prev: string, reply: ReplyValue): Operation {
  return exec(1, 2, [`XADD w:{b} * p c1.${n} prev ${prev}`], reply);
}

const at = (id: string, n: number): Entry => [id, ["p", `c1.${n}`]];
const linked = (id: string, n: number, prev: string): Entry => [id, ["p", `c1.${n}`, "prev", prev]];

interface Story {
  readonly operations: readonly Operation[];
  readonly first?: readonly Entry[];
  readonly second?: readonly Entry[];
  readonly chain?: readonly Entry[];
  readonly placements?: readonly (readonly [string, Placement])[];
}

function check({ operations, first = [], second = [], chain = [], placements = [] }: Story): void {
  const final: TransactionView = { pair: [first, second], chain };
  checkTransactions(operations, final, new Map(placements));
}

const both = { first: [at("1-0", 1)], second: [at("2-0", 2)] };
const place = (index: number): Placement => ({ group: 1, term: 2, index });

const possible: readonly (readonly [string, Story])[] = [
  ["one that was answered and is there", { operations: [write(1, 2, 1, ["1-0", "2-0"])], ...both }],
  ["one that was uncertain and is there", { operations: [write(1, 2, 1, uncertain)], ...both }],
  ["one that was uncertain and is not", { operations: [write(1, 2, 1, uncertain)] }],
  ["one that was answered early and is lost", { operations: [write(1, 2, 1, ["1-0", "2-0"], "1")] }],
  [
    "a look that came before, and one that came after",
    { operations: [look(1, 3, [], []), write(2, 4, 1, ["1-0", "2-0"]), look(5, 6, both.first, both.second)], ...both },
  ],
  [
    "a chain, and one that was overtaken",
    {
      operations: [link(1, "0-0", ["5-0"]), link(2, "0-0", null), link(3, "5-0", ["6-0"])],
      chain: [linked("5-0", 1, "0-0"), linked("6-0", 3, "5-0")],
    },
  ],
  [
    "the first of a chain, read in front of an append and behind one",
    {
      operations: [
        exec(1, 2, ["XRANGE w:{b} - + COUNT 1", "XADD w:{b} * p c1.1 prev 0-0"], [[], "5-0"] as never),
        exec(3, 4, ["XADD w:{b} * p c1.3 prev 5-0", "XRANGE w:{b} - + COUNT 1"], [
          "6-0",
          [linked("5-0", 1, "0-0")],
        ] as never),
      ],
      chain: [linked("5-0", 1, "0-0"), linked("6-0", 3, "5-0")],
    },
  ],
  [
    "both in one log entry",
    {
      operations: [write(1, 2, 1, ["1-0", "2-0"])],
      ...both,
      placements: [
        ["c1.1", place(7)],
        ["c1.2", place(7)],
      ],
    },
  ],
];

test.each(possible)("is content with %s", (_what, story) => {
  check(story);
});

const impossible: readonly (readonly [string, Story, RegExp])[] = [
  ["half of one", { operations: [write(1, 2, 1, uncertain)], first: both.first }, /half a transaction at the end/],
  [
    "a look that shows half of one",
    { operations: [write(1, 4, 1, ["1-0", "2-0"]), look(2, 3, both.first, [])], ...both },
    /half a transaction for c1/,
  ],
  ["one that was lost", { operations: [write(1, 2, 1, ["1-0", "2-0"])] }, /lost: c1\.1/],
  [
    "one that was refused and is there",
    { operations: [write(1, 2, 1, refused)], ...both },
    /but its EXEC was answered/,
  ],
  ["a nil that is there", { operations: [write(1, 2, 1, null)], ...both }, /but its EXEC was answered null/],
  ["another id than was said", { operations: [write(1, 2, 1, ["1-0", "3-0"])], ...both }, /but is at y2:\{a\} 2-0/],
  [
    "one that happened twice",
    {
      operations: [write(1, 2, 1, uncertain)],
      first: [at("1-0", 1), at("3-0", 1)],
      second: [at("2-0", 2), at("4-0", 2)],
    },
    /is there twice/,
  ],
  [
    "a look that does not see what was answered",
    { operations: [write(1, 2, 1, ["1-0", "2-0"]), look(3, 4, [], [])], ...both },
    /not seen later/,
  ],
  [
    "a look that saw what is not there",
    { operations: [write(1, 4, 1, uncertain), look(2, 3, both.first, both.second)] },
    /seen and gone/,
  ],
  [
    "two that saw the same end of the chain",
    { operations: [], chain: [linked("5-0", 1, "0-0"), linked("6-0", 2, "0-0")] },
    /was written behind 0-0, but stands behind 5-0/,
  ],
  [
    "another first of a chain than there is",
    {
      operations: [
        exec(1, 2, ["XADD w:{b} * p c1.1 prev 0-0", "XRANGE w:{b} - + COUNT 1"], [
          "5-0",
          [linked("5-0", 2, "0-0")],
        ] as never),
      ],
      chain: [linked("5-0", 1, "0-0")],
    },
    /read \["5-0",\["p","c1\.2","prev","0-0"\]\] as the first of w:\{b\}/,
  ],
  [
    "two log entries",
    {
      operations: [write(1, 2, 1, ["1-0", "2-0"])],
      ...both,
      placements: [
        ["c1.1", place(7)],
        ["c1.2", place(8)],
      ],
    },
    /is in two log entries, 7 and 8/,
  ],
];

test.each(impossible)("objects to %s", (_what, story, message) => {
  expect(() => check(story)).toThrow(message);
});
