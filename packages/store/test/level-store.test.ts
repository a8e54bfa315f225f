import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KvStore } from "@headrace/ports";
import { kvStoreConformance } from "@headrace/testkit/conformance/kv-store.ts";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { expect, test } from "vitest";
import { openLevelStore } from "../src/index.ts";

async function open(directory: string): Promise<KvStore> {
  return valueOf(await settleByWaiting<KvStore>((done) => openLevelStore(directory, {}, done)));
}

kvStoreConformance("the LevelDB store", async () => {
  const directory = await mkdtemp(join(tmpdir(), "headrace-store-"));
  return {
    store: await open(directory),
    settle: settleByWaiting,
    reopen: () => open(directory),
    cleanUp: () => rm(directory, { recursive: true }),
  };
});

test("a second store on the same directory is refused with a reason", async () => {
  const directory = await mkdtemp(join(tmpdir(), "headrace-store-"));
  const store = await open(directory);
  const second = await settleByWaiting<KvStore>((done) => openLevelStore(directory, {}, done));
  expect(second).toMatchObject({ ok: false, reason: "io", message: expect.stringMatching(/lock/i) });
  valueOf(await settleByWaiting<void>((done) => store.close(done)));
  await rm(directory, { recursive: true });
});
