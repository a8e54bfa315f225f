/**
 * Bits that flip on one machine's disk while processes are killed and power is lost: what was damaged is found, never served (the run's checkers see to that), and
 * replaced, the whole log of a node as well as a single replica. Which seed comes to what changes with the program: the first that does counts.
 */
import { simulate } from "@headrace/sim";
import { expect, test } from "vitest";

/** A log is thrown away only after all its replicas have been replaced, which takes a while. */
const STEPS = 60_000;
const SEEDS_MAX = 40;

/** The counts of the first run that has counted the event. */
function firstWith(event: string): ReadonlyMap<string, number> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const { counts } = simulate({ seed, steps: STEPS, choice: { kinds: ["bitFlip", "kill", "powerCut"] } });
    if ((counts.get(event) ?? 0) > 0) return counts;
  }
  throw new Error(`${SEEDS_MAX} runs without "${event}"`);
}

test("a damaged log is thrown away once everything in it has been replaced", { timeout: 300_000 }, () => {
  const counts = firstWith("log log_discarded");
  expect(counts.get("bit of the log flipped")).toBe(1);
  expect(counts.get("log damage_found")).toBeGreaterThan(0);
});

test("a damaged value costs its replica alone", { timeout: 300_000 }, () => {
  const counts = firstWith("log damaged_replica");
  expect(counts.get("bit of the store flipped")).toBe(1);
  expect(counts.get("log log_discarded")).toBe(undefined);
});
