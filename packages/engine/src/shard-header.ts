/**
 * What a checkpoint says of the shard as a whole:
 *
 *   u8 version · f64 index, logTimeMs, nextAge, keys · u32 sessions · {16 bytes · f64 sequence · f64 lastWriteMs} ·
 *   nothing, or f64 last number of the outbox · u32 items in it · u32 taken · {u16 target's slot · u16 sender's slot · f64 number} · u32 CRC-32
 */
import { ByteReader, type ByteWriter, copyOf, crc32, latin1 } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError, type ShardHeader } from "./api.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import type { OutboxMarks, TakenNumber } from "./outbox.ts";
import type { Origins } from "./origins.ts";
import { ROW_FRAME_BYTES, ROW_VERSION } from "./state-rows.ts";

/** What of a ShardState stands in its header. */
export interface HeadedState {
  readonly keyspace: KeyspaceState;
  readonly origins: Origins;
  readonly index: number;
  readonly logTimeMs: number;
}

export interface ShardHeaderFields {
  readonly logTimeMs: number;
  readonly nextAge: number;
  readonly keyCount: number;
  /** Least recently written first. */
  readonly sessions: readonly { readonly session: string; readonly sequence: number; readonly lastWriteMs: number }[];
  readonly outbox: OutboxMarks;
}

/** Empties the writer. */
export function encodeShardHeader(state: HeadedState, writer: ByteWriter): Uint8Array {
  writer.u8(ROW_VERSION);
  writer.f64(state.index);
  writer.f64(state.logTimeMs);
  writer.f64(state.keyspace.nextAge);
  writer.f64(state.keyspace.size);
  writer.u32(state.origins.size);
  for (const [session, record] of state.origins.entries()) {
    writer.latin1(session);
    writer.f64(record.sequence);
    writer.f64(record.lastWriteMs);
  }
  writeOutboxMarks(writer, state.keyspace.outbox.marks);
  writer.u32(crc32(writer.view()));
  const bytes = copyOf(writer.bytes, 0, writer.length);
  writer.clear();
  return bytes;
}

/** Throws UnknownRowError; DamagedRowError, also when the header is of another index; TruncatedError when it ends early. */
export function readShardHeader(header: ShardHeader, index: number): ShardHeaderFields {
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
  const logTimeMs = reader.f64();
  const nextAge = reader.f64();
  const keyCount = reader.f64();
  const sessions = [];
  for (let count = reader.u32(); count > 0; count--) {
    const at = reader.skip(16);
    sessions.push({ session: latin1(bytes, at, at + 16), sequence: reader.f64(), lastWriteMs: reader.f64() });
  }
  const outbox = readOutboxMarks(reader);
  if (reader.remaining !== 0) throw new DamagedRowError("shard header is too long");
  return { logTimeMs, nextAge, keyCount, sessions, outbox };
}

function writeOutboxMarks(writer: ByteWriter, { lastNumber, itemCount, taken }: OutboxMarks): void {
  if (lastNumber === 0 && taken.length === 0) return;
  writer.f64(lastNumber);
  writer.u32(itemCount);
  writer.u32(taken.length);
  for (const { targetSlot, slot, number } of taken) {
    writer.u16(targetSlot);
    writer.u16(slot);
    writer.f64(number);
  }
}

/** Nothing stands in headers of before there was an outbox, or of one that was never used. */
function readOutboxMarks(reader: ByteReader): OutboxMarks {
  const taken: TakenNumber[] = [];
  if (reader.remaining === 0) return { lastNumber: 0, itemCount: 0, taken };
  const lastNumber = reader.f64();
  const itemCount = reader.u32();
  for (let count = reader.u32(); count > 0; count--)
    taken.push({ targetSlot: reader.u16(), slot: reader.u16(), number: reader.f64() });
  return { lastNumber, itemCount, taken };
}
