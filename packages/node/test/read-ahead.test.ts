/** Reading ahead: how many blocks the store is asked for, and how often a reader waits for them. The replica and its rows are real. */
import { ColdMiss, type WantedBlock } from "@headrace/engine";
import { describe, expect, test } from "vitest";
import { ReadAhead } from "../src/read-ahead.ts";
import { limitsWithin, defaultShardLimits } from "../src/shard-limits.ts";
import { ShardCluster, type TestReplica } from "../testing/shard-cluster.ts";

const MIB = 1024 * 1024;
const BLOCK_BYTES = 32 * 1024;

/** About two blocks, wherever it begins. */
const PAGE = 60;
const BLOCKS = 200;

/** A leader that has opened with all of one stream on its disk. Its entries are numbered from 1. */
function coldLeader(coldAheadBytes: number = 8 * MIB): { leader: TestReplica; entries: number } {
  const cluster = new ShardCluster({ replicas: 1, limits: { coldAheadBytes } });
  const lane = cluster.elect().lane();
  const value = "v".repeat(1050);
  let ms = 0;
  while (blocksStored(cluster.replica(1)) < BLOCKS) {
    lane.queue(...Array.from({ length: 300 }, () => `XADD s ${++ms}-0 f ${value}`));
    cluster.settle();
    cluster.replica(1).up.checkpoint(() => {});
    cluster.settle();
  }
  cluster.replica(1).restart();
  return { leader: cluster.elect(), entries: ms };
}

function blocksStored({ kv }: TestReplica): number {
  return kv.rows.filter(({ key }) => key[4]! >= 0x80).length;
}

/** Ids that a reader gets, page by page. */
function scan(leader: TestReplica, pages: number, from: (page: number, last: number) => string): number[] {
  const lane = leader.lane();
  const ids: number[] = [];
  for (let page = 0; page < pages; page++) {
    const [reply] = lane.send(from(page, ids.at(-1) ?? 0));
    ids.push(...[...reply!.matchAll(/\[(\d+)-0 /g)].map(([, ms]) => Number(ms)));
  }
  return ids;
}

const forward = (_page: number, last: number): string => `XRANGE s (${last}-0 + COUNT ${PAGE}`;

describe("a reader that goes through a stream", () => {
  test("waits at its beginning alone, and each block is read once", () => {
    const { leader, entries } = coldLeader();
    const stored = blocksStored(leader);
    expect(scan(leader, Math.ceil(entries / PAGE), forward)).toEqual(Array.from({ length: entries }, (_, i) => i + 1));
    const { waits, blocksRead, blocksAhead, readsNow } = leader.memory.traffic;
    expect(blocksRead).toBe(stored);
    expect(readsNow).toBe(0);
    // Whenever half of what was read for him is behind him, twice as much is on its way.
    expect(waits).toBeLessThanOrEqual(2);
    expect(blocksAhead).toBeGreaterThan(stored * 0.85);
  });

  test("backwards just so", () => {
    const { leader, entries } = coldLeader();
    const stored = blocksStored(leader);
    const back = (_page: number, last: number): string =>
      `XREVRANGE s ${last === 0 ? "+" : `(${last}-0`} - COUNT ${PAGE}`;
    expect(scan(leader, Math.ceil(entries / PAGE), back)).toEqual(
      Array.from({ length: entries }, (_, i) => entries - i),
    );
    expect(leader.memory.traffic.blocksRead).toBe(stored);
    expect(leader.memory.traffic.waits).toBeLessThanOrEqual(2);
  });

  test("with XREAD, and beside another reader elsewhere in it", () => {
    const { leader, entries } = coldLeader();
    const half = Math.floor(entries / 2);
    const lasts = [0, half];
    for (let page = 0; page < half / PAGE; page++) {
      for (const i of [0, 1]) {
        const ids = scan(leader, 1, () => `XREAD COUNT ${PAGE} STREAMS s ${lasts[i]!}-0`);
        expect(ids[0]).toBe(lasts[i]! + 1);
        lasts[i] = ids.at(-1)!;
      }
    }
    expect(leader.memory.traffic.blocksRead).toBeLessThanOrEqual(blocksStored(leader));
    expect(leader.memory.traffic.waits).toBeLessThanOrEqual(4);
  });

  test("is read ahead of by no more than the bound", () => {
    const { leader } = coldLeader(16 * BLOCK_BYTES);
    const { traffic } = leader.memory;
    let last = 0;
    let largest = 0;
    for (let page = 0; page < 60; page++) {
      const before = traffic.blocksAhead;
      last = scan(leader, 1, () => forward(page, last)).at(-1)!;
      largest = Math.max(largest, traffic.blocksAhead - before);
    }
    expect(largest).toBe(16);
  });
});

test("who reads here and there soon gets nothing but what he asked for", () => {
  const { leader, entries } = coldLeader();
  const { traffic } = leader.memory;
  const points = Array.from({ length: 12 }, (_, i) => 100 + ((i * 7) % 12) * Math.floor((entries - 200) / 12));
  expect(scan(leader, 12, (page) => `XRANGE s ${points[page]!}-0 ${points[page]!}-0 COUNT 1`)).toEqual(points);
  // 4, 2 and 1 blocks ahead, then none.
  expect(traffic.blocksAhead).toBe(7);
  expect(traffic.blocksRead).toBe(12 + 7);
  // And more again when he settles.
  const at = points.at(-1)! + 1;
  scan(leader, 40, (_page, last) => `XRANGE s (${Math.max(last, at)}-0 + COUNT ${PAGE}`);
  expect(traffic.blocksAhead).toBeGreaterThan(60);
});

describe("the bound", () => {
  function missOf(number: number, ends: number[]): ColdMiss {
    const name = (at: number): WantedBlock => ({ slot: 1, age: 1, number: at, byteLength: BLOCK_BYTES });
    return new ColdMiss([name(number)], 1, (count) => {
      ends.push(number + count);
      return Array.from({ length: count }, (_, i) => name(number + 1 + i));
    });
  }

  test("that shrinks while a reader is under way is kept from then on, and one that grows is used", () => {
    const readAhead = new ReadAhead();
    const ends: number[] = [0];
    const next = (max: number): number => readAhead.wanted(missOf(ends.at(-1)! + 1, ends), max * BLOCK_BYTES).length;
    expect([64, 64, 64, 64, 6, 6, 64, 64].map(next)).toEqual([4, 8, 16, 32, 6, 6, 12, 24]);
  });

  test("is of the memory budget: a sixteenth of a shard's share, four blocks at least, 8 MiB at most", () => {
    const aheadOf = (budget: number, shards: number): number =>
      limitsWithin(defaultShardLimits, budget, shards).coldAheadBytes;
    expect(aheadOf(0, 8)).toBe(8 * MIB);
    expect(aheadOf(10_000 * MIB, 8)).toBe(8 * MIB);
    expect(aheadOf(256 * MIB, 8)).toBe(2 * MIB);
    expect(aheadOf(8 * MIB, 8)).toBe(128 * 1024);
  });
});
