/**
 * The checkers themselves: hand-made histories that a correct cluster can produce must pass, and each with one lie in it must not. Steps are what time
 * is here: an operation happened somewhere between `from` and `to`.
 */
import { describe, expect, test } from "vitest";
import { History, type Placement } from "../src/checkers/history.ts";
import type { Entry, FinalView, PendingRow } from "../src/checkers/reading.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { AckLevel, Operation } from "../src/sim-client.ts";

interface Line {
  readonly client?: string;
  readonly from: number;
  readonly to: number;
  readonly request: string;
  /** Left out: nobody ever heard. */
  readonly reply?: ReplyValue;
  readonly ack?: AckLevel;
}

interface Story {
  readonly lines: readonly Line[];
  readonly entries: Record<string, readonly Entry[]>;
  readonly pending?: Record<string, readonly PendingRow[]>;
  readonly drained?: Record<string, readonly string[]>;
  readonly placements?: Record<string, Placement>;
}

/** Entry `n` is at id n-0 and holds the payload p<n>. */
const entry = (n: number): Entry => [`${n}-0`, ["p", `p${n}`]];
const entries = (...numbers: number[]): Entry[] => numbers.map(entry);
const add = (n: number, from: number, to: number, more: Partial<Line> = {}): Line => ({
  from,
  to,
  request: `XADD s:{a} * p p${n}`,
  reply: `${n}-0`,
  ...more,
});
const range = (from: number, to: number, ...numbers: number[]): Line => ({
  client: "reader",
  from,
  to,
  request: "XRANGE s:{a} - +",
  reply: entries(...numbers),
});
const uncertain = new ErrorReply("UNCERTAIN nobody knows");
const refused = new ErrorReply("CLUSTERDOWN no leader");

function check(story: Story): void {
  const history = new History();
  for (const line of story.lines) {
    const operation: Operation = {
      client: line.client ?? "writer",
      args: line.request.split(" "),
      ack: line.ack ?? "ALL",
      connection: 1,
      invokedStep: line.from,
      completedStep: line.reply === undefined ? -1 : line.to,
      reply: line.reply,
      open: false,
    };
    history.add(operation);
  }
  const final: FinalView = {
    entries: new Map(Object.entries(story.entries)),
    pending: new Map(Object.entries(story.pending ?? {})),
    drained: new Map(Object.entries(story.drained ?? { "s:{a}": (story.entries["s:{a}"] ?? []).map(([id]) => id) })),
  };
  history.check(final, new Map(Object.entries(story.placements ?? {})));
}

describe("histories that can be true", () => {
  test.each<[string, Story]>([
    ["nothing happened", { lines: [], entries: {} }],
    [
      "writes and reads in turn",
      { lines: [add(1, 1, 2), range(3, 4, 1), add(2, 5, 6), range(7, 8, 1, 2)], entries: { "s:{a}": entries(1, 2) } },
    ],
    [
      "a read at the same time as a write may see it or not",
      { lines: [add(1, 1, 9), range(2, 3, 1), range(4, 5, 1)], entries: { "s:{a}": entries(1) } },
    ],
    [
      "an uncertain write is there",
      { lines: [add(1, 1, 2, { reply: uncertain }), range(3, 4, 1)], entries: { "s:{a}": entries(1) } },
    ],
    [
      "an uncertain write is not there",
      { lines: [add(1, 1, 2, { reply: uncertain }), range(3, 4)], entries: { "s:{a}": [] } },
    ],
    [
      "an early ack is lost and nobody saw it",
      { lines: [add(1, 1, 2, { ack: "1" }), range(3, 4)], entries: { "s:{a}": [] } },
    ],
    [
      "a deletion without an answer takes effect later",
      {
        lines: [add(1, 1, 2), { client: "d", from: 3, to: 4, request: "XDEL s:{a} 1-0" }, range(5, 6, 1), range(7, 8)],
        entries: { "s:{a}": [] },
      },
    ],
    [
      "a stream is trimmed to its two last entries",
      {
        lines: [
          { from: 1, to: 2, request: "XADD t:{a} * p p1", reply: "1-0" },
          { from: 3, to: 4, request: "XADD t:{a} * p p2", reply: "2-0" },
          { from: 5, to: 6, request: "XADD t:{a} MAXLEN = 2 * p p3", reply: "3-0" },
          { client: "reader", from: 7, to: 8, request: "XRANGE t:{a} - +", reply: entries(2, 3) },
        ],
        entries: { "t:{a}": entries(2, 3) },
      },
    ],
    [
      "a stream is trimmed by an id that was answered early, lost, and ahead of what is there",
      {
        lines: [
          { client: "early", from: 1, to: 2, request: "XADD t:{a} * p p9", reply: "9-0", ack: "1" },
          { from: 3, to: 4, request: "XADD t:{a} * p p1", reply: "1-0" },
          { client: "early", from: 5, to: 6, request: "XTRIM t:{a} MINID = 9-0", reply: 1 },
          { client: "reader", from: 7, to: 8, request: "XRANGE t:{a} - +", reply: [] },
          { from: 9, to: 10, request: "XADD t:{a} * p p2", reply: "2-0" },
        ],
        entries: { "t:{a}": entries(2) },
      },
    ],
    [
      "a stream that was trimmed by such an id is empty at the end",
      {
        lines: [
          { client: "early", from: 1, to: 2, request: "XADD t:{a} * p p9", reply: "9-0", ack: "1" },
          { from: 3, to: 4, request: "XADD t:{a} * p p1", reply: "1-0" },
          { client: "early", from: 5, to: 6, request: "XTRIM t:{a} MINID = 9-0", reply: 1 },
        ],
        entries: { "t:{a}": [] },
      },
    ],
    [
      "a deleted key begins again, with an id that it has had",
      {
        lines: [
          { from: 1, to: 2, request: "XADD d:{a} * p p1", reply: "1-0" },
          { client: "other", from: 3, to: 4, request: "DEL d:{a}", reply: 1 },
          { from: 5, to: 6, request: "XADD d:{a} * p p2", reply: "1-0" },
          { client: "reader", from: 7, to: 8, request: "XRANGE d:{a} - +", reply: [["1-0", ["p", "p2"]]] },
        ],
        entries: { "d:{a}": [["1-0", ["p", "p2"]]] },
      },
    ],
    [
      "an entry is delivered, claimed by another, and acknowledged",
      {
        lines: [
          add(1, 1, 2),
          {
            client: "a",
            from: 3,
            to: 4,
            request: "XREADGROUP GROUP g a STREAMS s:{a} >",
            reply: [["s:{a}", entries(1)]],
          },
          { client: "r", from: 5, to: 6, request: "XPENDING s:{a} g - + 10", reply: [["1-0", "a", 5, 1]] },
          { client: "b", from: 7, to: 8, request: "XCLAIM s:{a} g b 0 1-0", reply: entries(1) },
          { client: "r", from: 9, to: 10, request: "XPENDING s:{a} g - + 10", reply: [["1-0", "b", 5, 2]] },
          { client: "b", from: 11, to: 12, request: "XACK s:{a} g 1-0", reply: 1 },
        ],
        entries: { "s:{a}": entries(1) },
        drained: { "s:{a}": [] },
      },
    ],
    [
      "an entry is given back, claimed by a read, and deleted with its acknowledgement",
      {
        lines: [
          add(1, 1, 2),
          add(2, 1, 2),
          {
            client: "a",
            from: 3,
            to: 4,
            request: "XREADGROUP GROUP g a STREAMS s:{a} >",
            reply: [["s:{a}", entries(1)]],
          },
          { client: "a", from: 5, to: 6, request: "XNACK s:{a} g SILENT IDS 1 1-0", reply: 1 },
          { client: "r", from: 7, to: 8, request: "XPENDING s:{a} g - + 10", reply: [["1-0", "", -1, 0]] },
          {
            client: "b",
            from: 9,
            to: 10,
            request: "XREADGROUP GROUP g b CLAIM 50 STREAMS s:{a} >",
            reply: [
              [
                "s:{a}",
                [
                  [...entry(1), 1000, 0],
                  [...entry(2), 0, 0],
                ],
              ],
            ],
          },
          { client: "b", from: 11, to: 12, request: "XACKDEL s:{a} g ACKED IDS 1 1-0", reply: [1] },
        ],
        entries: { "s:{a}": entries(2) },
        pending: { "s:{a}": [{ id: "2-0", consumer: "b", deliveries: 1 }] },
        drained: {},
      },
    ],
    [
      "what was given back at ack=1 is the consumer's again after a failover",
      {
        lines: [
          add(1, 1, 2),
          {
            client: "a",
            from: 3,
            to: 4,
            request: "XREADGROUP GROUP g a STREAMS s:{a} >",
            reply: [["s:{a}", entries(1)]],
          },
          { client: "a", from: 5, to: 6, request: "XNACK s:{a} g FAIL IDS 1 1-0", reply: 1, ack: "1" },
        ],
        entries: { "s:{a}": entries(1) },
        pending: { "s:{a}": [{ id: "1-0", consumer: "a", deliveries: 1 }] },
        drained: {},
      },
    ],
    [
      "a trim takes what was acknowledged",
      {
        lines: [
          add(1, 1, 2),
          {
            client: "a",
            from: 3,
            to: 4,
            request: "XREADGROUP GROUP g a STREAMS s:{a} >",
            reply: [["s:{a}", entries(1)]],
          },
          { client: "a", from: 5, to: 6, request: "XACK s:{a} g 1-0", reply: 1 },
          { client: "t", from: 7, to: 8, request: "XTRIM s:{a} MAXLEN 0 ACKED", reply: 1 },
        ],
        entries: { "s:{a}": [] },
        drained: {},
      },
    ],
  ])("%s", (_what, story) => {
    expect(() => check(story)).not.toThrow();
  });
});

const delivered: Line = {
  client: "a",
  from: 3,
  to: 4,
  request: "XREADGROUP GROUP g a STREAMS s:{a} >",
  reply: [["s:{a}", entries(1)]],
};
const pendingOf = (consumer: string, from: number, deliveries = 1): Line => ({
  client: "r",
  from,
  to: from + 1,
  request: "XPENDING s:{a} g - + 10",
  reply: [["1-0", consumer, 5, deliveries]],
});
const acked = (client: string, from: number): Line => ({
  client,
  from,
  to: from + 1,
  request: "XACK s:{a} g 1-0",
  reply: 1,
});
const isPending = { "s:{a}": [{ id: "1-0", consumer: "a", deliveries: 1 }] };

describe("histories with a lie in them", () => {
  test.each<[string, RegExp, Story]>([
    ["the last reader left a stream out", /did not look at s:\{a\}/, { lines: [add(1, 1, 2)], entries: {} }],
    ["an acknowledged write is not there", /^lost/, { lines: [add(1, 1, 2)], entries: { "s:{a}": [] } }],
    [
      "a refused write is there",
      /refused/,
      { lines: [add(1, 1, 2, { reply: refused })], entries: { "s:{a}": entries(1) } },
    ],
    [
      "a reader saw what is lost",
      /seen and gone|lost/,
      { lines: [add(1, 1, 2, { ack: "1" }), range(3, 4, 1)], entries: { "s:{a}": [] } },
    ],
    [
      "a reader misses what was acknowledged before",
      /lost|stale/,
      { lines: [add(1, 1, 2), range(3, 4)], entries: { "s:{a}": entries(1) } },
    ],
    [
      "a reader sees less than an earlier one",
      /lost|stale/,
      { lines: [add(1, 1, 9), range(2, 3, 1), range(4, 5)], entries: { "s:{a}": entries(1) } },
    ],
    [
      "a hole in a read",
      /hole|lost/,
      {
        lines: [add(1, 1, 20), add(2, 1, 20), add(3, 1, 20), range(3, 4, 1, 3)],
        entries: { "s:{a}": entries(1, 2, 3) },
      },
    ],
    [
      "a smaller id for a later write",
      /stale/,
      { lines: [add(2, 1, 2), add(1, 3, 4)], entries: { "s:{a}": entries(1, 2) } },
    ],
    [
      "two payloads for an id",
      /was p1 before/,
      { lines: [add(1, 1, 2), { ...add(2, 3, 4), reply: "1-0" }], entries: { "s:{a}": entries(1) } },
    ],
    ["a payload twice", /also at/, { lines: [add(1, 1, 2)], entries: { "s:{a}": [entry(1), ["2-0", ["p", "p1"]]] } }],
    [
      "a read in the wrong order",
      /out of order/,
      { lines: [add(1, 1, 2), add(2, 1, 2), range(3, 4, 2, 1)], entries: { "s:{a}": entries(1, 2) } },
    ],
    [
      "a reply that belongs to another request",
      /out of order/,
      { lines: [{ from: 1, to: 2, request: "ECHO x", reply: "y" }], entries: {} },
    ],
    [
      "a deleted entry comes back",
      /there again/,
      {
        lines: [add(1, 1, 2), { client: "d", from: 3, to: 4, request: "XDEL s:{a} 1-0", reply: 1 }, range(5, 6, 1)],
        entries: { "s:{a}": [] },
      },
    ],
    [
      "an entry that a reader found deleted comes back",
      /there again/,
      {
        lines: [add(1, 1, 2), { client: "d", from: 3, to: 4, request: "XDEL s:{a} 1-0" }, range(5, 6), range(7, 8, 1)],
        entries: { "s:{a}": [] },
      },
    ],
    [
      "trimmed below its limit",
      /lost/,
      {
        lines: [
          { from: 1, to: 2, request: "XADD t:{a} * p p1", reply: "1-0" },
          { from: 3, to: 4, request: "XADD t:{a} * p p2", reply: "2-0" },
          { from: 5, to: 6, request: "XADD t:{a} MAXLEN = 2 * p p3", reply: "3-0" },
          { client: "reader", from: 7, to: 8, request: "XRANGE t:{a} - +", reply: entries(3) },
        ],
        entries: { "t:{a}": entries(3) },
      },
    ],
    [
      "a trimmed stream without its middle",
      /hole|lost/,
      {
        lines: [1, 2, 3]
          .map((n) => ({ from: n * 2, to: n * 2 + 1, request: `XADD t:{a} MAXLEN = 1 * p p${n}`, reply: `${n}-0` }))
          .concat([{ client: "reader", from: 9, to: 10, request: "XRANGE t:{a} - +", reply: entries(1, 3) } as never]),
        entries: { "t:{a}": entries(1, 3) },
      },
    ],
    [
      "a deleted key still has its old entry",
      /there again/,
      {
        lines: [
          { from: 1, to: 2, request: "XADD d:{a} * p p1", reply: "1-0" },
          { client: "other", from: 3, to: 4, request: "DEL d:{a}", reply: 1 },
        ],
        entries: { "d:{a}": entries(1) },
      },
    ],
    [
      "XLEN below what is there",
      /XLEN/,
      {
        lines: [add(1, 1, 2), { client: "r", from: 3, to: 4, request: "XLEN s:{a}", reply: 0 }],
        entries: { "s:{a}": entries(1) },
      },
    ],
    [
      "XLEN above what was ever added",
      /XLEN/,
      {
        lines: [add(1, 1, 2), { client: "r", from: 3, to: 4, request: "XLEN s:{a}", reply: 2 }],
        entries: { "s:{a}": entries(1) },
      },
    ],
    [
      "WAIT counted what is lost",
      /WAIT/,
      {
        lines: [add(1, 1, 2, { ack: "1" }), { from: 3, to: 4, request: "WAIT 2 100", reply: 2 }],
        entries: { "s:{a}": [] },
      },
    ],
    [
      "WAITAOF counted what is lost",
      /WAITAOF/,
      {
        lines: [add(1, 1, 2, { ack: "0" }), { from: 3, to: 4, request: "WAITAOF 1 1 100", reply: [1, 1] }],
        entries: { "s:{a}": [] },
      },
    ],
    [
      "a write survives that was logged behind a lost one of the same term",
      /prefix/,
      {
        lines: [add(1, 1, 2, { ack: "1" }), add(2, 3, 4)],
        entries: { "s:{a}": entries(2) },
        placements: { p1: { group: 1, term: 3, index: 10 }, p2: { group: 1, term: 3, index: 11 } },
      },
    ],
    [
      "delivered twice",
      /again to/,
      {
        lines: [add(1, 1, 2), delivered, { ...delivered, client: "b", from: 5, to: 6 }],
        entries: { "s:{a}": entries(1) },
        pending: isPending,
        drained: {},
      },
    ],
    [
      "delivered once more at the end",
      /once more/,
      { lines: [add(1, 1, 2), delivered], entries: { "s:{a}": entries(1) } },
    ],
    [
      "a delivery goes back in the stream",
      /after 2-0/,
      {
        lines: [
          add(1, 1, 2),
          add(2, 1, 2),
          { ...delivered, reply: [["s:{a}", entries(2)]] },
          { ...delivered, from: 5, to: 6 },
        ],
        entries: { "s:{a}": entries(1, 2) },
        drained: {},
      },
    ],
    [
      "delivered, and in no list any more",
      /never acknowledged|no list/,
      { lines: [add(1, 1, 2), delivered], entries: { "s:{a}": entries(1) }, drained: {} },
    ],
    [
      "never delivered, and in no list",
      /no list/,
      { lines: [add(1, 1, 2)], entries: { "s:{a}": entries(1) }, drained: {} },
    ],
    [
      "acknowledged and pending again",
      /pending again/,
      {
        lines: [add(1, 1, 2), delivered, acked("a", 5)],
        entries: { "s:{a}": entries(1) },
        pending: isPending,
        drained: {},
      },
    ],
    [
      "acknowledged twice",
      /acknowledged twice/,
      { lines: [add(1, 1, 2), delivered, acked("a", 5), acked("b", 7)], entries: { "s:{a}": entries(1) }, drained: {} },
    ],
    [
      "handed to another after it was acknowledged",
      /afterwards/,
      {
        lines: [
          add(1, 1, 2),
          delivered,
          acked("a", 5),
          { client: "b", from: 7, to: 8, request: "XCLAIM s:{a} g b 0 1-0", reply: entries(1) },
        ],
        entries: { "s:{a}": entries(1) },
        drained: {},
      },
    ],
    [
      "pending with somebody who never got it",
      /belongs to b/,
      {
        lines: [add(1, 1, 2), delivered, pendingOf("b", 5)],
        entries: { "s:{a}": entries(1) },
        pending: isPending,
        drained: {},
      },
    ],
    [
      "pending with its first owner after another has claimed it",
      /belongs to a/,
      {
        lines: [
          add(1, 1, 2),
          delivered,
          { client: "b", from: 5, to: 6, request: "XCLAIM s:{a} g b 0 1-0", reply: entries(1) },
          pendingOf("a", 7, 2),
        ],
        entries: { "s:{a}": entries(1) },
        pending: { "s:{a}": [{ id: "1-0", consumer: "b", deliveries: 2 }] },
        drained: {},
      },
    ],
    [
      "a delivery count goes back",
      /2 times before/,
      {
        lines: [add(1, 1, 2), delivered, pendingOf("a", 5, 2), pendingOf("a", 7, 1)],
        entries: { "s:{a}": entries(1) },
        pending: { "s:{a}": [{ id: "1-0", consumer: "a", deliveries: 2 }] },
        drained: {},
      },
    ],
    [
      "delivered as new by a read that claims, and it was delivered before",
      /again to/,
      {
        lines: [
          add(1, 1, 2),
          delivered,
          {
            client: "b",
            from: 5,
            to: 6,
            request: "XREADGROUP GROUP g b CLAIM 50 STREAMS s:{a} >",
            reply: [["s:{a}", [[...entry(1), 0, 0]]]],
          },
        ],
        entries: { "s:{a}": entries(1) },
        pending: isPending,
        drained: {},
      },
    ],
    [
      "pending with somebody who gave it back",
      /belongs to a/,
      {
        lines: [
          add(1, 1, 2),
          delivered,
          { client: "a", from: 5, to: 6, request: "XNACK s:{a} g FAIL IDS 1 1-0", reply: 1 },
          pendingOf("a", 7),
        ],
        entries: { "s:{a}": entries(1) },
        pending: { "s:{a}": [{ id: "1-0", consumer: "", deliveries: 1 }] },
        drained: {},
      },
    ],
    [
      "nobody's, and nobody gave it back",
      /belongs to ,/,
      {
        lines: [add(1, 1, 2), delivered, pendingOf("", 5)],
        entries: { "s:{a}": entries(1) },
        pending: isPending,
        drained: {},
      },
    ],
    [
      "given back after it was acknowledged and deleted",
      /afterwards/,
      {
        lines: [
          add(1, 1, 2),
          delivered,
          { client: "a", from: 5, to: 6, request: "XACKDEL s:{a} g DELREF IDS 1 1-0", reply: [1] },
          { client: "a", from: 7, to: 8, request: "XNACK s:{a} g FAIL IDS 1 1-0", reply: 1 },
        ],
        entries: { "s:{a}": [] },
        drained: {},
      },
    ],
    [
      "a trim takes what nobody acknowledged",
      /^lost/,
      {
        lines: [
          add(1, 1, 2),
          delivered,
          { client: "t", from: 7, to: 8, request: "XTRIM s:{a} MAXLEN 0 ACKED", reply: 1 },
        ],
        entries: { "s:{a}": [] },
        pending: isPending,
        drained: {},
      },
    ],
  ])("%s", (_what, complaint, story) => {
    expect(() => check(story)).toThrow(complaint);
  });
});
