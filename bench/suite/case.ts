/** A case: one kind of load on several systems, so that their figures stand beside each other. */
import type { Work } from "../load/job.ts";
import type { SystemName } from "./systems.ts";

export interface Contender {
  /** Unique within the case. */
  readonly name: string;
  readonly system: SystemName;
  readonly work: Work;
  /** redis-benchmark instead of our own load generator: the second witness. */
  readonly witness?: boolean;
}

export interface BenchCase {
  readonly name: string;
  readonly what: string;
  /** What is counted a second. */
  readonly unit: "XADD" | "requests" | "entries" | "deliveries";
  /** Names that select it, besides its own. */
  readonly sets: readonly string[];
  readonly contenders: readonly Contender[];
  /** Where the suite's own length does not do. */
  readonly seconds?: number;
}
