/**
 * A pending list by age: who is claimed first. A binary heap of the list's leaves by their oldest record; a walk visits records from the oldest on
 * and costs O(log) each, whatever the length of the list. Made at the first question and kept up to date from then on. A leaf's age may be too low
 * after a removal: that is found out, and put right, by the next walk that comes by. A view that decides nothing and is nowhere stored.
 */
import type { PendingLeaf } from "./pending-leaf.ts";

/** A walk's place: a record, or (record −1) a leaf that it has not looked into, of which only the heap's age is known. */
interface Place {
  readonly leaf: PendingLeaf;
  readonly age: number;
  readonly record: number;
}

export class AgeHeap {
  readonly #leaves: PendingLeaf[];

  constructor(leaves: readonly PendingLeaf[]) {
    this.#leaves = [...leaves];
    this.#leaves.forEach((leaf, at) => (leaf.heapAt = at));
    for (let at = (this.#leaves.length >>> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** A leaf that is new in the list, with its first record. */
  add(leaf: PendingLeaf): void {
    leaf.heapAt = this.#leaves.length;
    this.#leaves.push(leaf);
    this.rise(leaf);
  }

  remove(leaf: PendingLeaf): void {
    const at = leaf.heapAt;
    leaf.heapAt = -1;
    const last = this.#leaves.pop()!;
    if (last === leaf) return;
    this.#leaves[at] = last;
    last.heapAt = at;
    this.#sink(at);
    this.rise(last);
  }

  /** The leaf's age may be lower than it was. */
  rise(leaf: PendingLeaf): void {
    const leaves = this.#leaves;
    let at = leaf.heapAt;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = leaves[parentAt]!;
      if (!isOlder(leaf, leaf.oldestAge, 0, parent, parent.oldestAge, 0)) break;
      leaves[at] = parent;
      parent.heapAt = at;
      at = parentAt;
    }
    leaves[at] = leaf;
    leaf.heapAt = at;
  }

  /** Records by age, then id; `visit` answers false to stop, and changes nothing. */
  visit(visit: (leaf: PendingLeaf, record: number) => boolean): void {
    const leaves = this.#leaves;
    if (leaves.length === 0) return;
    const frontier: Place[] = [placeOf(leaves[0]!)];
    const corrected: PendingLeaf[] = [];
    for (let place = take(frontier); place !== null; place = take(frontier)) {
      const { leaf, age, record } = place;
      if (record < 0) {
        const child = leaf.heapAt * 2 + 1;
        if (child < leaves.length) put(frontier, placeOf(leaves[child]!));
        if (child + 1 < leaves.length) put(frontier, placeOf(leaves[child + 1]!));
        if (!leaf.isOldestExact) {
          leaf.findOldest();
          corrected.push(leaf);
        }
        put(frontier, { leaf, age: leaf.oldestAge, record: leaf.nextByAge(-1, -1) });
        continue;
      }
      if (!visit(leaf, record)) break;
      const next = leaf.nextByAge(age, record);
      if (next >= 0) put(frontier, { leaf, age: leaf.ageAt(next), record: next });
    }
    // From the bottom up, as a heap is built: below each one all is right then.
    corrected.sort((a, b) => b.heapAt - a.heapAt);
    for (const leaf of corrected) this.#sink(leaf.heapAt);
  }

  #sink(from: number): void {
    const leaves = this.#leaves;
    const leaf = leaves[from]!;
    let at = from;
    for (;;) {
      let childAt = at * 2 + 1;
      if (childAt >= leaves.length) break;
      let child = leaves[childAt]!;
      const other = leaves[childAt + 1];
      if (other !== undefined && isOlder(other, other.oldestAge, 0, child, child.oldestAge, 0)) {
        child = other;
        childAt++;
      }
      if (!isOlder(child, child.oldestAge, 0, leaf, leaf.oldestAge, 0)) break;
      leaves[at] = child;
      child.heapAt = at;
      at = childAt;
    }
    leaves[at] = leaf;
    leaf.heapAt = at;
  }

  /** True when it holds exactly these leaves, in heap order. */
  isRight(all: readonly PendingLeaf[]): boolean {
    const leaves = this.#leaves;
    if (leaves.length !== all.length || all.some((leaf) => leaves[leaf.heapAt] !== leaf)) return false;
    return leaves.every((leaf, at) => {
      const parent = leaves[(at - 1) >>> 1];
      return at === 0 || parent === undefined || parent.oldestAge <= leaf.oldestAge;
    });
  }
}

/** By age, then id. */
function isOlder(
  leaf: PendingLeaf,
  age: number,
  record: number,
  otherLeaf: PendingLeaf,
  otherAge: number,
  otherRecord: number,
): boolean {
  if (age !== otherAge) return age < otherAge;
  return leaf === otherLeaf ? record < otherRecord : leaf.isBefore(otherLeaf);
}

function comesBefore(a: Place, b: Place): boolean {
  return isOlder(a.leaf, a.age, a.record, b.leaf, b.age, b.record);
}

function placeOf(leaf: PendingLeaf): Place {
  return { leaf, age: leaf.oldestAge, record: -1 };
}

function put(frontier: Place[], place: Place): void {
  let at = frontier.length;
  frontier.push(place);
  while (at > 0) {
    const parentAt = (at - 1) >>> 1;
    if (!comesBefore(place, frontier[parentAt]!)) break;
    frontier[at] = frontier[parentAt]!;
    at = parentAt;
  }
  frontier[at] = place;
}

function take(frontier: Place[]): Place | null {
  const first = frontier[0];
  const last = frontier.pop();
  if (first === undefined || last === undefined) return null;
  if (frontier.length === 0) return first;
  let at = 0;
  for (;;) {
    let childAt = at * 2 + 1;
    if (childAt >= frontier.length) break;
    const other = frontier[childAt + 1];
    if (other !== undefined && comesBefore(other, frontier[childAt]!)) childAt++;
    if (!comesBefore(frontier[childAt]!, last)) break;
    frontier[at] = frontier[childAt]!;
    at = childAt;
  }
  frontier[at] = last;
  return first;
}
