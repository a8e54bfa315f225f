/** Slot → shard, made for looking up once per request; rebuilt whenever the epoch moves. */
import { SLOT_COUNT } from "@headrace/bytes";
import type { ClusterState } from "./cluster-state.ts";

export class Placement {
  readonly epoch: number;
  /** Shard id by slot; 0 = none. */
  readonly shardBySlot: Uint16Array;

  constructor(state: ClusterState) {
    this.epoch = state.epoch;
    this.shardBySlot = new Uint16Array(SLOT_COUNT);
    for (const shard of state.shards) {
      for (const range of shard.slotRanges) {
        this.shardBySlot.fill(shard.id, range.from, range.to + 1);
      }
    }
  }

  /** 0 when no shard owns the slot. */
  shardOf(slot: number): number {
    return this.shardBySlot[slot]!;
  }
}
