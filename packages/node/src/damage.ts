/**
 * Damage that this node has found on its own disk: named in the log where it is found, counted for the metric, never served. What becomes of
 * the node or the replica is decided by whoever found it.
 */
import type { Logger } from "@headrace/ports";

/** `wal`: the shared log; `state`: checkpointed state, or log and state that do not meet; `records`: identity, metadata. */
export type DamagePlace = "wal" | "state" | "records";

export class DamageReports {
  readonly #logger: Logger;
  readonly #counts: Record<DamagePlace, number>;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#counts = { wal: 0, state: 0, records: 0 };
  }

  /** Since the start, by place. */
  get counts(): Readonly<Record<DamagePlace, number>> {
    return this.#counts;
  }

  report(place: DamagePlace, message: string): void {
    this.#counts[place]++;
    this.#logger.error("damage_found", { place, message });
  }
}
