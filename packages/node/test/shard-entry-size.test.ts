import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

// What a segment takes as one entry is an assertion in the log (real and in memory): a command that makes a larger one stops the process, and
// every leader after it. These are commands whose effects can be larger than their request.
const TOO_LARGE = /ERR the request is too large for one log entry$/;
const ENTRIES = 3000;

function small(): ShardCluster {
  return new ShardCluster({ replicas: 2, limits: { batchBytes: 2000 }, maxEntryBytes: 20_000 });
}

/** A group g on s with 3000 entries pending for c1. */
function pendingForC1(lane: TestLane): void {
  lane.send("XGROUP CREATE s g 0 MKSTREAM");
  lane.send(...Array.from({ length: ENTRIES }, (_, i) => `XADD s ${i + 1}-0 f v`));
  // A delivery lists its ids: as many in a call as one log entry has room for.
  let delivered = 0;
  while (delivered < ENTRIES) {
    const [answer] = lane.send("XREADGROUP GROUP g c1 STREAMS s >");
    delivered += idsIn(answer).length;
  }
}

function idsIn(answer: string | undefined): number[] {
  return [...answer!.matchAll(/\b(\d+)-0\b/g)].map((match) => Number(match[1]));
}

test("a consumer's whole history is read in one call, however long it is, and counts a delivery of each entry that exists", () => {
  const cluster = small();
  const lane = cluster.elect().lane();
  pendingForC1(lane);
  lane.send("XDEL s 2-0", "XCLAIM s g c2 0 3-0 JUSTID");
  const [answer] = lane.send("XREADGROUP GROUP g c1 STREAMS s 0");
  expect(idsIn(answer)).toHaveLength(ENTRIES - 1);
  expect(lane.send("XPENDING s g 1-0 4-0 10").join()).toMatch(
    /\[\[1-0 c1 :0 :2\] \[2-0 c1 :0 :1\] \[3-0 c2 :0 :1\] \[4-0 c1 :0 :2\]\]$/,
  );
  cluster.pass(50);
  cluster.assertSame();
});

test("XAUTOCLAIM with any COUNT claims as much as a log entry takes and goes on at its cursor", () => {
  const cluster = small();
  const lane = cluster.elect().lane();
  pendingForC1(lane);
  // The first thousand are claimed, then a thousand dropped as dead, then the rest claimed.
  lane.send(...Array.from({ length: 1000 }, (_, i) => `XDEL s ${1001 + i}-0`));
  let start = "0-0";
  let calls = 0;
  const seen: number[] = [];
  do {
    const [answer] = lane.send(`XAUTOCLAIM s g c2 0 ${start} COUNT 1000000 JUSTID`);
    expect(answer).toMatch(/^\d+ \[/);
    const [cursor, ...ids] = answer!.match(/\d+-\d+/g)!;
    seen.push(...ids.map((id) => Number(id.split("-")[0])));
    start = cursor!;
    calls++;
  } while (start !== "0-0");
  expect(calls).toBeGreaterThan(1);
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: ENTRIES }, (_, i) => i + 1));
  expect(lane.send("XPENDING s g").join()).toMatch(/\[:2000 1-0 3000-0 \[\[c2 2000\]\]\]$/);
  cluster.pass(50);
  cluster.assertSame();
});

test("what names repeat until no entry takes it is refused before anything happens", () => {
  const cluster = small();
  const lane = cluster.elect().lane();
  const long = "n".repeat(700);
  const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
  lane.send(...keys.map((key) => `XGROUP CREATE ${key} ${long} 0 MKSTREAM`));
  lane.send(...keys.map((key) => `XADD ${key} 1-0 f v`));
  expect(
    lane
      .send(`XREADGROUP GROUP ${long} ${long} STREAMS ${keys.join(" ")} ${">".repeat(10).split("").join(" ")}`)
      .join(),
  ).toMatch(TOO_LARGE);
  expect(lane.send(`XREADGROUP GROUP ${long} c STREAMS k0 >`).join()).toMatch(/1-0/);
  expect(lane.send(`XINFO CONSUMERS k0 ${long}`).join()).not.toContain(long);
  const falling = Array.from({ length: 20 }, (_, i) => `${20 - i}-0`).join(" ");
  expect(lane.send(`XCLAIM k0 ${long} d 0 ${falling} FORCE`).join()).toMatch(TOO_LARGE);
  const longer = "k".repeat(9000);
  expect(lane.send(`XGROUP CREATE ${longer} g 0 MKSTREAM`).join()).toMatch(TOO_LARGE);
  expect(lane.send(`XADD ${longer} MAXLEN 0 * f v`).join()).toMatch(TOO_LARGE);
  expect(lane.send(`EXISTS ${longer}`).join()).toMatch(/ :0$/);
  expect(lane.send(`XAUTOCLAIM k0 ${long} ${"c".repeat(5000)} 0 0`).join()).toMatch(TOO_LARGE);
  cluster.pass(50);
  cluster.assertSame();
});

test("the readers that one entry wakes are served in as many log entries as they need", () => {
  const cluster = small();
  const leader = cluster.elect();
  const groups = Array.from({ length: 30 }, (_, i) => `${i}${"g".repeat(800)}`);
  const readers = groups.map((group) => {
    const reader = leader.lane();
    reader.send(`XGROUP CREATE s ${group} 0 MKSTREAM`, `XREADGROUP GROUP ${group} c BLOCK 0 STREAMS s >`);
    reader.take();
    return reader;
  });
  leader.lane().send("XADD s 1-0 f v");
  for (const reader of readers) expect(reader.take()).toEqual(["2 [[s [[1-0 [f v]]]]]"]);
  cluster.pass(50);
  cluster.assertSame();
});
