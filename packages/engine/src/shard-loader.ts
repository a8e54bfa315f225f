/**
 * Rebuilds a state from the rows of a checkpoint, in any order. Every value is checked against its CRC and its form as it comes; `finish` puts
 * the parts together and checks that nothing is missing and nothing is left over. Row values are kept until then and must not change.
 */
import { ByteReader, crc32, latin1, TruncatedError } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError, type ShardHeader, type ShardLoaderApi } from "./api.ts";
import { StreamKey } from "./keyspace-state.ts";
import { buildStream, KeyParts } from "./key-parts.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { ShardState } from "./shard-state.ts";
import { ROW_FRAME_BYTES, ROW_VERSION, rowChecksum, SUBKEY_HEAD_BYTES, subkeyNumbers } from "./state-rows.ts";

export class ShardLoader implements ShardLoaderApi {
  readonly #keys: Map<number, KeyParts>;

  constructor() {
    this.#keys = new Map();
  }

  row(slot: number, subkey: Uint8Array, value: Uint8Array): void {
    if (value.length < ROW_FRAME_BYTES || subkey.length < SUBKEY_HEAD_BYTES) throw new DamagedRowError("row too short");
    const end = value.length - 4;
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    if (view.getUint32(end, true) !== rowChecksum(slot, subkey, value.subarray(0, end))) {
      throw new DamagedRowError("row does not match its checksum");
    }
    if (value[0] !== ROW_VERSION) throw new UnknownRowError(`row version ${value[0]}`);
    const keyView = new DataView(subkey.buffer, subkey.byteOffset, subkey.length);
    const kind = keyView.getUint8(6);
    const numbers = subkeyNumbers(kind);
    if (subkey.length !== SUBKEY_HEAD_BYTES + numbers * 4) throw new DamagedRowError("subkey has the wrong length");
    const age = keyView.getUint16(0) * 0x1_0000_0000 + keyView.getUint32(2);
    let parts = this.#keys.get(age);
    if (parts === undefined) {
      parts = new KeyParts(slot, age);
      this.#keys.set(age, parts);
    }
    if (parts.slot !== slot) throw new DamagedRowError("rows of one key in two slots");
    const first = numbers > 0 ? keyView.getUint32(7) : 0;
    const second = numbers > 1 ? keyView.getUint32(11) : 0;
    const reader = new ByteReader(value, 1, end);
    checked(() => parts.add(kind, first, second, reader));
    if (reader.remaining !== 0) throw new DamagedRowError("row is too long");
  }

  finish(header: ShardHeader, index: number): ShardState {
    return checked(() => this.#build(header, index));
  }

  #build(header: ShardHeader, index: number): ShardState {
    const { bytes } = header;
    if (bytes.length < ROW_FRAME_BYTES) throw new DamagedRowError("shard header too short");
    const end = bytes.length - 4;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (view.getUint32(end, true) !== crc32(bytes.subarray(0, end))) {
      throw new DamagedRowError("shard header does not match its checksum");
    }
    if (bytes[0] !== ROW_VERSION) throw new UnknownRowError(`shard header version ${bytes[0]}`);
    const reader = new ByteReader(bytes, 1, end);
    if (reader.f64() !== index) throw new DamagedRowError("shard header is of another index");
    const state = ShardState.startingAt(index, reader.f64());
    const { keyspace, origins } = state;
    keyspace.nextAge = reader.f64();
    if (reader.f64() !== this.#keys.size) throw new DamagedRowError("keys are missing or left over");
    const sessions = reader.u32();
    for (let i = 0; i < sessions; i++) {
      const at = reader.skip(16);
      origins.record(latin1(bytes, at, at + 16), reader.f64(), reader.f64());
    }
    if (reader.remaining !== 0) throw new DamagedRowError("shard header is too long");
    // By age, as they were made: slots want them in that order.
    const meter = keyspace.meter;
    for (const parts of [...this.#keys.values()].sort((a, b) => a.age - b.age)) keyspace.adopt(buildKey(parts, meter));
    meter.bytes = 0;
    return state;
  }
}

function buildKey(parts: KeyParts, meter: DirtyMeter): StreamKey {
  const { header } = parts;
  if (header === null) throw new DamagedRowError("key without a header row");
  const key = new StreamKey(header.key, parts.slot, parts.age, buildStream(parts, header, meter));
  key.lastWriterIndex = header.lastWriterIndex;
  key.persisted = true;
  return key;
}

/** Bytes that end early are damage here. */
function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TruncatedError) throw new DamagedRowError(error.message);
    throw error;
  }
}
