/** Bodies of the rows that make up a small key's directory (their forms are drawn in state-rows.ts), as they are now. Each is appended to the writer. */
import type { ByteWriter } from "@headrace/bytes";
import { type Block, MARK_DEAD } from "./block.ts";
import { writeLine } from "./block-line.ts";
import type { Consumer } from "./consumer.ts";
import type { Group } from "./group.ts";
import { writeStreamLimits } from "./back-pressure.ts";
import { hasGroupSettings, writeGroupSettings } from "./group-settings.ts";
import type { StreamKey } from "./stream-key.ts";
import type { PendingLeaf } from "./pending-leaf.ts";
import { writeRetention } from "./retention.ts";
import { HAS_DELAYED, HAS_IDEMPOTENCE } from "./state-rows.ts";

export function writeStreamBody(writer: ByteWriter, key: StreamKey): void {
  const { stream } = key;
  const { blocks, nextBlockNumber } = stream.entries;
  writer.string(key.key);
  stream.lastId.write(writer);
  stream.maxDeletedId.write(writer);
  writer.f64(stream.entriesAdded);
  writer.f64(stream.length);
  writer.f64(key.lastWriterIndex);
  writer.u32(blocks.length);
  writer.u32(nextBlockNumber);
  writer.u32(stream.groupCount);
  writer.u32(stream.nextGroupNumber);
  writer.u8(stream.ackLevel);
  const delayed = stream.delayed === null ? 0 : stream.delayed.count;
  writer.u8((stream.idempotence === null ? 0 : HAS_IDEMPOTENCE) | (delayed === 0 ? 0 : HAS_DELAYED));
  if (delayed > 0) writer.f64(delayed);
  if (blocks.length > 0) writeLine(writer, blocks.lineAt(blocks.length - 1));
  const isLimited = stream.maxLagBytes !== null;
  if (key.expiry !== null || key.place !== key.age || stream.retention !== null || isLimited) {
    writer.f64(key.expiresAtMs);
    writer.f64(key.place);
  }
  if (stream.retention !== null || isLimited) writeRetention(writer, stream.retention);
  if (isLimited) writeStreamLimits(writer, stream.maxLagBytes);
}

export function writeMarksBody(writer: ByteWriter, block: Block): void {
  writer.u32(block.count);
  for (let first = 0; first < block.count; first += 8) {
    let bits = 0;
    for (let bit = 0; bit < 8 && first + bit < block.count; bit++) {
      if ((block.marks[first + bit]! & MARK_DEAD) !== 0) bits |= 1 << bit;
    }
    writer.u8(bits);
  }
}

export function writeGroupBody(writer: ByteWriter, group: Group): void {
  const { pending } = group;
  writer.string(group.name);
  group.lastDeliveredId.write(writer);
  writer.f64(group.entriesRead);
  writer.u32(group.consumerCount);
  writer.u32(group.nextConsumerNumber);
  writer.u32(pending.leaves.length);
  writer.u32(pending.nextLeafNumber);
  writer.f64(pending.count);
  writer.f64(group.givenBack);
  const { settings } = group;
  if (hasGroupSettings(settings)) writeGroupSettings(writer, settings);
}

export function writeConsumerBody(writer: ByteWriter, consumer: Consumer): void {
  writer.string(consumer.name);
  writer.f64(consumer.seenTimeMs);
  writer.f64(consumer.activeTimeMs);
}

export function writeLeafBody(writer: ByteWriter, leaf: PendingLeaf): void {
  writer.u32(leaf.count);
  writer.all(new Uint8Array(leaf.stored().buffer));
}
