/**
 * Rebuilds a state from the rows of a checkpoint, in any order. Every value is checked against its CRC and its form as it comes; `finish` puts
 * the parts together and checks that nothing is missing and nothing is left over. Row values are kept until then and must not change.
 *
 * In the store the rows of a key stand together. So a key is put together as soon as the next one begins, checked, and packed if it is small
 * (packed-streams.ts): a million streams pass through here one by one. Should more rows of it come after all, it is taken back.
 */
import { DamagedRowError, type ShardHeader, type ShardLoaderApi } from "./api.ts";
import { checked } from "./checked.ts";
import { buildKey, KeyParts } from "./key-parts.ts";
import { secondsOf } from "./log-seconds.ts";
import { readShardHeader } from "./shard-header.ts";
import { ShardState } from "./shard-state.ts";
import { OUTBOX_AGE, rowBody, rowName } from "./state-rows.ts";
import type { AnyKey } from "./stored-key.ts";

export class ShardLoader implements ShardLoaderApi {
  readonly #state: ShardState;
  /** By age; but for those that are packed already. */
  readonly #keys: Map<number, KeyParts>;
  /** Of the row before. */
  #last: KeyParts | null;

  constructor() {
    this.#state = new ShardState();
    this.#keys = new Map();
    this.#last = null;
  }

  row(slot: number, subkey: Uint8Array, value: Uint8Array): void {
    const name = rowName(subkey);
    const reader = rowBody(slot, subkey, value);
    if (name.age === OUTBOX_AGE) {
      checked(() => this.#state.keyspace.outbox.load(slot, name.first, name.second, reader));
      return;
    }
    let parts = this.#last;
    if (parts === null || parts.age !== name.age) {
      if (parts !== null) this.#packIfWhole(parts);
      parts = this.#partsOf(slot, name.age);
      this.#last = parts;
    }
    parts.takeRow(slot, name, reader);
  }

  #partsOf(slot: number, age: number): KeyParts {
    let parts = this.#keys.get(age) ?? this.#state.keyspace.takeBackPacked(slot, age);
    parts ??= new KeyParts(slot, age);
    this.#keys.set(age, parts);
    return parts;
  }

  /** Of what does not fit together more may come: `finish` judges it. */
  #packIfWhole(parts: KeyParts): void {
    if (!parts.mayBePacked) return;
    const { keyspace } = this.#state;
    let key: AnyKey;
    try {
      key = checked(() => buildKey(parts, keyspace.meter));
    } catch (error) {
      if (error instanceof DamagedRowError) return;
      throw error;
    }
    if (keyspace.adoptPacked(key)) this.#keys.delete(parts.age);
  }

  finish(header: ShardHeader, index: number): ShardState {
    return checked(() => this.#build(header, index));
  }

  #build(header: ShardHeader, index: number): ShardState {
    const { logTimeMs, nextAge, keyCount, sessions, outbox } = readShardHeader(header, index);
    const state = this.#state;
    if (this.#last !== null) this.#packIfWhole(this.#last);
    const { keyspace, origins } = state;
    state.moveBackTo(index, logTimeMs);
    keyspace.nowSeconds = secondsOf(logTimeMs);
    keyspace.loadedAtSeconds = keyspace.nowSeconds;
    keyspace.nextAge = nextAge;
    if (keyCount !== this.#keys.size + keyspace.size) throw new DamagedRowError("keys are missing or left over");
    for (const { session, sequence, lastWriteMs } of sessions) origins.record(session, sequence, lastWriteMs);
    const { meter } = keyspace;
    for (const parts of this.#keys.values()) {
      const key = buildKey(parts, meter);
      keyspace.adopt(key);
      keyspace.setExpiry(key, parts.keyHeader!.expiresAtMs);
    }
    this.#keys.clear();
    keyspace.outbox.finish(outbox);
    meter.bytes = 0;
    return state;
  }
}
