/** A key, whatever it holds, and what is known of it beside its value. Which of the two it is, `stream` and `value` say: one of them is null. */
import { type Expiry, NEVER } from "./expiry-heap.ts";
import type { StreamKey } from "./stream-key.ts";
import type { ValueKey } from "./value-key.ts";

export type AnyKey = StreamKey | ValueKey;

export abstract class StoredKey {
  /** Changes when the key is renamed. */
  key: string;
  readonly slot: number;
  /** Unique in the shard for ever: the name of the key's rows. */
  readonly age: number;
  /** Unique too: SCAN's order. The age until the key is renamed. */
  place: number;
  /** Null: does not expire. */
  expiry: Expiry<AnyKey> | null;
  lastWriterIndex: number;
  /** Log time of the last use that this replica knows of, in seconds: OBJECT IDLETIME. No part of the replicated state. */
  usedAtSeconds: number;
  dirty: boolean;
  persisted: boolean;
  /** Of the last capture that wrote it; 0: it came from the store. */
  capturedIndex: number;
  /** Where it is on the clock, and when it had been used last as the hand came by. */
  clockAt: number;
  passedAtSeconds: number;

  constructor(key: string, slot: number, age: number) {
    this.key = key;
    this.slot = slot;
    this.age = age;
    this.place = age;
    this.expiry = null;
    this.lastWriterIndex = 0;
    this.usedAtSeconds = 0;
    this.dirty = false;
    this.persisted = false;
    this.capturedIndex = 0;
    this.clockAt = -1;
    this.passedAtSeconds = -1;
  }

  get expiresAtMs(): number {
    return this.expiry === null ? NEVER : this.expiry.atMs;
  }
}
