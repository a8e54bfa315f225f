/**
 * How long a former leader's rollback takes: a large clean state in the real store, behind it the largest suffix that a leader may execute without
 * a majority (32 MiB, 4096 log entries), captures queued as they would be. Going back to the checkpoint by reading what was touched, beside loading
 * everything again. Run: `node --max-old-space-size=6000 bench/micro/rollback.ts [scenario]`. The last look: bench/results/rollback.txt.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asciiBytes } from "@headrace/bytes";
import { ShardState, StreamId, type Effects, type ShardStateApi } from "@headrace/engine";
import type { Clock, KvStore, Logger, Scheduler } from "@headrace/ports";
import { openLevelStore } from "@headrace/store";
import { Checkpointer } from "../../packages/node/src/checkpoint.ts";
import { generationOf, type CheckpointRow } from "../../packages/node/src/checkpoint-row.ts";
import { Rollback } from "../../packages/node/src/rollback.ts";
import { defaultShardLimits } from "../../packages/node/src/shard-limits.ts";
import { SweepPace } from "../../packages/node/src/sweep-pace.ts";
import { loadState } from "../../packages/node/src/state-loading.ts";

const BOUNDS = { maxEntries: 100, maxBytes: 4096 };
const GROUP = 3;
const MIB = 1024 * 1024;
const limits = defaultShardLimits;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const scheduler: Scheduler = {
  soon: (task) => void setImmediate(task),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

interface Scenario {
  readonly name: string;
  readonly keys: number;
  readonly entriesPerKey: number;
  readonly valueBytes: number;
  /** The key of the suffix's entry number `i`. */
  readonly touched: (i: number) => string;
  readonly suffixValueBytes: number;
}

const scenarios: readonly Scenario[] = [
  {
    name: "1 M entries of 1 KiB in 1000 streams; the suffix goes to 8 of them",
    keys: 1000,
    entriesPerKey: 1000,
    valueBytes: 1024,
    touched: (i) => `k${(i % 8) * 100}`,
    suffixValueBytes: 256,
  },
  {
    name: "1 M entries of 1 KiB in 1000 streams; the suffix goes to all of them",
    keys: 1000,
    entriesPerKey: 1000,
    valueBytes: 1024,
    touched: (i) => `k${i % 1000}`,
    suffixValueBytes: 256,
  },
  {
    name: "200 k entries of 100 bytes in 200 k streams; the suffix goes to 5000 of them",
    keys: 200_000,
    entriesPerKey: 1,
    valueBytes: 100,
    touched: (i) => `k${(i % 5000) * 39}`,
    suffixValueBytes: 100,
  },
  {
    name: "200 k entries of 100 bytes in 200 k streams; each entry of the suffix goes to another one",
    keys: 200_000,
    entriesPerKey: 1,
    valueBytes: 100,
    touched: (i) => `k${(i * 7919) % 200_000}`,
    suffixValueBytes: 100,
  },
  {
    name: "1 M entries of 1 KiB in 1000 streams; each entry of the suffix makes a new stream",
    keys: 1000,
    entriesPerKey: 1000,
    valueBytes: 1024,
    touched: (i) => `new${i}`,
    suffixValueBytes: 100,
  },
];

function fieldsOf(valueBytes: number): Uint8Array {
  return asciiBytes(`$1\r\nf\r\n$${valueBytes}\r\n${"x".repeat(valueBytes)}\r\n`);
}

const clock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

class Shard {
  readonly kvStore: KvStore;
  readonly checkpointer: Checkpointer;
  readonly state: ShardStateApi = new ShardState();
  committed = 0;

  constructor(kvStore: KvStore) {
    this.kvStore = kvStore;
    const row: CheckpointRow = {
      index: 0,
      term: 0,
      logTimeMs: 0,
      confState: { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
      ranges: [{ from: 0, to: 16383, generation: generationOf(GROUP, 1) }],
      sequence: 1,
      header: new Uint8Array(0),
      isPut: true,
    };
    this.checkpointer = new Checkpointer({
      groupId: GROUP,
      limits,
      kvStore,
      scheduler,
      logger: silent,
      sweeps: new SweepPace(clock, scheduler),
      row,
      nowMs: 0,
      wake: () => {},
      onNoSpace: () => {},
      onFailed: (message) => {
        throw new Error(message);
      },
    });
  }

  /** One log entry, then a capture if one is due, and a write if it may be. */
  batch(fill: (effects: Effects) => void): void {
    const { state } = this;
    const effects = state.openBatch(state.index + 1, 1_800_000_000_000 + state.index);
    fill(effects);
    state.sealBatch();
    this.checkpointer.captureIfDue(state, 1, 0, false);
    this.write();
  }

  write(): void {
    const index = this.committed;
    this.checkpointer.writeIfCommitted({ committed: index, applied: index, durable: index, termAt: () => 1 });
  }

  /** Everything is committed and written. */
  async settle(): Promise<void> {
    const { state, checkpointer } = this;
    for (;;) {
      this.committed = state.index;
      checkpointer.captureIfDue(state, 1, 0, true);
      this.write();
      if (checkpointer.index === state.index) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function open(directory: string): Promise<KvStore> {
  return new Promise((resolve, reject) => {
    openLevelStore(directory, {}, (result) => (result.ok ? resolve(result.value) : reject(new Error(result.message))));
  });
}

async function run(scenario: Scenario): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "rollback-"));
  const shard = new Shard(await open(directory));
  const { state, checkpointer, kvStore } = shard;
  const source = fieldsOf(scenario.valueBytes);
  for (let key = 0; key < scenario.keys;) {
    shard.committed = state.index;
    shard.batch((effects) => {
      for (; key < scenario.keys && effects.byteLength < 2 * MIB; key++) {
        for (let i = 1; i <= scenario.entriesPerKey; i++) {
          effects.append(`k${key}`, StreamId.of(1, i), 2, source, 0, source.length, BOUNDS);
        }
      }
    });
    if (checkpointer.index < state.index - 2) await shard.settle();
  }
  await shard.settle();
  const before = state.stateHash();

  // Nothing of this is committed.
  const added = fieldsOf(scenario.suffixValueBytes);
  let bytes = 0;
  let entries = 0;
  for (let batch = 0; batch < limits.uncommittedEntries && bytes < limits.uncommittedBytes; batch++) {
    if (state.dirtyKeys >= limits.dirtyKeys) break;
    shard.batch((effects) => {
      const share = limits.uncommittedBytes / limits.uncommittedEntries;
      while (effects.byteLength < share) {
        effects.append(scenario.touched(entries++), StreamId.of(2, entries), 2, added, 0, added.length, BOUNDS);
      }
      bytes += effects.byteLength;
    });
  }

  const rollback = new Rollback({ groupId: GROUP, limits, kvStore, scheduler, checkpointer, logger: saying(scenario) });
  const partial = await timed((done) => rollback.start(state, null, () => done()));
  if (state.stateHash() !== before) throw new Error("the rollback is wrong");
  const full = await timed((done) => {
    loadState(kvStore, checkpointer.row, limits, (result) => {
      if (!result.ok) throw new Error(result.message);
      done();
    });
  });
  console.log(`  suffix ${(bytes / MIB).toFixed(1)} MiB, ${entries} entries: rollback ${partial}, full load ${full}`);
  await new Promise<void>((resolve) => kvStore.close(() => resolve()));
  rmSync(directory, { recursive: true });
}

function saying(scenario: Scenario): Logger {
  const info = (event: string, fields?: Record<string, unknown>): void => {
    if (event === "rollback_finished") {
      console.log(
        `${scenario.name}\n  keys touched ${String(fields!["keys"])}, ranges read ${String(fields!["ranges"])}`,
      );
    }
  };
  return { ...silent, info };
}

/** Wall time, and the process's time on a CPU: on a shared machine the two differ. */
async function timed(start: (done: () => void) => void): Promise<string> {
  const from = performance.now();
  const cpu = process.cpuUsage();
  await new Promise<void>((resolve) => start(resolve));
  const { user, system } = process.cpuUsage(cpu);
  return `${(performance.now() - from).toFixed(0)} ms (${((user + system) / 1000).toFixed(0)} ms of CPU)`;
}

const only = process.argv[2];
for (const [i, scenario] of scenarios.entries()) if (only === undefined || Number(only) === i) await run(scenario);
