/** What a backup of a simulated cluster under load and faults is worth: another cluster is founded from it, whose machines crash at any moment of that. */
import { simulateBackup, simulateRestoration } from "@headrace/sim";
import { expect, test } from "vitest";

const RUNS = 4;
const SIZES = [1, 2, 3, 5];
const CRASHES = 5;

test(
  "a backup taken under load and faults founds clusters of any size, which crash meanwhile, with each stream as it was at one moment",
  { timeout: 300_000 },
  () => {
    let steps = 0;
    let inTheMiddle = 0;
    let crashes = 0;
    // About a tenth of the crashes falls into the middle, now more, now less: here 8 of 80.
    const first = 500;
    for (let seed = first; seed < first + RUNS; seed++) {
      try {
        const taken = simulateBackup(seed);
        steps += taken.steps;
        for (const nodes of SIZES) {
          const result = simulateRestoration(taken, { seed: seed + nodes, nodes, crashes: CRASHES });
          inTheMiddle += result.crashedInTheMiddle;
          crashes += (result.counts.get("node killed") ?? 0) + (result.counts.get("power cut") ?? 0);
        }
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      }
    }
    expect(steps).toBeGreaterThan(RUNS * 100);
    expect(crashes).toBe(RUNS * SIZES.length * CRASHES);
    expect(inTheMiddle).toBeGreaterThan(crashes / 20);
  },
);

test("a founder may crash at every single operation of its disk, before or behind it", { timeout: 300_000 }, () => {
  const taken = simulateBackup(11);
  for (const isAfter of [false, true]) {
    let operation = 0;
    let inTheMiddle = 0;
    for (let isReached = true; isReached;) {
      const crashAt = { machine: 1, operation: ++operation, isAfter, losesPower: operation % 2 === 0 };
      const result = simulateRestoration(taken, { seed: 12, nodes: 3, crashes: 0, crashAt });
      inTheMiddle += result.crashedInTheMiddle;
      isReached = result.counts.has("node killed") || result.counts.has("power cut");
    }
    expect(operation).toBeGreaterThan(30);
    expect(inTheMiddle).toBeGreaterThan(10);
  }
});
