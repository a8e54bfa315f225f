import { expect, test } from "vitest";
import { LeaderBalance } from "../src/leader-balance.ts";
import type { LedGroup } from "../src/leader-balance.ts";

class Bench {
  nowMs = 100_000;
  groups: LedGroup[] = [];
  upSinceMs: number | null = 0;
  readonly asked: number[] = [];
  answer: (moved: boolean) => void = () => undefined;
  readonly balance: LeaderBalance = new LeaderBalance({ wallMs: () => 0, monotonicMs: () => this.nowMs }, 5000, {
    misplaced: () => this.groups,
    upSinceMs: () => this.upSinceMs,
    handOver: (groupId, _replicaId, done) => {
      this.asked.push(groupId);
      this.answer = done;
    },
  });
}

function group(groupId: number, behind: number = 0): LedGroup {
  return { groupId, toReplicaId: groupId * 10, toNodeId: 2, behind };
}

test("leadership goes back one group at a time", () => {
  const bench = new Bench();
  bench.groups = [group(1), group(2)];
  bench.balance.check();
  bench.balance.check();
  expect(bench.asked).toEqual([1]);
  bench.groups = [group(2)];
  bench.answer(true);
  bench.balance.check();
  expect(bench.asked).toEqual([1, 2]);
});

test("never to a replica that is behind, out of contact, or in contact only for a moment", () => {
  const bench = new Bench();
  bench.groups = [group(1, 10_000)];
  bench.balance.check();
  bench.groups = [group(1)];
  bench.upSinceMs = null;
  bench.balance.check();
  bench.upSinceMs = bench.nowMs - 4999;
  bench.balance.check();
  expect(bench.asked).toEqual([]);
  bench.nowMs++;
  bench.balance.check();
  expect(bench.asked).toEqual([1]);
});

test("a transfer that did not succeed is not tried again at once, others are", () => {
  const bench = new Bench();
  bench.groups = [group(1), group(2)];
  bench.balance.check();
  bench.answer(false);
  bench.balance.check();
  bench.answer(true);
  bench.groups = [group(1)];
  bench.balance.check();
  expect(bench.asked).toEqual([1, 2]);
  bench.nowMs += 30_000;
  bench.balance.check();
  expect(bench.asked).toEqual([1, 2, 1]);
});
