import { expect, test } from "vitest";
import { OperationQueue } from "../src/operation-queue.ts";

test("never more operations run than allowed, urgent ones go first, idle comes after the last", () => {
  const queue = new OperationQueue(2);
  const started: string[] = [];
  const finishes: (() => void)[] = [];
  const operation = (name: string) => (finish: () => void) => {
    started.push(name);
    finishes.push(finish);
  };
  queue.run(operation("a"));
  expect(queue.hasRoom).toBe(true);
  for (const name of ["b", "c", "d"]) queue.run(operation(name));
  expect(queue.hasRoom).toBe(false);
  queue.runFirst(operation("urgent"));
  queue.whenIdle(() => started.push("idle"));
  expect(started).toEqual(["a", "b"]);
  finishes.shift()!();
  expect(started).toEqual(["a", "b", "urgent"]);
  while (finishes.length > 0) finishes.shift()!();
  expect(started).toEqual(["a", "b", "urgent", "c", "d", "idle"]);
});
