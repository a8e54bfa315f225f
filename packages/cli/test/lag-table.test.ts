/** `headrace lag` in words. */
import { expect, test } from "vitest";
import { compareLag, type GroupLagReport, lagTable } from "../src/index.ts";

function report(stream: string, lag: number, pending: number, ages: readonly (number | null)[]): GroupLagReport {
  const [lagMs, pendingMs] = ages as [number | null, number | null];
  const counts = { delivered: 10, redelivered: 2, acknowledged: 5, deadLetters: 7 };
  return { stream, group: "g", consumers: 3, lag, lagMs, pending, pendingMs, ...counts };
}

test("the table shows ages in their largest unit, and names without what would move the cursor", () => {
  const reports = [report("orders", 1200, 3, [90_000_000, 61_000]), report("a\n\u001b[2J", 0, 0, [null, null])];
  expect(lagTable(reports, 3).split("\n")).toEqual([
    "stream        group  consumers  behind  since  pending  since  redelivered  dead letters",
    "------------  -----  ---------  ------  -----  -------  -----  -----------  ------------",
    "orders        g      3          1200    1 d    3        1 min  2            7",
    "a\\x0a\\x1b[2J  g      3          0       -      0        -      2            7",
    "less behind: 1 more",
    "",
  ]);
});

test("the furthest behind come first", () => {
  const [a, b, c] = [report("a", 0, 9, [0, 0]), report("b", 5, 0, [0, 0]), report("c", 0, 9, [0, 0])];
  expect([c!, a!, b!].sort(compareLag).map(({ stream }) => stream)).toEqual(["b", "a", "c"]);
});
