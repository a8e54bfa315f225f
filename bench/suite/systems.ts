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
  "redis",
  "redis-everysec",
  "redis-always",
  "redis-3-everysec",
  "redis-3-always",
  "nats",
  "prototype",
] as const;

export type SystemName = (typeof systemNames)[number];

/** `flags` are for every `headrace up`; `prototype` is the folder of the prototype, or null. */
export function allSystems(flags: readonly string[], prototype: string | null): Readonly<Record<SystemName, System>> {
  const headrace = (name: SystemName, own: string): System => headraceSystem(name, [...own.split(" "), ...flags]);
  return {
    headrace: headrace("headrace", "--ack all --fsync always"),
    "headrace-ack1": headrace("headrace-ack1", "--ack 1 --fsync everysec"),
    "headrace-in-process": headrace(
      "headrace-in-process",
      "--in-process --nodes 1 --replicas 1 --ack 1 --fsync everysec",
    ),
    "headrace-one-node": headrace("headrace-one-node", "--nodes 1 --replicas 1"),
    redis: redisSystem("redis", "no", 0),
    "redis-everysec": redisSystem("redis-everysec", "everysec", 0),
    "redis-always": redisSystem("redis-always", "always", 0),
    "redis-3-everysec": redisSystem("redis-3-everysec", "everysec", 2),
    "redis-3-always": redisSystem("redis-3-always", "always", 2),
    nats: natsSystem,
    prototype: prototypeSystem(prototype),
  };
}
