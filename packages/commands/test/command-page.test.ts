/** The page of commands is fresh and has no empty cell; every error text of the catalogue is seen in a fixture. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { callableCommands, optionsOf } from "../testing/command-options.ts";
import { commandPage, pageCells } from "../testing/command-page.ts";
import { errorPatterns } from "../testing/error-patterns.ts";

const root = join(import.meta.dirname, "../../..");
const folder = join(import.meta.dirname, "testdata");

describe("docs/commands.md", () => {
  test("is what `npm run docs:commands` prints", () => {
    expect(readFileSync(join(root, "docs/commands.md"), "utf8"), "run `npm run docs:commands`").toBe(commandPage());
  });

  test("has no empty cell: a fixture shows every word of every syntax, in RESP2 and in RESP3", () => {
    const empty = pageCells().filter(({ fixture }) => fixture === null);
    expect(empty.map(({ command, option, version }) => `${command} ${option} RESP${version}`)).toEqual([]);
  });

  test("every command that has options says its syntax", () => {
    const silent = callableCommands().filter((record) => record.syntax === "" && Math.abs(record.arity) > 1);
    const allowed = (name: string): boolean => name.endsWith("|help");
    expect(silent.filter(({ name, arity }) => !allowed(name) && arity < -1).map(({ name }) => name)).toEqual([]);
  });

  test("words are found where a syntax has them", () => {
    const xadd = callableCommands().find(({ name }) => name === "xadd")!;
    expect(optionsOf(xadd)).toEqual(expect.arrayContaining(["NOMKSTREAM", "MAXLEN", "MINID", "=", "~", "LIMIT", "*"]));
  });
});

/** Texts that no fixture can bring about: who does, and by which words. */
const reachedElsewhere: Readonly<Record<string, readonly [file: string, words: RegExp]>> = {
  uncertain: ["packages/gateway/test/fates.test.ts", /UNCERTAIN/],
  outOfMemory: ["packages/node/test/memory-budget.test.ts", /OOM command not allowed/],
  tooMuchAtOnce: ["packages/node/test/cold-lanes.test.ts", /OOM command needs more entries/],
  noSpace: ["packages/node/test/shard-disk-bounds.test.ts", /MISCONF/],
  tooLargeForEntry: ["packages/node/test/shard-entry-size.test.ts", /too large/],
  transactionTooLarge: ["packages/gateway/test/transactions.test.ts", /max-transaction-bytes|larger than/],
  unblocked: ["packages/node/test/shard-blocking.test.ts", /UNBLOCKED/],
};

describe("error texts", () => {
  const seen = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "latin1"))
    .flatMap((text) => [...text.matchAll(/\(error\) (.*)$/gm)].map(([, error]) => error!));

  test.each(errorPatterns().map((each) => [each.name, each] as const))("a fixture shows %s", (name, { pattern }) => {
    const elsewhere = reachedElsewhere[name];
    if (elsewhere === undefined) {
      expect(
        seen.some((text) => pattern.test(text)),
        String(pattern),
      ).toBe(true);
    } else {
      const [file, words] = elsewhere;
      expect(readFileSync(join(root, file), "utf8")).toMatch(words);
    }
  });
});
