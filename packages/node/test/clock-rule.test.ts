/** Clocks of several nodes as one of them sees them: the median, who is off, and what frames that were under way for long do to it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLOCK_TOLERANCE_MS, isClockOff, medianOffset } from "../src/clock-rule.ts";
import { PeerNotes } from "../src/peer-notes.ts";

describe("the median of a quorum", () => {
  test("is not known before a quorum's clocks are known", () => {
    expect(medianOffset([5], 3)).toBeNull();
    expect(medianOffset([5, 6], 3)).toBe(5);
    expect(medianOffset([5, 6], 5)).toBeNull();
    expect(medianOffset([5], 1)).toBe(5);
  });

  test("is never beyond the median of all members' clocks, whichever quorum is known", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -200_000, max: 200_000 }), { minLength: 1, maxLength: 7 }),
        fc.nat(),
        (clocks, seed) => {
          const quorum = Math.floor(clocks.length / 2) + 1;
          const known = clocks.filter((_, i) => (seed >> i) % 2 === 0);
          const found = medianOffset(known.slice(), clocks.length);
          if (known.length < quorum) {
            expect(found).toBeNull();
            return;
          }
          const all = clocks.toSorted((a, b) => a - b);
          expect(found).toBeLessThanOrEqual(all[Math.floor(clocks.length / 2)]!);
          expect(known).toContain(found);
        },
      ),
    );
  });

  test("makes a clock wrong only if a quorum of others is known", () => {
    expect(isClockOff(180_000, [0, 1], 3)).toBe(true);
    expect(isClockOff(-180_000, [0, 1], 3)).toBe(true);
    expect(isClockOff(180_000, [0], 3)).toBe(false);
    expect(isClockOff(180_000, [0], 2)).toBe(false);
    expect(isClockOff(CLOCK_TOLERANCE_MS, [0, 0], 3)).toBe(false);
    expect(isClockOff(0, [180_000, 0], 3)).toBe(false);
  });
});

class Bench {
  nowMs = 5000.25;
  ownSkewMs = 0;
  readonly notes: PeerNotes = new PeerNotes(1, {
    wallMs: () => Math.floor(1e12 + this.nowMs + this.ownSkewMs),
    monotonicMs: () => this.nowMs,
  });

  /** A frame that was under way for so long. */
  hear(nodeId: number, skewMs: number, delayMs: number = 0, isLowOnSpace: boolean = false): void {
    this.notes.heard(nodeId, { wallMs: Math.floor(1e12 + this.nowMs - delayMs + skewMs), isLowOnSpace });
  }

  get limit(): number {
    return this.notes.stampLimitMs([1, 2, 3]) - 1e12 - Math.floor(this.nowMs);
  }
}

test("the limit is 1 s beyond the median, in whole milliseconds", () => {
  const bench = new Bench();
  expect(bench.limit).toBe(Number.POSITIVE_INFINITY);
  bench.hear(2, 0);
  bench.hear(3, 0);
  for (const skewMs of [0, 180_000, -180_000]) {
    bench.ownSkewMs = skewMs;
    bench.nowMs += 0.37;
    expect(Number.isInteger(bench.limit)).toBe(true);
    expect(Math.abs(bench.limit - CLOCK_TOLERANCE_MS)).toBeLessThanOrEqual(2);
  }
});

test("a frame that was under way for seconds does not make its sender's clock slow", () => {
  const bench = new Bench();
  bench.hear(2, 0);
  bench.hear(3, 0);
  bench.nowMs += 800;
  bench.hear(2, 0, 3000);
  bench.hear(3, 0, 3000);
  bench.nowMs += 300;
  bench.hear(2, 0, 4000);
  bench.hear(3, 0, 4000);
  expect(bench.limit).toBeGreaterThanOrEqual(CLOCK_TOLERANCE_MS - 2);
  expect(bench.notes.isClockOff([1, 2, 3])).toBe(false);
});

test("a clock that was set back is believed after a moment", () => {
  const bench = new Bench();
  for (let i = 0; i < 4; i++) {
    bench.hear(2, -60_000);
    bench.hear(3, i === 0 ? 0 : -60_000);
    bench.nowMs += 1000;
  }
  expect(bench.notes.isClockOff([1, 2, 3])).toBe(true);
  expect(bench.limit).toBeLessThanOrEqual(CLOCK_TOLERANCE_MS - 59_000);
});

test("fit to lead is who was heard of, has space, and has a clock near the median", () => {
  const bench = new Bench();
  bench.hear(2, 0);
  const nodes = [1, 2, 3];
  expect([bench.notes.isFit(2, nodes), bench.notes.isFit(3, nodes)]).toEqual([true, false]);
  bench.hear(3, 180_000);
  expect([bench.notes.isFit(2, nodes), bench.notes.isFit(3, nodes)]).toEqual([true, false]);
  bench.hear(2, 0, 0, true);
  expect(bench.notes.isFit(2, nodes)).toBe(false);
  bench.hear(2, 0);
  expect(bench.notes.isFit(2, nodes)).toBe(true);
});
