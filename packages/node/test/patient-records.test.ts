/** Found by the simulator: a node on a full disk gave up when it could not write its identity, or what it knew of the cluster. */
import { expect, test } from "vitest";
import type { Done, Logger, RecordStore, Scheduler } from "@headrace/ports";
import { PatientRecords } from "../src/patient-records.ts";

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** A store that says what it is told to, and a scheduler that is turned by hand. */
class World {
  readonly written: string[] = [];
  /** Answers to the next writes; behind them all succeed. */
  readonly answers: ("space" | "io")[] = [];
  readonly tasks: (() => void)[] = [];
  readonly scheduler: Scheduler = {
    soon: (task) => void this.tasks.push(task),
    after: (_delayMs, task) => {
      this.tasks.push(task);
      return { cancel: () => undefined };
    },
  };
  readonly store: RecordStore = {
    read: (_name: string, done: Done<Uint8Array | null>) => this.tasks.push(() => done({ ok: true, value: null })),
    write: (name: string, content: Uint8Array, done: Done<void>) => {
      const reason = this.answers.shift();
      if (reason === undefined) this.written.push(`${name} ${String(content[0])}`);
      this.tasks.push(() =>
        done(reason === undefined ? { ok: true, value: undefined } : { ok: false, reason, message: "" }),
      );
    },
  };

  run(turns: number): void {
    for (let i = 0; i < turns; i++) this.tasks.shift()?.();
  }
}

test("a write that finds no space is tried again until it succeeds", () => {
  const world = new World();
  const records = new PatientRecords(world.store, world.scheduler, silent);
  world.answers.push("space", "space");
  const outcomes: boolean[] = [];
  records.write("identity", Uint8Array.of(1), (result) => outcomes.push(result.ok));
  world.run(4);
  expect(outcomes).toEqual([]);
  world.run(10);
  expect(outcomes).toEqual([true]);
  expect(world.written).toEqual(["identity 1"]);
});

test("writes of one record keep their order over a full disk, and other records do not wait", () => {
  const world = new World();
  const records = new PatientRecords(world.store, world.scheduler, silent);
  world.answers.push("space");
  const outcomes: string[] = [];
  records.write("metadata", Uint8Array.of(1), () => outcomes.push("metadata 1"));
  records.write("metadata", Uint8Array.of(2), () => outcomes.push("metadata 2"));
  records.write("identity", Uint8Array.of(3), () => outcomes.push("identity 3"));
  world.run(20);
  expect(world.written).toEqual(["identity 3", "metadata 1", "metadata 2"]);
  expect(outcomes).toEqual(["identity 3", "metadata 1", "metadata 2"]);
});

test("a disk that fails is not tried again", () => {
  const world = new World();
  const records = new PatientRecords(world.store, world.scheduler, silent);
  world.answers.push("io");
  const outcomes: boolean[] = [];
  records.write("identity", Uint8Array.of(1), (result) => outcomes.push(result.ok));
  world.run(10);
  expect(outcomes).toEqual([false]);
  expect(world.written).toEqual([]);
});
