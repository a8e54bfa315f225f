import fc from "fast-check";
import { expect, test } from "vitest";
import { jointVote, majorityReached, majorityVote, VoteResult } from "../src/quorum.ts";

/** The definition, word for word: the highest value that more than half have reached. */
function naiveReached(values: readonly number[]): number {
  if (values.length === 0) return Number.POSITIVE_INFINITY;
  let best = 0;
  for (const candidate of [0, ...values]) {
    const reached = values.filter((value) => value >= candidate).length;
    if (reached * 2 > values.length) best = Math.max(best, candidate);
  }
  return best;
}

test("a majority has reached the highest value that more than half hold", () => {
  const table: [number[], number][] = [
    [[], Number.POSITIVE_INFINITY],
    [[12], 12],
    [[0], 0],
    [[12, 5], 5],
    [[0, 12], 0],
    [[12, 5, 0], 5],
    [[12, 5, 6], 6],
    [[12, 12, 0], 12],
    [[101, 104, 103, 103], 103],
    [[101, 102, 0, 0], 0],
    [[101, 102, 103, 104, 105], 103],
    [[5, 5, 5, 9, 9], 5],
  ];
  for (const [values, expected] of table) expect(majorityReached([...values], values.length)).toBe(expected);
});

test("what a majority has reached agrees with the naive definition", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 9 }), (values) => {
      expect(majorityReached([...values], values.length)).toBe(naiveReached(values));
    }),
  );
});

test("a joint commit agrees with asking both majorities about every index", () => {
  const voters = fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(voters, voters, fc.array(fc.nat(12), { minLength: 9, maxLength: 9 }), (incoming, outgoing, match) => {
      const has = (ids: number[], index: number): boolean => {
        const granted = ids.filter((id) => match[id]! >= index).length;
        return majorityVote(granted, ids.length - granted, ids.length) === VoteResult.won;
      };
      let expected = 0;
      for (let index = 1; index <= 12; index++) if (has(incoming, index) && has(outgoing, index)) expected = index;
      const reached = (ids: number[]): number =>
        majorityReached(
          ids.map((id) => match[id]!),
          ids.length,
        );
      expect(Math.min(reached(incoming), reached(outgoing))).toBe(expected);
    }),
  );
});

test("a vote is won by a majority, lost when none is possible any more, else open", () => {
  const { pending, lost, won } = VoteResult;
  const table: [granted: number, refused: number, count: number, VoteResult][] = [
    [0, 0, 0, won],
    [0, 0, 1, pending],
    [1, 0, 1, won],
    [0, 1, 1, lost],
    [1, 0, 2, pending],
    [1, 1, 2, lost],
    [2, 0, 2, won],
    [1, 1, 3, pending],
    [1, 2, 3, lost],
    [2, 0, 3, won],
    [2, 2, 4, lost],
    [3, 0, 5, won],
    [2, 2, 5, pending],
    [2, 3, 5, lost],
  ];
  for (const [granted, refused, count, expected] of table) expect(majorityVote(granted, refused, count)).toBe(expected);
});

test("an open vote can still end both ways, a decided one cannot change", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(9), fc.nat(9), (count, a, b) => {
      const granted = Math.min(a, count);
      const refused = Math.min(b, count - granted);
      const open = count - granted - refused;
      const best = (granted + open) * 2 > count;
      const worst = granted * 2 > count;
      const expected = worst ? VoteResult.won : best ? VoteResult.pending : VoteResult.lost;
      expect(majorityVote(granted, refused, count)).toBe(expected);
    }),
  );
});

test("a joint vote needs both halves, and one lost half loses it", () => {
  const { pending, lost, won } = VoteResult;
  expect(jointVote(won, won)).toBe(won);
  expect(jointVote(won, pending)).toBe(pending);
  expect(jointVote(pending, won)).toBe(pending);
  expect(jointVote(lost, pending)).toBe(lost);
  expect(jointVote(won, lost)).toBe(lost);
  expect(jointVote(pending, pending)).toBe(pending);
});
