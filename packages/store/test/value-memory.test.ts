/** Memory that values are read into, one after the other. */
import { expect, test } from "vitest";
import { ValueMemory } from "../src/value-memory.ts";

const KIB = 1024;

test("what is given back is used for the next value of about the same size, and what is kept is not", () => {
  const memory = new ValueMemory(1024 * KIB);
  const kept = memory.take(35 * KIB);
  const returned = memory.take(34 * KIB);
  memory.giveBack(returned);
  expect(memory.freeBytes).toBe(40 * KIB);
  const next = memory.take(36 * KIB);
  expect(next.buffer).toBe(returned.buffer);
  expect(next.buffer).not.toBe(kept.buffer);
  expect([next.length, next.byteOffset]).toEqual([36 * KIB, 0]);
  expect(memory.take(35 * KIB).buffer).not.toBe(returned.buffer);
  expect(memory.freeBytes).toBe(0);
});

test("nothing is taken twice, nothing that came from elsewhere, and nothing beyond the bound", () => {
  const memory = new ValueMemory(100 * KIB);
  const values = [1, 2, 3].map(() => memory.take(40 * KIB));
  memory.giveBack(values[0]!);
  memory.giveBack(values[0]!);
  memory.giveBack(new Uint8Array(40 * KIB));
  memory.giveBack(memory.take(100));
  expect(memory.freeBytes).toBe(40 * KIB);
  memory.giveBack(values[1]!);
  memory.giveBack(values[2]!);
  expect(memory.freeBytes).toBe(80 * KIB);
});
