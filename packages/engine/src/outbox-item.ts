/**
 * What a shard has to hand to another one (or to itself) exactly once, as it stands in effects, rows and frames between nodes:
 *
 *   item   f64 number · u16 slot · u8 kind · string key · string group · string target · id · id upTo · f64 count · u32 elements · u32 bytes · fields
 *
 *   letter     an entry that `group` of `key` gives up: `fields` (RESP, `elements` of them) are to be appended to `target`. `id` is the entry's
 *   order      entries of `target` that came from `group` of `key` are to go back: those behind `id`, up to `upTo` (0-0: the last one there is when it is
 *              begun), at most `count` of them (0: all)
 *   giveBack   an entry of the dead-letter stream `key` on its way back to `group` of `target`, where it was `id`; `fields` as they stood there
 *
 * `slot` is the one that the item is numbered in, a slot of the shard that has it in its outbox.
 */
import { assert, type ByteReader, type ByteWriter, copyOf, SLOT_COUNT } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";
import { StreamId } from "./stream-id.ts";

export const OutboxKind = { letter: 1, order: 2, giveBack: 3 } as const;
export type OutboxKind = (typeof OutboxKind)[keyof typeof OutboxKind];

/** What an item says; its number and slot are given to it by the outbox. */
export interface OutboxContent {
  readonly kind: OutboxKind;
  readonly key: string;
  readonly group: string;
  readonly target: string;
  readonly id: StreamId;
  readonly upTo: StreamId;
  readonly count: number;
  readonly elements: number;
  readonly fields: Uint8Array;
}

export interface OutboxItem extends OutboxContent {
  /** Never used again: it grows with log time. */
  readonly number: number;
  readonly slot: number;
  /** The whole item; `fields` is a view into it. */
  readonly bytes: Uint8Array;
}

const FRAME_BYTES = 8 + 2 + 1 + 3 * 4 + 2 * 16 + 8 + 2 * 4;

/** How long the item is as bytes. */
export function outboxItemBytes({ key, group, target, fields }: OutboxContent): number {
  return FRAME_BYTES + key.length + group.length + target.length + fields.length;
}

export function writeOutboxItem(writer: ByteWriter, number: number, slot: number, content: OutboxContent): void {
  writer.f64(number);
  writer.u16(slot);
  writer.u8(content.kind);
  writer.string(content.key);
  writer.string(content.group);
  writer.string(content.target);
  content.id.write(writer);
  content.upTo.write(writer);
  writer.f64(content.count);
  writer.u32(content.elements);
  writer.u32(content.fields.length);
  writer.all(content.fields);
}

/** Reads one item, and copies it. Throws DamagedRowError, TruncatedError. */
export function readOutboxItem(reader: ByteReader): OutboxItem {
  const start = reader.offset;
  const number = reader.f64();
  const slot = reader.u16();
  const kind = reader.u8();
  const isKind = kind === OutboxKind.letter || kind === OutboxKind.order || kind === OutboxKind.giveBack;
  if (!isKind || slot >= SLOT_COUNT || !Number.isSafeInteger(number) || number <= 0)
    throw new DamagedRowError("an item of the outbox that is none");
  const key = reader.string();
  const group = reader.string();
  const target = reader.string();
  const id = StreamId.read(reader);
  const upTo = StreamId.read(reader);
  const count = reader.f64();
  const elements = reader.u32();
  const fieldsBytes = reader.u32();
  reader.skip(fieldsBytes);
  const bytes = copyOf(reader.bytes, start, reader.offset);
  const fields = bytes.subarray(bytes.length - fieldsBytes);
  return { number, slot, kind, key, group, target, id, upTo, count, elements, fields, bytes };
}

export function assertOutboxContent({ count, elements, fields, kind }: OutboxContent): void {
  assert(Number.isSafeInteger(count) && count >= 0, "an order of so many");
  const hasFields = kind !== OutboxKind.order;
  assert(hasFields === elements > 0 && hasFields === fields.length > 0, "an item without what it carries");
}
