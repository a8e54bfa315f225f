/** The tables of the differential runs are whole: every command is typed or has its reason not to be, every rule has its line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { callableCommands } from "../../packages/commands/testing/command-options.ts";
import { divergenceRules } from "./divergence-rules.ts";
import { books, entries, reasonNotCompared, sequences } from "./grammar.ts";
import fc from "fast-check";

const commands = callableCommands().map(({ name }) => name);

describe("the grammar of differential runs", () => {
  test("has each command of the table, or says why not", () => {
    const typed = new Set(books.flatMap((book) => entries(book)).map(({ command }) => command));
    expect(commands.filter((name) => !typed.has(name) && reasonNotCompared(name) === null)).toEqual([]);
    expect([...typed].filter((name) => reasonNotCompared(name) !== null)).toEqual([]);
  });

  test.each(books)("makes the same sequence of the same seed, about %s", (book) => {
    const sample = (): unknown => JSON.stringify(fc.sample(sequences(50, book), { seed: 7, numRuns: 1 }));
    expect(sample()).toEqual(sample());
  });
});

describe("divergence rules", () => {
  const lines = readFileSync(join(import.meta.dirname, "../../docs/divergence.md"), "utf8").split("\n");

  test.each(divergenceRules.map((rule) => [rule.name, rule.line]))(
    "%s has its line in docs/divergence.md",
    (_name, line) => {
      expect(lines.filter((each) => each.includes(line)).length).toBeGreaterThan(0);
    },
  );
});
