/**
 * Two minutes of what test/cluster/network-faults.test.ts does for half a minute: cut, slow and reset connections, kill -9 and SIGSTOP between real
 * processes, judged by the simulator's checkers.
 */
import { describe, expect, test } from "vitest";
import { faultSeed, runNetworkFaults, told } from "../cluster/network-faults.ts";

describe.runIf(process.platform === "linux")("real processes behind a network that fails", () => {
  const seed = faultSeed();
  test(`keep every promise for two minutes (seed ${seed})`, { timeout: 600_000 }, async () => {
    const result = await runNetworkFaults({ seed, rounds: 8, roundMs: 15_000, meanGapMs: 900 });
    console.log(told(seed, result));
    expect(result.replies.get("XADD answered") ?? 0).toBeGreaterThan(1000);
    expect(result.faults.size).toBe(10);
    expect(result.elections).toBeGreaterThan(10);
    // States without which the checkers would have had nothing to judge.
    for (const state of ["XADD -UNCERTAIN", "XREADGROUP answered", "XACK answered", "WAIT answered"]) {
      expect(result.replies.get(state) ?? 0, state).toBeGreaterThan(0);
    }
  });
});
