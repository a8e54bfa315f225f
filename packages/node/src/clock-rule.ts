/**
 * The clock rule (design §4, I4): a leader stamps at most 1 s beyond the median of a quorum's clocks, and hands over when its own is further off.
 * Pure: clocks are offsets, a wall clock minus the monotonic clock of the node that looks.
 *
 * Log time that has run ahead never goes back, one that stands still catches up by itself. So clocks that are not known count as early ones, and the
 * lower of two middle ones is the median: as long as fewer than half of the clocks are ahead, no leader stamps more than 1 s ahead.
 */

/** How far from the median is still right. */
export const CLOCK_TOLERANCE_MS = 1000;

/** Offset of the median of the members' clocks; null when fewer than a quorum of them are known. Sorts `known` in place. */
export function medianOffset(known: number[], members: number): number | null {
  if (known.length < quorumOf(members)) return null;
  known.sort((a, b) => a - b);
  return known[known.length - quorumOf(members)]!;
}

/**
 * Whether a clock is further from the median than it may be. Said only if a quorum of others is known: with fewer, nobody can tell which of
 * two clocks is wrong, and leadership would move to and fro.
 */
export function isClockOff(own: number, others: readonly number[], members: number): boolean {
  if (others.length < quorumOf(members)) return false;
  const median = medianOffset([own, ...others], members);
  return median !== null && Math.abs(own - median) > CLOCK_TOLERANCE_MS;
}

function quorumOf(members: number): number {
  return Math.floor(members / 2) + 1;
}
