/** The checker of dead letters can fail: histories that break its rules, each in one way. */
import { expect, test } from "vitest";
import { checkDeadLetters, type DeadLetterView } from "../src/checkers/dead-letters.ts";
import type { Entry } from "../src/checkers/reading.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { Operation } from "../src/sim-client.ts";

const RULES = { retriesMax: 2, group: "g" };

let steps = 0;

function operation(line: string, reply: ReplyValue | undefined): Operation {
  steps += 2;
  const args = line.split(" ");
  const at = { invokedStep: steps, completedStep: steps + 1, invokedMs: steps, completedMs: steps + 1 };
  return { client: "c", ack: "ALL", args, reply, open: reply === undefined, ...at } as unknown as Operation;
}

function letter(origin: string, payload: string, stream = "p"): Entry {
  const pairs = { p: payload, "dlq:stream": stream, "dlq:id": origin, "dlq:group": "g", "dlq:consumer": "c" };
  const rest = { "dlq:deliveries": "2", "dlq:first-delivered": "", "dlq:reason": "max-retries" };
  return [`9-${origin.replace("-", "")}`, Object.entries({ ...pairs, ...rest }).flat()];
}

/** Two entries, one of them poison. */
const ENTRIES: readonly Entry[] = [
  ["1-0", ["p", "good"]],
  ["2-0", ["p", "bad!"]],
];

function view(
  dead: readonly Entry[],
  more: { acknowledged?: readonly string[]; pendingCount?: number } = {},
): DeadLetterView {
  const { acknowledged = [], pendingCount = 0 } = more;
  return { dead, streams: new Map([["p", { entries: ENTRIES, acknowledged, pendingCount }]]) };
}

function read(...ids: readonly string[]): Operation {
  return operation("XREADGROUP GROUP g c STREAMS p >", [["p", ids.map((id) => [id, ["p", "x"]])]] as never);
}

const acked = (): Operation => operation("XACK p g 1-0", 1);

test("an entry that is acknowledged and poison that is a dead letter are right", () => {
  expect(checkDeadLetters([acked()], view([letter("2-0", "bad!")]), RULES)).toEqual({ dead: 1 });
  expect(checkDeadLetters([], view([letter("2-0", "bad!")], { acknowledged: ["1-0"] }), RULES)).toEqual({ dead: 1 });
  // Nobody knows what became of the acknowledgement.
  for (const reply of [undefined, new ErrorReply("UNCERTAIN the outcome is not known")])
    expect(checkDeadLetters([operation("XACK p g 1-0", reply)], view([letter("2-0", "bad!")]), RULES).dead).toBe(1);
  // Too late: it was one already.
  const both = view([letter("2-0", "bad!"), letter("1-0", "good")]);
  expect(checkDeadLetters([operation("XACK p g 1-0", 0)], both, RULES)).toEqual({ dead: 2 });
});

test.each<readonly [string, string, readonly Operation[], DeadLetterView]>([
  ["in both", "was acknowledged, and is in", [acked()], view([letter("2-0", "bad!"), letter("1-0", "good")])],
  ["in neither", "never acknowledged, and is no dead letter", [], view([letter("2-0", "bad!")])],
  [
    "in neither, and late",
    "never acknowledged, and is no dead letter",
    [operation("XACK p g 1-0", 0)],
    view([letter("2-0", "bad!")]),
  ],
  ["twice a dead letter", "twice", [acked()], view([letter("2-0", "bad!"), letter("2-0", "bad!")])],
  ["twice acknowledged", "acknowledged twice", [acked(), acked()], view([letter("2-0", "bad!")])],
  [
    "acknowledged again at the end",
    "delivered again",
    [acked()],
    view([letter("2-0", "bad!")], { acknowledged: ["1-0"] }),
  ],
  ["poison that is nowhere", "poison, and no dead letter", [acked()], view([])],
  ["another body", "another entry", [acked()], view([letter("2-0", "other!")])],
  ["of a stream that has none", "which has none", [acked()], view([letter("2-0", "bad!"), letter("1-0", "x", "q")])],
  ["what stays pending", "stay pending", [acked()], view([letter("2-0", "bad!")], { pendingCount: 1 })],
  ["a lost entry", "and is lost", [operation("XADD p * p z", "7-0"), acked()], view([letter("2-0", "bad!")])],
  [
    "one delivery too many",
    "delivered 3 times",
    [read("2-0"), read("2-0"), read("1-0", "2-0"), acked()],
    view([letter("2-0", "bad!")]),
  ],
])("%s is noticed", (_name, message, operations, seen) => {
  expect(() => checkDeadLetters(operations, seen, RULES)).toThrow(message);
});

test("who was sent back may be delivered as often again", () => {
  const operations = [read("2-0"), read("2-0"), operation("XGROUP REDRIVE p g", "OK"), read("2-0"), acked()];
  expect(checkDeadLetters(operations, view([letter("2-0", "bad!")]), RULES)).toEqual({ dead: 1 });
});
