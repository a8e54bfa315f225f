/** Plain counters for INFO and metrics. Counting per command is an addition to an array, nothing else. */
import { LatencyHistogram, asciiBytes, findBytes, latin1 } from "@headrace/bytes";
import { skipReply } from "@headrace/resp";
import { CommandLatency } from "./command-latency.ts";

const CODE_MAX = 32;
const CODES_MAX = 128;
const MINUS = 45;
const LINE_END_AND_MINUS = asciiBytes("\r\n-");
const FIRST: readonly number[] = [0];

export class Statistics {
  totalConnections: number = 0;
  rejectedConnections: number = 0;
  totalErrorReplies: number = 0;
  totalCommands: number = 0;
  /** Requests that had to wait for a leader or for credit. */
  heldRequests: number = 0;
  /** Requests that nodes refused and that were sent again. */
  resentRequests: number = 0;
  uncertainReplies: number = 0;
  linkConnects: number = 0;
  linkLosses: number = 0;
  protocolErrors: number = 0;
  outputLimitClosed: number = 0;
  /** From the request to the last reply of its run, calls that may block left out. */
  readonly replies: LatencyHistogram = new LatencyHistogram();
  /** By command index: see CommandEntry.index. */
  readonly calls: Float64Array;
  readonly rejected: Float64Array;
  readonly failed: Float64Array;
  /** From requests to their replies, summed up. */
  readonly microseconds: Float64Array;
  /** How long calls took; null: none was timed. */
  readonly latencies: (CommandLatency | null)[];
  readonly errorsByCode: Map<string, number> = new Map();
  inputBytes: number = 0;
  outputBytes: number = 0;
  readsProcessed: number = 0;
  writesProcessed: number = 0;
  /** latency-tracking. */
  tracksLatency: boolean = true;
  /** latency-tracking-info-percentiles. */
  latencyPercentiles: readonly number[] = [50, 99, 99.9];

  constructor(commandCount: number) {
    this.calls = new Float64Array(commandCount);
    this.rejected = new Float64Array(commandCount);
    this.failed = new Float64Array(commandCount);
    this.microseconds = new Float64Array(commandCount);
    this.latencies = Array.from({ length: commandCount }, () => null);
  }

  /**
   * Counts the errors among `count` whole replies. Answers their positions; null: none. A frame without one costs a search for CR LF `-`, which runs at
   * the speed of memory; only where that is found are the replies walked (a value may hold it too).
   */
  countErrors(bytes: Uint8Array, start: number, end: number, count: number): readonly number[] | null {
    if (start >= end) return null;
    if (count === 1) return this.#countReply(bytes, start, end) ? FIRST : null;
    if (bytes[start] !== MINUS && findBytes(bytes, start, end, LINE_END_AND_MINUS) < 0) return null;
    const positions: number[] = [];
    let at = start;
    for (let i = 0; i < count && at < end; i++) {
      if (this.#countReply(bytes, at, end)) positions.push(i);
      at = skipReply(bytes, at, end);
      if (at < 0) break;
    }
    return positions.length === 0 ? null : positions;
  }

  #countReply(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes[start] !== MINUS) return false;
    let stop = start + 1;
    const limit = Math.min(end, start + 1 + CODE_MAX);
    while (stop < limit && bytes[stop]! > 32) stop++;
    const code = latin1(bytes, start + 1, stop);
    this.totalErrorReplies++;
    const known = this.errorsByCode.get(code);
    // Bounded as in Redis: a client could otherwise make up codes.
    if (known !== undefined || this.errorsByCode.size < CODES_MAX) this.errorsByCode.set(code, (known ?? 0) + 1);
    return true;
  }

  /** `count` calls of the command at this index were answered after this time, each. */
  observe(index: number, durationMs: number, count: number): void {
    this.microseconds[index]! += durationMs * 1000 * count;
    if (!this.tracksLatency) return;
    let latency = this.latencies[index]!;
    if (latency === null) this.latencies[index] = latency = new CommandLatency();
    latency.observe(durationMs, count);
  }

  reset(): void {
    this.totalConnections = 0;
    this.rejectedConnections = 0;
    this.totalErrorReplies = 0;
    this.totalCommands = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.readsProcessed = 0;
    this.writesProcessed = 0;
    this.outputLimitClosed = 0;
    this.calls.fill(0);
    this.rejected.fill(0);
    this.failed.fill(0);
    this.microseconds.fill(0);
    this.latencies.fill(null);
    this.errorsByCode.clear();
  }
}
