/**
 * Groups that give up what nobody gets done, their dead letters on another shard, under crashes, elections, lost messages and full memories: each entry is
 * acknowledged once or a dead letter once (sim/checkers/dead-letters.ts). All clients do nothing else, so that a short run meets it often; the search is
 * `npm run sim -- --work deadLetters`.
 */
import { expect, test } from "vitest";
import { simulate } from "@headrace/sim";

const SEEDS = [2, 31, 5000];

test("poison ends as a dead letter, and all else is acknowledged or is one", { timeout: 180_000 }, () => {
  const sums = { dead: 0, taken: 0, delivered: 0 };
  for (const seed of SEEDS) {
    const { counts, replies } = simulate({ seed, steps: 25_000, only: "deadLetters" });
    sums.dead += replies.get("entry that became a dead letter") ?? 0;
    sums.taken += counts.get("items taken from another shard's outbox") ?? 0;
    sums.delivered += counts.get("items that left an outbox") ?? 0;
  }
  expect(sums.dead, "replay: simulate({seed, steps, only}) as above").toBeGreaterThan(100);
  expect(sums.taken).toBeGreaterThan(50);
  expect(sums.delivered).toBeGreaterThan(sums.taken);
});
