/** Streams for a load that reaches every shard. */
import { SLOT_COUNT, slotOfKey } from "@headrace/bytes";

/** A key whose slot belongs to the shard (from 0): the slots are dealt in equal ranges at founding. */
export function streamOnShard(shard: number, shards: number): string {
  const from = Math.floor((shard * SLOT_COUNT) / shards);
  const to = Math.floor(((shard + 1) * SLOT_COUNT) / shards);
  for (let tag = 0; ; tag++) {
    const slot = slotOfKey(`{${tag}}`);
    if (slot >= from && slot < to) return `load:{${tag}}`;
  }
}
