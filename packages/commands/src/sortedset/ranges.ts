/** Which ranks a range of scores or of members covers. Source: t_zset.c. */
import type { SortedSetView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import type { ScoreRange } from "./score.ts";

/** Those from `from` to `to` − 1; none when they are equal. */
export interface Ranks {
  readonly from: number;
  readonly to: number;
}

export const NO_RANKS: Ranks = { from: 0, to: 0 };

export function ranksOfScores(set: SortedSetView, { min, max }: ScoreRange): Ranks {
  const from = set.countBelowScore(min.score, min.isExclusive);
  const to = set.countBelowScore(max.score, !max.isExclusive);
  return from < to ? { from, to } : NO_RANKS;
}

/** Indexes as clients give them: negative ones count from the end, both ends belong to the range. */
export function ranksOfIndexes(count: number, start: number, stop: number): Ranks {
  const from = Math.max(0, start < 0 ? count + start : start);
  const to = Math.min(count, (stop < 0 ? count + stop : stop) + 1);
  return from < to ? { from, to } : NO_RANKS;
}

/** An end of a range of members; `member` null: in front of all (−1) or behind them (1). */
interface LexBound {
  readonly member: string | null;
  readonly side: -1 | 1;
  readonly isExclusive: boolean;
}

export interface LexRange {
  readonly min: LexBound;
  readonly max: LexBound;
}

function readLexBound(request: Request, i: number): LexBound | null {
  const word = request.latin1(i);
  if (word === "-" || word === "+") return { member: null, side: word === "-" ? -1 : 1, isExclusive: true };
  if (!word.startsWith("(") && !word.startsWith("[")) return null;
  return { member: word.slice(1), side: 1, isExclusive: word.startsWith("(") };
}

/** Null: one of them is no bound. */
export function readLexRange(request: Request, minAt: number, maxAt: number): LexRange | null {
  const min = readLexBound(request, minAt);
  const max = readLexBound(request, maxAt);
  return min === null || max === null ? null : { min, max };
}

function isAboveMin(member: string, { member: bound, side, isExclusive }: LexBound): boolean {
  if (bound === null) return side < 0;
  return isExclusive ? member > bound : member >= bound;
}

function isBelowMax(member: string, { member: bound, side, isExclusive }: LexBound): boolean {
  if (bound === null) return side > 0;
  return isExclusive ? member < bound : member <= bound;
}

/** zslIsInLexRange asks this first: nothing can be between such bounds. */
function isEmpty({ min, max }: LexRange): boolean {
  if (min.member === null || max.member === null) {
    return min.member === null && max.member === null ? min.side > max.side || min.side === max.side : false;
  }
  return min.member > max.member || (min.member === max.member && (min.isExclusive || max.isExclusive));
}

/**
 * If scores differ, members are in no order, and Redis does not say what it answers. Of a listpack it is what a walk finds that begins at the first member
 * behind `min` (or the last one before `max`), finds nothing when that is not within the other bound, else passes over `offset` members whatever they are,
 * and ends where the other bound does; that is done here, too.
 * Larger sets are searched as if in order. `offset` (of LIMIT, 0 and more) is still to be taken off the ranks.
 */
export function ranksOfLex(set: SortedSetView, range: LexRange, isReverse: boolean, offset: number): Ranks {
  if (isEmpty(range)) return NO_RANKS;
  if (set.encoding === "listpack") return ranksByWalking(set, range, isReverse, offset);
  const { min, max } = range;
  const from = min.member === null ? (min.side < 0 ? 0 : set.count) : set.countBelowMember(min.member, min.isExclusive);
  const to = max.member === null ? (max.side < 0 ? 0 : set.count) : set.countBelowMember(max.member, !max.isExclusive);
  return from < to ? { from, to } : NO_RANKS;
}

function ranksByWalking(set: SortedSetView, { min, max }: LexRange, isReverse: boolean, offset: number): Ranks {
  const members: string[] = [];
  set.visit(0, set.count, false, (member) => members.push(member));
  if (!isAboveMin(members.at(-1)!, min) || !isBelowMax(members[0]!, max)) return NO_RANKS;
  if (isReverse) {
    const last = members.findLastIndex((member) => isBelowMax(member, max));
    if (!isAboveMin(members[last]!, min)) return NO_RANKS;
    const before = members.findLastIndex((member, i) => i <= last - offset && !isAboveMin(member, min));
    return { from: before + 1, to: last + 1 };
  }
  const from = members.findIndex((member) => isAboveMin(member, min));
  if (!isBelowMax(members[from]!, max)) return NO_RANKS;
  const behind = members.findIndex((member, i) => i >= from + offset && !isBelowMax(member, max));
  return { from, to: behind < 0 ? members.length : behind };
}
