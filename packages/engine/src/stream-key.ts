/** A key with its stream, and what is known of it beside what the stream says. */
import type { StreamKeyView } from "./api.ts";
import type { Expiry } from "./expiry-heap.ts";
import type { RetentionPlace } from "./retention-queue.ts";
import { StoredKey } from "./stored-key.ts";
import type { Stream } from "./stream.ts";

export class StreamKey extends StoredKey implements StreamKeyView {
  readonly stream: Stream;
  /** When its iids have to be looked at, as its valid place among the deadlines says; Infinity: it has none. */
  iidsDueMs: number;
  /** Null: its stream has only had one block. No part of the replicated state. */
  retention: RetentionPlace | null;
  /** Null: none of its groups lets idle consumers go. No part of the replicated state. */
  idleDue: Expiry<StreamKey> | null;
  /** Null: nothing of its stream is delayed. No part of the replicated state. */
  delayDue: Expiry<StreamKey> | null;

  constructor(key: string, slot: number, age: number, stream: Stream) {
    super(key, slot, age);
    this.stream = stream;
    this.iidsDueMs = Number.POSITIVE_INFINITY;
    this.retention = null;
    this.idleDue = null;
    this.delayDue = null;
    stream.entries.blocks.slot = slot;
    stream.entries.blocks.age = age;
  }

  get type(): "stream" {
    return "stream";
  }

  get value(): null {
    return null;
  }
}
