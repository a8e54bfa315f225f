/**
 * Unions, intersections and differences of sorted sets. Sums of doubles depend on their order, so inputs are gone through in Redis': the smallest first, as
 * they were named where sizes are equal. Source: t_zset.c zunionInterDiffGenericCommand, zunionInterAggregate.
 */
import type { ScoredInput } from "./scored-input.ts";

export type Aggregate = "sum" | "min" | "max";

export interface WeightedInput {
  readonly input: ScoredInput;
  readonly weight: number;
}

/** Member by member, in no order. */
export type Scores = Map<string, number>;

function aggregated(score: number, value: number, aggregate: Aggregate): number {
  if (aggregate === "min") return value < score ? value : score;
  if (aggregate === "max") return value > score ? value : score;
  const sum = score + value;
  // +inf and −inf.
  return Number.isNaN(sum) ? 0 : sum;
}

/** Zero times infinity is none. */
function weighted(score: number, weight: number): number {
  const value = score * weight;
  return Number.isNaN(value) ? 0 : value;
}

function bySize(inputs: readonly WeightedInput[]): WeightedInput[] {
  return [...inputs].sort((a, b) => a.input.count - b.input.count);
}

export function union(inputs: readonly WeightedInput[], aggregate: Aggregate): Scores {
  const scores: Scores = new Map();
  for (const { input, weight } of bySize(inputs)) {
    input.forEach((member, score) => {
      const before = scores.get(member);
      const value = weighted(score, weight);
      scores.set(member, before === undefined ? value : aggregated(before, value, aggregate));
    });
  }
  return scores;
}

export function intersection(inputs: readonly WeightedInput[], aggregate: Aggregate): Scores {
  const scores: Scores = new Map();
  const [smallest, ...others] = bySize(inputs);
  smallest!.input.forEach((member, score) => {
    let total = weighted(score, smallest!.weight);
    for (const { input, weight } of others) {
      const other = input.scoreOf(member);
      if (other === undefined) return;
      total = aggregated(total, other * weight, aggregate);
    }
    scores.set(member, total);
  });
  return scores;
}

/** Of the first without the others. */
export function difference(inputs: readonly WeightedInput[]): Scores {
  const scores: Scores = new Map();
  const [first, ...others] = inputs;
  first!.input.forEach((member, score) => {
    if (!others.some(({ input }) => input.scoreOf(member) !== undefined)) scores.set(member, score);
  });
  return scores;
}

/** How many are in all inputs; `limit` 0: all of them are counted. */
export function intersectionSize(inputs: readonly WeightedInput[], limit: number): number {
  const [smallest, ...others] = bySize(inputs);
  let size = 0;
  smallest!.input.forEach((member) => {
    if (limit !== 0 && size >= limit) return;
    if (others.every(({ input }) => input.scoreOf(member) !== undefined)) size++;
  });
  return size;
}

/** By score, then by the members' bytes. */
export function inOrder(scores: Scores): readonly (readonly [member: string, score: number])[] {
  return [...scores].sort(([memberA, a], [memberB, b]) => {
    if (a !== b) return a < b ? -1 : 1;
    return memberA < memberB ? -1 : 1;
  });
}
