import { execFileSync } from "node:child_process";
import { getPriority } from "node:os";
import { expect, test } from "vitest";

const url = new URL("../src/worker-priority.ts", import.meta.url).href;

/** Nice of each of the process' threads, by name, as the system has it. */
const PROGRAM = `
import { readdirSync, readFileSync } from "node:fs";
import { lowerWorkerPriority } from ${JSON.stringify(url)};
const lowered = lowerWorkerPriority();
const threads = readdirSync("/proc/self/task").map((thread) => {
  const line = readFileSync("/proc/self/task/" + thread + "/stat", "latin1");
  const name = line.slice(line.indexOf("(") + 1, line.lastIndexOf(")"));
  return { name, nice: Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[16]) };
});
console.log(JSON.stringify({ lowered, threads }));
`;

test.runIf(process.platform === "linux")("V8's threads have a lower priority, everything else keeps its own", () => {
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", PROGRAM], { encoding: "utf8" });
  const { lowered, threads } = JSON.parse(output) as { lowered: number; threads: { name: string; nice: number }[] };
  const workers = threads.filter(({ name }) => name === "node-V8Worker");
  expect(lowered).toBeGreaterThan(0);
  expect(workers.map(({ nice }) => nice)).toEqual(
    Array.from({ length: lowered }, () => Math.min(19, getPriority() + 5)),
  );
  const own = threads.filter(({ name }) => name !== "node-V8Worker");
  expect(own.length).toBeGreaterThan(0);
  for (const { nice } of own) expect(nice).toBe(getPriority());
});
