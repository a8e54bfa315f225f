/** What a node's environment says to glibc's allocator. */
import { expect, test } from "vitest";
import { allocatorEnvironment } from "../src/allocator.ts";

const GIB = 1024 ** 3;

test.each([1, 256 * 1024 ** 2, GIB])(
  "with a budget of %d bytes buffers from 32 KiB on end with their mappings",
  (budgetBytes) => {
    expect(allocatorEnvironment(budgetBytes, {})).toEqual({
      MALLOC_MMAP_THRESHOLD_: "32768",
      MALLOC_TRIM_THRESHOLD_: "1048576",
    });
  },
);

test.each([0, GIB + 1])("with a budget of %d bytes, 0 being none, up to 128 MiB that are free stay", (budgetBytes) => {
  expect(allocatorEnvironment(budgetBytes, {})).toEqual({
    MALLOC_MMAP_THRESHOLD_: "33554432",
    MALLOC_TRIM_THRESHOLD_: "134217728",
  });
});

test("what the operator says stands", () => {
  const own = { MALLOC_TRIM_THRESHOLD_: "7" };
  expect(allocatorEnvironment(0, own)).toMatchObject(own);
  expect(allocatorEnvironment(1, own)).toMatchObject(own);
});
