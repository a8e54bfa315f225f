import { type FileHandle, constants, open, readFile } from "node:fs/promises";
import { randomFillSync } from "node:crypto";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DirectWriter, PAGE_BYTES } from "../src/direct-writer.ts";
import { close, get, inDirectory, open as openStore, write } from "./open-store.ts";

const STAGING_BYTES = 512 * 1024;

test("values of any lengths lie one behind the other from the offset on, whatever buffer they were copied through", () =>
  inDirectory(async (directory) => {
    const writer = new DirectWriter();
    // Lengths around the buffer's and around a page's.
    const length = fc.oneof(
      fc.integer({ min: 1, max: 3 * PAGE_BYTES }),
      fc.integer({ min: STAGING_BYTES - 3, max: STAGING_BYTES + 3 }),
      fc.integer({ min: 1, max: 2 * STAGING_BYTES + 3 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(length, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 5 }),
        async (lengths, page) => {
          const path = join(directory, "direct");
          const values = lengths.map((bytes) => randomFillSync(new Uint8Array(bytes)));
          let file: FileHandle;
          try {
            file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_DIRECT);
          } catch (error) {
            // A file system that cannot: then the store never comes here.
            expect(writer.isRefusal(error)).toBe(true);
            return;
          }
          await writer.write(file.fd, values, page * PAGE_BYTES);
          await file.close();
          const content = Buffer.concat(values);
          const found = (await readFile(path)).subarray(page * PAGE_BYTES);
          expect(found.subarray(0, content.length).equals(content)).toBe(true);
          expect(found.length).toBe(Math.ceil(content.length / PAGE_BYTES) * PAGE_BYTES);
        },
      ),
      { numRuns: 30 },
    );
  }));

test("large values come back as they were from a store as it runs, before and after it was opened again", () =>
  inDirectory(async (directory) => {
    const rows = [70_001, 4096, 600_000, 4095, 65_536, 12_288].map((bytes, i): [string, string] => [
      `k${i}`,
      randomFillSync(Buffer.alloc(bytes)).toString("latin1"),
    ]);
    const store = await openStore(directory, {});
    await write(store, rows);
    await write(store, rows.slice(1, 2));
    for (const [key, value] of rows) expect((await get(store, key)) === value).toBe(true);
    await close(store);
    const again = await openStore(directory, {});
    await write(again, [["k0", null]]);
    await write(again, [["k9", rows[2]![1]]]);
    for (const [key, value] of rows.slice(1)) expect((await get(again, key)) === value).toBe(true);
    expect((await get(again, "k9")) === rows[2]![1]).toBe(true);
    await close(again);
  }));
