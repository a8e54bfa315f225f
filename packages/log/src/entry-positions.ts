/**
 * Where one group's live log entries stand on disk, by index: a ring of typed arrays, 20 bytes an entry, so that a long log costs no
 * objects. Bounded by what is live: compaction drops the front, an overwrite the back.
 */
import { assert } from "@headrace/bytes";

const INITIAL_CAPACITY = 64;

export class EntryPositions {
  #capacity = INITIAL_CAPACITY;
  /** segment, offset of the record, data bytes */
  #words: Uint32Array = new Uint32Array(INITIAL_CAPACITY * 3);
  #terms: Float64Array = new Float64Array(INITIAL_CAPACITY);
  #head = 0;
  /** Index of the first live entry. */
  firstIndex = 1;
  count = 0;

  get lastIndex(): number {
    return this.firstIndex + this.count - 1;
  }

  has(index: number): boolean {
    return index >= this.firstIndex && index < this.firstIndex + this.count;
  }

  segment(index: number): number {
    return this.#words[this.#slot(index) * 3]!;
  }

  offset(index: number): number {
    return this.#words[this.#slot(index) * 3 + 1]!;
  }

  dataBytes(index: number): number {
    return this.#words[this.#slot(index) * 3 + 2]!;
  }

  term(index: number): number {
    return this.#terms[this.#slot(index)]!;
  }

  /** Behind the last one, or the first at all. */
  push(index: number, term: number, segment: number, offset: number, dataBytes: number): void {
    if (this.count === 0) this.firstIndex = index;
    assert(index === this.firstIndex + this.count, `log entry ${index} does not follow ${this.lastIndex}`);
    if (this.count === this.#capacity) this.#grow();
    this.count++;
    const slot = this.#slot(index);
    this.#terms[slot] = term;
    this.#words[slot * 3 + 2] = dataBytes;
    this.move(index, segment, offset);
  }

  move(index: number, segment: number, offset: number): void {
    const slot = this.#slot(index);
    this.#words[slot * 3] = segment;
    this.#words[slot * 3 + 1] = offset;
  }

  dropFirst(): void {
    assert(this.count > 0, "no position to drop");
    this.#head = (this.#head + 1) % this.#capacity;
    this.firstIndex++;
    this.count--;
  }

  dropLast(): void {
    assert(this.count > 0, "no position to drop");
    this.count--;
  }

  #slot(index: number): number {
    assert(this.has(index), `log entry ${index} is not live`);
    return (this.#head + (index - this.firstIndex)) % this.#capacity;
  }

  #grow(): void {
    const words = new Uint32Array(this.#capacity * 6);
    const terms = new Float64Array(this.#capacity * 2);
    for (let i = 0; i < this.count; i++) {
      const from = (this.#head + i) % this.#capacity;
      words.set(this.#words.subarray(from * 3, from * 3 + 3), i * 3);
      terms[i] = this.#terms[from]!;
    }
    this.#words = words;
    this.#terms = terms;
    this.#capacity *= 2;
    this.#head = 0;
  }
}
