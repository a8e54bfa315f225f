import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordStore } from "@headrace/ports";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { expect, test } from "vitest";
import { openRecordStore } from "../src/index.ts";

test("a record is absent, then whole, then replaced, and nothing else is left in the directory", async () => {
  const directory = await mkdtemp(join(tmpdir(), "headrace-records-"));
  const open = (): Promise<RecordStore> =>
    settleByWaiting<RecordStore>((done) => openRecordStore(directory, done)).then(valueOf);
  const store = await open();
  const read = async (from: RecordStore): Promise<string | null> => {
    const found = valueOf(await settleByWaiting<Uint8Array | null>((done) => from.read("identity.json", done)));
    return found === null ? null : Buffer.from(found).toString("latin1");
  };
  expect(await read(store)).toBe(null);
  valueOf(await settleByWaiting<void>((done) => store.write("identity.json", Buffer.from("one"), done)));
  expect(await read(store)).toBe("one");
  store.write("identity.json", Buffer.from("a much longer second one"), () => {});
  valueOf(await settleByWaiting<void>((done) => store.write("identity.json", Buffer.from("three"), done)));
  expect(await read(await open())).toBe("three");
  expect(await readdir(directory)).toEqual(["identity.json"]);
  await rm(directory, { recursive: true });
});
