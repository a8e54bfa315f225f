/**
 * How many nodes Redis' radix tree would have for a stream: it keeps the stream's nodes under the ids of their first entries, sixteen bytes big-endian
 * (rax.c). Such a tree has a node for each key, one for each place where keys branch, and one for each run of bytes between two of these.
 *
 *   root ─[ms and a bit of…]─ branch ─┬─[rest]─ key
 *                                     └─[rest]─ key
 *
 * There is no such tree here; XINFO STREAM shows its size. Ids are walked in order: where two neighbours part says which branches end.
 */
import { MARK_DEAD, MARK_OPENS } from "./block.ts";
import type { EntryLog } from "./entry-log.ts";

const KEY_BYTES = 16;
/** The tree of so many keys is counted; what follows is taken to be like it. */
const KEYS_MAX = 4096;

export function radixTreeNodes(log: EntryLog, keyCount: number): number {
  const counter = new BranchCounter();
  visitKeys(log, counter);
  const counted = counter.finish();
  return keyCount <= KEYS_MAX ? counted : Math.round((counted / KEYS_MAX) * keyCount);
}

class BranchCounter {
  keys: number;
  #nodes: number;
  /** Depths of branches that are still open, ascending. */
  readonly #open: number[];
  /** Where the key before parted from the one before it; −1: it is the first. */
  #depth: number;
  readonly #last: Uint32Array;

  constructor() {
    this.keys = 0;
    this.#nodes = 0;
    this.#open = [];
    this.#depth = -1;
    this.#last = new Uint32Array(4);
  }

  /** The next key, ascending: ids[cell, cell + 4). */
  add(ids: Uint32Array, cell: number): void {
    if (this.keys > 0) {
      const depth = this.#commonBytes(ids, cell);
      this.#endKey(Math.max(this.#depth, depth));
      this.#endBranches(depth);
      if (this.#open.at(-1) !== depth) this.#open.push(depth);
      this.#depth = depth;
    }
    for (let word = 0; word < 4; word++) this.#last[word] = ids[cell + word]!;
    this.keys++;
  }

  /** The whole tree's nodes. */
  finish(): number {
    if (this.keys === 0) return 1;
    this.#endKey(this.#depth);
    this.#endBranches(-1);
    return this.#nodes;
  }

  #commonBytes(ids: Uint32Array, cell: number): number {
    let word = 0;
    while (this.#last[word] === ids[cell + word]) word++;
    return word * 4 + (Math.clz32(this.#last[word]! ^ ids[cell + word]!) >>> 3);
  }

  /** A key below a branch at `parent`: itself, and the bytes between. */
  #endKey(parent: number): void {
    this.#nodes += parent + 1 < KEY_BYTES ? 2 : 1;
  }

  /** Nothing further comes below branches that are deeper than `depth`. */
  #endBranches(depth: number): void {
    const open = this.#open;
    for (let last = open.at(-1); last !== undefined && last > depth; last = open.at(-1)) {
      open.pop();
      const parent = Math.max(open.at(-1) ?? -1, depth);
      this.#nodes += last > parent + 1 ? 2 : 1;
    }
  }
}

/** Ids under which Redis keeps nodes that have live entries: a node's first entry's, deleted or not. */
function visitKeys(log: EntryLog, counter: BranchCounter): void {
  let ids: Uint32Array = new Uint32Array(0);
  let cell = 0;
  let isCounted = true;
  const { blocks } = log;
  let to = 0;
  for (let opens = 0; to < blocks.length && opens <= KEYS_MAX; to++) opens += blocks.opensCountAt(to);
  blocks.need(0, to);
  for (let at = 0; at < blocks.length; at++) {
    const block = blocks.whole(at);
    const { marks, count } = block;
    for (let entry = 0; entry < count; entry++) {
      const mark = marks[entry]!;
      if ((mark & MARK_OPENS) !== 0 || ids.length === 0) {
        ids = block.ids;
        cell = entry * 4;
        isCounted = false;
      }
      if (isCounted || (mark & MARK_DEAD) !== 0) continue;
      counter.add(ids, cell);
      isCounted = true;
      if (counter.keys === KEYS_MAX) return;
    }
  }
}
