/** Hashes as handlers see them, and how they change them: part of value-api.ts. */
import type { MemberList } from "./member-list.ts";
import type { ValueView } from "./value-api.ts";

/** A field and its value, in bytes that are not to be written to. */
export type FieldVisit = (
  bytes: Uint8Array,
  fieldStart: number,
  fieldEnd: number,
  valueStart: number,
  valueEnd: number,
) => void;

/** A field or a value: bytes[start, end). */
export interface FieldValue {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** What it shows lies somewhere, and is good until the next look at any hash, and until the next effect. */
export interface HashView extends ValueView {
  readonly type: "hash";
  readonly size: number;
  /** Of all fields and values as bulk strings of RESP. */
  readonly recordBytes: number;
  /** Redis' listpack: its fields are few and short, and come in the order in which they were made. */
  readonly isListpack: boolean;
  /** Null: there is no such field. */
  find(bytes: Uint8Array, start: number, end: number): FieldValue | null;
  /** Every field once. */
  forEach(visit: FieldVisit): void;
  /** The same as stretches of bytes: each is field, value, field … as bulk strings of RESP. */
  forEachStretch(visit: (bytes: Uint8Array, start: number, end: number) => void): void;
  /** The field of this place, 0 … size − 1. Places mean nothing, and are others after each change. */
  at(index: number, visit: FieldVisit): void;
  /**
   * Fields of one that is no listpack, from `cursor` (0 at first, below 2^32) on, at least `count` of them if there are so many. Answers the next cursor, 0 at
   * the end. A field that is there from the first call to the last is visited.
   */
  scan(cursor: number, count: number, visit: FieldVisit): number;
}

/** Whose event a change of fields is. */
export type FieldEvent = "hset" | "hincrby" | "hincrbyfloat";

/** Changes of hashes. Keys are latin1 strings; who takes the last field removes the key. */
export interface HashEffects {
  /**
   * Fields get these values, one after the other: bytes[start, end) is field, value, field … as bulk strings of RESP. Makes the key, which holds a hash or
   * nothing. `seed`: 32 bits by chance, for a hash that is made. Answers how many fields are new.
   */
  put(key: string, bytes: Uint8Array, start: number, end: number, seed: number, event: FieldEvent): number;
  /** Removes those that are there; at least one is. Answers how many they were. */
  remove(key: string, fields: MemberList): number;
}
