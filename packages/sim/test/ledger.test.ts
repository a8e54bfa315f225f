/** The judge of the long run can fail: histories that break its rules, each in one way. */
import { expect, test } from "vitest";
import { Ledger, type LedgerView } from "../src/checkers/ledger.ts";
import { MemoryChecker } from "../src/checkers/memory.ts";
import type { Entry } from "../src/checkers/reading.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { Operation } from "../src/sim-client.ts";
import type { Machine } from "../src/simulated-cluster.ts";

const BODY = "xyz";
const DEAD = "dead";

/** One stream `v`, as it goes in a run; `w` is one that dead letters come back to. */
class Story {
  readonly ledger: Ledger;
  #steps = 0;

  constructor() {
    const streams = [
      { name: "v", dead: DEAD, isWhole: true, isSentBack: false },
      { name: "w", dead: DEAD, isWhole: false, isSentBack: true },
    ];
    const isPoison = (payload: string): boolean => payload.endsWith("!");
    this.ledger = new Ledger(streams, { group: "g", deliveriesMax: 2, isPoison });
  }

  ask(args: readonly string[], reply: ReplyValue | undefined): this {
    this.#steps += 2;
    const at = { invokedStep: this.#steps, completedStep: reply === undefined ? -1 : this.#steps + 1 };
    this.ledger.heard({ client: "c", ack: "ALL", args, reply, open: false, connection: 1, ...at } satisfies Operation);
    return this;
  }

  add(payload: string, reply: ReplyValue | undefined, stream: string = "v"): this {
    this.ledger.sent(stream, payload, BODY.length);
    return this.ask(["XADD", stream, "*", "p", payload, "b", BODY], reply);
  }

  give(id: string, payload: string, stream: string = "v"): this {
    const entries = [[id, ["p", payload, "b", BODY]]];
    return this.ask(["XREADGROUP", "GROUP", "g", "c", "STREAMS", stream, ">"], [[stream, entries]]);
  }

  ack(id: string, reply: ReplyValue | undefined, stream: string = "v"): this {
    return this.ask(["XACK", stream, "g", id], reply);
  }

  fatal(id: string): this {
    return this.ask(["XNACK", "v", "g", "FATAL", "IDS", "1", id], 1);
  }

  end(view: Partial<LedgerView>, letters: readonly Entry[] = [], stream: string = "v"): ReturnType<Ledger["judge"]> {
    const whole = { entries: [], pendingCount: 0, entriesAdded: 0, deadLetterCount: 0, ...view };
    return this.ledger.judge(new Map([[stream, whole]]), new Map([[DEAD, letters]]));
  }
}

function entry(id: string, payload: string): Entry {
  return [id, ["p", payload, "b", BODY]];
}

function letter(origin: string, payload: string, more: Record<string, string> = {}): Entry {
  const from = { "dlq:stream": "v", "dlq:id": origin, "dlq:group": "g", "dlq:consumer": "c" };
  const pairs = { ...from, "dlq:deliveries": "2", "dlq:first-delivered": "", "dlq:reason": "max-retries", ...more };
  return [`9-${origin.split("-")[0]!}`, ["p", payload, "b", BODY, ...Object.entries(pairs).flat()]];
}

const BOTH = [entry("1-0", "a"), entry("2-0", "b!")];
const two = (): Story => new Story().add("a", "1-0").add("b!", "2-0");
const given = (): Story => two().give("1-0", "a").give("2-0", "b!");
const done = { entries: BOTH, entriesAdded: 2, deadLetterCount: 1 };
const LETTER = letter("2-0", "b!");

test("an entry that is acknowledged and poison that is a dead letter are right", () => {
  const outcome = given().ack("1-0", 1).end(done, [LETTER]);
  expect(outcome).toMatchObject({ entries: 2, poison: 1, acknowledged: 1, unheard: 0, dead: 1, cameBack: 0 });
  const { refused, deliveries } = given().add("c", new ErrorReply("BACKPRESSURE …")).ledger;
  expect([refused, deliveries]).toEqual([1, 2]);
});

test("an acknowledgement whose answer is lost may have counted", () => {
  for (const reply of [undefined, new ErrorReply("UNCERTAIN the outcome is not known")]) {
    expect(given().ack("1-0", reply).end(done, [LETTER])).toMatchObject({ acknowledged: 1, unheard: 1 });
    expect(given().ack("1-0", reply).ack("1-0", 0).end(done, [LETTER])).toMatchObject({ unheard: 1 });
    expect(given().ack("1-0", reply).ack("1-0", 1).end(done, [LETTER])).toMatchObject({ unheard: 0 });
  }
});

test("an XADD whose answer is lost has happened once, or not", () => {
  const happened = new Story().add("a", undefined).add("c", undefined).give("1-0", "a").ack("1-0", 1);
  const outcome = happened.end({ entries: [entry("1-0", "a")], entriesAdded: 1 });
  expect(outcome).toMatchObject({ entries: 1, unknownAdded: 1, unknownGone: 1 });
});

test("what comes back may be delivered as often again, and be another entry", () => {
  const from = { "dlq:stream": "w" };
  const story = new Story().add("a", "1-0", "w").give("1-0", "a", "w").give("1-0", "a", "w");
  story.give("5-0", "a", "w").give("5-0", "a", "w");
  const again = story.end({ entriesAdded: 2, deadLetterCount: 2 }, [letter("5-0", "a", from)], "w");
  expect(again).toMatchObject({ entries: 1, dead: 1, cameBack: 1 });
});

test.each<readonly [string, string, () => unknown]>([
  [
    "in both",
    "was acknowledged, and is in",
    () =>
      given()
        .ack("1-0", 1)
        .end(done, [LETTER, letter("1-0", "a")]),
  ],
  ["in neither", "never acknowledged, and is no dead letter", () => given().ack("1-0", 0).end(done, [LETTER])],
  ["poison in neither", "poison, and no dead letter", () => given().ack("1-0", 1).end(done, [])],
  ["twice a dead letter", "2 times", () => given().ack("1-0", 1).end(done, [LETTER, LETTER])],
  ["twice acknowledged", "acknowledged twice", () => given().ack("1-0", 1).ack("1-0", 1)],
  ["delivered afterwards", "delivered to c afterwards", () => given().ack("1-0", 1).give("1-0", "a")],
  ["one delivery too many", "delivered 3 times", () => given().give("2-0", "b!").give("2-0", "b!")],
  ["refused, and there", "was refused", () => new Story().add("a", new ErrorReply("OOM …")).give("1-0", "a")],
  ["sent by nobody", "nobody has sent", () => two().give("3-0", "c")],
  ["another id", "at 1-0 and at 3-0", () => two().give("3-0", "a")],
  ["another entry", "and was a", () => two().give("1-0", "b!")],
  [
    "changed on the way",
    "not as it was sent",
    () => two().ask(["XREADGROUP"], [["v", [["1-0", ["p", "a", "b", ""]]]]]),
  ],
  ["given up too early", "after 1 deliveries", () => two().end(done, [letter("2-0", "b!", { "dlq:deliveries": "1" })])],
  ["given up for no reason", "given up as why", () => two().end(done, [letter("2-0", "b!", { "dlq:reason": "why" })])],
  ["of another stream", "is no letter", () => two().end(done, [letter("2-0", "b!", { "dlq:stream": "u" })])],
  ["FATAL in vain", "XNACK FATAL", () => given().fatal("1-0").ack("1-0", 1).end(done, [LETTER])],
  [
    "pending for ever",
    "stay pending",
    () =>
      given()
        .ack("1-0", 1)
        .end({ ...done, pendingCount: 1 }, [LETTER]),
  ],
  ["a handle that never appears", "never appeared", () => new Story().add("a", "d5").end({})],
  [
    "an entry that nobody saw",
    "given 3 entries, and 2 were seen",
    () =>
      given()
        .ack("1-0", 1)
        .end({ ...done, entriesAdded: 3 }, [LETTER]),
  ],
  [
    "an entry that went away",
    "has 1 entries",
    () =>
      given()
        .ack("1-0", 1)
        .end({ ...done, entries: [entry("1-0", "a")] }, [LETTER]),
  ],
  [
    "a dead letter that was lost",
    "given up 2 entries, and 1",
    () =>
      given()
        .ack("1-0", 1)
        .end({ ...done, deadLetterCount: 2 }, [LETTER]),
  ],
])("%s is noticed", (_name, message, play) => {
  expect(play).toThrow(message);
});

test("a node above its budget is noticed", () => {
  const memory = { usedBytes: 100, fixedBytes: 60, blockBytes: 40, otherBytes: 0 };
  const machine = { name: "node-1", node: { member: { memory, shards: () => [] } } } as unknown as Machine;
  const checker = new MemoryChecker(100);
  checker.check(machine, 7);
  expect([checker.highestBytes, checker.excess]).toEqual([100, null]);
  expect(checker.highest).toContain("node-1 held 100 bytes at 7 ms");
  memory.usedBytes = 101;
  checker.check(machine, 8);
  expect(checker.excess).toContain("of a budget of 100 node-1 held 101 bytes at 8 ms");
});
