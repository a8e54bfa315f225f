/**
 * The keys of one slot in SCAN's order: by place, a number of the shard that only grows (see scan.ts). Removal leaves a hole; holes are squeezed out
 * when they are the majority.
 */
import { assert } from "@headrace/bytes";
import type { PlacedKey } from "./slot-table.ts";

export class SlotKeys {
  places: number[];
  keys: (PlacedKey | null)[];
  size: number;

  constructor() {
    this.places = [];
    this.keys = [];
    this.size = 0;
  }

  /** Null when there is none, or no longer. */
  find(place: number): PlacedKey | null {
    const at = this.lowerBound(place);
    return this.places[at] === place ? this.keys[at]! : null;
  }

  insert(place: number, key: PlacedKey): void {
    // Most stand behind all others.
    if (this.places.length === 0 || this.places[this.places.length - 1]! < place) return this.#add(place, key);
    const at = this.lowerBound(place);
    if (this.places[at] === place) {
      assert(this.keys[at] === null, "two keys in one place");
      this.keys[at] = key;
    } else {
      this.places.splice(at, 0, place);
      this.keys.splice(at, 0, key);
    }
    this.size++;
  }

  #add(place: number, key: PlacedKey): void {
    if (this.places.length === 0) {
      // Arrays of one are small; most slots hold few keys.
      this.places = [place];
      this.keys = [key];
    } else {
      this.places.push(place);
      this.keys.push(key);
    }
    this.size++;
  }

  /** Who stands in the place, which is taken, is now known by this. */
  replace(place: number, key: PlacedKey): void {
    const at = this.lowerBound(place);
    assert(this.places[at] === place && this.keys[at] !== null, "no key in this place");
    this.keys[at] = key;
  }

  remove(place: number): void {
    const at = this.lowerBound(place);
    assert(this.places[at] === place && this.keys[at] !== null, "no key in this place");
    this.keys[at] = null;
    this.size--;
    if (this.keys.length > 8 && this.size * 2 < this.keys.length) this.#squeeze();
  }

  /** Places from `place` on will be given again: their holes at the end go. */
  forgetHolesFrom(place: number): void {
    let kept = this.places.length;
    while (kept > 0 && this.places[kept - 1]! >= place) {
      kept--;
      assert(this.keys[kept] === null, "a key from the future");
    }
    this.places.length = kept;
    this.keys.length = kept;
  }

  /** Where the first key, or hole, with a place ≥ `place` stands. */
  lowerBound(place: number): number {
    let low = 0;
    let high = this.places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.places[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #squeeze(): void {
    this.places = this.places.filter((_, at) => this.keys[at] !== null);
    this.keys = this.keys.filter((key) => key !== null);
  }
}
