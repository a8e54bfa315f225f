/** Everything that the suite can put under load. */
import { headraceSystem } from "./headrace-system.ts";
import { natsSystem } from "./nats-system.ts";
import { prototypeSystem } from "./prototype-system.ts";
import { redisSystem } from "./redis-system.ts";
import type { System } from "./system.ts";

/** Shapes of Headrace and what they are measured beside. A run goes through them in this order. */
export const systemNames = [
  "headrace",
  "headrace-ack1",
  "headrace-in-process",
  "headrace-one-node",
  "headrace-5-nodes",
  "headrace-1-shard",
  "headrace-2-shards",
  "headrace-4-shards",
  "headrace-8-shards",
  "headrace-16-shards",
  "headrace-32-shards",
  "headrace-64-shards",
  "headrace-store",
  "redis",
  "redis-everysec",
  "redis-always",
  "redis-3-everysec",
  "redis-3-always",
  "redis-5-always",
  "redis-store",
  "nats",
  "prototype",
] as const;

export type SystemName = (typeof systemNames)[number];

/** `flags` are for every `headrace up`; `prototype` is the folder of the prototype, or null. */
export function allSystems(flags: readonly string[], prototype: string | null): Readonly<Record<SystemName, System>> {
  const headrace = (name: SystemName, own: string): System => headraceSystem(name, [...own.split(" "), ...flags]);
  const sharded = (name: SystemName, shards: number): System =>
    headrace(name, `--shards ${shards} --ack all --fsync always`);
  return {
    headrace: headrace("headrace", "--ack all --fsync always"),
    "headrace-ack1": headrace("headrace-ack1", "--ack 1 --fsync everysec"),
    "headrace-in-process": headrace(
      "headrace-in-process",
      "--in-process --nodes 1 --replicas 1 --ack 1 --fsync everysec",
    ),
    "headrace-one-node": headrace("headrace-one-node", "--nodes 1 --replicas 1"),
    "headrace-5-nodes": headrace("headrace-5-nodes", "--nodes 5 --replicas 5 --ack all --fsync always"),
    "headrace-1-shard": sharded("headrace-1-shard", 1),
    "headrace-2-shards": sharded("headrace-2-shards", 2),
    "headrace-4-shards": sharded("headrace-4-shards", 4),
    "headrace-8-shards": sharded("headrace-8-shards", 8),
    "headrace-16-shards": sharded("headrace-16-shards", 16),
    "headrace-32-shards": sharded("headrace-32-shards", 32),
    "headrace-64-shards": sharded("headrace-64-shards", 64),
    "headrace-store": headrace("headrace-store", "--nodes 1 --replicas 1 --ack all --fsync always"),
    redis: redisSystem("redis", "no", 0),
    "redis-everysec": redisSystem("redis-everysec", "everysec", 0),
    "redis-always": redisSystem("redis-always", "always", 0),
    "redis-3-everysec": redisSystem("redis-3-everysec", "everysec", 2),
    "redis-3-always": redisSystem("redis-3-always", "always", 2),
    "redis-5-always": redisSystem("redis-5-always", "always", 4),
    // Of its own: an append-only file still has what was removed, and a restart would read it.
    "redis-store": redisSystem("redis-store", "always", 0),
    nats: natsSystem,
    prototype: prototypeSystem(prototype),
  };
}
