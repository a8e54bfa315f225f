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

/** Publishing to NATS JetStream; each message is acknowledged by itself. */
export interface NatsWork {
  readonly kind: "nats";
  readonly connections: number;
  readonly inFlight: number;
  readonly valueBytes: number;
}

export type Work = BatchWork | ConsumeWork | RangeWork | DeliverWork | PacedWork | NatsWork;

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

export interface LoadFigures {
  /** Requests, or entries where entries are read. */
  readonly operations: number;
  readonly seconds: number;
  /** Of what is sent at once: a batch, a page, one write. */
  readonly latencyMs: Latencies;
  /** Processor time that the load generator used up itself. */
  readonly cpuSeconds: number;
}

export type LoadEvent =
  | { readonly event: "measuring" }
  | ({ readonly event: "measured" } & LoadFigures)
  | { readonly event: "failed"; readonly message: string };
