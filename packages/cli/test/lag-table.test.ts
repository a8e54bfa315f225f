/** `headrace lag` in words. */
import { expect, test } from "vitest";
import { compareLag, type GroupLagReport, lagTable, ratesOf } from "../src/index.ts";

function report(stream: string, lag: number, pending: number, ages: readonly (number | null)[]): GroupLagReport {
  const [lagMs, pendingMs] = ages as [number | null, number | null];
  const counts = { delivered: 10, redelivered: 2, acknowledged: 5, deadLetters: 7 };
  return { stream, group: "g", consumers: 3, lag, lagMs, pending, pendingMs, ...counts, maxLag: lag > 0 ? 5000 : null };
}

test("the table shows ages in their largest unit, and names without what would move the cursor", () => {
  const reports = [report("orders", 1200, 3, [90_000_000, 61_000]), report("a\n\u001b[2J", 0, 0, [null, null])];
  expect(lagTable(reports, 3).split("\n")).toEqual([
    "stream        group  consumers  behind  since  pending  since  redelivered  dead letters  limit",
    "------------  -----  ---------  ------  -----  -------  -----  -----------  ------------  -----",
    "orders        g      3          1200    1 d    3        1 min  2            7             5000",
    "a\\x0a\\x1b[2J  g      3          0       -      0        -      2            7             -",
    "less behind: 1 more",
    "",
  ]);
});

test("the furthest behind come first", () => {
  const [a, b, c] = [report("a", 0, 9, [0, 0]), report("b", 5, 0, [0, 0]), report("c", 0, 9, [0, 0])];
  expect([c!, a!, b!].sort(compareLag).map(({ stream }) => stream)).toEqual(["b", "a", "c"]);
});

test("rates are what was counted between two looks; where counters began anew, or the group is gone, there is none", () => {
  const before = report("orders", 1200, 3, [0, 0]);
  const after = { ...before, delivered: 25, redelivered: 1, acknowledged: 605 };
  const rates = ratesOf(before, after, 2);
  expect(rates).toEqual({ delivered: 7.5, redelivered: null, acknowledged: 300 });
  expect(ratesOf(before, null, 2)).toEqual({ delivered: null, redelivered: null, acknowledged: null });
  expect(lagTable([{ ...before, rates }], 1).split("\n")[2]).toMatch(/ {2}7\.5 {10}300$/);
});
