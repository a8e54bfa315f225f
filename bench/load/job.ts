/**
 * What the load generator is asked to do, and what it says about it. The job is one JSON argument of its process; it answers with one JSON line for each
 * event, so that whoever started it can look at other processes at the two edges of the time that counts.
 */

/** Batches: each connection sends `inFlight` requests in one write, waits for all their replies, sends the next. */
export interface BatchWork {
  readonly kind: "batches";
  readonly connections: number;
  readonly inFlight: number;
  /** Words of requests, taken in turn to fill a batch. `{key}` becomes one of the keys, in a fixed order that looks random. */
  readonly requests: readonly (readonly string[])[];
  readonly keys: readonly string[];
  /** This many replicas are waited for behind every batch (`WAIT n 0`); null: no WAIT. */
  readonly wait: number | null;
}

/** Consumers of one group: XACK of the entries before and XREADGROUP of the next in one write. */
export interface ConsumeWork {
  readonly kind: "consume";
  readonly consumers: number;
  readonly count: number;
  /** Written before; read again from the first when all were read. */
  readonly entries: number;
  readonly valueBytes: number;
}

/** XRANGE from random places of a stream, one page in flight on each connection. */
export interface RangeWork {
  readonly kind: "ranges";
  readonly connections: number;
  readonly count: number;
  readonly entries: number;
  readonly valueBytes: number;
  /** From the streams of a store that grows to at least so many entries, and is not filled anew; else from one stream. */
  readonly isGrown?: boolean;
}

/** XADD to a store that is grown to so many entries before, and grows on: batches, on one connection for each of its streams. */
export interface GrowWork {
  readonly kind: "grow";
  readonly inFlight: number;
  readonly entries: number;
  readonly valueBytes: number;
}

/** XADD to any of many streams, in batches. */
export interface SpreadWork {
  readonly kind: "spread";
  readonly connections: number;
  readonly inFlight: number;
  readonly streams: number;
  readonly valueBytes: number;
}

/** One entry at a time to a reader that is blocked: from the write of XADD to the entry's arrival at the reader. */
export interface DeliverWork {
  readonly kind: "deliver";
  readonly valueBytes: number;
}

/** XADD at a fixed rate, whatever the answers do: each write has a time when it is due, and its latency counts from there (no coordinated omission). */
export interface PacedWork {
  readonly kind: "paced";
  readonly connections: number;
  readonly perSecond: number;
  readonly valueBytes: number;
}

/** Requests at one rate after the other, open loop; what cannot be sent, since the server takes no more, is turned away and counted. */
export interface PhasedWork {
  readonly kind: "phased";
  readonly connections: number;
  /** As in batches. All of the same length. */
  readonly request: readonly string[];
  readonly keys: readonly string[];
  readonly phases: readonly Phase[];
}

export interface Phase {
  readonly name: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Figures are taken this often. */
  readonly intervalSeconds: number;
}

/** Publishing to NATS JetStream; each message is acknowledged by itself. */
export interface NatsWork {
  readonly kind: "nats";
  readonly connections: number;
  readonly inFlight: number;
  readonly valueBytes: number;
}

export type Work =
  | BatchWork
  | ConsumeWork
  | RangeWork
  | GrowWork
  | SpreadWork
  | DeliverWork
  | PacedWork
  | PhasedWork
  | NatsWork;

export interface Job {
  readonly port: number;
  /** Load that does not count yet. */
  readonly warmSeconds: number;
  readonly seconds: number;
  readonly work: Work;
}

/** Milliseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What was answered in a stretch of a phase. Latency counts from when a request was due, be it in the phase before. */
export interface Interval {
  readonly phase: string;
  /** When it ended, since the load began. */
  readonly endSeconds: number;
  readonly seconds: number;
  readonly answered: number;
  /** Of those, with an error. */
  readonly refused: number;
  /** Was due and could not be sent. */
  readonly turnedAway: number;
  /** Sent and not answered at its end. */
  readonly unanswered: number;
  readonly latencyMs: Latencies;
}

export interface Timeline {
  readonly intervals: readonly Interval[];
  /** Each phase as one interval. */
  readonly phases: readonly Interval[];
  /** Text of the first error; empty without one. */
  readonly firstError: string;
}

export interface LoadFigures {
  /** Requests, or entries where entries are read. */
  readonly operations: number;
  readonly seconds: number;
  /** Of what is sent at once: a batch, a page, one write. */
  readonly latencyMs: Latencies;
  /** Processor time that the load generator used up itself. */
  readonly cpuSeconds: number;
  /** Of phases. */
  readonly timeline?: Timeline;
}

export type LoadEvent =
  | { readonly event: "measuring" }
  | ({ readonly event: "measured" } & LoadFigures)
  | { readonly event: "failed"; readonly message: string };
