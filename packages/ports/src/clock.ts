/** Time as the program may see it. The only source of time outside tests and adapters. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. May step in both directions. */
  wallMs(): number;
  /** Monotonic milliseconds, fractional. For deadlines and durations only; means nothing across processes. */
  monotonicMs(): number;
}

/** A pending timer. Cancelling one that has fired or was cancelled does nothing. */
export interface Timer {
  cancel(): void;
}

/** When code runs again. Tasks run to completion, one at a time, in one thread. */
export interface Scheduler {
  /** Runs `task` after the events that have already arrived; several inputs before that share one turn. */
  soon(task: () => void): void;
  /** Runs `task` once, not before `delayMs` have passed. */
  after(delayMs: number, task: () => void): Timer;
}

/** The only source of chance. The real one is a CSPRNG-seeded generator, the simulated one comes from the run's seed. */
export interface Random {
  /** A uniform integer in 0 … 2^32−1. */
  u32(): number;
  /** A uniform integer in 0 … n−1. `n` must be in 1 … 2^32. */
  below(n: number): number;
}

/** Keyed digest for the proof of identity; cryptographic in the real wiring. */
export interface Digest {
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
}
