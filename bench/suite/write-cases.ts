/** Cases that write: XADD at several shapes of load, and what costs about as much as it. */
import type { BatchWork, NatsWork } from "../load/job.ts";
import type { BenchCase, Contender } from "./case.ts";

interface Shape {
  readonly connections: number;
  readonly inFlight: number;
  readonly valueBytes: number;
  readonly streams: number;
}

function xadd({ connections, inFlight, valueBytes, streams }: Shape, wait: number | null = null): BatchWork {
  const keys = Array.from({ length: streams }, (_, i) => (streams === 1 ? "s" : `stream:{${i}}`));
  const requests = [["XADD", "{key}", "*", "f", "x".repeat(valueBytes)]];
  return { kind: "batches", connections, inFlight, requests, keys, wait };
}

function shape(connections: number, inFlight: number, valueBytes: number = 256, streams: number = 1): Shape {
  return { connections, inFlight, valueBytes, streams };
}

function withWait(load: Shape): Contender[] {
  return [1, 2].map((wait) => ({ name: `redis-wait${wait}`, system: "redis-3-always", work: xadd(load, wait) }));
}

/** Headrace at its promise beside Redis at the nearest one, and beside the prototype. */
function replicated(
  name: string,
  load: Shape,
  sets: readonly string[],
  more: readonly Contender[] = [],
  withPrototype: boolean = true,
): BenchCase {
  const { connections, inFlight, valueBytes, streams } = load;
  return {
    name,
    what: `XADD of ${valueBytes} B to ${streams === 1 ? "one stream" : `${streams} streams`}, ${connections} × ${inFlight}, three copies, synced before the answer (Redis: on its master)`,
    unit: "XADD",
    sets,
    contenders: [
      { name: "headrace", system: "headrace", work: xadd(load) },
      ...(withPrototype ? [{ name: "prototype", system: "prototype" as const, work: xadd(load) }] : []),
      ...withWait(load),
      ...more,
    ],
  };
}

const wide = shape(8, 100);
const nats: NatsWork = { kind: "nats", connections: 8, inFlight: 100, valueBytes: 256 };

/** As of 80 writes and 20 reads of the newest ten, on streams that stay short. */
const mixed: BatchWork = {
  kind: "batches",
  connections: 8,
  inFlight: 100,
  requests: [
    ...Array.from({ length: 4 }, () => ["XADD", "{key}", "MAXLEN", "~", "10000", "*", "f", "x".repeat(256)]),
    ["XREVRANGE", "{key}", "+", "-", "COUNT", "10"],
  ],
  keys: Array.from({ length: 100 }, (_, i) => `mixed:{${i}}`),
  wait: null,
};

const MISSING = `{s}${"m".repeat(253)}`;

export const writeCases: readonly BenchCase[] = [
  replicated(
    "xadd-8x100",
    wide,
    ["bar", "xadd"],
    [
      { name: "redis-always", system: "redis-always", work: xadd(wide) },
      { name: "redis-everysec", system: "redis-everysec", work: xadd(wide) },
      { name: "nats", system: "nats", work: nats },
    ],
  ),
  replicated("xadd-1x500", shape(1, 500), ["bar", "xadd"]),
  replicated("xadd-1x100", shape(1, 100), ["bar", "xadd"]),
  replicated("xadd-1x16", shape(1, 16), ["xadd"]),
  replicated("xadd-50x1", shape(50, 1), ["bar", "xadd"]),
  replicated("xadd-1x1", shape(1, 1), ["bar", "xadd"]),
  replicated("xadd-16B", shape(8, 100, 16), ["sizes"]),
  replicated("xadd-1KB", shape(8, 100, 1024), ["sizes"]),
  // The prototype has one stream.
  replicated("xadd-1000-streams", shape(8, 100, 256, 1000), ["streams"], [], false),
  {
    name: "xadd-ack1-8x100",
    what: "XADD of 256 B, 8 × 100, three nodes, ack=1, synced once a second (Redis: two replicas, AOF everysec, no WAIT)",
    unit: "XADD",
    sets: ["bar", "relaxed"],
    contenders: [
      { name: "headrace-ack1", system: "headrace-ack1", work: xadd(wide) },
      { name: "redis-3-everysec", system: "redis-3-everysec", work: xadd(wide) },
    ],
  },
  ...[wide, shape(1, 100)].map((load): BenchCase => {
    const size = `${load.connections}x${load.inFlight}`;
    return {
      name: `xadd-alone-${size}`,
      what: `XADD of 256 B, ${size}, one node in one process, ack=1, synced once a second (Redis: alone, AOF everysec)`,
      unit: "XADD",
      sets: ["bar", "relaxed"],
      contenders: [
        { name: "headrace-in-process", system: "headrace-in-process", work: xadd(load) },
        { name: "redis-everysec", system: "redis-everysec", work: xadd(load) },
      ],
    };
  }),
  {
    name: "gateway-8x100",
    what: "XLEN of a missing key of 256 bytes, 8 × 100: through the gateway to one node that answers from memory; Redis without AOF with the same requests, and with XADD of 256 B",
    unit: "requests",
    sets: ["bar", "gateway"],
    contenders: [
      { name: "headrace-one-node", system: "headrace-one-node", work: missing() },
      { name: "redis-xlen", system: "redis", work: missing() },
      { name: "redis-xadd", system: "redis", work: xadd(wide) },
    ],
  },
  {
    name: "witness",
    what: "XADD of 256 B, 8 × 100, once from our own load generator and once from redis-benchmark",
    unit: "XADD",
    sets: [],
    contenders: (["headrace", "redis"] as const).flatMap((system) => [
      { name: system, system, work: xadd(wide) },
      { name: `${system}, redis-benchmark`, system, work: xadd(wide), witness: true },
    ]),
  },
  {
    name: "mixed",
    what: "of 100 requests 80 XADD (256 B, MAXLEN ~ 10000) and 20 XREVRANGE COUNT 10, 100 streams, 8 × 100, for ten minutes",
    unit: "requests",
    sets: [],
    seconds: 600,
    contenders: [
      { name: "headrace", system: "headrace", work: mixed },
      { name: "redis-always", system: "redis-always", work: mixed },
    ],
  },
];

function missing(): BatchWork {
  return { ...xadd(wide), requests: [["XLEN", MISSING]] };
}
