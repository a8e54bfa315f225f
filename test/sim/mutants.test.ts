/**
 * The simulator against programs that are known to be wrong: for each of these it has to find a seed that shows it. Only mutants that are found within
 * seconds are here; `npm run sim:mutants` runs the whole table, and docs.test.ts looks
 * whether each still fits the sources.
 */
import { describe, expect, test } from "vitest";
import { FIRST_SEED, judge, lineOf, type SearchBound } from "./mutate.ts";
import { mutants } from "./mutants.ts";

/** Several times what is usually needed. A bound in seconds would be another one on every machine; these are for what never ends. */
const BOUND: SearchBound = { runs: 250, seconds: 900 };
const LIMIT_MS = 20 * 60_000;

describe("the simulator", () => {
  test.each(mutants.filter(({ tier }) => tier === "test"))(
    "notices $name ($invariant)",
    async (mutant) => {
      const verdict = await judge(mutant, BOUND, FIRST_SEED);
      console.log(lineOf(verdict));
      expect(verdict.message, `survived ${BOUND.runs} runs`).not.toBe(null);
    },
    LIMIT_MS,
  );
});
