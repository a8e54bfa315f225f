/**
 * All keys of a shard in SCAN's order: by slot, and there by place, a number of the shard that only grows (scan.ts). A key stands there as an object, or by the
 * number of its record when it is packed. Names are the keyspace's business.
 */
import { SLOT_COUNT } from "@headrace/bytes";
import type { AnyKey } from "./stored-key.ts";
import { scanCursor, scanCursorPlace, scanCursorSlot } from "./scan.ts";
import { SlotKeys } from "./slot-keys.ts";

/** A key, or the number of its record. */
export type PlacedKey = AnyKey | number;

export class SlotTable {
  readonly #slots: (SlotKeys | undefined)[];
  /** Keys whose place is not their age, by age. */
  readonly #moved: Map<number, AnyKey>;

  constructor() {
    this.#slots = Array.from({ length: SLOT_COUNT }, () => undefined);
    this.#moved = new Map();
  }

  clear(): void {
    this.#slots.fill(undefined);
    this.#moved.clear();
  }

  insert(key: AnyKey): void {
    this.#keysOf(key.slot).insert(key.place, key);
    if (key.place !== key.age) this.#moved.set(key.age, key);
  }

  /** The key's place, for its record. */
  insertPacked({ slot, place }: AnyKey, record: number): void {
    this.#keysOf(slot).insert(place, record);
  }

  remove({ slot, place, age }: Pick<AnyKey, "slot" | "place" | "age">): void {
    const keys = this.#slots[slot]!;
    keys.remove(place);
    if (keys.size === 0) this.#slots[slot] = undefined;
    if (place !== age) this.#moved.delete(age);
  }

  /** The key in this place is known so from now on: packed, or no longer. */
  replace({ slot, place }: AnyKey, placed: PlacedKey): void {
    this.#slots[slot]!.replace(place, placed);
  }

  /** Null when there is none, or no longer. */
  findByPlace(slot: number, place: number): PlacedKey | null {
    return this.#slots[slot]?.find(place) ?? null;
  }

  /** A key that moved there, and so is not packed. */
  findMoved(age: number): AnyKey | null {
    return this.#moved.get(age) ?? null;
  }

  /** Those of the slot with afterPlace < place < toPlace; `visit` answers false to stop. */
  visitBetween(slot: number, afterPlace: number, toPlace: number, visit: (placed: PlacedKey) => boolean): void {
    const keys = this.#slots[slot];
    if (keys === undefined) return;
    for (let at = keys.lowerBound(afterPlace + 1); at < keys.places.length && keys.places[at]! < toPlace; at++) {
      const placed = keys.keys[at]!;
      if (placed !== null && !visit(placed)) return;
    }
  }

  /** See Keyspace.scan. */
  scan(cursor: bigint, count: number, visit: (placed: PlacedKey) => void): bigint {
    let slot = scanCursorSlot(cursor);
    let place = scanCursorPlace(cursor);
    let rest = Math.max(1, count);
    for (; slot < SLOT_COUNT; slot++, place = 0) {
      const keys = this.#slots[slot];
      if (keys === undefined) continue;
      for (let at = keys.lowerBound(place); at < keys.places.length; at++) {
        const placed = keys.keys[at]!;
        if (placed === null) continue;
        if (rest === 0) return scanCursor(slot, keys.places[at]!);
        rest--;
        visit(placed);
      }
    }
    return 0n;
  }

  /** Number `ordinal`; null: there are not so many. */
  at(ordinal: number): PlacedKey | null {
    let rest = ordinal;
    for (const slot of this.#slots) {
      if (slot === undefined) continue;
      if (rest >= slot.size) {
        rest -= slot.size;
        continue;
      }
      for (const placed of slot.keys) if (placed !== null && rest-- === 0) return placed;
    }
    return null;
  }

  forEach(visit: (placed: PlacedKey) => void): void {
    for (const slot of this.#slots) {
      if (slot === undefined) continue;
      for (const placed of slot.keys) if (placed !== null) visit(placed);
    }
  }

  /** Places from `place` on will be given again: their holes at the end go. */
  forgetHolesFrom(place: number): void {
    for (const slot of this.#slots) slot?.forgetHolesFrom(place);
  }

  #keysOf(slot: number): SlotKeys {
    let keys = this.#slots[slot];
    if (keys === undefined) {
      keys = new SlotKeys();
      this.#slots[slot] = keys;
    }
    return keys;
  }
}
