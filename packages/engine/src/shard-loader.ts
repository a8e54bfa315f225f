/**
 * Rebuilds a state from the rows of a checkpoint, in any order. Every value is checked against its CRC and its form as it comes; `finish` puts
 * the parts together and checks that nothing is missing and nothing is left over. Row values are kept until then and must not change.
 */
import { DamagedRowError, type ShardHeader, type ShardLoaderApi } from "./api.ts";
import { checked } from "./checked.ts";
import { buildKey, KeyParts } from "./key-parts.ts";
import { readShardHeader } from "./shard-header.ts";
import { ShardState } from "./shard-state.ts";
import { rowBody, rowName } from "./state-rows.ts";

export class ShardLoader implements ShardLoaderApi {
  readonly #keys: Map<number, KeyParts>;

  constructor() {
    this.#keys = new Map();
  }

  row(slot: number, subkey: Uint8Array, value: Uint8Array): void {
    const name = rowName(subkey);
    const reader = rowBody(slot, subkey, value);
    let parts = this.#keys.get(name.age);
    if (parts === undefined) {
      parts = new KeyParts(slot, name.age);
      this.#keys.set(name.age, parts);
    }
    parts.takeRow(slot, name, reader);
  }

  finish(header: ShardHeader, index: number): ShardState {
    return checked(() => this.#build(header, index));
  }

  #build(header: ShardHeader, index: number): ShardState {
    const { logTimeMs, nextAge, keyCount, sessions } = readShardHeader(header, index);
    const state = ShardState.startingAt(index, logTimeMs);
    const { keyspace, origins } = state;
    keyspace.nextAge = nextAge;
    if (keyCount !== this.#keys.size) throw new DamagedRowError("keys are missing or left over");
    for (const { session, sequence, lastWriteMs } of sessions) origins.record(session, sequence, lastWriteMs);
    const meter = keyspace.meter;
    const keys = [...this.#keys.values()].map((parts) => ({
      key: buildKey(parts, meter),
      expiresAtMs: parts.header!.expiresAtMs,
    }));
    // Slots want them in that order.
    keys.sort((a, b) => a.key.place - b.key.place);
    for (const { key, expiresAtMs } of keys) {
      keyspace.adopt(key);
      keyspace.setExpiry(key, expiresAtMs);
    }
    meter.bytes = 0;
    return state;
  }
}
