/**
 * Tickets of sorted sets are put in once, and one is taken at most once, whatever happens to leaders; who takes the lowest is given none while a lower one is
 * there all the time. Members that are counted up count every acknowledged step once. A board that is cut back to its best keeps every one of them, and only
 * what is beyond goes; the best that are stored elsewhere are those. Whatever is shown is in its order, with the scores that were given.
 */
import type { Operation } from "../sim-client.ts";
import {
  BEST,
  BEST_MAX,
  BOARD,
  BOARD_MAX,
  COUNTED,
  COUNTING,
  type Scored,
  scoredOf,
  TICKET_SETS,
  type ZsetView,
} from "../zset-work.ts";
import { isCommittedLevel, isDoubtful, isRefused } from "./reading.ts";
import { isKnown, ownersOf, type Stay, takenUntil, wasThereAll } from "./takings.ts";
import { checkCounter, type Told } from "./counters.ts";

export interface ZsetsReport {
  readonly taken: number;
  /** By calls that may wait. */
  readonly waited: number;
  readonly counted: number;
  readonly cut: number;
  readonly looks: number;
}

const SETS = [...TICKET_SETS, COUNTING, BOARD, BEST];

/** Throws on the first contradiction. */
export function checkZsets(all: readonly Operation[], final: ZsetView): ZsetsReport {
  const operations = all.filter((operation) => keysOf(operation).some((key) => SETS.includes(key)));
  const puts = operations.filter(({ args }) => args[0] === "ZADD" && args[1] !== COUNTING);
  const scores = new Map(puts.filter((put) => !isRefused(put)).flatMap(pairsOf));
  const looks = operations.filter(({ args, reply }) => args[0] === "ZRANGE" && Array.isArray(reply));
  for (const { reply } of looks) checkShown(scoredOf(reply!), scores);
  for (const shown of [...final.tickets.values(), final.board, final.best]) checkShown(shown, scores);
  const takings = operations.flatMap(takingsOf);
  for (const set of TICKET_SETS) checkTickets(set, operations, takings, scores, final.tickets.get(set)!);
  checkBoard(operations, final, scores);
  return {
    taken: takings.length,
    waited: takings.filter(({ by }) => by.args[0]!.startsWith("B")).length,
    counted: checkCounts(operations, final),
    cut: operations.filter(({ args, reply }) => args[0] === "ZREMRANGEBYRANK" && typeof reply === "number" && reply > 0)
      .length,
    looks: looks.length,
  };
}

interface Taking {
  readonly element: string;
  readonly score: number;
  readonly from: string;
  readonly by: Operation;
}

const OPTIONS = new Set(["NX", "XX", "GT", "LT", "CH", "INCR"]);

/** What a ZADD puts in. */
function pairsOf({ args }: Operation): readonly Scored[] {
  let from = 2;
  while (OPTIONS.has(args[from]!)) from++;
  const words = args.slice(from);
  return Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i + 1]!, Number(words[2 * i])]);
}

function isSeveral({ args }: Operation): boolean {
  return args[0] === "ZMPOP" || args[0] === "BZMPOP";
}

function isPop({ args }: Operation): boolean {
  return /^B?Z(?:POP|MPOP)/.test(args[0]!);
}

/** The keys that it may take from; of others, those that they name first. */
function keysOf(by: Operation): readonly string[] {
  const { args } = by;
  if (isSeveral(by)) {
    const at = args[0] === "ZMPOP" ? 1 : 2;
    return args.slice(at + 1, at + 1 + Number(args[at]));
  }
  return args[0]!.startsWith("BZ") ? args.slice(1, -1) : [args[1]!];
}

function wantedBy(by: Operation): number {
  if (isSeveral(by)) return Number(by.args.at(-1));
  return by.args[0]!.startsWith("B") ? 1 : Number(by.args[2] ?? 1);
}

function takesHighest({ args }: Operation): boolean {
  return args[0]!.endsWith("MAX") || args.includes("MAX");
}

/** Set and elements, in the order in which they were given. */
function givenBy(by: Operation): readonly [string, readonly Scored[]] {
  const { args } = by;
  const reply = by.reply as readonly unknown[];
  if (isSeveral(by)) {
    const [from, pairs] = reply as unknown as readonly [string, readonly (readonly [string, string])[]];
    return [from, pairs.map(([member, score]) => [member, Number(score)])];
  }
  if (!args[0]!.startsWith("B")) return [args[1]!, scoredOf(by.reply!)];
  const [from, member, score] = reply as readonly [string, string, string];
  return [from, [[member, Number(score)]]];
}

function takingsOf(by: Operation): readonly Taking[] {
  const { args, reply } = by;
  if (args[0] === "ZREM")
    return reply === 1 && isCommittedLevel(by) ? [{ element: args[2]!, score: Number.NaN, from: args[1]!, by }] : [];
  if (!isPop(by) || !Array.isArray(reply)) return [];
  const [from, given] = reply.length === 0 ? [args[1]!, []] : givenBy(by);
  if (!keysOf(by).includes(from) || given.length > wantedBy(by))
    throw new Error(`${args.join(" ")} was answered with ${JSON.stringify(reply)}`);
  if (!isInOrder(takesHighest(by) ? given.toReversed() : given))
    throw new Error(`${args.join(" ")} was given ${JSON.stringify(reply)}, out of order`);
  return given.map(([element, score]) => ({ element, score, from, by }));
}

/** By score, and by name where these are equal. */
function isBefore([nameA, a]: Scored, [nameB, b]: Scored): boolean {
  return a === b ? nameA < nameB : a < b;
}

function isInOrder(shown: readonly Scored[]): boolean {
  return shown.every((one, i) => i === 0 || isBefore(shown[i - 1]!, one));
}

function checkShown(shown: readonly Scored[], scores: ReadonlyMap<string, number>): void {
  if (!isInOrder(shown)) throw new Error(`a sorted set is shown out of order: ${JSON.stringify(shown)}`);
  for (const [member, score] of shown)
    if (scores.get(member) !== score)
      throw new Error(`${member} is shown with ${score}, and was put in with ${scores.get(member) ?? "nothing"}`);
}

function checkTickets(
  set: string,
  operations: readonly Operation[],
  takings: readonly Taking[],
  scores: ReadonlyMap<string, number>,
  final: readonly Scored[],
): void {
  const here = takings.filter(({ from }) => from === set);
  const owners = ownersOf(here, "taken");
  const there = new Set(final.map(([member]) => member));
  for (const member of there)
    if (owners.has(member)) throw new Error(`${member} was taken from ${set}, and is there at the end`);
  for (const { element, score } of here)
    if (!Number.isNaN(score) && scores.get(element) !== score)
      throw new Error(`${element} was taken with ${score}, and was put in with ${scores.get(element) ?? "nothing"}`);
  const puts = operations.filter(({ args }) => args[0] === "ZADD" && args[1] === set);
  const stays = puts.flatMap((put) =>
    pairsOf(put).map(([element]): Stay => ({
      element,
      put,
      taken: owners.get(element) ?? null,
      isThere: there.has(element),
    })),
  );
  checkLosses(set, operations, stays);
  const safe = stays.filter((stay) => isKnown(stay) && isCommittedLevel(stay.put));
  for (const by of operations) {
    if (!isPop(by) || !keysOf(by).includes(set)) continue;
    const { reply } = by;
    const isEmpty = reply === null || (Array.isArray(reply) && reply.length === 0);
    // One that waits may not have been asked for any more when its time was over.
    if (isEmpty && !by.args[0]!.startsWith("B")) checkNothing(set, by, safe);
    else if (Array.isArray(reply) && !isEmpty) checkTurn(set, by, safe, scores);
  }
  for (const look of operations)
    if (look.args[0] === "ZRANGE" && look.args[1] === set && Array.isArray(look.reply)) checkLook(set, look, stays);
}

/** Tickets that were put in at ack=all are there, or were taken, or may have been for somebody who got no answer. */
function checkLosses(set: string, operations: readonly Operation[], stays: readonly Stay[]): void {
  const named = new Set(
    operations
      .filter((by) => by.args[0] === "ZREM" && (isDoubtful(by) || !isCommittedLevel(by)))
      .map(({ args }) => args[2]!),
  );
  const lost = stays.filter(
    (stay) =>
      typeof stay.put.reply === "number" &&
      isCommittedLevel(stay.put) &&
      isIn(stay.put) &&
      !isKnown(stay) &&
      !named.has(stay.element),
  );
  const doubtful = operations
    .filter((by) => isPop(by) && isDoubtful(by) && keysOf(by).includes(set))
    .reduce((sum, by) => sum + wantedBy(by), 0);
  if (lost.length > doubtful)
    throw new Error(
      `${lost.length} tickets of ${set} are gone (${lost[0]!.element} …), but calls without an answer wanted only ${doubtful}`,
    );
}

/** New members are added whatever the options that this work gives: its answer says so of all of them. */
function isIn(put: Operation): boolean {
  const { length } = pairsOf(put);
  if (put.reply !== length) throw new Error(`${put.args.join(" ")} was answered with ${JSON.stringify(put.reply)}`);
  return true;
}

function checkNothing(set: string, by: Operation, safe: readonly Stay[]): void {
  const found = safe.find((stay) => wasThereAll(stay, by));
  if (found !== undefined)
    throw new Error(`${by.client} was told that there is nothing in ${set}, and ${found.element} was there`);
}

/** Nobody is given one while there is one all the time that goes before it. */
function checkTurn(set: string, by: Operation, safe: readonly Stay[], scores: ReadonlyMap<string, number>): void {
  const [from, given] = givenBy(by);
  const isMax = takesHighest(by);
  for (const stay of safe) {
    if (!wasThereAll(stay, by)) continue;
    // Of several sets the first that has any is the one.
    if (from !== set) {
      if (keysOf(by).indexOf(set) < keysOf(by).indexOf(from))
        throw new Error(`${by.args.join(" ")} took of ${from}, and ${stay.element} was in ${set}`);
      continue;
    }
    const one: Scored = [stay.element, scores.get(stay.element)!];
    const passed = given.find((each) => (isMax ? isBefore(each, one) : isBefore(one, each)));
    if (passed !== undefined)
      throw new Error(
        `${by.client} was given ${passed[0]} of ${set}, and ${stay.element} was there, whose turn it was`,
      );
  }
}

function checkLook(set: string, look: Operation, stays: readonly Stay[]): void {
  const seen = new Set(scoredOf(look.reply!).map(([member]) => member));
  for (const stay of stays) {
    const { element, put } = stay;
    if (!seen.has(element)) {
      if (isCommittedLevel(put) && wasThereAll(stay, look))
        throw new Error(`${look.client} did not see ${element} in ${set}, and it was there`);
    } else if (takenUntil(stay) < look.invokedStep)
      throw new Error(`${element} had been taken from ${set}, and ${look.client} saw it there later`);
  }
}

function checkCounts(operations: readonly Operation[], { counted }: ZsetView): number {
  let told = 0;
  for (const member of COUNTED) {
    const about = operations.filter(({ args }) => args[1] === COUNTING && args.at(-1) === member);
    const steps = about.filter(({ args }) => args[0] !== "ZSCORE");
    const counts = about.flatMap(countTold);
    checkCounter(`${member} of ${COUNTING}`, counts, steps, counted.get(member) ?? 0);
    told += counts.filter(({ isStep }) => isStep).length;
  }
  return told;
}

function countTold(operation: Operation): readonly Told[] {
  const { args, reply } = operation;
  const isStep = args[0] !== "ZSCORE";
  if (typeof reply !== "string" && (isStep || reply !== null)) return [];
  return [{ operation, count: Number(reply ?? 0), isStep, isSafe: !isStep || isCommittedLevel(operation) }];
}

/** Who can't have been beyond the bound is there; who was beyond it when it was cut is not. */
function checkBoard(operations: readonly Operation[], final: ZsetView, scores: ReadonlyMap<string, number>): void {
  const puts = operations.filter(({ args }) => args[0] === "ZADD" && args[1] === BOARD);
  const possible = puts.filter((put) => !isRefused(put)).flatMap(pairsOf);
  const highest = possible.toSorted((a, b) => (isBefore(a, b) ? 1 : -1)).slice(0, BOARD_MAX);
  const safe = new Set(
    puts
      .filter((put) => typeof put.reply === "number" && isCommittedLevel(put))
      .flatMap((put) => pairsOf(put).map(([member]) => member)),
  );
  const there = new Set(final.board.map(([member]) => member));
  for (const [member] of highest)
    if (safe.has(member) && !there.has(member)) throw new Error(`${member} is one of the best, and not in ${BOARD}`);
  const cuts = operations.filter(
    (by) => by.args[0] === "ZREMRANGEBYRANK" && typeof by.reply === "number" && isCommittedLevel(by),
  );
  for (const cut of cuts) {
    const before = puts.filter((put) => typeof put.reply === "number" && put.completedStep < cut.invokedStep);
    const known = before.filter(isCommittedLevel).flatMap(pairsOf);
    const last = known.toSorted((a, b) => (isBefore(a, b) ? 1 : -1))[BOARD_MAX - 1];
    if (last === undefined) continue;
    for (const put of before)
      for (const [member] of pairsOf(put))
        if (there.has(member) && isBefore([member, scores.get(member)!], last))
          throw new Error(`${member} was beyond the best when ${BOARD} was cut, and is there`);
  }
  const best = final.board.slice(-BEST_MAX);
  if (JSON.stringify(final.best) !== JSON.stringify(best))
    throw new Error(`${BEST} is ${JSON.stringify(final.best)}, and the best are ${JSON.stringify(best)}`);
  const stored = operations.filter(
    ({ args, reply }) => args[0] === "ZRANGE" && args[1] === BEST && Array.isArray(reply),
  );
  const many = stored.find(({ reply }) => scoredOf(reply!).length > BEST_MAX);
  if (many !== undefined) throw new Error(`${BEST} had ${scoredOf(many.reply!).length} members`);
}
