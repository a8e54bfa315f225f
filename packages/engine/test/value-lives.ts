/**
 * Random lives of a state whose keys hold values of one kind, beside a model of them: a leader and a follower, captures that are written, wait or are
 * dropped, loads, packing, and rollbacks behind which the log is applied again. After each batch all of them show the same.
 */
import * as fc from "fast-check";
import { expect } from "vitest";
import { type Capture, type Effects, ShardState } from "../src/index.ts";
import { RowKind, rowName } from "../src/state-rows.ts";
import { batch } from "./entries.ts";
import { expectEqual, feed } from "./rolled-back.ts";
import { RowStore } from "./state-driver.ts";

/** Of all kinds; printed in the name of their tests. */
export const SEED: number = Number(process.env["HEADRACE_SEED"] ?? 20261130);

/** What is done, by numbers that the kind reads as it likes. */
export interface Step {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export interface Kind<Model> {
  readonly runs: number;
  /** Steps are of the kinds 0 … `lastStep`, and there are so many in a batch at most. */
  readonly lastStep: number;
  readonly stepsMax: number;
  readonly newModel: () => Model;
  /** The same to both. */
  readonly change: (state: ShardState, effects: Effects, model: Model, step: Step) => void;
  /** Throws when the state does not show what the model holds. `choice`: any number. */
  readonly compare: (state: ShardState, model: Model, choice: number) => void;
}

/** Below that a life has hardly been lived. */
const SEEN_MIN = 20;

export function judgeLives<Model>({ runs, lastStep, stepsMax, newModel, change, compare }: Kind<Model>): void {
  const pick = fc.nat({ max: 1_000_000 });
  const steps = fc.array(fc.record({ kind: fc.nat({ max: lastStep }), a: pick, b: pick, c: pick }), {
    maxLength: stepsMax,
  });
  // What happens behind the steps: 0 nothing, 1 a capture, 2 and the oldest is written, 3 all are, and keys are packed, 4 a capture is dropped, 5 a rollback.
  const turn = fc.record({ steps, end: fc.nat({ max: 5 }), choice: pick });
  const seen = { rollbacks: 0, packed: 0, dropped: 0, parts: 0 };
  fc.assert(
    fc.property(fc.array(turn, { minLength: 1, maxLength: 25 }), (life) => {
      const leader = new ShardState();
      const follower = new ShardState();
      const store = new RowStore();
      const queue: Capture[] = [];
      const model = newModel();
      const payloads: Uint8Array[] = [];
      store.write(leader.capture());
      leader.coldReads = store.coldReads(false);
      for (const { steps: changes, end, choice } of life) {
        const payload = batch(leader, (effects) => {
          for (const step of changes) change(leader, effects, model, step);
        });
        if (payload !== null) {
          payloads[leader.index] = payload;
          follower.apply(payload, leader.index);
        }
        leader.verify();
        follower.verify();
        compare(leader, model, choice);
        expect(follower.stateHash()).toBe(leader.stateHash());
        if (end > 0 && end < 5) queue.push(leader.capture());
        if (end === 4) {
          leader.restoreDirty(queue.pop()!);
          seen.dropped++;
        }
        if (end === 2 || end === 3) store.write(queue.shift()!);
        if (end === 3) {
          while (queue.length > 0) store.write(queue.shift()!);
          for (const { subkey } of store.rows.values()) if (rowName(subkey).kind === RowKind.part) seen.parts++;
          expect(store.load().stateHash()).toBe(leader.stateHash());
          leader.evict(Number.POSITIVE_INFINITY, store.index);
          leader.verify();
          seen.packed += leader.memory.packedStreams;
          expect(leader.stateHash()).toBe(follower.stateHash());
        }
        if (end !== 5) continue;
        const last = leader.index;
        const rollback = leader.beginRollback(queue, store.header!, store.index);
        if (rollback === null) return;
        feed(rollback, store);
        rollback.finish();
        leader.verify();
        expectEqual(leader, store.load());
        seen.rollbacks++;
        queue.length = 0;
        for (let index = store.index + 1; index <= last; index++) leader.apply(payloads[index]!, index);
        expect(leader.stateHash()).toBe(follower.stateHash());
      }
    }),
    { seed: SEED, numRuns: runs },
  );
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(SEEN_MIN);
}

/** A table of somethings with names, as a scan meets them. */
export interface Scanned {
  /** `turn`: how often the caller has called meanwhile, so that what is put again may be of another length. */
  put(name: string, turn: number): void;
  remove(name: string): void;
  /** Answers the next cursor, 0 at the end. */
  scan(cursor: number, count: number, visit: (name: string) => void): number;
  verify(): void;
}

/** A scan meets everybody who is there all the time, whatever comes and goes meanwhile, and nobody twice while nothing does. */
export function judgeScans(newTable: (seed: number) => Scanned): void {
  const numbers = fc.uniqueArray(fc.nat({ max: 5000 }), { minLength: 1, maxLength: 600 });
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 40 }), fc.nat({ max: 3 }), fc.nat(), (stay, count, mode, seed) => {
      const table = newTable(seed);
      const guests = Array.from({ length: 900 }, (_, i) => `guest:${i}`);
      for (const number of stay) table.put(`s${number}`, 0);
      if (mode === 2) for (const guest of guests) table.put(guest, 0);
      const met: string[] = [];
      let cursor = 0;
      let calls = 0;
      do {
        const before = met.length;
        cursor = table.scan(cursor, count, (name) => met.push(name));
        if (cursor !== 0) expect(met.length - before).toBeGreaterThanOrEqual(count);
        const some = guests.slice(calls * 30, calls * 30 + 30);
        if (mode === 1 || (mode === 3 && calls % 2 === 0)) for (const guest of some) table.put(guest, calls);
        else if (mode > 1) for (const guest of some) table.remove(guest);
        // It is there already: a set does not change, a hash has another value.
        if (mode > 0) table.put(`s${stay[calls % stay.length]!}`, calls);
        calls++;
      } while (cursor !== 0);
      table.verify();
      for (const number of stay) expect(met).toContain(`s${number}`);
      if (mode === 0) expect(met.length).toBe(stay.length);
    }),
    { seed: SEED, numRuns: 100 },
  );
}
