/**
 * How long requests took, from their arrival here to their reply: by command (INFO, LATENCY HISTOGRAM), the slow ones by name (SLOWLOG, LATENCY), and what
 * went through lately. A run is timed as a whole, and each of its requests has waited as long as the run. Runs of different commands would have to be parsed again to know
 * which: of those one in eight is, and counts for eight.
 */
import { findCommand } from "@headrace/commands";
import type { CommandNumbers, CommandRecord } from "@headrace/commands";
import type { Clock } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { CommandEntries } from "./command-entry.ts";
import { LatencyMonitor } from "./latency-monitor.ts";
import { MIXED_COMMANDS, splitRequests } from "./request-run.ts";
import type { RequestRun } from "./request-run.ts";
import { SlowLog } from "./slow-log.ts";
import type { SlowClient } from "./slow-log.ts";
import type { Statistics } from "./statistics.ts";
import { SAMPLE_MS, Throughput } from "./throughput.ts";

const MIXED_SAMPLE = 8;
/** Requests of one slow run that the slow log takes: a pipeline that had to wait would push out everything else. */
const LOGGED_OF_A_RUN = 16;

export class Timings {
  readonly slowLog: SlowLog = new SlowLog();
  readonly latency: LatencyMonitor;
  readonly commandRate: Throughput = new Throughput();
  readonly inputRate: Throughput = new Throughput();
  readonly outputRate: Throughput = new Throughput();
  readonly #statistics: Statistics;
  readonly #entries: CommandEntries;
  #mixedRuns: number = 0;
  #sampledMs: number = 0;

  constructor(statistics: Statistics, entries: CommandEntries) {
    this.#statistics = statistics;
    this.#entries = entries;
    this.latency = new LatencyMonitor(() => this.commandNumbers());
  }

  /** Hot path: once for each run. */
  noteRun(run: RequestRun, durationMs: number, client: SlowClient | null, clock: Clock): void {
    const statistics = this.#statistics;
    statistics.replies.observe(durationMs);
    if (run.command >= 0) statistics.observe(run.command, durationMs, run.count);
    else if (run.command === MIXED_COMMANDS && this.#mixedRuns++ % MIXED_SAMPLE === 0) this.#noteMixed(run, durationMs);
    const isSlow = this.slowLog.isSlow(durationMs) || this.latency.isSlow(durationMs);
    if (isSlow && client !== null) this.#noteSlow(run, durationMs, client, clock.wallMs());
  }

  /** A request that was answered without a shard. */
  noteOne(record: CommandRecord, request: Request, durationMs: number, client: SlowClient, wallMs: number): void {
    if (this.latency.isSlow(durationMs)) this.latency.add(durationMs, wallMs);
    if (this.slowLog.isSlow(durationMs)) this.slowLog.add(record, request, durationMs, client, wallMs);
  }

  sample(nowMs: number): void {
    if (nowMs - this.#sampledMs < SAMPLE_MS) return;
    this.#sampledMs = nowMs;
    const { totalCommands, inputBytes, outputBytes } = this.#statistics;
    this.commandRate.sample(totalCommands, nowMs);
    this.inputRate.sample(inputBytes, nowMs);
    this.outputRate.sample(outputBytes, nowMs);
  }

  /** Of commands that were called or refused. */
  commandNumbers(): CommandNumbers[] {
    const { calls, rejected, failed, microseconds, latencies } = this.#statistics;
    return this.#entries.all
      .filter(({ index }) => calls[index]! + rejected[index]! > 0)
      .map(({ record, index }) => ({
        name: record.name,
        calls: calls[index]!,
        rejected: rejected[index]!,
        failed: failed[index]!,
        microseconds: microseconds[index]!,
        latency: latencies[index]!,
      }));
  }

  #noteMixed(run: RequestRun, durationMs: number): void {
    splitRequests(run, (request) => {
      const record = findCommand(request);
      if (record !== null) this.#statistics.observe(this.#entries.of(record).index, durationMs, MIXED_SAMPLE);
    });
  }

  #noteSlow(run: RequestRun, durationMs: number, client: SlowClient, wallMs: number): void {
    if (this.latency.isSlow(durationMs)) this.latency.add(durationMs, wallMs);
    if (!this.slowLog.isSlow(durationMs)) return;
    const log = (request: Request): void => {
      const record = findCommand(request);
      if (record !== null) this.slowLog.add(record, request, durationMs, client, wallMs);
    };
    splitRequests(run, log, LOGGED_OF_A_RUN);
  }
}
