/** Cases that read: consumer groups, ranges, delivery to a blocked reader; and writes at a fixed rate, for their latency. */
import type { ConsumeWork, DeliverWork, PacedWork, RangeWork } from "../load/job.ts";
import type { BenchCase, Contender } from "./case.ts";
import type { SystemName } from "./systems.ts";

const ENTRIES = 300_000;
const VALUE_BYTES = 256;

function consume(consumers: number): ConsumeWork {
  return { kind: "consume", consumers, count: 100, entries: ENTRIES, valueBytes: VALUE_BYTES };
}

function range(connections: number, count: number): RangeWork {
  return { kind: "ranges", connections, count, entries: ENTRIES, valueBytes: VALUE_BYTES };
}

function both(ours: SystemName, theirs: SystemName, work: Contender["work"]): Contender[] {
  return [ours, theirs].map((system) => ({ name: system, system, work }));
}

const deliver: DeliverWork = { kind: "deliver", valueBytes: VALUE_BYTES };

/** Writes a second; the last ones are more than a small machine takes, and show what becomes of latency then. */
const RATES = [1000, 5000, 20_000, 40_000, 80_000, 120_000, 160_000, 240_000];

export const readCases: readonly BenchCase[] = [
  ...[1, 4].map((consumers): BenchCase => ({
    name: `consume-${consumers}`,
    what: `XACK and XREADGROUP COUNT 100 in one write, ${consumers} consumer(s), 256 B; three nodes, ack=1, synced once a second (Redis: alone, AOF everysec)`,
    unit: "entries",
    sets: ["bar", "consume"],
    contenders: both("headrace-ack1", "redis-everysec", consume(consumers)),
  })),
  ...[1, 4].map((consumers): BenchCase => ({
    name: `consume-always-${consumers}`,
    what: `XACK and XREADGROUP COUNT 100 in one write, ${consumers} consumer(s), 256 B; ack=all, fsync always (Redis: alone, AOF always)`,
    unit: "entries",
    sets: ["bar", "consume"],
    contenders: both("headrace", "redis-always", consume(consumers)),
  })),
  ...[1000, 100].flatMap((count) =>
    [1, 4].map((connections): BenchCase => ({
      name: `range-${count}-${connections}`,
      what: `XRANGE COUNT ${count} from random places in memory, ${connections} connection(s), 256 B (Redis: alone, no AOF)`,
      unit: "entries",
      sets: count === 1000 ? ["bar", "range"] : ["range"],
      contenders: both("headrace", "redis", range(connections, count)),
    })),
  ),
  {
    name: "deliver",
    what: "one XADD of 256 B at a time to a blocked XREADGROUP: from the write to the entry's arrival, ack=all, fsync always (Redis: alone, AOF always)",
    unit: "deliveries",
    sets: ["bar"],
    contenders: both("headrace", "redis-always", deliver),
  },
  ...RATES.map((perSecond): BenchCase => {
    const work: PacedWork = { kind: "paced", connections: 8, perSecond, valueBytes: VALUE_BYTES };
    return {
      name: `paced-${perSecond}`,
      what: `XADD of 256 B at ${perSecond} a second over 8 connections, latency from when each was due; ack=all, fsync always (Redis: alone, AOF always)`,
      unit: "XADD",
      sets: ["paced"],
      contenders: both("headrace", "redis-always", work),
    };
  }),
];
