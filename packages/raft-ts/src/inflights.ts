/**
 * The window of append messages sent to one follower and not yet acknowledged, bounded by messages and by bytes. A ring of (last index,
 * bytes); it starts small and grows up to its bound, because most windows stay nearly empty. Must not know what a follower is.
 */
import { assert } from "./invariants.ts";

export class Inflights {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #indexes: number[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The message that crosses the limit of bytes is still let through: one large entry must be able to travel. */
  isFull(): boolean {
    return this.#count >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /** Notes a message ending at `lastIndex`. Indexes increase. */
  add(lastIndex: number, bytes: number): void {
    assert(!this.isFull(), "append sent into a full window");
    if (this.#count === this.#indexes.length) this.#grow();
    const capacity = this.#indexes.length;
    const at = (this.#start + this.#count) % capacity;
    this.#indexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Frees every message that ends at or below `index`. */
  freeUpTo(index: number): void {
    const capacity = this.#indexes.length;
    while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % capacity;
      this.#count--;
    }
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const capacity = Math.min(this.#maxMessages, Math.max(4, this.#indexes.length * 2));
    const indexes = Array.from<number>({ length: capacity }).fill(0);
    const sizes = Array.from<number>({ length: capacity }).fill(0);
    const old = this.#indexes.length;
    for (let i = 0; i < this.#count; i++) {
      indexes[i] = this.#indexes[(this.#start + i) % old]!;
      sizes[i] = this.#sizes[(this.#start + i) % old]!;
    }
    this.#indexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
