/**
 * Items by when they are due, then by number: sorted leaves, so that one that comes or goes in the middle moves a few hundred places whatever the number
 * of all, and a walk in order costs nothing beside its items. It decides nothing that is replicated: the order follows from the items.
 */
import { assert } from "@headrace/bytes";

export interface DueItem {
  readonly dueMs: number;
  readonly number: number;
}

const LEAF_ITEMS_MAX = 512;

export class DueOrder<Item extends DueItem> {
  readonly #leaves: Item[][];

  constructor() {
    this.#leaves = [];
  }

  get first(): Item | null {
    return this.#leaves[0]?.[0] ?? null;
  }

  add(item: Item): void {
    const leaves = this.#leaves;
    if (leaves.length === 0) {
      leaves.push([item]);
      return;
    }
    // The first leaf that ends behind it, or the last one.
    const at = Math.min(this.#leafOf(item), leaves.length - 1);
    const leaf = leaves[at]!;
    leaf.splice(placeIn(leaf, item), 0, item);
    if (leaf.length > LEAF_ITEMS_MAX) leaves.splice(at + 1, 0, leaf.splice(LEAF_ITEMS_MAX >> 1));
  }

  /** It is in the order. */
  remove(item: Item): void {
    const leaves = this.#leaves;
    const at = this.#leafOf(item);
    const leaf = leaves[at];
    assert(leaf !== undefined, "an item that goes is in no leaf");
    const place = placeIn(leaf, item);
    assert(leaf[place] === item, "an item that goes is not in its place");
    if (leaf.length === 1) leaves.splice(at, 1);
    else leaf.splice(place, 1);
  }

  /** `visit` answers false to stop. */
  visit(visit: (item: Item) => boolean): void {
    for (const leaf of this.#leaves) for (const item of leaf) if (!visit(item)) return;
  }

  verify(count: number): void {
    let found = 0;
    let before: Item | null = null;
    for (const leaf of this.#leaves) {
      assert(leaf.length > 0 && leaf.length <= LEAF_ITEMS_MAX, "a leaf of an impossible size");
      for (const item of leaf) {
        assert(before === null || compare(before, item) < 0, "items out of order");
        before = item;
        found++;
      }
    }
    assert(found === count, "items miscounted");
  }

  /** The number of the first leaf whose last item is not before this one. */
  #leafOf(item: DueItem): number {
    const leaves = this.#leaves;
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const leaf = leaves[middle]!;
      if (compare(leaf[leaf.length - 1]!, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Where in the leaf the first item stands that is not before this one. */
function placeIn(leaf: readonly DueItem[], item: DueItem): number {
  let low = 0;
  let high = leaf.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(leaf[middle]!, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(a: DueItem, b: DueItem): number {
  return a.dueMs - b.dueMs || a.number - b.number;
}
