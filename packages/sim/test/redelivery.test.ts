/** The judge of groups that hand out again: histories that are possible pass, and each with one lie in it does not. */
import { expect, test } from "vitest";
import type { Entry } from "../src/checkers/reading.ts";
import { checkRedelivery } from "../src/checkers/redelivery.ts";
import type { ReplyValue } from "../src/reply-value.ts";
import type { AckLevel, Operation } from "../src/sim-client.ts";
import { did, refused, uncertain } from "../testing/story.ts";

const STREAM = "q:{b}";

function entries(ids: readonly string[]): Entry[] {
  return ids.map((id) => [id, ["p", id]]);
}

function read(from: number, to: number, ...ids: readonly string[]): Operation {
  const reply = [[STREAM, entries(ids)]] as unknown as ReplyValue;
  return did(from, to, `XREADGROUP GROUP g c1 STREAMS ${STREAM} >`, reply);
}

function acknowledge(from: number, to: number, ids: string, reply: ReplyValue | undefined, ack?: AckLevel): Operation {
  return did(from, to, `XACK ${STREAM} g ${ids}`, reply, ack);
}

function added(id: string, ack?: AckLevel): Operation {
  return did(0, 1, `XADD ${STREAM} * p ${id}`, id, ack);
}

function check(
  operations: readonly Operation[],
  there: readonly string[],
  drained: readonly string[],
  left: number,
): number {
  const view = { entries: entries(there), drained, pendingCount: left };
  return checkRedelivery(operations, new Map([[STREAM, view]]));
}

test.each([
  ["one that was acknowledged", [added("1-0"), read(2, 3, "1-0"), acknowledge(4, 5, "1-0", 1)], ["1-0"], [], 0],
  ["one that came twice and at the end", [read(2, 3, "1-0"), read(4, 5, "1-0")], ["1-0"], ["1-0"], 1],
  ["one whose acknowledgement is in doubt", [read(2, 3, "1-0"), acknowledge(4, 5, "1-0", uncertain)], ["1-0"], [], 0],
  [
    "one whose acknowledgement was lost early",
    [acknowledge(4, 5, "1-0", 1, "0"), read(6, 7, "1-0")],
    ["1-0"],
    ["1-0"],
    0,
  ],
  ["a delivery that overlaps the acknowledgement", [acknowledge(4, 6, "1-0", 1), read(5, 7, "1-0")], ["1-0"], [], 0],
  ["one that was lost early", [added("1-0", "1")], [], [], 0],
] as const)("is content with %s", (_what, operations, there, drained, again) => {
  expect(check(operations, there, drained, 0)).toBe(again);
});

test.each([
  [
    "a delivery after the acknowledgement",
    [acknowledge(4, 5, "1-0", 1), read(6, 7, "1-0")],
    ["1-0"],
    [],
    0,
    /delivered to/,
  ],
  ["one at the end", [acknowledge(4, 5, "1-0", 1)], ["1-0"], ["1-0"], 0, /delivered again at the end/],
  ["two acknowledgements", [acknowledge(4, 5, "1-0", 1), acknowledge(6, 7, "1-0", 1)], ["1-0"], [], 0, /twice/],
  ["an entry that is lost", [added("1-0")], [], [], 0, /is lost/],
  ["one that nobody is given", [read(2, 3, "1-0")], ["1-0"], [], 0, /nobody is given it/],
  ["one whose acknowledgement was refused", [acknowledge(4, 5, "1-0", refused)], ["1-0"], [], 0, /nobody is given it/],
  ["one that stays pending", [acknowledge(4, 5, "1-0", uncertain)], ["1-0"], [], 1, /stay pending/],
  ["one that comes twice at the end", [], ["1-0"], ["1-0", "1-0"], 0, /once more/],
] as const)("finds %s", (_what, operations, there, drained, left, message) => {
  expect(() => check(operations, there, drained, left)).toThrow(message);
});
