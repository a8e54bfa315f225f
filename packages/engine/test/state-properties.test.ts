/** Random lives of a shard against the naive model; the seed stands in the test's name. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Driver, STEP_KIND_MAX, type Step } from "./state-driver.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261121);

function stepOf(kindMax: number): fc.Arbitrary<Step> {
  const pick = fc.nat({ max: 10_000 });
  return fc.record({ kind: fc.nat({ max: kindMax }), a: pick, b: pick, c: pick });
}

const life = fc.array(
  fc.record({ steps: fc.array(stepOf(STEP_KIND_MAX), { minLength: 1, maxLength: 12 }), check: stepOf(3) }),
  {
    minLength: 1,
    maxLength: 25,
  },
);

function live(driver: Driver, batches: readonly { steps: readonly Step[]; check: Step }[]): void {
  for (const { steps, check } of batches) {
    driver.batch(steps);
    driver.leader.verify();
    driver.compare(check);
    if (check.kind > 0) driver.checkpoint(check);
  }
}

describe(`random effects (seed ${SEED})`, () => {
  test("small entries: leader, follower and loaded states show what the model says, node by node", () => {
    fc.assert(
      fc.property(life, (batches) => live(new Driver(3, 20), batches)),
      { seed: SEED, numRuns: 150 },
    );
  });

  test("entries of many kilobytes: the same over many blocks", () => {
    fc.assert(
      fc.property(life, (batches) => live(new Driver(5, 12_000), batches)),
      { seed: SEED, numRuns: 60 },
    );
  });

  test("blocks that leave memory, on leader and follower others: the same, of small entries", () => {
    const seen = { misses: 0, evicted: 0 };
    fc.assert(
      fc.property(life, (batches) => liveColdly(new Driver(3, 20, true), batches, seen)),
      { seed: SEED, numRuns: 120 },
    );
    expect(seen.misses).toBeGreaterThan(100);
  });

  test("blocks that leave memory: the same over many blocks", () => {
    const seen = { misses: 0, evicted: 0 };
    fc.assert(
      fc.property(life, (batches) => liveColdly(new Driver(5, 12_000, true), batches, seen)),
      { seed: SEED, numRuns: 60 },
    );
    expect(seen.misses).toBeGreaterThan(50);
    expect(seen.evicted).toBeGreaterThan(1_000_000);
  });
});

function liveColdly(
  driver: Driver,
  batches: readonly { steps: readonly Step[]; check: Step }[],
  seen: { misses: number; evicted: number },
): void {
  live(driver, batches);
  seen.misses += driver.misses;
  seen.evicted += driver.evicted;
}
