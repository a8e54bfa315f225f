/** Plain counters for INFO and metrics. Counting per command is an addition to an array, nothing else. */
import { LatencyHistogram, latin1 } from "@headrace/bytes";

const CODE_MAX = 32;
const CODES_MAX = 128;
const MINUS = 45;

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
  readonly errorsByCode: Map<string, number> = new Map();

  constructor(commandCount: number) {
    this.calls = new Float64Array(commandCount);
    this.rejected = new Float64Array(commandCount);
    this.failed = new Float64Array(commandCount);
  }

  /**
   * Looks at the first of these replies; counts it when it is an error. Errors further back in a frame of several replies are not counted:
   * finding them would mean walking every reply of a pipelining client.
   */
  countReply(bytes: Uint8Array, start: number, end: number): boolean {
    if (start >= end || bytes[start] !== MINUS) return false;
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

  reset(): void {
    this.totalConnections = 0;
    this.rejectedConnections = 0;
    this.totalErrorReplies = 0;
    this.totalCommands = 0;
    this.calls.fill(0);
    this.rejected.fill(0);
    this.failed.fill(0);
    this.errorsByCode.clear();
  }
}
