/**
 * Keys that are known to have their value in place, by what this process wrote: rows that change with every checkpoint need no look-up for an old
 * pointer. Bounded: forgetting costs a look-up, about 2 µs of CPU a row, never more.
 */
const KEYS_MAX = 65_536;

export class InlineKeys {
  readonly #names: Set<string> = new Set();

  has(name: string): boolean {
    return this.#names.has(name);
  }

  add(name: string): void {
    if (this.#names.size >= KEYS_MAX) this.#names.clear();
    this.#names.add(name);
  }

  delete(name: string): void {
    this.#names.delete(name);
  }

  /** Nobody knows what was written. */
  clear(): void {
    this.#names.clear();
  }
}
