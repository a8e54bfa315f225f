/**
 * Which leaves of a pending list hold records of a consumer, in id order: a consumer that owns little in a long list is found without walking the
 * list. Made for a consumer at the first question about it and kept up to date from then on, leaf by leaf, not record by record. A view that
 * decides nothing and is nowhere stored.
 */
import type { LeafWatcher, PendingLeaf } from "./pending-leaf.ts";

/** Shared by all lists that nobody has asked, never written: an empty Map takes 200 bytes, and groups are many. */
const NOTHING: Map<number, PendingLeaf[]> = new Map();

export class OwnerLeaves implements LeafWatcher {
  #leavesOf: Map<number, PendingLeaf[]>;

  constructor() {
    this.#leavesOf = NOTHING;
  }

  /** `all`: the list's leaves. The answer is valid until the list changes. */
  of(owner: number, all: readonly PendingLeaf[]): readonly PendingLeaf[] {
    let leaves = this.#leavesOf.get(owner);
    if (leaves === undefined) {
      leaves = all.filter((leaf) => leaf.owns(owner));
      if (this.#leavesOf === NOTHING) this.#leavesOf = new Map();
      this.#leavesOf.set(owner, leaves);
    }
    return leaves;
  }

  /** The consumer is gone. */
  forget(owner: number): void {
    this.#leavesOf.delete(owner);
  }

  clear(): void {
    this.#leavesOf = NOTHING;
  }

  entered(owner: number, leaf: PendingLeaf): void {
    const leaves = this.#leavesOf.get(owner);
    if (leaves === undefined) return;
    const last = leaves[leaves.length - 1];
    if (last === undefined || last.isBefore(leaf)) leaves.push(leaf);
    else leaves.splice(placeOf(leaves, leaf), 0, leaf);
  }

  left(owner: number, leaf: PendingLeaf): void {
    const leaves = this.#leavesOf.get(owner);
    if (leaves === undefined) return;
    const at = placeOf(leaves, leaf);
    if (leaves[at] === leaf) leaves.splice(at, 1);
  }

  /** True when what is known of each consumer is what a walk over all leaves finds. */
  isRight(all: readonly PendingLeaf[]): boolean {
    for (const [owner, leaves] of this.#leavesOf) {
      const found = all.filter((leaf) => leaf.owns(owner));
      if (found.length !== leaves.length || found.some((leaf, i) => leaf !== leaves[i])) return false;
    }
    return true;
  }
}

/** Where the leaf is, or would be. */
function placeOf(leaves: readonly PendingLeaf[], leaf: PendingLeaf): number {
  let low = 0;
  let high = leaves.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (leaves[middle]!.isBefore(leaf)) low = middle + 1;
    else high = middle;
  }
  return low;
}
