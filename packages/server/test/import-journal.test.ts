/** What an import remembers: over a cut, for this source and target alone, and told in one line where it can't be kept. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { factsDigest, ImportJournal, JournalError } from "../src/import-journal.ts";

const folder = mkdtempSync(join(tmpdir(), "headrace-journal-"));

afterAll(() => rmSync(folder, { recursive: true }));

function opened(name: string, target: string = "redis://target"): ImportJournal {
  return new ImportJournal(join(folder, name), "redis://source", target);
}

test("what was begun and copied is known to the next run, and half a last line is as if it were not there", () => {
  const journal = opened("one");
  journal.begin("caf\u00e9");
  journal.copied("caf\u00e9", { length: 1 });
  journal.begin("b");
  appendFileSync(join(folder, "one"), '{"key":"\u00e9');
  const again = opened("one");
  expect([again.isBegun("caf\u00e9"), again.isBegun("b"), again.isBegun("\u00e9")]).toEqual([true, true, false]);
  expect(again.copiedAs("caf\u00e9")).toBe(factsDigest({ length: 1 }));
  expect(again.copiedAs("b")).toBe(null);
  again.begin("c");
  expect(readFileSync(join(folder, "one"), "utf8").split("\n").slice(-3)).toEqual([
    '{"key":"b","begun":true}',
    '{"key":"c","begun":true}',
    "",
  ]);
});

test("a file of another import is refused, and so is one that is no journal", () => {
  opened("two").begin("a");
  expect(() => opened("two", "redis://other")).toThrow(/is of another import/);
  appendFileSync(join(folder, "two"), "nonsense\n");
  expect(() => opened("two")).toThrow(JournalError);
});

test("a disk that is full is told of in one line", () => {
  const journal = opened("three");
  rmSync(join(folder, "three"));
  symlinkSync("/dev/full", join(folder, "three"));
  const message = `${join(folder, "three")} cannot be used: ENOSPC: no space left on device, write`;
  expect(() => journal.begin("a")).toThrow(new JournalError(message));
  expect(() => journal.copied("a", {})).toThrow(new JournalError(message));
});
