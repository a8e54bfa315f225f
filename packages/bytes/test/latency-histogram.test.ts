import fc from "fast-check";
import { expect, test } from "vitest";
import { LatencyHistogram } from "../src/latency-histogram.ts";

test("each duration is counted in the first bucket whose bound it does not exceed", () => {
  const durations = fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { maxLength: 50 });
  fc.assert(
    fc.property(durations, (all) => {
      const histogram = new LatencyHistogram();
      for (const each of all) histogram.observe(each);
      const bounds = [...LatencyHistogram.boundsMs, Infinity];
      const naive = bounds.map(
        (bound, i) => all.filter((ms) => ms <= bound && (i === 0 || ms > bounds[i - 1]!)).length,
      );
      expect([...histogram.counts]).toEqual(naive);
      expect(histogram.count).toBe(all.length);
      expect(histogram.sumMs).toBeCloseTo(
        all.reduce((sum, ms) => sum + ms, 0),
        3,
      );
    }),
  );
});

test("the bounds reach from a fast disk's write to a lost majority", () => {
  expect(LatencyHistogram.boundsMs[0]).toBe(0.0625);
  expect(LatencyHistogram.boundsMs.at(-1)).toBe(8192);
});
