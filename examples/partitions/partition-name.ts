/**
 * A queue that is more than one stream can take is several streams, `Email:{P0}`, `Email:{P1}` …: the tag puts each into a slot of its own, together with
 * whatever else has the tag, and so the partitions lie on different shards. What has one partition is in order; partitions are worked on side by side.
 */
import murmurhash from "murmurhash";

export function partitionName(queue: string, partition: number): string {
  return `${queue}:{P${partition}}`;
}

/** MurmurHash3 (32 bits, seed 0) of the key as UTF-8, which libraries of all languages have: every producer finds the same partition. */
export function partitionOf(key: string, partitions: number): number {
  return murmurhash.v3(Buffer.from(key)) % partitions;
}
