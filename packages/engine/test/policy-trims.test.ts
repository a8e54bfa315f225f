/**
 * Trims with DELREF and ACKED of streams that are long, in the store and hardly in memory, and whose groups stand still: how much of them is brought into
 * memory, and that every trim goes on where the one before had to end.
 */
import { describe, expect, test } from "vitest";
import {
  type ColdReads,
  type Effects,
  MIN_ID,
  ReferencePolicy,
  type RemovingPolicy,
  ShardState,
  type StreamId,
  type StreamView,
  type WantedBlock,
} from "../src/index.ts";
import { add, batch, id, streamOf } from "./entries.ts";
import { RowStore } from "./state-driver.ts";

const VALUE = "x".repeat(1000);
/** Of such entries, in blocks of 32 KiB. */
const PER_BLOCK = 31;
/** About twelve mebibytes. */
const ENTRIES = 12_000;
/** No more blocks are in the eight mebibytes that one trim may bring into memory, and one behind them to see where a node ends. */
const REACH_BLOCKS = Math.ceil((8 * 1024 * 1024) / (PER_BLOCK * VALUE.length)) + 1;

class Reads implements ColdReads {
  readonly mayMiss = false;
  count = 0;
  readonly #rows: ColdReads;

  constructor(store: RowStore) {
    this.#rows = store.coldReads(false);
  }

  rowNow(slot: number, subkey: Uint8Array): Uint8Array | null {
    this.count++;
    return this.#rows.rowNow(slot, subkey);
  }

  passed(): void {}

  wantsSoon(_block: WantedBlock): void {}
}

class Scene {
  readonly state: ShardState = new ShardState();
  readonly reads: Reads;
  readonly #store: RowStore = new RowStore();

  constructor(groups: (effects: Effects) => void) {
    batch(this.state, (effects) => {
      for (let ms = 1; ms <= ENTRIES; ms++) add(effects, "k", ms, undefined, VALUE);
    });
    batch(this.state, groups);
    this.reads = new Reads(this.#store);
    this.state.coldReads = this.reads;
    this.evict();
  }

  get view(): StreamView {
    return streamOf(this.state, "k");
  }

  /** Nothing that may go is in memory. */
  evict(): void {
    this.#store.write(this.state.capture());
    this.state.evict(Infinity, this.state.index);
    this.state.verify();
  }

  /** To so many entries. Answers how many went and how many blocks were read. */
  trim(policy: RemovingPolicy, maxLength = 0, limit = 0, bytesMax = Infinity): { removed: number; read: number } {
    const before = this.reads.count;
    const { length } = this.view;
    const cut = this.view.trimByPolicy(policy, { maxLength, minId: null }, limit, bytesMax);
    batch(this.state, (effects) => effects.trimByPolicy("k", cut));
    expect(length - this.view.length).toBe(cut.count);
    return { removed: cut.count, read: this.reads.count - before };
  }
}

const { acknowledged, drop } = ReferencePolicy;

function delivered(effects: Effects, group: string, upTo: number): void {
  effects.createGroup("k", group, MIN_ID, 0);
  effects.createConsumer("k", group, "c", 1);
  effects.deliver("k", group, "c", id(upTo), upTo, 1, false);
}

function ids(from: number, to: number): StreamId[] {
  return Array.from({ length: to - from + 1 }, (_, i) => id(from + i));
}

describe("ACKED", () => {
  test("looks at nothing behind the position of the slowest group", () => {
    const scene = new Scene((effects) => delivered(effects, "g", 40));
    expect(scene.trim(acknowledged)).toEqual({ removed: 0, read: 2 });
    batch(scene.state, (effects) => effects.acknowledge("k", "g", ids(3, 4)));
    expect(scene.trim(acknowledged, 10).removed).toBe(2);
  });

  test("needs no more when it is planned again behind a write than when it was looked at before", () => {
    const scene = new Scene((effects) => delivered(effects, "g", ENTRIES));
    scene.view.trimByPolicy(acknowledged, { maxLength: 9, minId: null }, 0, Infinity);
    const before = scene.reads.count;
    expect(scene.trim(acknowledged, 10).read).toBe(0);
    expect(before).toBeGreaterThan(REACH_BLOCKS / 2);
  });

  test("goes on behind what groups have pending where the trim before had to end, and reads none of it again", () => {
    const scene = new Scene((effects) => {
      delivered(effects, "g", ENTRIES);
      effects.acknowledge("k", "g", ids(ENTRIES - 9, ENTRIES));
    });
    const first = scene.trim(acknowledged);
    expect(first.removed).toBe(0);
    expect(first.read).toBeGreaterThan(REACH_BLOCKS / 2);
    expect(first.read).toBeLessThan(REACH_BLOCKS);
    scene.evict();
    const second = scene.trim(acknowledged);
    expect(second.removed).toBe(10);
    expect(first.read + second.read).toBeLessThan(ENTRIES / PER_BLOCK + 3);
    scene.evict();
    // All is known: only where it ended is looked at, whatever LIMIT a node fits into.
    expect(scene.trim(acknowledged).read).toBeLessThan(3);
    expect(scene.trim(acknowledged, 0, 100).read).toBeLessThan(3);
  });

  test("stops for LIMIT before a node that has more entries, though all of it is needed", () => {
    const scene = new Scene((effects) => {
      delivered(effects, "g", 200);
      effects.acknowledge("k", "g", ids(150, 200));
    });
    // Nodes of four kilobytes hold three of these entries.
    expect(scene.trim(acknowledged, ENTRIES - 10, 5).removed).toBeGreaterThan(2);
    expect(scene.trim(acknowledged, 0, 2).removed).toBe(0);
  });

  test("finds what a group needs no longer in front of where the last trim ended", () => {
    const letGo: readonly ((effects: Effects) => number)[] = [
      (effects) => {
        effects.acknowledge("k", "g", [id(7)]);
        return 1;
      },
      (effects) => {
        effects.createConsumer("k", "g", "d", 1);
        effects.claim("k", "g", "d", ids(5, 6), [1, 1], [1, 1]);
        effects.deleteConsumer("k", "g", "d");
        return 2;
      },
      (effects) => {
        effects.destroyGroup("k", "g");
        return 50;
      },
    ];
    for (const letsGo of letGo) {
      const scene = new Scene((effects) => {
        delivered(effects, "g", 50);
        delivered(effects, "h", 50);
        effects.acknowledge("k", "h", ids(1, 50));
      });
      expect(scene.trim(acknowledged).removed).toBe(0);
      let expected = 0;
      batch(scene.state, (effects) => {
        expected = letsGo(effects);
      });
      expect(scene.trim(acknowledged).removed).toBe(expected);
    }
  });
});

describe("DELREF", () => {
  test("of a long stream removes what it may bring into memory, again and again", () => {
    const scene = new Scene((effects) => delivered(effects, "g", 30));
    const first = scene.trim(drop, 100);
    expect(first.read).toBeLessThan(REACH_BLOCKS);
    expect(first.removed).toBeGreaterThan(8000);
    scene.evict();
    expect(scene.trim(drop, 100).removed).toBe(ENTRIES - 100 - first.removed);
    expect(scene.view.group("g")!.pending.count).toBe(0);
  });

  test("with more ids that stay pending than find room names those that do not", () => {
    const scene = new Scene((effects) => {
      delivered(effects, "g", 300);
      effects.deleteEntries("k", ids(1, 200));
    });
    // Room for ten ids, and two hundred that stay pending.
    const removed: number[] = [];
    while (scene.view.length > ENTRIES - 300) removed.push(scene.trim(drop, ENTRIES - 300, 0, 10 * 17).removed);
    expect(removed).toEqual(Array.from({ length: 10 }, () => 10));
    const { pending } = scene.view.group("g")!;
    expect([pending.count, pending.firstId!.ms(), pending.lastId!.ms()]).toEqual([200, 1, 200]);
    scene.evict();
  });
});
