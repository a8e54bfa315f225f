/**
 * A capture: the rows that bring the store from the last capture to now. Later effects can't reach it: everything is copied at once, but for the bytes of
 * entries, which blocks lend (`Block.lend`).
 * Remembers what it covered, so that a dropped capture can make exactly that dirty again.
 */
import { ByteWriter, lengthWithRest } from "@headrace/bytes";
import type { Capture, ShardHeader, StateRow } from "./api.ts";
import { type Block, PAGE_BITS } from "./block.ts";
import { writeLine } from "./block-line.ts";
import { captureDelayed, type CapturedDelayed, restoreCapturedDelayed } from "./delayed-rows.ts";
import type { Consumer } from "./consumer.ts";
import { fragmentRow } from "./fragment-row.ts";
import type { Group } from "./group.ts";
import { captureIdempotence, restoreCapturedIdempotence, type CapturedIdempotence } from "./idempotence-rows.ts";
import type { CapturedItem } from "./outbox.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import type { StreamKey } from "./stream-key.ts";
import type { ValueKey } from "./value-key.ts";
import { type CapturedParts, captureValue } from "./value-rows.ts";
import type { PendingLeaf } from "./pending-leaf.ts";
import { writeConsumerBody, writeGroupBody, writeLeafBody, writeMarksBody, writeStreamBody } from "./row-bodies.ts";
import { encodeShardHeader, type HeadedState } from "./shard-header.ts";
import {
  removeBlockRows,
  removeDroppedOfGroup,
  removeGroupRows,
  dataSlot,
  removeRow,
  ROW_VERSION,
  RowKind,
  sealRow,
  subkeyOf,
} from "./state-rows.ts";

interface CapturedGroup {
  readonly group: Group;
  readonly consumers: readonly Consumer[];
  readonly leaves: readonly PendingLeaf[];
}

interface CapturedStream {
  readonly key: StreamKey;
  readonly blocks: readonly Block[];
  readonly marks: readonly Block[];
  readonly pages: readonly number[];
  readonly groups: readonly CapturedGroup[];
  readonly idempotence: CapturedIdempotence | null;
  readonly delayed: CapturedDelayed | null;
}

interface CapturedValue {
  readonly key: ValueKey;
  readonly parts: CapturedParts;
}

type CapturedKey = CapturedStream | CapturedValue;

export class StateCapture implements Capture {
  readonly index: number;
  readonly rows: readonly StateRow[];
  readonly header: ShardHeader;
  readonly byteLength: number;
  readonly cleared: boolean;
  /** For restoreCaptured only. */
  readonly keys: readonly CapturedKey[];
  readonly outbox: readonly CapturedItem[];

  constructor(
    index: number,
    rows: readonly StateRow[],
    header: ShardHeader,
    cleared: boolean,
    keys: readonly CapturedKey[],
    outbox: readonly CapturedItem[],
  ) {
    let byteLength = header.bytes.length;
    for (const { subkey, value, rest } of rows) {
      byteLength += subkey.length + (value === null ? 0 : lengthWithRest(value, rest));
    }
    this.index = index;
    this.rows = rows;
    this.header = header;
    this.byteLength = byteLength;
    this.cleared = cleared;
    this.keys = keys;
    this.outbox = outbox;
  }
}

export function takeCapture(state: HeadedState): StateCapture {
  const { keyspace } = state;
  const writer = new ByteWriter(4096);
  const rows = keyspace.deadRows;
  const keys: CapturedKey[] = [];
  for (const key of keyspace.dirtyKeys) {
    // A deleted key's rows are dead rows already.
    if (!keyspace.holds(key)) continue;
    keys.push(key.stream === null ? captureValueKey(key, rows, writer) : captureStream(key, state.index, rows, writer));
    key.dirty = false;
    key.persisted = true;
    key.capturedIndex = state.index;
  }
  const { cleared } = keyspace;
  const outbox = keyspace.outbox.capture(rows, writer);
  keyspace.markClean();
  return new StateCapture(state.index, rows, { bytes: encodeShardHeader(state, writer) }, cleared, keys, outbox);
}

/** The capture will never be written: what it covered is dirty again. */
export function restoreCaptured(keyspace: KeyspaceState, capture: StateCapture): void {
  if (capture.cleared) keyspace.cleared = true;
  for (const row of capture.rows) if (row.value === null) keyspace.deadRows.push(row);
  for (const captured of capture.keys) {
    if (!keyspace.holds(captured.key)) continue;
    keyspace.markDirty(captured.key);
    if ("parts" in captured) captured.key.value.parts?.restore(captured.parts);
    else restoreStream(captured);
  }
  keyspace.outbox.restoreCaptured(capture.outbox);
  keyspace.meter.bytes += capture.byteLength;
}

function restoreStream({ key, blocks, marks, pages, groups, idempotence, delayed }: CapturedStream): void {
  const { stream } = key;
  for (const block of blocks) {
    block.rewrite = true;
    if (!block.dropped) stream.entries.markBlockDirty(block);
  }
  for (const block of marks) {
    block.marksDirty = true;
    if (!block.dropped) stream.entries.markBlockDirty(block);
  }
  for (const page of pages) stream.entries.markPageDirty(page << PAGE_BITS);
  for (const { group, consumers, leaves } of groups) {
    if (stream.group(group.name) !== group) continue;
    stream.markGroupDirty(group);
    for (const consumer of consumers) {
      if (group.consumer(consumer.name) === consumer) group.markConsumerDirty(consumer);
    }
    for (const leaf of leaves) if (!leaf.dropped) group.pending.markDirty(leaf);
  }
  if (idempotence !== null) restoreCapturedIdempotence(idempotence);
  if (delayed !== null) restoreCapturedDelayed(delayed);
}

function captureValueKey(key: ValueKey, rows: StateRow[], writer: ByteWriter): CapturedValue {
  return { key, parts: captureValue(key, rows, writer) };
}

function captureStream(key: StreamKey, index: number, rows: StateRow[], writer: ByteWriter): CapturedStream {
  const { stream } = key;
  const { entries } = stream;
  for (const block of entries.droppedBlocks) removeBlockRows(rows, key, block);
  entries.droppedBlocks = [];
  for (const group of stream.droppedGroups) removeGroupRows(rows, key, group);
  stream.droppedGroups = [];

  const blocks: Block[] = [];
  const marks: Block[] = [];
  for (const block of entries.dirtyBlocks) {
    block.dirty = false;
    if (block.dropped) continue;
    const isTail = block === entries.tail;
    if (captureBlockBytes(key, block, isTail, rows)) {
      blocks.push(block);
      // One that was sealed while hollow is written anew when it is whole: then its line names other rows.
      if (!isTail) entries.markPageDirty(block.number);
    }
    if (block.marksDirty) {
      rows.push(captureMarks(key, block, writer));
      marks.push(block);
    }
    entries.blocks.captured(block, index);
  }
  entries.dirtyBlocks = [];
  const pages = capturePages(key, rows, writer);

  const groups: CapturedGroup[] = [];
  for (const group of stream.dirtyGroups) {
    group.dirty = false;
    if (stream.group(group.name) === group) groups.push(captureGroup(key, group, rows, writer));
  }
  stream.dirtyGroups = [];
  const idempotence = captureIdempotence(key, rows, writer);
  const delayed = captureDelayed(key, rows, writer);

  writer.u8(ROW_VERSION);
  writeStreamBody(writer, key);
  rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.stream, 0, 0), writer));
  return { key, blocks, marks, pages, groups, idempotence, delayed };
}

/** Writes what the store lacks of the block's entries; answers false when it lacks nothing. */
function captureBlockBytes(key: StreamKey, block: Block, isTail: boolean, rows: StateRow[]): boolean {
  const { fragments, count, hollow } = block;
  const isWhole = block.capturedCount === count;
  if (isWhole && !block.rewrite && (isTail || fragments.length === 1 || hollow > 0)) return false;
  let from = block.capturedCount;
  if (block.rewrite || (!isTail && hollow === 0)) {
    // All that is in memory; what is not stands in rows of its own.
    const isWritten = count > hollow;
    for (const first of fragments) {
      if (first > hollow || (first === hollow && !isWritten)) {
        removeRow(rows, key, RowKind.fragment, block.number, first);
      }
    }
    block.fragments = fragments.filter((first) => first < hollow);
    from = hollow;
  } else {
    // The last fragments that are not clearly longer than what follows are taken in.
    for (let last = fragments.length - 1; last >= 0; last--) {
      const first = fragments[last]!;
      if (first < hollow || from - first > 2 * (count - from)) break;
      fragments.pop();
      if (from !== block.capturedCount) removeRow(rows, key, RowKind.fragment, block.number, from);
      from = first;
    }
  }
  block.capturedCount = count;
  block.rewrite = false;
  if (from === count) return true;
  rows.push(fragmentRow(dataSlot(key.slot), subkeyOf(key.age, RowKind.fragment, block.number, from), block, from));
  // Of one element is smaller than of room for seventeen.
  if (block.fragments.length === 0) block.fragments = [from];
  else block.fragments.push(from);
  return true;
}

/** Pages with a block that was sealed, changed or dropped since: all lines of them. */
function capturePages(key: StreamKey, rows: StateRow[], writer: ByteWriter): number[] {
  const { entries } = key.stream;
  const { blocks, dirtyPages } = entries;
  if (dirtyPages === null) return [];
  entries.dirtyPages = null;
  const pages = [...dirtyPages];
  for (const page of pages) {
    const from = blocks.lowerBound(page << PAGE_BITS);
    const to = Math.min(blocks.lowerBound((page + 1) << PAGE_BITS), blocks.length - 1);
    if (from >= to) {
      removeRow(rows, key, RowKind.page, page, 0);
      continue;
    }
    writer.u8(ROW_VERSION);
    writer.u32(to - from);
    for (let at = from; at < to; at++) writeLine(writer, blocks.lineAt(at));
    rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.page, page, 0), writer));
  }
  return pages;
}

function captureMarks(key: StreamKey, block: Block, writer: ByteWriter): StateRow {
  writer.u8(ROW_VERSION);
  writeMarksBody(writer, block);
  block.marksDirty = false;
  block.marksPersisted = true;
  return sealRow(key.slot, subkeyOf(key.age, RowKind.marks, block.number, 0), writer);
}

function captureGroup(key: StreamKey, group: Group, rows: StateRow[], writer: ByteWriter): CapturedGroup {
  const { pending } = group;
  removeDroppedOfGroup(rows, key, group);
  const consumers: Consumer[] = [];
  for (const consumer of group.dirtyConsumers) {
    consumer.dirty = false;
    if (group.consumer(consumer.name) !== consumer) continue;
    writer.u8(ROW_VERSION);
    writeConsumerBody(writer, consumer);
    rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.consumer, group.number, consumer.number), writer));
    consumer.persisted = true;
    consumers.push(consumer);
  }
  group.dirtyConsumers = [];
  const leaves: PendingLeaf[] = [];
  for (const leaf of pending.dirtyLeaves) {
    leaf.dirty = false;
    if (leaf.dropped) continue;
    writer.u8(ROW_VERSION);
    writeLeafBody(writer, leaf);
    rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.leaf, group.number, leaf.number), writer));
    leaf.persisted = true;
    leaves.push(leaf);
  }
  pending.dirtyLeaves = [];
  writer.u8(ROW_VERSION);
  writeGroupBody(writer, group);
  rows.push(sealRow(key.slot, subkeyOf(key.age, RowKind.group, group.number, 0), writer));
  group.persisted = true;
  return { group, consumers, leaves };
}
