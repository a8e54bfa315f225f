/**
 * Where a stream's iids are by their hash: open addressing over places (numbers that are never 0), linear probing, no tombstones. It follows
 * from the segments and is not part of the state: no row, no hash of it.
 */
const FIRST_CAPACITY = 16;

export class IidIndex {
  #places: Uint32Array;
  #mask: number;
  #count: number;
  /** Hash of the iid at a place. */
  readonly #hashAt: (place: number) => number;

  constructor(hashAt: (place: number) => number) {
    this.#places = new Uint32Array(FIRST_CAPACITY);
    this.#mask = FIRST_CAPACITY - 1;
    this.#count = 0;
    this.#hashAt = hashAt;
  }

  get size(): number {
    return this.#count;
  }

  /** Slot where a search for this hash begins. It goes on with `after`, until `at` answers 0. */
  first(hash: number): number {
    return hash & this.#mask;
  }

  after(slot: number): number {
    return (slot + 1) & this.#mask;
  }

  at(slot: number): number {
    return this.#places[slot]!;
  }

  add(hash: number, place: number): void {
    if ((this.#count + 1) * 2 > this.#places.length) this.#resize(this.#places.length * 2);
    this.#count++;
    this.#put(hash, place);
  }

  remove(hash: number, place: number): void {
    const places = this.#places;
    const mask = this.#mask;
    let hole = hash & mask;
    while (places[hole] !== place) hole = (hole + 1) & mask;
    this.#count--;
    // Whatever stands behind the hole and may stand in it moves up, so that no search ends too early.
    for (let slot = (hole + 1) & mask; places[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#hashAt(places[slot]!) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      places[hole] = places[slot]!;
      hole = slot;
    }
    places[hole] = 0;
    if (places.length > FIRST_CAPACITY && this.#count * 8 < places.length) this.#resize(places.length / 2);
  }

  clear(): void {
    this.#places = new Uint32Array(FIRST_CAPACITY);
    this.#mask = FIRST_CAPACITY - 1;
    this.#count = 0;
  }

  #put(hash: number, place: number): void {
    let slot = hash & this.#mask;
    while (this.#places[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#places[slot] = place;
  }

  #resize(capacity: number): void {
    const before = this.#places;
    this.#places = new Uint32Array(capacity);
    this.#mask = capacity - 1;
    for (const place of before) if (place !== 0) this.#put(this.#hashAt(place), place);
  }
}
