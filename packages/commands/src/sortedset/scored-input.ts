/** What ZUNION and its like take as input. Sets of members without scores may stand here, too: each has score 1 then. */
import { bytesOf, latin1 } from "@headrace/bytes";
import type { Keyspace, SetView, SortedSetView } from "@headrace/engine";
import { Errors } from "../errors.ts";

export interface ScoredInput {
  readonly key: string;
  readonly count: number;
  /** Undefined: it is no member. */
  scoreOf(member: string): number | undefined;
  forEach(visit: (member: string, score: number) => void): void;
}

class SortedInput implements ScoredInput {
  readonly key: string;
  readonly #set: SortedSetView;

  constructor(key: string, set: SortedSetView) {
    this.key = key;
    this.#set = set;
  }

  get count(): number {
    return this.#set.count;
  }

  scoreOf(member: string): number | undefined {
    return this.#set.scoreOf(member);
  }

  forEach(visit: (member: string, score: number) => void): void {
    this.#set.visit(0, this.#set.count, false, visit);
  }
}

/** Each member has score 1. */
class PlainInput implements ScoredInput {
  readonly key: string;
  readonly #set: SetView;

  constructor(key: string, set: SetView) {
    this.key = key;
    this.#set = set;
  }

  get count(): number {
    return this.#set.size;
  }

  scoreOf(member: string): number | undefined {
    return this.#set.has(bytesOf(member), 0, member.length) ? 1 : undefined;
  }

  forEach(visit: (member: string, score: number) => void): void {
    this.#set.forEach((bytes, start, end) => visit(latin1(bytes, start, end), 1));
  }
}

class NoInput implements ScoredInput {
  readonly key: string;
  readonly count = 0;

  constructor(key: string) {
    this.key = key;
  }

  scoreOf(): undefined {
    return undefined;
  }

  forEach(): void {
    // There is nothing.
  }
}

/** Or the error text. */
export function findInput(keyspace: Keyspace, key: string): ScoredInput | string {
  const found = keyspace.find(key);
  if (found === null) return new NoInput(key);
  if (found.value?.type === "zset") return new SortedInput(key, found.value as SortedSetView);
  return found.value?.type === "set" ? new PlainInput(key, found.value as SetView) : Errors.wrongType;
}
