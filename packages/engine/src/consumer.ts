/** One consumer of a group. */
import type { ConsumerView } from "./api.ts";

export class Consumer implements ConsumerView {
  readonly name: string;
  /** Unique in its group for ever: what pending records and rows say instead of the name. */
  readonly number: number;
  pendingCount: number;
  seenTimeMs: number;
  activeTimeMs: number;
  dirty: boolean;
  persisted: boolean;

  constructor(name: string, number: number, seenTimeMs: number) {
    this.name = name;
    this.number = number;
    this.pendingCount = 0;
    this.seenTimeMs = seenTimeMs;
    this.activeTimeMs = -1;
    this.dirty = false;
    this.persisted = false;
  }
}
