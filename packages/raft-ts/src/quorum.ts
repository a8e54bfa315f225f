/**
 * Arithmetic of majorities, plain and joint (dissertation §4.3): which index a quorum has reached, and how a vote stands. Works on numbers
 * that the caller has gathered; knows neither replicas nor progress. An empty majority agrees with everything, so that a configuration that
 * is not joint is a joint one with an empty second half.
 */

export const VoteResult = { pending: 0, lost: 1, won: 2 } as const;
export type VoteResult = (typeof VoteResult)[keyof typeof VoteResult];

export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

/**
 * The highest value that a majority of `values[0, count)` has reached. Sorts in place: pass scratch. Infinity when empty. Insertion sort,
 * since a configuration has three to seven voters.
 */
export function majorityReached(values: number[], count: number): number {
  if (count === 0) return Number.POSITIVE_INFINITY;
  for (let i = 1; i < count; i++) {
    const value = values[i]!;
    let at = i - 1;
    while (at >= 0 && values[at]! > value) {
      values[at + 1] = values[at]!;
      at--;
    }
    values[at + 1] = value;
  }
  return values[count - majorityOf(count)]!;
}

/** How a vote of `count` voters stands. */
export function majorityVote(granted: number, refused: number, count: number): VoteResult {
  if (count === 0) return VoteResult.won;
  const needed = majorityOf(count);
  if (granted >= needed) return VoteResult.won;
  return count - refused >= needed ? VoteResult.pending : VoteResult.lost;
}

/** Both halves have to agree; one refusal is enough. */
export function jointVote(incoming: VoteResult, outgoing: VoteResult): VoteResult {
  if (incoming === outgoing) return incoming;
  if (incoming === VoteResult.lost || outgoing === VoteResult.lost) return VoteResult.lost;
  return VoteResult.pending;
}
