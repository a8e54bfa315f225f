/**
 * Where in the store the touched parts are, as few ranges of rows as is cheap. A range costs a seek, a row beside the way costs its bytes: so
 * small keys are read whole, neighbours among a key's parts in one go, and keys with little between them too. What lies in a range without
 * having been touched is read and left alone.
 */
import { SLOT_COUNT } from "@headrace/bytes";
import type { RowRange } from "./api.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import type { AnyKey } from "./stored-key.ts";
import { valueRowCount } from "./value-rows.ts";
import { agePrefix, delayedSubkey, OUTBOX_AGE, RowKind, subkeyOf } from "./state-rows.ts";
import type { TouchedGroup, TouchedKey } from "./touched-parts.ts";

/** A key with at most so many untouched parts is read whole. Entries are never read: a block that is taken back is not in memory. */
const SPARE_PARTS = 64;
/** Untouched neighbours that are read along rather than begin another range: leaves have 4 KiB, consumers less than 100 bytes. */
const LEAF_GAP = 4;
const CONSUMER_GAP = 64;
/** Of numbers that other entries or keys may have, most of them. */
const DELAYED_GAP = 16;
/** Rows of untouched keys, about, that are read along between two keys. */
const ROW_GAP = 24;

/** Adds the rows of the outbox in these slots, where no range has them: they stand behind all keys of a slot, so a range has all of them or none. */
export function withOutboxOf(slots: ReadonlySet<number>, keyRanges: readonly RowRange[]): RowRange[] {
  if (slots.size === 0) return [...keyRanges];
  const from = agePrefix(OUTBOX_AGE);
  const to = subkeyOf(OUTBOX_AGE, RowKind.outbox + 1, 0, 0);
  const ranges = [...keyRanges];
  for (const slot of slots) {
    if (!keyRanges.some(({ fromSlot, toSlot }) => fromSlot <= slot && slot < toSlot))
      ranges.push({ fromSlot: slot, from, toSlot: slot, to });
  }
  // Of a slot the outbox is last: what was added stands behind what was there.
  return ranges.sort((a, b) => a.fromSlot - b.fromSlot);
}

/** Ranges for these keys, ascending. Keys from `nextAge` on did not exist. */
export function rangesOf(
  touched: ReadonlyMap<number, TouchedKey>,
  keyspace: KeyspaceState,
  nextAge: number,
): RowRange[] {
  const keys = [...touched.values()].filter((key) => key.age < nextAge);
  keys.sort((a, b) => a.slot - b.slot || a.age - b.age);
  const ranges: RowRange[] = [];
  let open: { first: TouchedKey; last: TouchedKey } | null = null;
  const close = (): void => {
    if (open === null) return;
    const { first, last } = open;
    ranges.push({
      fromSlot: first.slot,
      from: agePrefix(first.age),
      toSlot: last.slot,
      to: agePrefix(last.age + 1),
    });
    open = null;
  };
  for (const key of keys) {
    const living = keyspace.findByAge(key.slot, key.age);
    if (living !== null && !isSmall(key, living)) {
      close();
      addParts(ranges, key);
      continue;
    }
    if (open !== null && rowsBetween(keyspace, open.last, key) > ROW_GAP) close();
    if (open === null) open = { first: key, last: key };
    else open.last = key;
  }
  close();
  return ranges;
}

function isSmall(key: TouchedKey, { stream }: AnyKey): boolean {
  // Of a value that is no stream all is read: what was touched of it may have moved what was not.
  if (stream === null) return true;
  // Marks, perhaps, and a share of a page that is as large as many small parts.
  let spare = SPARE_PARTS - Math.max(0, stream.entries.blocks.length - key.blocks.size) * 2;
  const { idempotence } = stream;
  if (idempotence !== null && !key.idempotence) spare -= idempotence.producerCount + idempotence.segments.length;
  if (stream.delayed !== null) spare -= Math.max(0, stream.delayed.count - key.delayed.size);
  for (const group of stream.groups()) {
    const touched = key.groups.get(group.number);
    spare -= 1 + group.consumerCount + group.pending.leaves.length;
    if (touched !== undefined) spare += touched.consumers.size + touched.leaves.size;
  }
  return spare >= 0;
}

/** About how many rows of untouched keys lie between the two; more than ROW_GAP is not counted on. */
function rowsBetween(keyspace: KeyspaceState, before: TouchedKey, behind: TouchedKey): number {
  let rows = 0;
  for (let slot = before.slot; slot <= behind.slot && slot < SLOT_COUNT; slot++) {
    // By place, which is the age of most: an estimate.
    const afterPlace = slot === before.slot ? before.age : -1;
    const toPlace = slot === behind.slot ? behind.age : Infinity;
    keyspace.visitBetween(slot, afterPlace, toPlace, (placed) => {
      rows += typeof placed === "number" ? keyspace.packed.rowsOf(placed) : rowsOf(placed);
      return rows <= ROW_GAP;
    });
    if (rows > ROW_GAP) return rows;
  }
  return rows;
}

function rowsOf(key: AnyKey): number {
  const { stream } = key;
  if (stream === null) return valueRowCount(key);
  let rows = 1 + stream.entries.blocks.length;
  const { idempotence } = stream;
  if (idempotence !== null) rows += 1 + idempotence.producerCount + idempotence.segments.length;
  if (stream.delayed !== null) rows += stream.delayed.count;
  for (const group of stream.groups()) rows += 1 + group.consumerCount + group.pending.leaves.length;
  return rows;
}

function addParts(ranges: RowRange[], key: TouchedKey): void {
  const { slot, age } = key;
  const add = (kind: number, first: number, second: number, toFirst: number, toSecond: number): void => {
    const from = subkeyOf(age, kind, first, second);
    ranges.push({ fromSlot: slot, from, toSlot: slot, to: subkeyOf(age, kind, toFirst, toSecond) });
  };
  // No number stands behind this kind: the next subkey is the next kind's.
  ranges.push({
    fromSlot: slot,
    from: subkeyOf(age, RowKind.stream, 0, 0),
    toSlot: slot,
    to: subkeyOf(age, RowKind.fragment, 0, 0),
  });
  for (const { from, to } of runsOf(key.blocks, 0)) add(RowKind.marks, from, 0, to + 1, 0);
  for (const { from, to } of runsOf(new Set(key.groups.keys()), CONSUMER_GAP)) add(RowKind.group, from, 0, to + 1, 0);
  const groups = [...key.groups].sort(([a], [b]) => a - b);
  const addGroup = (kind: number, parts: (group: TouchedGroup) => ReadonlySet<number>, gap: number): void => {
    for (const [number, group] of groups) {
      for (const { from, to } of runsOf(parts(group), gap)) add(kind, number, from, number, to + 1);
    }
  };
  addGroup(RowKind.consumer, (group) => group.consumers, CONSUMER_GAP);
  addGroup(RowKind.leaf, (group) => group.leaves, LEAF_GAP);
  if (key.idempotence) add(RowKind.producer, 0, 0, 0xffff_ffff, 0);
  if (key.idempotence) add(RowKind.iids, 0, 0, 0xffff_ffff, 0);
  for (const { from, to } of runsOf(key.pages, 0)) add(RowKind.page, from, 0, to + 1, 0);
  for (const { from, to } of runsOf(key.delayed, DELAYED_GAP)) {
    ranges.push({ fromSlot: slot, from: delayedSubkey(age, from), toSlot: slot, to: delayedSubkey(age, to + 1) });
  }
}

/** The numbers as runs, ascending, both ends included; up to `gap` missing ones are taken along. */
function runsOf(numbers: ReadonlySet<number>, gap: number): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = runs[runs.length - 1];
    if (last !== undefined && number - last.to <= gap + 1) last.to = number;
    else runs.push({ from: number, to: number });
  }
  return runs;
}
