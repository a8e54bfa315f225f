/** Keys that expire or change their name, as commands see them: what is there, what is logged, and what SCAN owes its caller. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Effects, NEVER, ShardState } from "../src/index.ts";
import { add, batch, streamOf } from "./entries.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);

/** One log entry at this time. */
function at(state: ShardState, nowMs: number, run: (effects: Effects) => void): Uint8Array | null {
  run(state.openBatch(state.index + 1, nowMs));
  return state.sealBatch();
}

describe("a key whose time is over", () => {
  function expiring(): ShardState {
    const state = new ShardState();
    at(state, 1000, (effects) => {
      add(effects, "k", 1);
      effects.setExpiry("k", 2000);
    });
    return state;
  }

  test("is there up to that very millisecond", () => {
    const state = expiring();
    expect(
      at(state, 2000, () => {
        expect(state.live.find("k")!.expiresAtMs).toBe(2000);
      }),
    ).toBe(null);
  });

  test("is removed by whoever looks for it, with an effect that does not grow with its name", () => {
    const name = "k".repeat(1_000_000);
    const state = new ShardState();
    at(state, 1000, (effects) => {
      add(effects, name, 1);
      effects.setExpiry(name, 2000);
    });
    const payload = at(state, 2001, (effects) => {
      expect(state.live.peek(name)).toBe(null);
      expect(state.live.find(name)).toBe(null);
      expect([effects.count, effects.unaskedCount]).toEqual([1, 1]);
    })!;
    expect(payload.length).toBe(16 + 8 + 10);
    expect(state.keyspace.size).toBe(0);
    expect(state.keyspace.lastWriterIndex(name)).toBe(2);
  });

  test("is nobody's write: the session that met it has written nothing", () => {
    const state = expiring();
    const session = new Uint8Array(16).fill(7);
    at(state, 3000, (effects) => {
      state.setOrigin(session, 5);
      state.live.find("k");
      expect(effects.count).toBe(1);
    });
    expect(state.lastSequence(session)).toBe(0);
    // But what the command does beside it is its own.
    at(state, 3001, (effects) => {
      add(effects, "k", 1);
      effects.setExpiry("k", 3500);
    });
    at(state, 4000, (effects) => {
      state.setOrigin(session, 6);
      state.live.find("k");
      effects.createStream("other");
    });
    expect(state.lastSequence(session)).toBe(6);
  });

  test("does not show in walks, and those remove a bounded number of them", () => {
    const state = new ShardState();
    at(state, 1000, (effects) => {
      for (let key = 0; key < 300; key++) {
        add(effects, `k${key}`, 1);
        if (key % 3 !== 0) effects.setExpiry(`k${key}`, 2000);
      }
    });
    at(state, 5000, (effects) => {
      let seen = 0;
      state.live.forEachKey(() => seen++);
      expect(seen).toBe(100);
      expect(effects.count).toBe(64);
      const names: string[] = [];
      for (let cursor = state.live.scan(0n, 20, ({ key }) => names.push(key)); cursor !== 0n;)
        cursor = state.live.scan(cursor, 20, ({ key }) => names.push(key));
      expect(names.length).toBe(100);
    });
    state.verify();
  });

  test("takes its time along when it is renamed, and nothing of it stays behind when it is replaced", () => {
    const state = new ShardState();
    at(state, 1000, (effects) => {
      add(effects, "{a}1", 1);
      add(effects, "{a}2", 2);
      effects.setExpiry("{a}1", 9000);
      effects.setExpiry("{a}2", 8000);
      effects.renameKey("{a}1", "{a}2");
      add(effects, "{a}1", 3);
    });
    expect(state.keyspace.find("{a}2")!.expiresAtMs).toBe(9000);
    expect(state.keyspace.find("{a}1")!.expiresAtMs).toBe(NEVER);
    expect(state.keyspace.expiringCount).toBe(1);
    expect(streamOf(state, "{a}2").lastId.ms()).toBe(1);
    state.verify();
  });
});

describe(`a scan (seed ${SEED})`, () => {
  test("meets every name that is there all the time, whichever key bears it", () => {
    const step = fc.record({ kind: fc.nat({ max: 3 }), a: fc.nat({ max: 9 }), b: fc.nat({ max: 9 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (steps, count) => {
        const state = new ShardState();
        const names = Array.from({ length: 10 }, (_, i) => `{t}${i}`);
        batch(state, (effects) => names.forEach((name) => add(effects, name, 1)));
        const always = new Set(names);
        const met = new Set<string>();
        let cursor = 0n;
        for (const { kind, a, b } of steps) {
          batch(state, (effects) => {
            const [from, to] = [names[a]!, names[b]!];
            const found = state.keyspace.find(from);
            if (kind === 0 && found === null) add(effects, from, 1);
            if (found === null || from === to) return;
            if (kind === 1) effects.deleteKey(from);
            if (kind === 2) effects.renameKey(from, to);
            if (kind === 3) effects.putStream(to, found.stream!.image(10_000)!, NEVER, "copy_to");
          });
          for (const name of always) if (state.keyspace.find(name) === null) always.delete(name);
          batch(state, () => {
            cursor = state.live.scan(cursor, count, ({ key }) => met.add(key));
          });
          if (cursor === 0n) break;
        }
        while (cursor !== 0n) {
          batch(state, () => {
            cursor = state.live.scan(cursor, count, ({ key }) => met.add(key));
          });
        }
        for (const name of always) if (steps.length > 0) expect(met).toContain(name);
        state.verify();
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
