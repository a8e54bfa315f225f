import { expect, test } from "vitest";
import { PeerNotes } from "../src/peer-notes.ts";

test("what a leader may stamp at most is a whole millisecond, although monotonic clocks have fractions", () => {
  const clock = { wallMs: () => 60_000, monotonicMs: () => 100.4 };
  const notes = new PeerNotes(1, clock);
  for (const nodeId of [2, 3]) notes.heard(nodeId, { wallMs: 50_000, isLowOnSpace: false });
  clock.monotonicMs = () => 100.7;
  // The others' clocks are at 50,000.3 by now; a second more is allowed.
  expect(notes.stampLimitMs([1, 2, 3])).toBe(51_000);
});

// Found by the simulator: four nodes are named while one replaces another, two of three voters go on, and the leader followed its own clock alone.
test("a leader is bound by the clocks that it knows, also while a change of members names more nodes", () => {
  const notes = new PeerNotes(1, { wallMs: () => 60_000, monotonicMs: () => 0 });
  expect(notes.stampLimitMs([1, 2, 3, 4])).toBe(Number.POSITIVE_INFINITY);
  notes.heard(3, { wallMs: 50_000, isLowOnSpace: false });
  expect(notes.stampLimitMs([1, 2, 3, 4])).toBe(51_000);
  // Alone, it has the only clock there is.
  expect(notes.stampLimitMs([1])).toBe(61_000);
});
