/** What every KvStore must do, real or simulated: compared with a sorted map. */
import type { KvChange, KvRow, KvStore } from "@headrace/ports";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Settle, valueOf } from "./settle.ts";

export interface KvStoreCase {
  readonly store: KvStore;
  readonly settle: Settle;
  /** The same medium, opened anew. The former store has been closed. */
  readonly reopen: () => Promise<KvStore>;
  readonly cleanUp: () => Promise<void>;
}

const END = new Uint8Array(9).fill(255);

export function kvStoreConformance(name: string, make: () => Promise<KvStoreCase>): void {
  const withStore = async (body: (subject: KvStoreCase) => Promise<void>): Promise<void> => {
    const subject = await make();
    try {
      await body(subject);
    } finally {
      await subject.cleanUp();
    }
  };
  const put = (key: readonly number[], value: readonly number[]): KvChange => ({
    key: new Uint8Array(key),
    value: new Uint8Array(value),
  });
  const plain = (rows: readonly KvRow[]): number[][][] => rows.map((row) => [[...row.key], [...row.value]]);

  describe(`${name} as a KvStore`, () => {
    test("keeps bytes as they are, sorts bytewise and deletes", () =>
      withStore(async ({ store, settle }) => {
        const changes = [put([255], [1]), put([0], [2]), put([128, 0], []), put([128], [3, 0, 255]), put([1], [9])];
        valueOf(await settle<void>((done) => store.write(changes, done)));
        valueOf(await settle<void>((done) => store.write([{ key: new Uint8Array([1]), value: null }], done)));
        const rows = valueOf(
          await settle<readonly KvRow[]>((done) => store.scan(new Uint8Array([0]), END, 100, 1e6, null, done)),
        );
        expect(plain(rows)).toEqual([
          [[0], [2]],
          [[128], [3, 0, 255]],
          [[128, 0], []],
          [[255], [1]],
        ]);
        const get = async (key: readonly number[]): Promise<Uint8Array | null> =>
          valueOf(await settle<Uint8Array | null>((done) => store.get(new Uint8Array(key), null, done)));
        expect([...(await get([128]))!]).toEqual([3, 0, 255]);
        expect((await get([128, 0]))!.length).toBe(0);
        expect(await get([1])).toBe(null);
        expect(await get([7])).toBe(null);
      }));

    test("writes a value whose bytes lie in several places as one", () =>
      withStore(async ({ store, settle }) => {
        for (const length of [3, 900, 20_000, 200_000]) {
          const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) % 251);
          const third = Math.floor(length / 3);
          const key = new Uint8Array([5, length & 0xff]);
          const rest = [bytes.subarray(third, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)];
          const changes = [put([4], [1]), { key, value: bytes.subarray(0, third), rest }, put([6], [2])];
          valueOf(await settle<void>((done) => store.write(changes, done)));
          const rows = await settle<readonly KvRow[]>((done) =>
            store.scan(new Uint8Array([4]), END, 100, 1e6, null, done),
          );
          const found = valueOf(rows).find((row) => row.key.length === 2 && row.key[1] === (length & 0xff));
          expect([...found!.value]).toEqual([...bytes]);
          expect([...valueOf(store.getNow(key))!]).toEqual([...bytes]);
        }
      }));

    test("answers at once when asked to, small values and large ones", () =>
      withStore(async ({ store, settle }) => {
        const large = Array.from({ length: 40_000 }, (_, i) => i % 251);
        valueOf(await settle<void>((done) => store.write([put([1], [9]), put([2], large)], done)));
        valueOf(await settle<void>((done) => store.write([{ key: new Uint8Array([1]), value: null }], done)));
        expect(valueOf(store.getNow(new Uint8Array([1])))).toBe(null);
        expect([...valueOf(store.getNow(new Uint8Array([2])))!]).toEqual(large);
      }));

    test("takes the last of several changes to one key in a batch, and an empty batch", () =>
      withStore(async ({ store, settle }) => {
        const changes = [put([5], [1]), put([5], [2]), { key: new Uint8Array([6]), value: null }];
        valueOf(await settle<void>((done) => store.write(changes, done)));
        valueOf(await settle<void>((done) => store.write([], done)));
        const found = valueOf(await settle<Uint8Array | null>((done) => store.get(new Uint8Array([5]), null, done)));
        expect([...found!]).toEqual([2]);
      }));

    test("completes batches in the order of calling, in later events", () =>
      withStore(async ({ store, settle }) => {
        const order: number[] = [];
        for (let i = 0; i < 20; i++) store.write([put([1], [i])], () => order.push(i));
        expect(order).toEqual([]);
        valueOf(await settle<void>((done) => store.write([put([2], [2])], done)));
        expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
        const found = valueOf(await settle<Uint8Array | null>((done) => store.get(new Uint8Array([1]), null, done)));
        expect([...found!]).toEqual([19]);
      }));

    test("limits scans by rows and by bytes, and goes on behind the last key", () =>
      withStore(async ({ store, settle }) => {
        const changes = Array.from({ length: 100 }, (_, i) => put([i], Array<number>(100).fill(i)));
        valueOf(await settle<void>((done) => store.write(changes, done)));
        const keys: number[] = [];
        let from: Uint8Array = new Uint8Array([10]);
        for (let round = 0; ; round++) {
          const limitRows = round % 2 === 0 ? 7 : 1000;
          const rows = valueOf(
            await settle<readonly KvRow[]>((done) =>
              store.scan(from, new Uint8Array([90]), limitRows, 1000, null, done),
            ),
          );
          if (rows.length === 0) break;
          // "About" limitBytes: 1000 bytes are about ten rows.
          expect(rows.length).toBeLessThanOrEqual(round % 2 === 0 ? 7 : 20);
          keys.push(...rows.map((row) => row.key[0]!));
          from = new Uint8Array([...rows[rows.length - 1]!.key, 0]);
        }
        expect(keys).toEqual(Array.from({ length: 80 }, (_, i) => i + 10));
      }));

    test("shows a snapshot what was there when it was taken", () =>
      withStore(async ({ store, settle }) => {
        valueOf(await settle<void>((done) => store.write([put([1], [1]), put([2], [1])], done)));
        const snapshot = store.snapshot();
        const changes = [put([1], [2]), put([3], [2]), { key: new Uint8Array([2]), value: null }];
        valueOf(await settle<void>((done) => store.write(changes, done)));
        const found = valueOf(
          await settle<Uint8Array | null>((done) => store.get(new Uint8Array([1]), snapshot, done)),
        );
        expect([...found!]).toEqual([1]);
        const scan = async (view: typeof snapshot | null): Promise<number[][][]> =>
          plain(
            valueOf(
              await settle<readonly KvRow[]>((done) => store.scan(new Uint8Array([0]), END, 10, 1e6, view, done)),
            ),
          );
        expect(await scan(snapshot)).toEqual([
          [[1], [1]],
          [[2], [1]],
        ]);
        store.release(snapshot);
        expect(await scan(null)).toEqual([
          [[1], [2]],
          [[3], [2]],
        ]);
      }));

    test("is the same as a sorted map under random batches and reads, also after it was opened again", () =>
      withStore(async (subject) => {
        let { store } = subject;
        const { settle } = subject;
        const model = new Map<string, number[]>();
        const change = fc.tuple(
          fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 }),
          fc.option(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 })),
        );
        const batches = fc.array(fc.array(change, { maxLength: 10 }), { minLength: 1, maxLength: 10 });
        await fc.assert(
          fc.asyncProperty(batches, fc.boolean(), async (list, reopens) => {
            for (const batch of list) {
              const changes = batch.map(([key, value]) => ({
                key: new Uint8Array(key),
                value: value === null ? null : new Uint8Array(value),
              }));
              valueOf(await settle<void>((done) => store.write(changes, done)));
              for (const [key, value] of batch) {
                if (value === null) model.delete(key.join());
                else model.set(key.join(), value);
              }
            }
            if (reopens) {
              valueOf(await settle<void>((done) => store.close(done)));
              store = await subject.reopen();
            }
            const rows = valueOf(
              await settle<readonly KvRow[]>((done) => store.scan(new Uint8Array([0]), END, 1000, 1e6, null, done)),
            );
            const expected = [...model].map(([key, value]) => [key.split(",").map(Number), value]);
            expected.sort((a, b) => Buffer.compare(Buffer.from(a[0]!), Buffer.from(b[0]!)));
            expect(plain(rows)).toEqual(expected);
          }),
          { numRuns: 20 },
        );
        valueOf(await settle<void>((done) => store.close(done)));
      }));

    test("answers closed after it was closed", () =>
      withStore(async ({ store, settle }) => {
        let written = false;
        store.write([put([1], [1])], () => (written = true));
        valueOf(await settle<void>((done) => store.close(done)));
        expect(written).toBe(true);
        const found = await settle<Uint8Array | null>((done) => store.get(new Uint8Array([1]), null, done));
        expect(found).toMatchObject({ ok: false, reason: "closed" });
      }));
  });
}
