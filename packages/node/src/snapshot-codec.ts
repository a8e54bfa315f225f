/**
 * Snapshots as bytes between two nodes, on the snapshot channel. The receiver asks, the source answers each question with one chunk: nothing is on
 * its way that nobody has room for. Little-endian:
 *
 *   frame    u8 version = 1 · u8 kind · u16 group · f64 to · f64 from (replicas) · f64 snapshot id · u32 number of the question · body ·
 *            u32 CRC-32 of all before
 *
 *   ask      u32 bytes · slot and subkey of the last row that the receiver has; empty: from the beginning
 *   chunk    the question's row again · u8 flags (1 last) · u32 head bytes · head (in the first chunk) · u32 rows × { u16 key bytes · u32 value bytes · slot and subkey · value }
 *   gone     reason: this snapshot can't be had here (any more)
 *   settled  u8 succeeded · reason: the receiver has everything, or does not want it
 *
 * Rows come in the order of their keys. Decoded rows are views into the frame.
 */
import { ByteReader, ByteWriter, crc32 } from "@headrace/bytes";
import { PeerCodecError } from "./peer-codec.ts";

export const SNAPSHOT_CODEC_VERSION = 1;

export const SnapshotFrameKind = { ask: 1, chunk: 2, gone: 3, settled: 4 } as const;
export type SnapshotFrameKind = (typeof SnapshotFrameKind)[keyof typeof SnapshotFrameKind];

const FLAG_LAST = 1;
const CRC_BYTES = 4;
const ROW_HEAD_BYTES = 6;

/** One row of a state, without the generation that it is stored under. */
export interface SnapshotRow {
  /** u16 slot, big-endian · subkey. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface SnapshotAddress {
  readonly groupId: number;
  readonly to: number;
  readonly from: number;
  readonly snapshotId: number;
  readonly number: number;
}

/** One shape for all kinds; what a kind does not have is empty. */
export interface SnapshotFrame extends SnapshotAddress {
  readonly kind: SnapshotFrameKind;
  readonly after: Uint8Array;
  readonly head: Uint8Array;
  readonly rows: readonly SnapshotRow[];
  readonly isLast: boolean;
  readonly succeeded: boolean;
  readonly reason: string;
}

export interface SnapshotChunk {
  /** What was asked: the rows are those right behind this one. */
  readonly after: Uint8Array;
  readonly head: Uint8Array;
  readonly rows: readonly SnapshotRow[];
  readonly isLast: boolean;
}

export const NO_BYTES: Uint8Array = new Uint8Array(0);
const NOTHING = { after: NO_BYTES, head: NO_BYTES, rows: [], isLast: false, succeeded: false, reason: "" } as const;

export function askFrame(address: SnapshotAddress, after: Uint8Array): Uint8Array {
  const writer = begin(SnapshotFrameKind.ask, address, 64 + after.length);
  writer.u32(after.length);
  writer.all(after);
  return sealed(writer);
}

export function chunkFrame(address: SnapshotAddress, chunk: SnapshotChunk): Uint8Array {
  let bytes = 128 + chunk.after.length + chunk.head.length;
  for (const { key, value } of chunk.rows) bytes += ROW_HEAD_BYTES + key.length + value.length;
  const writer = begin(SnapshotFrameKind.chunk, address, bytes);
  writer.u32(chunk.after.length);
  writer.all(chunk.after);
  writer.u8(chunk.isLast ? FLAG_LAST : 0);
  writer.u32(chunk.head.length);
  writer.all(chunk.head);
  writer.u32(chunk.rows.length);
  for (const { key, value } of chunk.rows) {
    writer.u16(key.length);
    writer.u32(value.length);
    writer.all(key);
    writer.all(value);
  }
  return sealed(writer);
}

export function goneFrame(address: SnapshotAddress, reason: string): Uint8Array {
  const writer = begin(SnapshotFrameKind.gone, address, 256);
  writer.string(reason);
  return sealed(writer);
}

export function settledFrame(address: SnapshotAddress, succeeded: boolean, reason: string): Uint8Array {
  const writer = begin(SnapshotFrameKind.settled, address, 256);
  writer.u8(succeeded ? 1 : 0);
  writer.string(reason);
  return sealed(writer);
}

/** null: it does not match its checksum. Throws PeerCodecError or TruncatedError where it does and can't be read: another version. */
export function decodeSnapshotFrame(frame: Uint8Array): SnapshotFrame | null {
  const end = frame.length - CRC_BYTES;
  if (end <= 0 || new ByteReader(frame, end).u32() !== crc32(frame.subarray(0, end))) return null;
  const reader = new ByteReader(frame, 0, end);
  const version = reader.u8();
  if (version !== SNAPSHOT_CODEC_VERSION) throw new PeerCodecError(`snapshot frame version ${version}`);
  const kind = reader.u8();
  const groupId = reader.u16();
  const to = reader.f64();
  const from = reader.f64();
  const snapshotId = reader.f64();
  const number = reader.u32();
  const address = { ...NOTHING, groupId, to, from, snapshotId, number };
  switch (kind) {
    case SnapshotFrameKind.ask:
      return { ...address, kind, after: reader.raw(reader.u32()) };
    case SnapshotFrameKind.chunk: {
      const after = reader.raw(reader.u32());
      const isLast = (reader.u8() & FLAG_LAST) !== 0;
      const head = reader.raw(reader.u32());
      return { ...address, kind, after, isLast, head, rows: readRows(reader) };
    }
    case SnapshotFrameKind.gone:
      return { ...address, kind, reason: reader.string() };
    case SnapshotFrameKind.settled:
      return { ...address, kind, succeeded: reader.u8() === 1, reason: reader.string() };
    default:
      throw new PeerCodecError(`snapshot frame kind ${kind}`);
  }
}

function readRows(reader: ByteReader): readonly SnapshotRow[] {
  const count = reader.u32();
  if (count * ROW_HEAD_BYTES > reader.remaining) throw new PeerCodecError("rows longer than the frame");
  const rows: SnapshotRow[] = [];
  for (let i = 0; i < count; i++) {
    const keyBytes = reader.u16();
    const valueBytes = reader.u32();
    rows.push({ key: reader.raw(keyBytes), value: reader.raw(valueBytes) });
  }
  return rows;
}

function begin(kind: SnapshotFrameKind, address: SnapshotAddress, capacityBytes: number): ByteWriter {
  const writer = new ByteWriter(capacityBytes);
  writer.u8(SNAPSHOT_CODEC_VERSION);
  writer.u8(kind);
  writer.u16(address.groupId);
  writer.f64(address.to);
  writer.f64(address.from);
  writer.f64(address.snapshotId);
  writer.u32(address.number);
  return writer;
}

function sealed(writer: ByteWriter): Uint8Array {
  writer.u32(crc32(writer.view()));
  return writer.view();
}
