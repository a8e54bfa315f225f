/** The store beside a plain map: overwrites, deletes, snapshots, reopening, with files so small that the collector always has work. */
import type { KvSnapshot, KvStore } from "@headrace/ports";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LevelStoreOptions } from "../src/index.ts";
import { auditIndex } from "./index-audit.ts";
import {
  all,
  close,
  compressing,
  get,
  inDirectory,
  noiseOfLength,
  open,
  smallFiles,
  valueOfLength,
  write,
} from "./open-store.ts";

type Model = Map<string, string>;

type Action =
  | { readonly kind: "write"; readonly pairs: readonly (readonly [string, number | null])[] }
  | { readonly kind: "together"; readonly pairs: readonly (readonly [string, number | null])[] }
  | { readonly kind: "snapshot" | "release" | "reopen" | "scan" };

const key = fc.integer({ min: 0, max: 14 }).map((n) => `k${n}`);
// Both sides of the threshold, and values as large as half a file.
const length = fc.oneof(
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 5, arbitrary: fc.integer({ min: 32, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 300, max: 3000 }) },
);
const pairs = fc.array(fc.tuple(key, fc.option(length, { freq: 4 })), { maxLength: 8 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("write" as const), pairs }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("together" as const), pairs }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("snapshot" as const, "release" as const, "scan" as const) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
);

class Subject {
  readonly #directory: string;
  readonly #options: LevelStoreOptions;
  store: KvStore;
  readonly model: Model = new Map();
  readonly snapshots: { readonly snapshot: KvSnapshot; readonly model: Model }[] = [];
  #seed = 0;

  constructor(directory: string, options: LevelStoreOptions, store: KvStore) {
    this.#directory = directory;
    this.#options = options;
    this.store = store;
  }

  async run(taken: Action): Promise<void> {
    if (taken.kind === "write") await this.#write(taken.pairs);
    // Each change a batch of its own, none waited for: the store writes them together.
    else if (taken.kind === "together") await Promise.all(taken.pairs.map((pair) => this.#write([pair])));
    else if (taken.kind === "snapshot") {
      this.snapshots.push({ snapshot: this.store.snapshot(), model: new Map(this.model) });
    } else if (taken.kind === "release") {
      const first = this.snapshots.shift();
      if (first === undefined) return;
      const read = all(this.store, first.snapshot);
      this.store.release(first.snapshot);
      expect(await read).toEqual(sorted(first.model));
    } else if (taken.kind === "scan") await this.check();
    else await this.#reopen();
  }

  async check(): Promise<void> {
    expect(await all(this.store)).toEqual(sorted(this.model));
    for (const { snapshot, model } of this.snapshots) {
      expect(await all(this.store, snapshot)).toEqual(sorted(model));
      expect(await get(this.store, "k3", snapshot)).toBe(model.get("k3") ?? null);
    }
  }

  async #reopen(): Promise<void> {
    this.snapshots.length = 0;
    await close(this.store);
    expect((await auditIndex(this.#directory)).problems).toEqual([]);
    this.store = await open(this.#directory, this.#options);
  }

  async #write(changes: readonly (readonly [string, number | null])[]): Promise<void> {
    const written = changes.map(([changed, bytes]) => [changed, bytes === null ? null : this.#valueOf(bytes)] as const);
    for (const [changed, value] of written) {
      if (value === null) this.model.delete(changed);
      else this.model.set(changed, value);
    }
    await write(this.store, written);
  }

  /** Some can be compressed and some can't. */
  #valueOf(length: number): string {
    const seed = this.#seed++;
    return seed % 3 === 0 ? noiseOfLength(length, seed) : valueOfLength(length, seed);
  }
}

function sorted(model: Model): readonly [string, string][] {
  return [...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

// Where 700 bytes are written past the page cache most files hold both kinds of writes.
for (const [name, options] of [
  ["through the page cache", smallFiles],
  ["past it", { ...smallFiles, valueFileBytes: 15_000, directWriteBytesMin: 700 }],
  ["through it with compression at once", compressing],
  ["past it with compression at once", { ...compressing, valueFileBytes: 15_000, directWriteBytesMin: 700 }],
] as const) {
  test(`writing ${name}, the store is a sorted map under random work with its collector running, and its index agrees with itself`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 120 }), (actions) =>
        inDirectory(async (directory) => {
          const subject = new Subject(directory, options, await open(directory, options));
          for (const taken of actions) await subject.run(taken);
          await subject.check();
          await subject.run({ kind: "reopen" });
          await subject.check();
          await close(subject.store);
        }),
      ),
      { numRuns: 20 },
    );
  }, 60_000);
}
