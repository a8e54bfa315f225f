import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KvStore } from "@headrace/ports";
import { kvStoreConformance } from "@headrace/testkit/conformance/kv-store.ts";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { expect, test } from "vitest";
import { type LevelStoreOptions, openLevelStore } from "../src/index.ts";

async function open(directory: string, options: LevelStoreOptions = {}): Promise<KvStore> {
  return valueOf(await settleByWaiting<KvStore>((done) => openLevelStore(directory, options, done)));
}

// As it runs; and with every value that has a byte in a value file, a few of them in each.
for (const [name, options] of [
  ["the LevelDB store", {}],
  ["the LevelDB store with all values in files", { valueFileBytesMin: 1, valueFileBytes: 50 }],
] as const) {
  kvStoreConformance(name, async () => {
    const directory = await mkdtemp(join(tmpdir(), "headrace-store-"));
    return {
      store: await open(directory, options),
      settle: settleByWaiting,
      reopen: () => open(directory, options),
      cleanUp: () => rm(directory, { recursive: true }),
    };
  });
}

test("a second store on the same directory is refused with a reason", async () => {
  const directory = await mkdtemp(join(tmpdir(), "headrace-store-"));
  const store = await open(directory);
  const second = await settleByWaiting<KvStore>((done) => openLevelStore(directory, {}, done));
  expect(second).toMatchObject({ ok: false, reason: "io", message: expect.stringMatching(/lock/i) });
  valueOf(await settleByWaiting<void>((done) => store.close(done)));
  await rm(directory, { recursive: true });
});
