/**
 * What shards hand to each other (engine/outbox.ts), as bytes between two nodes, on the snapshot channel: it is bulk too, and its first byte tells it
 * apart. Little-endian:
 *
 *   frame    u8 0x4f · u8 version = 1 · u8 kind · u8 0 · u16 shard to · u16 shard from · u16 target's slot · u16 sender's slot · body · u32 CRC-32 of all before
 *
 *   items    item (engine/outbox-item.ts)…: of one pair of slots, in the order of their numbers
 *   taken    f64 number: that one and all before it are taken, committed (0: none) · u8 refusal of the next one (0: none)
 *   notHere  u32 node that leads the shard, 0: not known
 *
 * A frame that is lost, altered or not understood is sent again. Decoded items are copies.
 */
import { ByteReader, ByteWriter, crc32, TruncatedError } from "@headrace/bytes";
import type { TakingRefusal } from "@headrace/commands";
import { DamagedRowError, type OutboxItem, readOutboxItem } from "@headrace/engine";

export const OUTBOX_FRAME = 0x4f;
const VERSION = 1;
const CRC_BYTES = 4;
const Kind = { items: 1, taken: 2, notHere: 3 } as const;

/** By the number that it has in a frame. */
const REFUSALS: readonly (TakingRefusal | null)[] = [
  null,
  "memory",
  "space",
  "outboxFull",
  "idsExhausted",
  "wrongType",
];

export interface OutboxAddress {
  readonly toShardId: number;
  readonly fromShardId: number;
  readonly targetSlot: number;
  readonly slot: number;
}

export type OutboxFrame = OutboxAddress &
  (
    | { readonly kind: "items"; readonly items: readonly OutboxItem[]; readonly byteLength: number }
    | { readonly kind: "taken"; readonly number: number; readonly refusal: TakingRefusal | null }
    | { readonly kind: "notHere"; readonly leaderNodeId: number }
  );

export function itemsFrame(address: OutboxAddress, items: readonly OutboxItem[]): Uint8Array {
  const bytes = items.reduce((sum, item) => sum + item.bytes.length, 0);
  const writer = begin(Kind.items, address, bytes);
  for (const item of items) writer.all(item.bytes);
  return sealed(writer);
}

export function takenFrame(address: OutboxAddress, number: number, refusal: TakingRefusal | null): Uint8Array {
  const writer = begin(Kind.taken, address, 16);
  writer.f64(number);
  writer.u8(REFUSALS.indexOf(refusal));
  return sealed(writer);
}

export function notHereFrame(address: OutboxAddress, leaderNodeId: number): Uint8Array {
  const writer = begin(Kind.notHere, address, 16);
  writer.u32(leaderNodeId);
  return sealed(writer);
}

/** Of an answer to what came from there. */
export function addressBack({ toShardId, fromShardId, targetSlot, slot }: OutboxAddress): OutboxAddress {
  return { toShardId: fromShardId, fromShardId: toShardId, targetSlot, slot };
}

/** Null: it is not as it was sent, or not of this version. */
export function decodeOutboxFrame(frame: Uint8Array): OutboxFrame | null {
  const end = frame.length - CRC_BYTES;
  if (end <= 0 || new ByteReader(frame, end).u32() !== crc32(frame.subarray(0, end))) return null;
  try {
    return decodeBody(new ByteReader(frame, 0, end));
  } catch (error) {
    if (error instanceof TruncatedError || error instanceof DamagedRowError) return null;
    throw error;
  }
}

function decodeBody(reader: ByteReader): OutboxFrame | null {
  if (reader.u8() !== OUTBOX_FRAME || reader.u8() !== VERSION) return null;
  const kind = reader.u8();
  reader.u8();
  const address = {
    toShardId: reader.u16(),
    fromShardId: reader.u16(),
    targetSlot: reader.u16(),
    slot: reader.u16(),
  };
  switch (kind) {
    case Kind.items: {
      const items: OutboxItem[] = [];
      const byteLength = reader.remaining;
      while (reader.remaining > 0) items.push(readOutboxItem(reader));
      return { ...address, kind: "items", items, byteLength };
    }
    case Kind.taken: {
      const number = reader.f64();
      const refusal = REFUSALS[reader.u8()];
      return refusal === undefined ? null : { ...address, kind: "taken", number, refusal };
    }
    case Kind.notHere:
      return { ...address, kind: "notHere", leaderNodeId: reader.u32() };
    default:
      return null;
  }
}

function begin(kind: number, { toShardId, fromShardId, targetSlot, slot }: OutboxAddress, bytes: number): ByteWriter {
  const writer = new ByteWriter(16 + bytes + CRC_BYTES);
  writer.u8(OUTBOX_FRAME);
  writer.u8(VERSION);
  writer.u8(kind);
  writer.u8(0);
  for (const value of [toShardId, fromShardId, targetSlot, slot]) writer.u16(value);
  return writer;
}

function sealed(writer: ByteWriter): Uint8Array {
  writer.u32(crc32(writer.view()));
  return writer.take(0);
}
