/**
 * Which parts of which keys the rows of some captures are about: what differs between the state before the first of them and after the last.
 * A part is what rows name: a block, a consumer, a pending leaf; headers of key and group always go along.
 */
import { PAGE_BITS } from "./block.ts";
import type { StateRow } from "./api.ts";
import { delayedNumber, OUTBOX_AGE, RowKind, rowName, type RowName, slotOfRow } from "./state-rows.ts";

export class TouchedGroup {
  readonly consumers: Set<number>;
  readonly leaves: Set<number>;

  constructor() {
    this.consumers = new Set();
    this.leaves = new Set();
  }
}

export class TouchedKey {
  readonly slot: number;
  readonly age: number;
  readonly blocks: Set<number>;
  /** Pages of the block index, those of touched blocks too. */
  readonly pages: Set<number>;
  readonly groups: Map<number, TouchedGroup>;
  /** All of what it knows of idempotent ids goes along: it is small. */
  idempotence: boolean;
  /** Numbers of delayed entries. */
  readonly delayed: Set<number>;
  /** It holds no stream: then all of it goes along. */
  isValue: boolean;

  constructor(slot: number, age: number) {
    this.slot = slot;
    this.age = age;
    this.blocks = new Set();
    this.pages = new Set();
    this.groups = new Map();
    this.idempotence = false;
    this.delayed = new Set();
    this.isValue = false;
  }

  add({ kind, first, second }: RowName): void {
    if (kind === RowKind.stream) return;
    if (kind === RowKind.value || kind === RowKind.part) {
      this.isValue = true;
      return;
    }
    if (kind === RowKind.fragment || kind === RowKind.marks) {
      this.blocks.add(first);
      this.pages.add(first >>> PAGE_BITS);
      return;
    }
    if (kind === RowKind.page) {
      this.pages.add(first);
      return;
    }
    if (kind === RowKind.producer || kind === RowKind.iids) {
      this.idempotence = true;
      return;
    }
    if (kind === RowKind.delayed) {
      this.delayed.add(delayedNumber(first, second));
      return;
    }
    let group = this.groups.get(first);
    if (group === undefined) {
      group = new TouchedGroup();
      this.groups.set(first, group);
    }
    if (kind === RowKind.consumer) group.consumers.add(second);
    else if (kind === RowKind.leaf) group.leaves.add(second);
  }

  has({ kind, first, second }: RowName): boolean {
    if (kind === RowKind.stream || kind === RowKind.value || kind === RowKind.part) return true;
    if (kind === RowKind.fragment) return false;
    if (kind === RowKind.marks) return this.blocks.has(first);
    if (kind === RowKind.page) return this.pages.has(first);
    if (kind === RowKind.producer || kind === RowKind.iids) return this.idempotence;
    if (kind === RowKind.delayed) return this.delayed.has(delayedNumber(first, second));
    const group = this.groups.get(first);
    if (group === undefined) return false;
    if (kind === RowKind.consumer) return group.consumers.has(second);
    return kind === RowKind.leaf ? group.leaves.has(second) : true;
  }
}

/** By age; without the outbox, which is no key's (`touchedOutboxSlots`). */
export function touchedBy(captures: readonly { readonly rows: readonly StateRow[] }[]): Map<number, TouchedKey> {
  const keys = new Map<number, TouchedKey>();
  for (const { rows } of captures) {
    for (const { slot, subkey } of rows) {
      const name = rowName(subkey);
      if (name.age === OUTBOX_AGE) continue;
      let key = keys.get(name.age);
      if (key === undefined) {
        key = new TouchedKey(slotOfRow(slot), name.age);
        keys.set(name.age, key);
      }
      key.add(name);
    }
  }
  return keys;
}

/** Slots with rows of the outbox in them. */
export function touchedOutboxSlots(captures: readonly { readonly rows: readonly StateRow[] }[]): Set<number> {
  const slots = new Set<number>();
  for (const { rows } of captures)
    for (const { slot, subkey } of rows) if (rowName(subkey).age === OUTBOX_AGE) slots.add(slot);
  return slots;
}
