/** Whether a budget is kept, and that every step does its work: without a clock. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { verdicts, type BudgetFile } from "../steps/budget.ts";
import { stepNamed, stepNames } from "../steps/steps.ts";

const file: BudgetFile = {
  node: "v26",
  date: "2026-11-29T00:00:00.000Z",
  ratioSlack: 1.5,
  bytesSlack: 1.25,
  steps: { parse: { ratio: 2, bytes: 100 }, apply: { ratio: 1, bytes: 0 } },
};

describe("budgets", () => {
  test("are kept up to their slack", () => {
    const [verdict] = verdicts({ parse: { ratio: 3, bytes: 149 } }, file, false);
    expect(verdict).toEqual({ step: "parse", ratioMax: 3, bytesMax: 149, broken: [] });
  });

  test("are broken by time and by bytes, each with a sentence", () => {
    expect(verdicts({ parse: { ratio: 3.01, bytes: 150 } }, file, false)[0]!.broken).toEqual([
      "parse: takes 3.01 × the calibration loop a command; the budget allows 3.00",
      "parse: allocates 150 bytes a command; the budget allows 149",
    ]);
  });

  test("are wanted for every step, and only for steps", () => {
    const broken = verdicts({ parse: { ratio: 1, bytes: 1 }, route: { ratio: 1, bytes: 1 } }, file, true);
    expect(broken.flatMap((each) => each.broken)).toEqual([
      "route: has no budget yet; run with --update",
      "apply: has a budget but is no step any more; run with --update",
    ]);
  });

  test("are written down for all steps that there are", () => {
    const kept = JSON.parse(readFileSync(new URL("../budgets.json", import.meta.url), "utf8")) as BudgetFile;
    expect(Object.keys(kept.steps).toSorted()).toEqual([...stepNames].toSorted());
  });
});

describe("steps", () => {
  test.each(stepNames)("%s does the work of its commands, again and again", (name) => {
    const step = stepNamed(name);
    for (let round = 0; round < 3; round++) {
      expect(step.run()).toBeGreaterThan(0);
      step.tidy();
    }
  });

  test("another name is no step", () => {
    expect(() => stepNamed("x")).toThrow("no step is called x; there are parse, route,");
  });
});
