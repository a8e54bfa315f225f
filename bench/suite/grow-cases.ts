/**
 * Cases that are points of a plot: the same load while one thing grows. The load is XADD of 256 B, synced before the answer everywhere; Redis stands beside it
 * where it has the same thing to grow.
 */
import type { BatchWork, SpreadWork } from "../load/job.ts";
import type { Axis, BenchCase, Contender } from "./case.ts";
import type { SystemName } from "./systems.ts";

const VALUE_BYTES = 256;
const CONNECTIONS = 8;
const IN_FLIGHT = 100;
/** Many points: each is shorter than the suite's other samples. */
const RUNS = 3;
const SECONDS = 2;
/** So that every one of 64 shards has some. */
const STREAMS = 512;
/** In one process, of Redis' memory: more would not fit into that of a small machine. */
const REDIS_ENTRIES_MAX = 20_000_000;
const RANGE_CONNECTIONS = 4;
const RANGE_COUNT = 100;

function xadd(connections: number, inFlight: number, streams: number, wait: number | null = null): BatchWork {
  const keys = Array.from({ length: streams }, (_, i) => (streams === 1 ? "s" : `grow:{${i}}`));
  const requests = [["XADD", "{key}", "*", "f", "x".repeat(VALUE_BYTES)]];
  return { kind: "batches", connections, inFlight, requests, keys, wait };
}

/** One in a set of its own. */
function point(axis: Axis, at: number, what: string, contenders: readonly Contender[]): BenchCase {
  const plot = `grow-${axis}`;
  return {
    name: `${plot}-${at}`,
    what,
    unit: "XADD",
    sets: ["growth", plot],
    runs: RUNS,
    seconds: SECONDS,
    growth: { plot, axis, at },
    contenders,
  };
}

const wide = (wait: number | null): BatchWork => xadd(CONNECTIONS, IN_FLIGHT, 1, wait);

/** Nodes → ours, Redis with as many copies, and how many of its replicas make a majority with the master. */
const NODES: readonly (readonly [number, SystemName, SystemName, number | null])[] = [
  [1, "headrace-one-node", "redis-always", null],
  [3, "headrace", "redis-3-always", 1],
  [5, "headrace-5-nodes", "redis-5-always", 2],
];

const SHARDS: readonly (readonly [number, SystemName])[] = [
  [1, "headrace-1-shard"],
  [2, "headrace-2-shards"],
  [4, "headrace-4-shards"],
  [8, "headrace-8-shards"],
  [16, "headrace-16-shards"],
  [32, "headrace-32-shards"],
  [64, "headrace-64-shards"],
];

function spread(streams: number): SpreadWork {
  return { kind: "spread", connections: CONNECTIONS, inFlight: IN_FLIGHT, streams, valueBytes: VALUE_BYTES };
}

/** The store has `entries` when it is read and restarted, and that and more while it is written to. */
function store(entries: number): BenchCase[] {
  const shared = { sets: ["growth", "grow-entries"], runs: 1, keeps: "grow-entries" };
  const both = (work: Contender["work"]): Contender[] => [
    { name: "headrace", system: "headrace-store", work },
    ...(entries > REDIS_ENTRIES_MAX ? [] : [{ name: "redis", system: "redis-store" as const, work }]),
  ];
  const growth = (what: string): Pick<BenchCase, "name" | "growth"> => ({
    name: `grow-entries-${what}-${entries}`,
    growth: { plot: `grow-entries-${what}`, axis: "entries", at: entries },
  });
  const one = "one node (Redis: alone, AOF always)";
  return [
    {
      ...shared,
      ...growth("range"),
      what: `XRANGE COUNT ${RANGE_COUNT} from random places of that many entries in 8 streams, ${RANGE_CONNECTIONS} connections, ${one}`,
      unit: "entries",
      contenders: both({
        kind: "ranges",
        connections: RANGE_CONNECTIONS,
        count: RANGE_COUNT,
        entries,
        valueBytes: VALUE_BYTES,
        isGrown: true,
      }),
    },
    {
      ...shared,
      ...growth("restart"),
      what: `start after kill -9 with that many entries until each of five keys took a write, ${one}`,
      unit: "restarts",
      contenders: both({ kind: "restart" }),
    },
    {
      ...shared,
      ...growth("xadd"),
      what: `XADD of 256 random bytes to 8 streams that have that many entries when it begins, 8 × ${IN_FLIGHT}, ${one}`,
      unit: "XADD",
      contenders: both({ kind: "grow", inFlight: IN_FLIGHT, entries, valueBytes: VALUE_BYTES }),
    },
  ];
}

const ENTRIES = [1, 2, 5, 10, 20, 50, 100].map((millions) => millions * 1_000_000);

const growCases: readonly BenchCase[] = [
  ...NODES.map(([nodes, ours, theirs, wait]) =>
    point(
      "nodes",
      nodes,
      "XADD of 256 B to one stream, 8 × 100, a copy on every node (Redis: AOF always on all, WAIT for a majority)",
      [
        { name: "headrace", system: ours, work: wide(null) },
        { name: "redis", system: theirs, work: wide(wait) },
      ],
    ),
  ),
  ...SHARDS.map(([shards, system]) =>
    point("shards", shards, `XADD of 256 B to ${STREAMS} streams over all shards, 8 × 100, three nodes`, [
      { name: "headrace", system, work: xadd(CONNECTIONS, IN_FLIGHT, STREAMS) },
    ]),
  ),
  ...[0, 1, 2, 3, 4, 5, 6].map((power) =>
    point(
      "streams",
      10 ** power,
      "XADD of 256 B to any of that many streams, 8 × 100, three nodes (Redis: alone, AOF always)",
      [
        { name: "headrace", system: "headrace", work: spread(10 ** power) },
        { name: "redis", system: "redis-always", work: spread(10 ** power) },
      ],
    ),
  ),
  ...[1, 10, 100, 500, 1000, 2000].map((connections) =>
    point(
      "connections",
      connections,
      "XADD of 256 B to 512 streams, that many connections × 1, three nodes (Redis: alone, AOF always)",
      [
        { name: "headrace", system: "headrace", work: xadd(connections, 1, STREAMS) },
        { name: "redis", system: "redis-always", work: xadd(connections, 1, STREAMS) },
      ],
    ),
  ),
];

/** How far each axis goes; null: as far as there are cases. */
export type UpTo = Readonly<Partial<Record<Axis, number>>>;

/** What is taken when nothing is said: what is beyond takes longer, and more disk than many machines have. */
export const UP_TO: UpTo = { entries: 10_000_000 };

/** Cases whose place on their axis is not beyond its end. Of entries the end itself is one. */
export function growCasesUpTo(upTo: UpTo): readonly BenchCase[] {
  const ends = { ...UP_TO, ...upTo };
  const entries = ends.entries ?? Number.POSITIVE_INFINITY;
  const steps = [...ENTRIES.filter((each) => each < entries), ...(Number.isFinite(entries) ? [entries] : [])];
  return [
    ...growCases.filter(({ growth }) => growth!.at <= (ends[growth!.axis] ?? Number.POSITIVE_INFINITY)),
    ...steps.flatMap(store),
  ];
}
