/** Rows that nobody needs any more can be deleted although the store cannot read them. */
import type { Done, KvRow, Result } from "@headrace/ports";
import { expect, test } from "vitest";
import { generationOf, stateKey } from "../src/checkpoint-row.ts";
import { GenerationSweeper } from "../src/generation-sweeper.ts";
import { removeGroupRows } from "../src/row-removal.ts";
import { MemoryDisks, MemoryKvStore, silentLogger } from "./memory-world.ts";
import { Life, sweepPaceIn, VirtualTime } from "./virtual-time.ts";

/** Every value of it is damaged. */
class UnreadableStore extends MemoryKvStore {
  readonly #disks: MemoryDisks;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, disks: MemoryDisks) {
    super(time, new Life("node"), disks);
    this.#disks = disks;
    this.#time = time;
  }

  override scan(...[, , , , , done]: Parameters<MemoryKvStore["scan"]>): void {
    done({ ok: false, reason: "corrupt", message: "a value does not match its checksum" });
  }

  override keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void {
    new MemoryKvStore(this.#time, new Life("node"), this.#disks).keys(from, to, limitRows, done);
  }
}

function rowsOf(...sequences: readonly number[]): KvRow[] {
  return sequences.map((sequence) => ({
    key: stateKey(generationOf(1, sequence), 7, Uint8Array.of(1)),
    value: Uint8Array.of(1),
  }));
}

test("a replica that goes because its rows are damaged is deleted", () => {
  const time = new VirtualTime();
  const disks = new MemoryDisks();
  disks.rows = rowsOf(1, 2);
  let outcome: Result<void> | null = null;
  removeGroupRows(
    new UnreadableStore(time, disks),
    1,
    sweepPaceIn(time, new Life("node")),
    (result) => (outcome = result),
  );
  time.run(1000);
  expect(outcome).toEqual({ ok: true, value: undefined });
  expect(disks.rows).toEqual([]);
});

test("a damaged row of a generation that nobody uses is swept", () => {
  const time = new VirtualTime();
  const disks = new MemoryDisks();
  disks.rows = rowsOf(1, 2, 3);
  const sweeper = new GenerationSweeper(
    1,
    new UnreadableStore(time, disks),
    silentLogger,
    sweepPaceIn(time, new Life("node")),
  );
  sweeper.start([{ from: 0, to: 16383, generation: generationOf(1, 2) }], 0);
  time.run(1000);
  expect(sweeper.isSwept).toBe(true);
  expect(disks.rows).toEqual(rowsOf(2));
});
