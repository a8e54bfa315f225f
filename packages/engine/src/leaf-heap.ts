/**
 * A pending list in an order of its records that is not that of ids: who is claimed first, who is handed out again first. A binary heap of the list's
 * leaves by their lowest record; a walk visits records from the lowest on and costs O(log) each, whatever the length of the list. Made at the first
 * question and kept up to date from then on. What it knows of a leaf may be too low after a removal: that is found out, and put right, by the next walk
 * that comes by. A view that decides nothing and is nowhere stored.
 */
import type { PendingLeaf } from "./pending-leaf.ts";

/** Where a leaf stands in a heap. */
export class LeafPlace {
  readonly leaf: PendingLeaf;
  /** No record of the leaf ranks lower. */
  lowest: number;
  at: number;

  constructor(leaf: PendingLeaf, lowest: number, at: number) {
    this.leaf = leaf;
    this.lowest = lowest;
    this.at = at;
  }
}

/** Which of a leaf's places is the heap's, and how its records rank. */
export interface LeafOrder {
  readonly place: "byAge" | "byDue";
  rankAt(leaf: PendingLeaf, record: number): number;
}

/** A walk's step: a record, or (record −1) a leaf that it has not looked into, of which only the heap's bound is known. */
interface Step {
  readonly place: LeafPlace;
  readonly rank: number;
  readonly record: number;
}

export class LeafHeap {
  readonly #order: LeafOrder;
  readonly #places: LeafPlace[];

  constructor(order: LeafOrder, leaves: readonly PendingLeaf[]) {
    this.#order = order;
    this.#places = leaves.map((leaf, at) => {
      const place = new LeafPlace(leaf, this.#lowestOf(leaf), at);
      leaf[order.place] = place;
      return place;
    });
    for (let at = (this.#places.length >>> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** No record ranks lower; Infinity: there is none. */
  get lowest(): number {
    const first = this.#places[0];
    return first === undefined ? Number.POSITIVE_INFINITY : first.lowest;
  }

  /** The record has come, or ranks otherwise than before. */
  wrote(leaf: PendingLeaf, record: number): void {
    this.#lower(leaf, this.#order.rankAt(leaf, record));
  }

  /** All or some records of `source`, which is in the heap, are in `leaf` now. */
  joined(leaf: PendingLeaf, source: PendingLeaf): void {
    this.#lower(leaf, source[this.#order.place]!.lowest);
  }

  #lower(leaf: PendingLeaf, rank: number): void {
    let place = leaf[this.#order.place];
    if (place === null) {
      place = new LeafPlace(leaf, rank, this.#places.length);
      leaf[this.#order.place] = place;
      this.#places.push(place);
    } else if (rank < place.lowest) {
      place.lowest = rank;
    } else {
      return;
    }
    this.#rise(place);
  }

  remove(leaf: PendingLeaf): void {
    const place = leaf[this.#order.place];
    if (place === null) return;
    leaf[this.#order.place] = null;
    const last = this.#places.pop()!;
    if (last === place) return;
    this.#places[place.at] = last;
    last.at = place.at;
    this.#sink(place.at);
    this.#rise(last);
  }

  /** Records by rank, then id; `visit` answers false to stop, and changes nothing. */
  visit(visit: (leaf: PendingLeaf, record: number, rank: number) => boolean): void {
    if (this.#places.length === 0) return;
    const corrected: LeafPlace[] = [];
    try {
      this.#walk(visit, corrected);
    } finally {
      // Also when a visit throws. From the bottom up, as a heap is built: below each one all is right then.
      corrected.sort((a, b) => b.at - a.at);
      for (const { at } of corrected) this.#sink(at);
    }
  }

  #walk(visit: (leaf: PendingLeaf, record: number, rank: number) => boolean, corrected: LeafPlace[]): void {
    const places = this.#places;
    const frontier: Step[] = [stepInto(places[0]!)];
    for (let step = take(frontier); step !== null; step = take(frontier)) {
      const { place, rank, record } = step;
      const { leaf } = place;
      if (record < 0) {
        const child = place.at * 2 + 1;
        if (child < places.length) put(frontier, stepInto(places[child]!));
        if (child + 1 < places.length) put(frontier, stepInto(places[child + 1]!));
        const first = this.#next(leaf, -1, -1);
        const lowest = this.#order.rankAt(leaf, first);
        if (lowest !== place.lowest) {
          place.lowest = lowest;
          corrected.push(place);
        }
        put(frontier, { place, rank: lowest, record: first });
        continue;
      }
      if (!visit(leaf, record, rank)) break;
      const next = this.#next(leaf, rank, record);
      if (next >= 0) put(frontier, { place, rank: this.#order.rankAt(leaf, next), record: next });
    }
  }

  /** The leaf's record that follows (rank, record) in the order of rank, then id; −1 when there is none. */
  #next(leaf: PendingLeaf, rank: number, record: number): number {
    const order = this.#order;
    let found = -1;
    let foundRank = Number.POSITIVE_INFINITY;
    for (let each = 0; each < leaf.count; each++) {
      const eachRank = order.rankAt(leaf, each);
      if (eachRank >= foundRank || eachRank < rank || (eachRank === rank && each <= record)) continue;
      found = each;
      foundRank = eachRank;
    }
    return found;
  }

  #lowestOf(leaf: PendingLeaf): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (let record = 0; record < leaf.count; record++) lowest = Math.min(lowest, this.#order.rankAt(leaf, record));
    return lowest;
  }

  #rise(place: LeafPlace): void {
    const places = this.#places;
    let { at } = place;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = places[parentAt]!;
      if (!isLower(place, parent)) break;
      this.#put(at, parent);
      at = parentAt;
    }
    this.#put(at, place);
  }

  #sink(from: number): void {
    const places = this.#places;
    const place = places[from]!;
    let at = from;
    for (;;) {
      let childAt = at * 2 + 1;
      if (childAt >= places.length) break;
      const other = places[childAt + 1];
      if (other !== undefined && isLower(other, places[childAt]!)) childAt++;
      const child = places[childAt]!;
      if (!isLower(child, place)) break;
      this.#put(at, child);
      at = childAt;
    }
    this.#put(at, place);
  }

  #put(at: number, place: LeafPlace): void {
    this.#places[at] = place;
    place.at = at;
  }

  /** True when it holds exactly these leaves, in heap order, and none has a record below its bound. */
  isRight(all: readonly PendingLeaf[]): boolean {
    const places = this.#places;
    const { place: name } = this.#order;
    if (places.length !== all.length || all.some((leaf) => leaf[name] === null)) return false;
    return places.every((place, at) => {
      const parent = at === 0 ? place : places[(at - 1) >>> 1]!;
      const isInPlace = place.at === at && place.leaf[name] === place && parent.lowest <= place.lowest;
      return isInPlace && place.lowest <= this.#lowestOf(place.leaf);
    });
  }
}

/** By bound, then id: leaves of a list have no ids in common. */
function isLower(a: LeafPlace, b: LeafPlace): boolean {
  return a.lowest !== b.lowest ? a.lowest < b.lowest : a.leaf.isBefore(b.leaf);
}

function comesBefore(a: Step, b: Step): boolean {
  if (a.rank !== b.rank) return a.rank < b.rank;
  return a.place === b.place ? a.record < b.record : a.place.leaf.isBefore(b.place.leaf);
}

function stepInto(place: LeafPlace): Step {
  return { place, rank: place.lowest, record: -1 };
}

function put(frontier: Step[], step: Step): void {
  let at = frontier.length;
  frontier.push(step);
  while (at > 0) {
    const parentAt = (at - 1) >>> 1;
    if (!comesBefore(step, frontier[parentAt]!)) break;
    frontier[at] = frontier[parentAt]!;
    at = parentAt;
  }
  frontier[at] = step;
}

function take(frontier: Step[]): Step | null {
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
