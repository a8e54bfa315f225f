/** That nodes are started with what suits their budget: V8 says what it has made of it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { v8Flags } from "../src/v8-flags.ts";

const MIB = 1024 * 1024;

/** So much of what is young V8 keeps room for at most, MiB: both halves, and pages of it. */
const SCRIPT = `
  const v8 = require("node:v8");
  let most = 0;
  let kept = [];
  for (let i = 0; i < 1_500_000; i++) {
    kept.push({ i });
    if (kept.length > 100_000) kept = [];
    if (i % 1000 !== 0) continue;
    const young = v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    most = Math.max(most, young.space_size);
  }
  console.log(most / 1024 / 1024);
`;

async function youngSpaceMiB(budgetBytes: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [...v8Flags(budgetBytes), "-e", SCRIPT]);
  return Number(stdout);
}

test("a node with a small budget has a young space of 8 MiB, every other process one of 32 at least", async () => {
  expect(await youngSpaceMiB(256 * MIB)).toBeLessThanOrEqual(2 * 8 + 1);
  expect(await youngSpaceMiB(0)).toBeGreaterThan(2 * 8 + 1);
  expect(v8Flags(8 * 1024 * MIB)).toEqual(v8Flags(0));
});
