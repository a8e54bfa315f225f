/** A case: one kind of load on several systems, so that their figures stand beside each other. */
import type { Work } from "../load/job.ts";
import type { SystemName } from "./systems.ts";

/** No load: the system's processes are killed with -9 and started again; what counts is the time to the first write. */
export interface RestartWork {
  readonly kind: "restart";
}

/** Phases of load, whose rates come from a maximum that is measured before. */
export interface OverloadWork {
  readonly kind: "overload";
}

export interface Contender {
  /** Unique within the case. */
  readonly name: string;
  readonly system: SystemName;
  readonly work: Work | RestartWork | OverloadWork;
  /** redis-benchmark instead of our own load generator: the second witness. */
  readonly witness?: boolean;
}

/** What cases with the same `plot` are points of. */
export interface Growth {
  readonly plot: string;
  readonly axis: Axis;
  readonly at: number;
}

/** What grows, as options name it. */
export type Axis = "nodes" | "shards" | "streams" | "connections" | "entries";

export interface BenchCase {
  readonly name: string;
  readonly what: string;
  /** What is counted a second. */
  readonly unit: "XADD" | "requests" | "entries" | "deliveries" | "restarts";
  /** Names that select it, besides its own. */
  readonly sets: readonly string[];
  readonly contenders: readonly Contender[];
  /** Where the suite's own length does not do. */
  readonly seconds?: number;
  /** Where the suite's own number of repetitions does not do. */
  readonly runs?: number;
  readonly growth?: Growth;
  /** A system is not emptied between two cases that follow each other and keep the same. */
  readonly keeps?: string;
}
