/** Sets as handlers see them, and how they change them: part of value-api.ts. */
import type { MemberList } from "./member-list.ts";
import type { ValueView } from "./value-api.ts";

/** Members lie somewhere: bytes[start, end). They are not to be written to, and good until the next effect on the key. */
export interface SetView extends ValueView {
  readonly type: "set";
  readonly size: number;
  /** Of all members with their lengths, an upper bound. */
  readonly memberBytes: number;
  /** Its members are integers, and few: walks go by value. */
  readonly isIntset: boolean;
  has(bytes: Uint8Array, start: number, end: number): boolean;
  /** Every member once, until `visit` answers true; answers whether it did. */
  some(visit: (bytes: Uint8Array, start: number, end: number) => boolean): boolean;
  forEach(visit: (bytes: Uint8Array, start: number, end: number) => void): void;
  /** The member of this place, 0 … size − 1. Places mean nothing, and are others after each change. */
  at(index: number, visit: (bytes: Uint8Array, start: number, end: number) => void): void;
  /**
   * Members from `cursor` (0 at first, below 2^32) on, at least `count` of them if there are so many. Answers the next cursor, 0 at the end. Whoever is a
   * member from the first call to the last is visited.
   */
  scan(cursor: number, count: number, visit: (bytes: Uint8Array, start: number, end: number) => void): number;
}

/** Changes of sets; lists of members are never empty. */
export interface SetEffects {
  /**
   * Adds those that are not there; makes the key, which holds a set or nothing. `seed`: 32 bits by chance, for a set that is made. Answers how many were
   * added.
   */
  add(key: string, members: MemberList, seed: number): number;
  /** Removes those that are there, and the key with the last one. Answers how many they were. */
  remove(key: string, members: MemberList, event: "srem" | "spop"): number;
  /** Removes all others, and is a set as if these had just been added to a new one. */
  keep(key: string, members: MemberList, event: "spop"): void;
  /** Removes the key, whose members have all been drawn. */
  popAll(key: string): void;
  /** Makes the key a set of these, whatever it held. `members.wasTable`: it is a hash table even of few integers. */
  store(key: string, members: MemberList, seed: number, event: "sinterstore" | "sunionstore" | "sdiffstore"): void;
}
