/**
 * Half a minute of cut, slow and reset connections, kill -9 and SIGSTOP between real processes, judged by the simulator's checkers. Two minutes of it are
 * in test/compat/network-faults.test.ts. The proxies find out who dials in /proc.
 */
import { describe, expect, test } from "vitest";
import { faultSeed, runNetworkFaults, told } from "./network-faults.ts";

describe.runIf(process.platform === "linux")("real processes behind a network that fails", () => {
  const seed = faultSeed();
  test(`keep every promise for half a minute (seed ${seed})`, { timeout: 300_000 }, async () => {
    const result = await runNetworkFaults({ seed, rounds: 2, roundMs: 13_000, meanGapMs: 900 });
    console.log(told(seed, result));
    // A run in which nothing happened proves nothing.
    expect(result.replies.get("XADD answered") ?? 0).toBeGreaterThan(100);
    expect(result.faults.size).toBeGreaterThanOrEqual(7);
    expect(result.elections).toBeGreaterThan(0);
  });
});
