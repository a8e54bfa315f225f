/** What handlers see of values that are no streams, and how they change them: the part of the engine's contract (api.ts) that is about them. */
import type { ByteWriter } from "@headrace/bytes";
import type { HashEffects } from "./hash-api.ts";
import type { ElementSource } from "./list-leaf.ts";
import type { SetEffects } from "./set-api.ts";

/** What TYPE says of a key. */
export type KeyType = "stream" | ValueType;
export type ValueType = "string" | "hash" | "list" | "zset" | "set";

/** A value that is no stream. Its `type` says which of the views below it is. */
export interface ValueView {
  readonly type: ValueType;
  /** As in rows and images. */
  readonly kind: number;
  /** What OBJECT ENCODING says. */
  readonly encoding: string;
  readonly memoryBytes: number;
  /** Rows that the store has of it beside the first. */
  readonly storedParts: number;
  /** An upper bound of what `writeImage` writes. */
  readonly imageBytesMax: number;
  /** All of it, for `ValueEffects.put`. */
  writeImage(writer: ByteWriter): void;
}

export interface StringView extends ValueView {
  readonly type: "string";
  /** In bytes. */
  readonly length: number;
  /** All bytes, when they are few (a latin1 string); null: look at `bytes`. */
  readonly text: string | null;
  /** Holds all bytes from 0 to `length`, and perhaps more behind. Not to be written to; good until the next effect on the key. */
  readonly bytes: Uint8Array;
}

/** bytes[start, end) is the element; false: no more of them. */
export type ElementVisit = (bytes: Uint8Array, start: number, end: number) => boolean;

export interface ListView extends ValueView {
  readonly type: "list";
  /** Elements; never 0. */
  readonly length: number;
  /** Elements from index `from` on, at most `count`, towards the list's end, or its beginning. Good until the next effect on the key. */
  visit(from: number, count: number, isBackwards: boolean, visit: ElementVisit): void;
}

/** Changes of strings. Keys are latin1 strings; source[start, end) is copied. What a key of another kind held is gone, where that is allowed at all. */
export interface StringEffects {
  /** SET: whatever the key held. `expiresAtMs`: a time, which may have come, or NEVER; `isTimed`: it was asked for, and is an event of its own. */
  set(key: string, source: Uint8Array, start: number, end: number, expiresAtMs: number, isTimed: boolean): void;
  /** The string's new bytes, its expiry stays; makes the key, which holds a string or nothing. */
  replace(key: string, source: Uint8Array, start: number, end: number, event: string): void;
  /**
   * These bytes from `offset` on, zeros in between if the string ends before; makes the key, which holds a string or nothing. `event` null: one of several
   * changes of one command, which is an event once.
   */
  write(key: string, offset: number, source: Uint8Array, start: number, end: number, event: string | null): void;
}

/** Changes of lists. Keys are latin1 strings. Who takes the last element removes the key. */
export interface ListEffects {
  /** Elements [from, to) of the source, one after the other at the same end; makes the key, which holds a list or nothing. */
  push(key: string, isLeft: boolean, source: ElementSource, from: number, to: number): void;
  /** Takes so many elements at each end, not more than there are. */
  cut(key: string, left: number, right: number, event: "lpop" | "rpop" | "ltrim"): void;
  set(key: string, index: number, source: Uint8Array, start: number, end: number): void;
  /** In front of the element with this index. */
  insert(key: string, index: number, source: Uint8Array, start: number, end: number): void;
  /** Takes the first `count` elements that are these bytes, or the last; there are as many. */
  remove(key: string, source: Uint8Array, start: number, end: number, count: number, fromRight: boolean): void;
}

/** Elements are in order of their scores, and of the members' bytes where these are equal. Members are latin1 strings. */
export interface SortedSetView extends ValueView {
  readonly type: "zset";
  readonly count: number;
  /** Undefined: it is no member. */
  scoreOf(member: string): number | undefined;
  /** How many stand in front of it; −1: it is no member. */
  rankOf(member: string): number;
  /** How many have a lower score, or the same. */
  countBelowScore(score: number, orEqual: boolean): number;
  /** The same by the member. It is an order as long as all scores are equal. */
  countBelowMember(member: string, orEqual: boolean): number;
  /** Those of ranks `from` … `to` − 1, or the last of them first. */
  visit(from: number, to: number, isReverse: boolean, visit: (member: string, score: number) => void): void;
  /**
   * Some of all, about `count`, from `cursor` (of 32 bits; 0: the beginning) on; answers the next cursor, 0 at the end. Who is a member from beginning to end
   * is shown once, whatever happens meanwhile.
   */
  scan(cursor: number, count: number, visit: (member: string, score: number) => void): number;
}

/** Changes of sorted sets. Members differ from each other, scores are numbers and never −0. Where the last member goes, the key goes. */
export interface SortedSetEffects {
  /** These have these scores, whether they were members or not; makes the key, which holds a sorted set or nothing. */
  put(key: string, members: readonly string[], scores: readonly number[], event: string): void;
  /** The same, and nothing else: whatever the key held, and its expiry. */
  store(key: string, members: readonly string[], scores: readonly number[], event: string): void;
  /** These, which are members. */
  remove(key: string, members: readonly string[], event: string): void;
  /** Those of ranks `from` … `to` − 1; one at least. */
  removeRanks(key: string, from: number, to: number, event: string): void;
}

export interface ValueEffects {
  readonly sets: SetEffects;
  readonly strings: StringEffects;
  readonly hashes: HashEffects;
  readonly lists: ListEffects;
  readonly sortedSets: SortedSetEffects;
  /** Makes the key hold what the image of a value says (`imageOf`), whatever it held. */
  put(key: string, image: Uint8Array, expiresAtMs: number, event: "copy_to" | "restore"): void;
}
