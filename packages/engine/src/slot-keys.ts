/** The keys of one slot by age. Removal leaves a hole; holes are squeezed out when they are the majority. */
import { assert } from "@headrace/bytes";
import type { StreamKey } from "./keyspace-state.ts";

export class SlotKeys {
  ages: number[];
  keys: (StreamKey | null)[];
  size: number;

  constructor() {
    this.ages = [];
    this.keys = [];
    this.size = 0;
  }

  add(key: StreamKey): void {
    assert(this.ages.length === 0 || this.ages[this.ages.length - 1]! < key.age, "ages out of order");
    if (this.ages.length === 0) {
      // Arrays of one are small; most slots hold few keys.
      this.ages = [key.age];
      this.keys = [key];
    } else {
      this.ages.push(key.age);
      this.keys.push(key);
    }
    this.size++;
  }

  /** Null when there is none, or no longer. */
  find(age: number): StreamKey | null {
    const at = this.lowerBound(age);
    return this.ages[at] === age ? this.keys[at]! : null;
  }

  /** Anywhere; `add` is for the end. */
  insert(key: StreamKey): void {
    const at = this.lowerBound(key.age);
    if (this.ages[at] === key.age) {
      assert(this.keys[at] === null, "two keys of one age");
      this.keys[at] = key;
    } else {
      this.ages.splice(at, 0, key.age);
      this.keys.splice(at, 0, key);
    }
    this.size++;
  }

  remove(age: number): void {
    const at = this.lowerBound(age);
    assert(this.ages[at] === age && this.keys[at] !== null, "no key of this age");
    this.keys[at] = null;
    this.size--;
    if (this.keys.length > 8 && this.size * 2 < this.keys.length) this.#squeeze();
  }

  /** Ages from `age` on will be given again: their holes at the end go. */
  forgetHolesFrom(age: number): void {
    let kept = this.ages.length;
    while (kept > 0 && this.ages[kept - 1]! >= age) {
      kept--;
      assert(this.keys[kept] === null, "a key from the future");
    }
    this.ages.length = kept;
    this.keys.length = kept;
  }

  /** Place of the first key, or hole, with an age ≥ `age`. */
  lowerBound(age: number): number {
    let low = 0;
    let high = this.ages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ages[middle]! < age) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #squeeze(): void {
    const keys = this.keys.filter((key) => key !== null);
    this.keys = keys;
    this.ages = keys.map((key) => key.age);
  }
}
