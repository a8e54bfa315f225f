/** Effects about limits of lag (back-pressure.ts), as they are written on the leader. Bodies are drawn in effect-format.ts. */
import { type MaxLag, type MaxLagBytes, writeMaxLag, writeStreamLimits } from "./back-pressure.ts";
import { EffectType } from "./effect-format.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import type { EffectSink } from "./outbox-effects.ts";

export interface LimitEffects {
  /** Null: none. */
  setMaxLag(key: string, group: string, maxLag: MaxLag | null): void;
  setMaxLagBytes(key: string, maxLagBytes: MaxLagBytes | null): void;
}

export class LimitWriter implements LimitEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  setMaxLag(key: string, group: string, maxLag: MaxLag | null): void {
    this.#keyspace.existingStream(key).stream.existingGroup(group);
    const writer = this.#sink.begin(EffectType.setGroupMaxLag);
    writer.string(key);
    writer.string(group);
    writeMaxLag(writer, maxLag);
    this.#sink.end(EffectType.setGroupMaxLag);
  }

  setMaxLagBytes(key: string, maxLagBytes: MaxLagBytes | null): void {
    this.#keyspace.existingStream(key);
    const writer = this.#sink.begin(EffectType.setStreamLimits);
    writer.string(key);
    writeStreamLimits(writer, maxLagBytes);
    this.#sink.end(EffectType.setStreamLimits);
  }
}
