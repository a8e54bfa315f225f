/**
 * Some minutes of consumption without anybody who looks after it, with all that goes wrong: each entry is acknowledged once or a dead letter once
 * (sim/checkers/ledger.ts), and no node holds more than its budget, which is a small one here, so that it is reached. The long run, of hours, is `npm run sim --
 * --work consumption`.
 */
import { expect, test } from "vitest";
import { consumptionRows } from "../src/consumption-report.ts";
import { simulateConsumption } from "../src/consumption.ts";

const MINUTES = 3;

test(
  "each entry is acknowledged once or a dead letter once, and no node holds more than it may",
  { timeout: 300_000 },
  () => {
    const result = simulateConsumption({ seed: 1, simulatedMs: MINUTES * 60_000, cluster: { memoryBytes: 1_200_000 } });
    const missing = consumptionRows(result).filter(({ isNeeded, times }) => isNeeded && times === 0);
    expect(result.memoryExcess).toBe(null);
    expect(missing.map(({ what }) => what)).toEqual([]);
  },
);
