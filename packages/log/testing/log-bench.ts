/** A log on a memory disk with clock and timers moved by hand: what the tests of this room drive. */
import type { Clock, Logger, Scheduler, Timer } from "@headrace/ports";
import type { Entry, HardState } from "@headrace/raft-ts";
import type { RecoveredGroup, RecoveryOutcome, WalConfig } from "../src/api.ts";
import { SharedLog } from "../src/shared-log.ts";
import type { MemoryDisk } from "./memory-disk.ts";

export const smallConfig: WalConfig = { segmentBytes: 4096, maxWriteBytes: 1024, sealAfterMs: 10, fsync: "always" };

/** No test needs as many at once: more is a log that turns in circles. */
const STEPS_MAX = 100_000;

export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

export class ManualTime implements Clock, Scheduler {
  nowMs = 1000;
  #tasks: { readonly atMs: number; readonly task: () => void; cancelled: boolean }[] = [];
  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
  soon(task: () => void): void {
    this.after(0, task);
  }
  after(delayMs: number, task: () => void): Timer {
    const entry = { atMs: this.nowMs + delayMs, task, cancelled: false };
    this.#tasks.push(entry);
    return { cancel: () => void (entry.cancelled = true) };
  }
  /** Runs the oldest task that is due; false when there is none. */
  runDue(): boolean {
    this.#tasks = this.#tasks.filter((entry) => !entry.cancelled);
    const at = this.#tasks.findIndex((entry) => entry.atMs <= this.nowMs);
    if (at < 0) return false;
    const [entry] = this.#tasks.splice(at, 1);
    entry!.task();
    return true;
  }
}

export class LogBench {
  readonly disk: MemoryDisk;
  readonly time: ManualTime = new ManualTime();
  readonly log: SharedLog;
  readonly written: string[] = [];
  readonly durable: string[] = [];
  readonly poisonings: string[] = [];
  readonly damages: string[] = [];

  constructor(disk: MemoryDisk, config: WalConfig = smallConfig) {
    this.disk = disk;
    this.log = new SharedLog(config, disk, this.time, this.time, silentLogger);
    this.log.onPoisoned = (message) => this.poisonings.push(message);
    this.log.onDamage = (message) => this.damages.push(message);
  }

  /** A log that has recovered. */
  static open(disk: MemoryDisk, config: WalConfig = smallConfig): LogBench {
    const bench = new LogBench(disk, config);
    const outcome = bench.recover();
    if (outcome.kind !== "recovered") throw new Error(outcome.message);
    return bench;
  }

  /** Runs tasks that are due and disk operations until nothing is left; time stands still. */
  settle(): void {
    for (let steps = 0; this.time.runDue() || this.disk.step(); steps++) {
      if (steps === STEPS_MAX) throw new Error("the log does not come to rest");
    }
  }

  pass(ms: number): void {
    this.time.nowMs += ms;
    this.settle();
  }

  recover(covered?: ReadonlyMap<number, number>): RecoveryOutcome {
    let outcome: RecoveryOutcome | null = null;
    this.log.recover((result) => {
      if (!result.ok) throw new Error(result.message);
      outcome = result.value;
    }, covered);
    this.settle();
    if (outcome === null) throw new Error("recovery did not end");
    return outcome;
  }

  groups(covered?: ReadonlyMap<number, number>): ReadonlyMap<number, RecoveredGroup> {
    const outcome = this.recover(covered);
    if (outcome.kind !== "recovered") throw new Error(outcome.message);
    return outcome.groups;
  }

  append(
    groupId: number,
    entries: readonly Entry[],
    options: { mustSync?: boolean; hardState?: HardState } = {},
  ): void {
    const name = `${groupId}:${entries.map((entry) => entry.index).join(",")}`;
    this.log.append({
      groupId,
      hardState: options.hardState ?? null,
      entries,
      mustSync: options.mustSync ?? true,
      onWritten: () => this.written.push(name),
      onDurable: () => this.durable.push(name),
    });
  }

  read(groupId: number, low: number, high: number, maxBytes: number): readonly Entry[] | string {
    let answer: readonly Entry[] | string | null = null;
    this.log.readEntries(groupId, low, high, maxBytes, (result) => {
      answer = result.ok ? result.value : `${result.reason}: ${result.message}`;
    });
    this.settle();
    if (answer === null) throw new Error("the read did not end");
    return answer;
  }

  close(): void {
    let closed = false;
    this.log.close((result) => {
      if (!result.ok) throw new Error(result.message);
      closed = true;
    });
    this.settle();
    if (!closed) throw new Error("close did not end");
  }
}

/** `length` bytes that tell index and term. */
export function testEntry(index: number, term: number, length: number = 20): Entry {
  const data = new Uint8Array(length);
  for (let i = 0; i < length; i++) data[i] = (index * 31 + term * 7 + i) & 0xff;
  return { index, term, type: 0, data };
}
