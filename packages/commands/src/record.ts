/**
 * The one factory of command records, so that all have the same shape (a hot call site then sees one hidden class), and the few forms of key
 * positions that occur.
 */
import type { CommandRecord, KeySpec } from "./command.ts";

/** What a command's file has to say; the rest has defaults. */
export type CommandSpec = Pick<CommandRecord, "name" | "arity" | "since" | "group" | "summary" | "complexity"> &
  Partial<CommandRecord>;

export function defineCommand(spec: CommandSpec): CommandRecord {
  return {
    name: spec.name,
    arity: spec.arity,
    flags: spec.flags ?? 0,
    since: spec.since,
    group: spec.group,
    summary: spec.summary,
    complexity: spec.complexity,
    syntax: spec.syntax ?? "",
    argumentTypes: spec.argumentTypes ?? {},
    keys: spec.keys ?? null,
    categories: spec.categories ?? [],
    tips: spec.tips ?? [],
    scope: spec.scope ?? (spec.execute ? "shard" : "session"),
    fanOut: spec.fanOut ?? null,
    subcommands: spec.subcommands ?? null,
    execute: spec.execute ?? null,
    answer: spec.answer ?? null,
    handsOutData: spec.handsOutData ?? false,
    timeOut: spec.timeOut ?? null,
    timeoutAt: spec.timeoutAt ?? 0,
  };
}

/** One key at this position. */
export function keyAt(position: number, access: string): KeySpec {
  return {
    first: position,
    last: position,
    step: 1,
    access: access.split(" "),
    targetAccess: [],
    notes: "",
    keyword: null,
    countAt: 0,
    find: null,
  };
}

/** Arguments 1 and 2: what is read or moved, and where it goes. */
export function keyPair(access: string, targetAccess: string): KeySpec {
  return { ...keyAt(1, access), last: 2, targetAccess: targetAccess.split(" ") };
}

/** An argument says how many keys follow it. */
export function countedKeys(countAt: number, access: string): KeySpec {
  return {
    ...keyAt(countAt, access),
    countAt,
    find: (request, into) => {
      const count = request.integer(countAt);
      if (!(count > 0 && count < request.count - countAt)) return -1;
      for (let i = 0; i < count; i++) into[i] = countAt + 1 + i;
      return count;
    },
  };
}

/** Argument 1 is written, and as many keys are read as argument 2 says (ZUNIONSTORE). */
export function keyAndCounted(access: string, countedAccess: string): KeySpec {
  const counted = countedKeys(2, countedAccess);
  return {
    ...keyAt(1, access),
    targetAccess: counted.access,
    countAt: 2,
    find: (request, into) => {
      const found = counted.find!(request, into);
      if (found >= 0) into[found] = 1;
      return found < 0 ? -1 : found + 1;
    },
  };
}

/** All arguments from this position on are keys. */
export function keysFrom(position: number, access: string): KeySpec {
  return { ...keyAt(position, access), last: -1 };
}
