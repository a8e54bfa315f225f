/**
 * Which keys are packed next: all that are not, as on the face of a clock, whose hand passes over one that was used since it came by last (second chance).
 * Uses are told apart by the second in which they were, which keys know anyway: a use costs nothing here, and one that is packed between two uses in a second
 * is unpacked once more. No part of the state.
 */
import { assert } from "@headrace/bytes";
import type { AnyKey } from "./stored-key.ts";

/** Bytes that are wanted for each key that the hand may come by: so a call costs by what it is asked for, whatever there is to pack. */
const BYTES_PER_LOOK = 1024;
/** Whoever finds nothing there may take it, for a turn, that there is nothing. */
const LOOKS_MIN = 2048;

export class PackingClock {
  readonly #keys: AnyKey[];
  #hand: number;

  constructor() {
    this.#keys = [];
    this.#hand = 0;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** What it has been used for counts no more: it is passed over only when it is used again. */
  add(key: AnyKey): void {
    key.passedAtSeconds = key.usedAtSeconds;
    key.clockAt = this.#keys.length;
    this.#keys.push(key);
  }

  /** It is gone, or packed. */
  remove(key: AnyKey): void {
    const keys = this.#keys;
    const last = keys.pop()!;
    if (last !== key) {
      keys[key.clockAt] = last;
      last.clockAt = key.clockAt;
    }
    key.clockAt = -1;
  }

  clear(): void {
    this.#keys.length = 0;
    this.#hand = 0;
  }

  /**
   * Until about `bytes` are free or the hand has come round twice: `pack` is given keys that nobody has used for a while, and answers how many bytes became
   * free; a key that was packed has been removed then. Answers the sum.
   */
  run(bytes: number, pack: (key: AnyKey) => number): number {
    const keys = this.#keys;
    let freed = 0;
    let looks = Math.min(LOOKS_MIN + bytes / BYTES_PER_LOOK, 2 * keys.length);
    for (; looks > 0 && freed < bytes && keys.length > 0; looks--) {
      if (this.#hand >= keys.length) this.#hand = 0;
      const key = keys[this.#hand]!;
      if (key.passedAtSeconds === key.usedAtSeconds) freed += pack(key);
      else key.passedAtSeconds = key.usedAtSeconds;
      // Where one was taken out another stands now.
      if (keys[this.#hand] === key) this.#hand++;
    }
    return freed;
  }

  verify(all: Iterable<AnyKey>): void {
    let count = 0;
    for (const key of all) {
      assert(this.#keys[key.clockAt] === key, "a key does not know its place on the clock");
      count++;
    }
    assert(count === this.#keys.length, "a key that is gone is on the clock");
  }
}
