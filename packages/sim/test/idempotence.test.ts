/** The judge of idempotent producing: histories that are possible pass, and each with one lie in it does not. */
import { expect, test } from "vitest";
import { checkIdempotence } from "../src/checkers/idempotence.ts";
import type { Entry } from "../src/checkers/reading.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { AckLevel, Operation } from "../src/sim-client.ts";

const STREAM = "i:{a}";
const uncertain = new ErrorReply("UNCERTAIN The fate of this write is unknown");
const refused = new ErrorReply("CLUSTERDOWN no leader");

function add(
  from: number,
  to: number,
  payload: string,
  reply: ReplyValue | undefined,
  ack: AckLevel = "ALL",
): Operation {
  const args = ["XADD", STREAM, "IDMP", "c1", payload.split("#")[0]!, "*", "p", payload];
  return { client: "c1", args, ack, connection: 1, invokedStep: from, completedStep: to, reply, open: false };
}

function entries(...pairs: readonly (readonly [id: string, payload: string])[]): Entry[] {
  return pairs.map(([id, payload]) => [id, ["p", payload]]);
}

function read(from: number, to: number, ...pairs: readonly (readonly [id: string, payload: string])[]): Operation {
  const reply = entries(...pairs) as unknown as ReplyValue;
  const args = ["XRANGE", STREAM, "-", "+"];
  return { client: "c2", args, ack: "ALL", connection: 1, invokedStep: from, completedStep: to, reply, open: false };
}

test.each([
  ["one that was answered at once", [add(1, 2, "m#1", "5-0")], [["5-0", "m#1"]], 0],
  ["one in doubt that was sent again", [add(1, 2, "m#1", uncertain), add(3, 4, "m#2", "5-0")], [["5-0", "m#1"]], 0],
  ["one that was answered twice alike", [add(1, 2, "m#1", "5-0"), add(3, 4, "m#2", "5-0")], [["5-0", "m#1"]], 1],
  ["one that never arrived", [add(1, 2, "m#1", undefined), read(3, 4)], [], 0],
  ["one that was lost early", [add(1, 2, "m#1", "5-0", "0"), add(3, 4, "m#2", "6-0")], [["6-0", "m#2"]], 0],
  [
    "a reader before the answer",
    [add(1, 5, "m#1", "5-0"), read(2, 4), read(6, 7, ["5-0", "m#1"])],
    [["5-0", "m#1"]],
    0,
  ],
  ["equal attempts", [add(1, 2, "m", uncertain), add(3, 4, "m", refused), add(5, 6, "m", "5-0")], [["5-0", "m"]], 0],
] as const)("is content with %s", (_what, operations, final, repeated) => {
  expect(checkIdempotence(operations, new Map([[STREAM, entries(...final)]]))).toBe(repeated);
});

test.each([
  [
    "a message that is there twice",
    [add(1, 2, "m#1", uncertain), add(3, 4, "m#2", "6-0")],
    [
      ["5-0", "m#1"],
      ["6-0", "m#2"],
    ],
    /two ids/,
  ],
  ["two answers for one message", [add(1, 2, "m#1", "5-0"), add(3, 4, "m#2", "6-0")], [["5-0", "m#1"]], /two ids/],
  [
    "a reader who saw it twice",
    [add(1, 2, "m#1", undefined), read(3, 4, ["5-0", "m#1"], ["6-0", "m#1"])],
    [["5-0", "m#1"]],
    /is twice/,
  ],
  ["an answer that is gone", [add(1, 2, "m#1", "5-0")], [], /did not see it/],
  [
    "a reader who came later and saw nothing",
    [add(1, 2, "m#1", "5-0"), read(3, 4)],
    [["5-0", "m#1"]],
    /did not see it/,
  ],
  ["a refusal that is there", [add(1, 2, "m#1", refused)], [["5-0", "m#1"]], /was refused/],
  ["what nobody sent", [], [["5-0", "m#1"]], /nobody added/],
] as const)("objects to %s", (_what, operations, final, message) => {
  const there = final as unknown as readonly (readonly [string, string])[];
  expect(() => checkIdempotence(operations, new Map([[STREAM, entries(...there)]]))).toThrow(message);
});
