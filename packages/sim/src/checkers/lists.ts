/**
 * Elements of lists exist once. In a queue one is taken at most once, whatever happens to leaders; who took it was told when that was committed, so it is there
 * no more; those that were pushed one after the other are taken one after the other; who is told that there is nothing looked when there was nothing. What
 * was moved is where it was moved to until it is done. In the end every element whose push was acknowledged at ack=all is somewhere, or was taken, or may have
 * been by somebody who got no answer.
 */
import { BAGS, LISTS, QUEUE_GROUPS, type QueueGroup } from "../list-work.ts";
import type { Operation } from "../sim-client.ts";
import { isCommittedLevel, isDoubtful, isRefused } from "./reading.ts";
import { isKnown, ownersOf, type Stay, takenFrom, takenUntil, wasThereAll } from "./takings.ts";

export interface ListsReport {
  readonly taken: number;
  /** By calls that may wait. */
  readonly waited: number;
  readonly moved: number;
  readonly looks: number;
}

interface Taking {
  readonly element: string;
  readonly from: string;
  /** null: out of all lists. */
  readonly to: string | null;
  readonly by: Operation;
}

const PUSHES = new Set(["RPUSH", "LPUSH", "RPUSHX", "LPUSHX"]);
const MOVES = new Set(["LMOVE", "BLMOVE", "RPOPLPUSH", "BRPOPLPUSH"]);
const TAKES = new Set([...MOVES, "LPOP", "RPOP", "LMPOP", "BLMPOP", "BLPOP", "BRPOP"]);

/** The lists are as a quiet reader finds them at the end. Throws on the first contradiction. */
export function checkLists(all: readonly Operation[], final: ReadonlyMap<string, readonly string[]>): ListsReport {
  const operations = all.filter((operation) => keysOf(operation).some((key) => LISTS.includes(key)));
  const takings = operations.flatMap(takingsOf);
  const there = [...final.values()].flat();
  if (new Set(there).size < there.length) throw new Error("an element is in the lists twice at the end");
  checkOrigins(operations, [...there, ...takings.map(({ element }) => element)]);
  for (const group of QUEUE_GROUPS) new Queues(group, operations, takings, final).check();
  checkBags(operations, takings, final);
  return {
    taken: takings.length,
    waited: takings.filter(({ by }) => by.args[0]!.startsWith("B")).length,
    moved: takings.filter(({ to }) => to !== null).length,
    looks: operations.filter((operation) => isWholeLook(operation)).length,
  };
}

/** Elements that the request puts into a list, if it is executed. */
function pushedBy({ args }: Operation): readonly string[] {
  if (PUSHES.has(args[0]!)) return args.slice(2);
  return args[0] === "LINSERT" ? [args[4]!] : [];
}

/** It can't have pushed anything: refused, or there was nothing to push it to. */
function hasPushedNothing(operation: Operation): boolean {
  const { reply } = operation;
  return isRefused(operation) || (typeof reply === "number" && reply <= 0);
}

/** The keys that it may take from; of others, those that they name first. */
function keysOf({ args }: Operation): readonly string[] {
  if (args[0] === "LMPOP") return args.slice(2, 2 + Number(args[1]));
  if (args[0] === "BLMPOP") return args.slice(3, 3 + Number(args[2]));
  return args[0] === "BLPOP" || args[0] === "BRPOP" ? args.slice(1, -1) : [args[1]!];
}

/** So many it takes at the most. */
function wantedBy({ args }: Operation): number {
  if (args[0] === "LMPOP" || args[0] === "BLMPOP") return Number(args.at(-1));
  return args[0] === "LPOP" || args[0] === "RPOP" ? Number(args[2] ?? 1) : 1;
}

function takingsOf(by: Operation): readonly Taking[] {
  const { args, reply } = by;
  const [name] = args;
  if (name === "LREM")
    return reply === 1 && isCommittedLevel(by) ? [{ element: args[3]!, from: args[1]!, to: null, by }] : [];
  if (!TAKES.has(name!)) return [];
  if (MOVES.has(name!)) return typeof reply === "string" ? [{ element: reply, from: args[1]!, to: args[2]!, by }] : [];
  if (typeof reply === "string") return [{ element: reply, from: args[1]!, to: null, by }];
  if (!Array.isArray(reply)) return [];
  const isFlat = name === "LPOP" || name === "RPOP";
  const [from, given] = isFlat ? [args[1]!, reply] : (reply as unknown as readonly [string, string | string[]]);
  if (!keysOf(by).includes(from)) throw new Error(`${args.join(" ")} was answered with something of ${from}`);
  const elements = (typeof given === "string" ? [given] : given) as readonly string[];
  if (elements.length === 0 || elements.length > wantedBy(by))
    throw new Error(`${args.join(" ")} was given ${elements.length} elements`);
  return elements.map((element) => ({ element, from, to: null, by }));
}

function isWholeLook({ args, reply }: Operation): boolean {
  return args[0] === "LRANGE" && Array.isArray(reply);
}

function checkOrigins(operations: readonly Operation[], elements: readonly string[]): void {
  const possible = new Set(operations.flatMap((push) => (hasPushedNothing(push) ? [] : pushedBy(push))));
  const stranger = elements.find((element) => !possible.has(element));
  if (stranger !== undefined) throw new Error(`${stranger} is in a list, and nobody can have pushed it`);
}

/** Elements of these lists that were pushed at ack=all, and are nowhere although nobody is known to have taken them out. */
function lostOf(
  pushes: readonly Operation[],
  gone: ReadonlyMap<string, Operation>,
  there: ReadonlySet<string>,
): readonly string[] {
  return pushes
    .filter((push) => typeof push.reply === "number" && push.reply > 0 && isCommittedLevel(push))
    .flatMap(pushedBy)
    .filter((element) => !gone.has(element) && !there.has(element));
}

/** What was moved is in one of the lists; others may have been taken by somebody who got no answer. */
function checkLosses(lost: readonly string[], keys: readonly string[], operations: readonly Operation[]): void {
  // Who took one by its name at a lower level may have, too.
  const named = new Set(
    operations
      .filter((by) => by.args[0] === "LREM" && (isDoubtful(by) || !isCommittedLevel(by)))
      .map(({ args }) => args[3]!),
  );
  const unnamed = lost.filter((element) => !named.has(element));
  const doubtful = operations
    .filter(({ args }) => TAKES.has(args[0]!) && !MOVES.has(args[0]!))
    .filter((by) => isDoubtful(by) && keysOf(by).some((key) => keys.includes(key)))
    .reduce((sum, by) => sum + wantedBy(by), 0);
  if (unnamed.length > doubtful)
    throw new Error(
      `${unnamed.length} elements of ${keys.join(" and ")} are gone (${unnamed[0]!} …), but calls without an answer wanted only ${doubtful}`,
    );
}

/** The queues of one slot, and what is being worked on. */
class Queues {
  readonly #group: QueueGroup;
  readonly #operations: readonly Operation[];
  readonly #takings: readonly Taking[];
  readonly #final: ReadonlyMap<string, readonly string[]>;

  constructor(
    group: QueueGroup,
    operations: readonly Operation[],
    takings: readonly Taking[],
    final: ReadonlyMap<string, readonly string[]>,
  ) {
    this.#group = group;
    this.#operations = operations;
    this.#takings = takings;
    this.#final = final;
  }

  check(): void {
    const { queues, working } = this.#group;
    const taken = ownersOf(
      this.#takings.filter(({ from }) => queues.includes(from)),
      "taken",
    );
    const done = ownersOf(
      this.#takings.filter(({ from }) => from === working),
      "done",
    );
    const moved = new Map([...taken].filter(([, { args }]) => MOVES.has(args[0]!)));
    const queued = new Set(queues.flatMap((queue) => this.#final.get(queue)!));
    const inWork = new Set(this.#final.get(working)!);
    for (const element of queued)
      if (taken.has(element)) throw new Error(`${element} was taken from a queue, and is there at the end`);
    for (const element of inWork)
      if (done.has(element)) throw new Error(`${element} is done, and is worked on at the end`);
    this.#checkWork(moved, done, inWork);
    const pushes = this.#operations.filter(({ args }) => PUSHES.has(args[0]!) && queues.includes(args[1]!));
    // Only what is moved does not leave the lists.
    const gone = new Map([...taken].filter(([, by]) => !MOVES.has(by.args[0]!)).concat([...done]));
    const lost = lostOf(pushes, gone, new Set([...queued, ...inWork]));
    checkLosses(lost, queues, this.#operations);
    for (const queue of queues) this.#checkQueue(queue, taken, pushes);
  }

  #checkWork(
    moved: ReadonlyMap<string, Operation>,
    done: ReadonlyMap<string, Operation>,
    inWork: ReadonlySet<string>,
  ): void {
    const { queues, working } = this.#group;
    const finishing = this.#operations.filter(({ args }) => args[0] === "LREM" && args[1] === working);
    const perhaps = new Set(
      finishing.filter((by) => isDoubtful(by) || (by.reply === 1 && !isCommittedLevel(by))).map(({ args }) => args[3]!),
    );
    for (const [element, { client }] of moved)
      if (!inWork.has(element) && !done.has(element) && !perhaps.has(element))
        throw new Error(`${element} was moved for ${client}, and is not where it was moved to`);
    for (const { args, reply, client } of finishing)
      if (reply === 0 && !perhaps.has(args[3]!))
        throw new Error(`${args[3]!} was moved for ${client}, who did not find it there`);
    const doubtful = this.#operations.filter(
      (by) => MOVES.has(by.args[0]!) && queues.includes(by.args[1]!) && isDoubtful(by),
    ).length;
    const strangers = [...inWork].filter((element) => !moved.has(element));
    if (strangers.length > doubtful) throw new Error(`${strangers[0]!} is worked on, and nobody can have moved it`);
  }

  #checkQueue(queue: string, taken: ReadonlyMap<string, Operation>, pushes: readonly Operation[]): void {
    const there = new Set(this.#final.get(queue)!);
    const stays = pushes
      .filter(({ args }) => args[1] === queue)
      .flatMap((put) =>
        pushedBy(put).map((element): Stay => ({
          element,
          put,
          taken: taken.get(element) ?? null,
          isThere: there.has(element),
        })),
      );
    const places = new Map(stays.map((stay, place) => [stay.element, [stay, place] as const]));
    checkTurns(queue, stays);
    for (const row of this.#rowsOf(queue)) checkRow(queue, row, places);
    for (const operation of this.#operations) {
      if (isNothing(operation) && keysOf(operation).includes(queue)) checkNothing(queue, operation, stays);
      if (isWholeLook(operation) && operation.args[1] === queue) checkLook(queue, operation, stays);
    }
  }

  /** Elements in the order in which somebody saw them stand. */
  #rowsOf(queue: string): readonly (readonly string[])[] {
    const rows = new Map<Operation, string[]>();
    for (const { element, from, by } of this.#takings) {
      if (from !== queue) continue;
      const row = rows.get(by);
      if (row === undefined) rows.set(by, [element]);
      else row.push(element);
    }
    const looks = this.#operations
      .filter((operation) => isWholeLook(operation) && operation.args[1] === queue)
      .map(({ reply }) => reply as unknown as readonly string[]);
    return [...rows.values(), ...looks, this.#final.get(queue)!];
  }
}

/** It was told that there is nothing. Not by those that wait: nobody may have asked for them any more when their time was over. */
function isNothing({ args, reply }: Operation): boolean {
  return reply === null && (args[0] === "LPOP" || args[0] === "LMPOP");
}

/** Who was pushed before another was sent is taken no later, and so is who was sent before it on the same connection. `stays` are in the order of sending. */
function checkTurns(queue: string, stays: readonly Stay[]): void {
  const known = stays.filter((stay) => isKnown(stay) && !isDoubtful(stay.put));
  const byStart = stays.filter(isKnown).toSorted((a, b) => a.put.invokedStep - b.put.invokedStep);
  const byEnd = known.toSorted((a, b) => a.put.completedStep - b.put.completedStep);
  let at = 0;
  let last: Stay | null = null;
  for (const stay of byStart) {
    for (; at < byEnd.length && byEnd[at]!.put.completedStep < stay.put.invokedStep; at++)
      last = laterTaken(last, byEnd[at]!);
    if (last !== null) checkPair(queue, last, stay);
  }
  const lastOf = new Map<string, Stay>();
  for (const stay of known) {
    const before = lastOf.get(producerOf(stay));
    if (before !== undefined) checkPair(queue, before, stay);
    lastOf.set(producerOf(stay), laterTaken(before ?? null, stay));
  }
}

function producerOf({ put: { client, connection } }: Stay): string {
  return `${client} ${connection}`;
}

function laterTaken(a: Stay | null, b: Stay): Stay {
  return a !== null && takenFrom(a) >= takenFrom(b) ? a : b;
}

function checkPair(queue: string, before: Stay, stay: Stay): void {
  if (takenFrom(before) > takenUntil(stay))
    throw new Error(`${stay.element} stood behind ${before.element} in ${queue}, and was taken before it`);
}

/** Those that are seen together stand as they were pushed. `places`: of all that were pushed there, in the order of sending. */
function checkRow(queue: string, row: readonly string[], places: ReadonlyMap<string, readonly [Stay, number]>): void {
  let latest: Stay | null = null;
  const lastOf = new Map<string, readonly [Stay, number]>();
  const isWrong = (stay: Stay, before: Stay): Error =>
    new Error(`${stay.element} stands behind ${before.element} in ${queue}, and was pushed before it`);
  for (const element of row) {
    const found = places.get(element);
    if (found === undefined) throw new Error(`${element} is in ${queue}, and was pushed to another list`);
    const [stay, place] = found;
    if (!isDoubtful(stay.put)) {
      if (latest !== null && stay.put.completedStep < latest.put.invokedStep) throw isWrong(stay, latest);
      const before = lastOf.get(producerOf(stay));
      if (before !== undefined && before[1] > place) throw isWrong(stay, before[0]);
      lastOf.set(producerOf(stay), found);
    }
    if (latest === null || stay.put.invokedStep > latest.put.invokedStep) latest = stay;
  }
}

function checkNothing(queue: string, operation: Operation, stays: readonly Stay[]): void {
  const found = stays.find((stay) => isCommittedLevel(stay.put) && wasThereAll(stay, operation));
  if (found !== undefined)
    throw new Error(`${operation.client} was told that there is nothing in ${queue}, and ${found.element} was there`);
}

function checkLook(queue: string, look: Operation, stays: readonly Stay[]): void {
  const seen = new Set(look.reply as unknown as readonly string[]);
  for (const stay of stays) {
    const { element, put } = stay;
    if (!seen.has(element)) {
      if (isCommittedLevel(put) && wasThereAll(stay, look))
        throw new Error(`${look.client} did not see ${element} in ${queue}, and it was there`);
      continue;
    }
    if (put.invokedStep > look.completedStep) throw new Error(`${element} was seen in ${queue} before it was pushed`);
    if (takenUntil(stay) < look.invokedStep)
      throw new Error(`${element} had been taken from ${queue}, and ${look.client} saw it there later`);
  }
}

/** Elements that wander; whoever takes one out of both has it alone. */
function checkBags(
  operations: readonly Operation[],
  takings: readonly Taking[],
  final: ReadonlyMap<string, readonly string[]>,
): void {
  const gone = ownersOf(
    takings.filter(({ from, to }) => to === null && BAGS.includes(from)),
    "taken",
  );
  const there = new Set(BAGS.flatMap((bag) => final.get(bag)!));
  for (const element of there)
    if (gone.has(element)) throw new Error(`${element} was taken from ${BAGS.join(" and ")}, and is there at the end`);
  const pushes = operations.filter((push) => BAGS.includes(push.args[1]!) && pushedBy(push).length > 0);
  checkLosses(lostOf(pushes, gone, there), BAGS, operations);
}
