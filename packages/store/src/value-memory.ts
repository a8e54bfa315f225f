/**
 * Memory that values are read into, used again when whoever got them gives them back. A value of 32 KiB in memory of its own costs the system a mapping
 * and a fault for each of its pages, more than reading it does.
 *
 * Must not know: what values are, who reads them.
 */

/** Capacities are multiples of this: values of about the same size share a place. */
const CAPACITY_STEP_BYTES = 8 * 1024;
/** Smaller ones are cheap as they are. */
const VALUE_BYTES_MIN = 8 * 1024;

export class ValueMemory {
  readonly #freeBytesMax: number;
  /** By capacity. */
  readonly #free: Map<number, ArrayBuffer[]> = new Map();
  /** Those handed out, as long as anybody has them: nothing else is ever taken back. */
  readonly #lent: WeakSet<ArrayBufferLike> = new WeakSet();
  #freeBytes = 0;

  /** `freeBytesMax`: so much is kept for the next ones. */
  constructor(freeBytesMax: number) {
    this.#freeBytesMax = freeBytesMax;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Its content is anything. Whoever gets it may keep it for good. */
  take(length: number): Uint8Array {
    if (length < VALUE_BYTES_MIN) return Buffer.allocUnsafeSlow(length);
    const capacity = Math.ceil(length / CAPACITY_STEP_BYTES) * CAPACITY_STEP_BYTES;
    let memory = this.#free.get(capacity)?.pop();
    if (memory === undefined) memory = Buffer.allocUnsafeSlow(capacity).buffer as ArrayBuffer;
    else this.#freeBytes -= capacity;
    this.#lent.add(memory);
    return new Uint8Array(memory, 0, length);
  }

  /** Nobody looks at it any more. What did not come from here is left alone, and so is what was given back before. */
  giveBack(value: Uint8Array): void {
    const memory = value.buffer;
    if (!this.#lent.delete(memory)) return;
    const capacity = memory.byteLength;
    if (this.#freeBytes + capacity > this.#freeBytesMax) return;
    const free = this.#free.get(capacity);
    if (free === undefined) this.#free.set(capacity, [memory as ArrayBuffer]);
    else free.push(memory as ArrayBuffer);
    this.#freeBytes += capacity;
  }
}
