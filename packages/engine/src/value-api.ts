/** What handlers see of values that are no streams, and how they change them: the part of the engine's contract (api.ts) that is about them. */
import type { ByteWriter } from "@headrace/bytes";

/** What TYPE says of a key. */
export type KeyType = "stream" | ValueType;
export type ValueType = "string";

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

export interface ValueEffects {
  readonly strings: StringEffects;
  /** Makes the key hold what the image of a value says (`imageOf`), whatever it held. */
  put(key: string, image: Uint8Array, expiresAtMs: number, event: "copy_to" | "restore"): void;
}
