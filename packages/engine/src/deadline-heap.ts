/** What has to be looked at when: a binary heap of items by time. It is made from the state and no part of it: how it is laid out decides nothing. */
interface Due<Item> {
  readonly atMs: number;
  readonly item: Item;
}

export class DeadlineHeap<Item> {
  readonly #due: Due<Item>[];

  constructor() {
    this.#due = [];
  }

  /** When the first item is due; Infinity: there is none. */
  get firstMs(): number {
    const first = this.#due[0];
    return first === undefined ? Number.POSITIVE_INFINITY : first.atMs;
  }

  clear(): void {
    this.#due.length = 0;
  }

  add(atMs: number, item: Item): void {
    const due = this.#due;
    const added = { atMs, item };
    let at = due.length;
    due.push(added);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (due[parent]!.atMs <= atMs) break;
      due[at] = due[parent]!;
      at = parent;
    }
    due[at] = added;
  }

  /** Takes the first item out; there is one. */
  take(): Item {
    const due = this.#due;
    const first = due[0]!;
    const last = due.pop()!;
    if (due.length > 0) this.#sink(last);
    return first.item;
  }

  #sink(moved: Due<Item>): void {
    const due = this.#due;
    let at = 0;
    for (let child = 1; child < due.length; child = 2 * at + 1) {
      if (child + 1 < due.length && due[child + 1]!.atMs < due[child]!.atMs) child++;
      if (due[child]!.atMs >= moved.atMs) break;
      due[at] = due[child]!;
      at = child;
    }
    due[at] = moved;
  }
}
