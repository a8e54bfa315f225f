/** A key with its stream, and what is known of it beside what the stream says. */
import type { KeyView } from "./api.ts";
import { type Expiry, NEVER } from "./expiry-heap.ts";
import type { RetentionPlace } from "./retention-queue.ts";
import type { Stream } from "./stream.ts";

export class StreamKey implements KeyView {
  /** Changes when the key is renamed. */
  key: string;
  readonly slot: number;
  readonly type = "stream" as const;
  /** Unique in the shard for ever: the name of the key's rows. */
  readonly age: number;
  /** Unique too: SCAN's order. The age until the key is renamed. */
  place: number;
  /** Null: does not expire. */
  expiry: Expiry<StreamKey> | null;
  lastWriterIndex: number;
  /** Log time of the last use that this replica knows of, in seconds: OBJECT IDLETIME. No part of the replicated state. */
  usedAtSeconds: number;
  readonly stream: Stream;
  dirty: boolean;
  persisted: boolean;
  /** When its iids have to be looked at, as its valid place among the deadlines says; Infinity: it has none. */
  iidsDueMs: number;
  /** Null: its stream has only had one block. No part of the replicated state. */
  retention: RetentionPlace | null;
  /** Null: none of its groups lets idle consumers go. No part of the replicated state. */
  idleDue: Expiry<StreamKey> | null;
  /** Of the last capture that wrote it; 0: it came from the store. */
  capturedIndex: number;
  /** Where it is on the clock, and when it had been used last as the hand came by. */
  clockAt: number;
  passedAtSeconds: number;

  constructor(key: string, slot: number, age: number, stream: Stream) {
    this.key = key;
    this.slot = slot;
    this.age = age;
    this.place = age;
    this.expiry = null;
    this.lastWriterIndex = 0;
    this.usedAtSeconds = 0;
    this.stream = stream;
    this.dirty = false;
    this.persisted = false;
    this.iidsDueMs = Number.POSITIVE_INFINITY;
    this.retention = null;
    this.idleDue = null;
    this.capturedIndex = 0;
    this.clockAt = -1;
    this.passedAtSeconds = -1;
    stream.entries.blocks.slot = slot;
    stream.entries.blocks.age = age;
  }

  get expiresAtMs(): number {
    return this.expiry === null ? NEVER : this.expiry.atMs;
  }
}
