import { execFileSync } from "node:child_process";
import { getPriority } from "node:os";
import { describe, expect, test } from "vitest";

/** Nice of each of the process' threads, by name, as the system has it. */
const PROGRAM = `
  import { readdirSync, readFileSync } from "node:fs";
  import { lowerWorkerPriority } from ${JSON.stringify(new URL("../src/worker-priority.ts", import.meta.url).href)};
  const warn = (event, { reason }) => { throw new Error(event + ": " + reason); };
  const lowered = lowerWorkerPriority(Number(process.argv[1]), { warn });
  const threads = readdirSync("/proc/self/task").map((thread) => {
    const line = readFileSync("/proc/self/task/" + thread + "/stat", "latin1");
    const name = line.slice(line.indexOf("(") + 1, line.lastIndexOf(")"));
    return { name, nice: Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[16]) };
  });
  console.log(JSON.stringify({ lowered, threads }));
`;

function run(budgetBytes: number): { lowered: number; workers: readonly number[]; others: readonly number[] } {
  const args = ["--input-type=module", "--eval", PROGRAM, "--", String(budgetBytes)];
  const { lowered, threads } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as {
    lowered: number;
    threads: readonly { name: string; nice: number }[];
  };
  const isWorker = ({ name }: { name: string }): boolean => name === "node-V8Worker";
  const niceOf = ({ nice }: { nice: number }): number => nice;
  return {
    lowered,
    workers: threads.filter(isWorker).map(niceOf),
    others: threads.filter((thread) => !isWorker(thread)).map(niceOf),
  };
}

describe.runIf(process.platform === "linux")("the priority of V8's threads", () => {
  const own = getPriority();

  test("is ten steps below everything else's, which stays as it is", () => {
    const { lowered, workers, others } = run(0);
    expect(workers.length).toBeGreaterThan(0);
    expect(lowered).toBe(workers.length);
    expect(new Set(workers)).toEqual(new Set([Math.min(19, own + 10)]));
    expect(new Set(others)).toEqual(new Set([own]));
  });

  test("is left alone where the memory budget is small", () => {
    const { lowered, workers } = run(256 * 1024 * 1024);
    expect(lowered).toBe(0);
    expect(new Set(workers)).toEqual(new Set([own]));
  });
});
