import { getHeapStatistics } from "node:v8";
import { afterEach, describe, expect, test, vi } from "vitest";
import { collectYoungGarbage } from "../src/v8-flags.ts";

const MIB = 1024 * 1024;
/** V8 by itself looks at buffers when they have grown by 64 MiB. */
const DROPPED_BYTES = 48 * MIB;

describe("buffers that nobody needs", () => {
  let end = (): void => undefined;
  afterEach(() => end());

  test("are given back soon where the budget is small", async () => {
    end = collectYoungGarbage(128 * MIB);
    const before = getHeapStatistics().external_memory;
    for (let bytes = 0; bytes < DROPPED_BYTES; bytes += MIB) Buffer.allocUnsafeSlow(MIB);
    expect(getHeapStatistics().external_memory - before).toBeGreaterThanOrEqual(DROPPED_BYTES);
    await vi.waitFor(
      () => expect(getHeapStatistics().external_memory - before).toBeLessThan(DROPPED_BYTES / 4),
      30_000,
    );
  });
});
