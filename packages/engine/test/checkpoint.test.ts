/** Rows of checkpoints: damage, completeness, and how much a capture writes. */
import { lengthWithRest, withRest } from "@headrace/bytes";
import { describe, expect, test } from "vitest";
import { type Capture, DamagedRowError, MAX_ID, MIN_ID, ShardState } from "../src/index.ts";
import { add, batch, id, streamOf } from "./entries.ts";
import { RowStore } from "./state-driver.ts";

function small(): ShardState {
  const state = new ShardState();
  batch(state, (effects) => {
    state.setOrigin(new Uint8Array(16).fill(7), 3);
    for (let i = 1; i <= 4; i++) add(effects, "k", i);
    effects.deleteEntries("k", [id(2)]);
    effects.createGroup("k", "g", MIN_ID, 0);
    effects.createConsumer("k", "g", "c", 5);
    effects.deliver("k", "g", "c", id(3), 3, 9, false);
  });
  return state;
}

/** Loads the rows, and reads all entries. */
function load(
  capture: Capture,
  change: (rows: { slot: number; subkey: Uint8Array; value: Uint8Array }[]) => void,
): void {
  const rows = capture.rows.map(({ slot, subkey, value, rest }) => ({ slot, subkey, value: withRest(value!, rest) }));
  change(rows);
  const store = new RowStore();
  store.write({ ...capture, rows });
  const state = store.load();
  state.keyspace.forEachKey(({ stream }) => stream!.range(MIN_ID, MAX_ID, -1, false));
}

function kindsOf(capture: Capture): number[] {
  return capture.rows.map((row) => row.subkey[6]!).sort((a, b) => a - b);
}

describe("a checkpoint", () => {
  test("with any byte of any row, subkey or of the header flipped, cut or lengthened is refused", () => {
    const capture = small().capture();
    load(capture, () => undefined);
    expect(kindsOf(capture)).toEqual([1, 2, 3, 4, 5, 6]);
    for (let at = 0; at < capture.rows.length; at++) {
      for (const part of ["subkey", "value"] as const) {
        const bytes = capture.rows[at]![part]!;
        for (let i = 0; i < bytes.length; i++) {
          for (const flip of [1, 0x80, 0xff]) {
            const changed = bytes.slice();
            changed[i]! ^= flip;
            expect(() => load(capture, (rows) => (rows[at]![part] = changed))).toThrow(DamagedRowError);
          }
          expect(() => load(capture, (rows) => (rows[at]![part] = bytes.slice(0, i)))).toThrow(DamagedRowError);
        }
      }
      expect(() => load(capture, (rows) => rows[at]!.slot++)).toThrow(DamagedRowError);
    }
    const { bytes } = capture.header;
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i]! ^= 0x10;
      expect(() =>
        load({ ...capture, index: 1, rows: capture.rows, header: { bytes: changed } }, () => undefined),
      ).toThrow(DamagedRowError);
    }
  });

  test("with any row missing is refused", () => {
    const capture = small().capture();
    for (let at = 0; at < capture.rows.length; at++) {
      expect(() => load(capture, (rows) => rows.splice(at, 1)), `row ${at}`).toThrow(DamagedRowError);
    }
  });

  test("is refused under another index", () => {
    const capture = small().capture();
    expect(() => load({ ...capture, rows: capture.rows, header: capture.header, index: 2 }, () => undefined)).toThrow(
      DamagedRowError,
    );
  });
});

describe("a capture", () => {
  test("of nothing new has no rows", () => {
    const state = small();
    state.capture();
    expect(state.capture().rows.length).toBe(0);
  });

  test("never writes a whole tail for a few entries, and each sealed block once more at the most", () => {
    const state = new ShardState();
    const store = new RowStore();
    let written = 0;
    let entryBytes = 0;
    for (let i = 1; i <= 600; i++) {
      batch(state, (effects) => add(effects, "k", i, undefined, "x".repeat(200)));
      entryBytes += 240;
      const capture = state.capture();
      store.write(capture);
      const fragment = capture.rows.find((row) => row.subkey[6] === 2 && row.value !== null)!;
      written += lengthWithRest(fragment.value!, fragment.rest);
      expect(store.rows.size).toBeLessThan(1 + Math.ceil(i / 130) + 12);
    }
    // One entry a capture: each is rewritten about log2 times, instead of half a block each time (which would be 35 MB).
    expect(written).toBeLessThan(entryBytes * 14);
    expect(store.load().stateHash()).toBe(state.stateHash());
  });

  test("stays as it is when the entries at its end are taken back and others come in their place", () => {
    const state = new ShardState();
    const store = new RowStore();
    const value = (letter: string): string => letter.repeat(300);
    batch(state, (effects) => {
      for (let i = 1; i <= 60; i++) add(effects, "k", i, undefined, value("a"));
    });
    const capture = state.capture();
    const lent = capture.rows.find(({ rest }) => rest !== undefined)!;
    const before = withRest(lent.value!, lent.rest).slice();
    expect(before.length).toBeGreaterThan(60 * 300);
    batch(state, (effects) => {
      effects.deleteEntries(
        "k",
        Array.from({ length: 30 }, (_, i) => id(31 + i)),
      );
    });
    batch(state, (effects) => {
      for (let i = 61; i <= 80; i++) add(effects, "k", i, undefined, value("b"));
    });
    expect(withRest(lent.value!, lent.rest)).toEqual(before);
    store.write(capture);
    store.write(state.capture());
    expect(store.load().stateHash()).toBe(state.stateHash());
  });

  test("writes a tombstone without its block, and an acknowledgement without other leaves", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      for (let i = 1; i <= 2000; i++) add(effects, "k", i, undefined, "x".repeat(100));
      effects.createGroup("k", "g", MIN_ID, 0);
      effects.createConsumer("k", "g", "c", 5);
      effects.deliver("k", "g", "c", id(2000), 2000, 9, false);
    });
    const whole = state.capture();
    expect(whole.byteLength).toBeGreaterThan(300_000);
    batch(state, (effects) => {
      effects.deleteEntries("k", [id(700)]);
      effects.acknowledge("k", "g", [id(700)]);
    });
    const capture = state.capture();
    expect(kindsOf(capture)).toEqual([1, 3, 4, 6]);
    expect(capture.byteLength).toBeLessThan(128 * 32 + 1200);
  });

  test("after FLUSHALL says that all older rows are dead and carries only what came later", () => {
    const state = small();
    const store = new RowStore();
    store.write(state.capture());
    batch(state, (effects) => {
      effects.flush();
      add(effects, "new", 1);
    });
    const capture = state.capture();
    expect(capture.cleared).toBe(true);
    expect(capture.rows.length).toBe(2);
    store.write(capture);
    expect(store.rows.size).toBe(2);
    expect(store.load().stateHash()).toBe(state.stateHash());
    expect(state.capture().cleared).toBe(false);
  });

  test("a key deleted and made again between captures leaves no row of its former life", () => {
    const state = small();
    const store = new RowStore();
    store.write(state.capture());
    batch(state, (effects) => {
      effects.deleteKey("k");
      add(effects, "k", 1);
    });
    store.write(state.capture());
    expect(store.rows.size).toBe(2);
    expect(store.load().stateHash()).toBe(state.stateHash());
    expect(streamOf(store.load(), "k").entriesAdded).toBe(1);
  });
});
