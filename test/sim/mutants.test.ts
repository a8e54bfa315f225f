/**
 * The simulator against programs that are known to be wrong: for each of these it has to find a seed that shows it. Only mutants that are found within
 * seconds are here; `npm run sim:mutants` runs the whole table, and docs.test.ts looks
 * whether each still fits the sources.
 */
import { describe, expect, test } from "vitest";
import { FIRST_SEED, judge, lineOf } from "./mutate.ts";
import { mutants } from "./mutants.ts";

/** Of the processor; several times what is usually needed. */
const SECONDS = 40;
const LIMIT_MS = 20 * 60_000;

describe("the simulator", () => {
  test.each(mutants.filter(({ tier }) => tier === "test"))(
    "notices $name ($invariant)",
    async (mutant) => {
      const verdict = await judge(mutant, SECONDS, FIRST_SEED);
      console.log(lineOf(verdict));
      expect(verdict.message, `survived ${SECONDS} s of the processor`).not.toBe(null);
    },
    LIMIT_MS,
  );
});
