import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemScheduler } from "../src/system-clock.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a delay beyond what setTimeout takes (BLOCK and WAIT may ask for any) is waited out, not fired at once", () => {
  const calls: number[] = [];
  systemScheduler.after(60 * DAY_MS, () => calls.push(60));
  const cancelled = systemScheduler.after(60 * DAY_MS, () => calls.push(-1));
  systemScheduler.after(10.5, () => calls.push(0));
  vi.advanceTimersByTime(10);
  expect(calls).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(calls).toEqual([0]);
  vi.advanceTimersByTime(59 * DAY_MS);
  expect(calls).toEqual([0]);
  cancelled.cancel();
  vi.advanceTimersByTime(DAY_MS);
  expect(calls).toEqual([0, 60]);
});
