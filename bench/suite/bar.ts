/**
 * The bar: what Headrace is to reach beside each peer, row by row, and whether it does. A row compares medians of one interleaved run; where several peers
 * stand in a row, the best of them counts.
 */
import type { ProbeResult } from "./probe.ts";
import { figureOf, OTHERS_CPU_MAX, type CaseResult, type ContenderResult, type FigureName } from "./result.ts";
import { renderTable, shown, type Cell } from "./table.ts";

interface CaseRow {
  readonly what: string;
  readonly bench: string;
  readonly ours: string;
  readonly peers: readonly string[];
  readonly figure: FigureName;
  /** Ours divided by the peer's: at least this for figures a second, at most this for times. */
  readonly wanted: number;
}

interface ProbeRow {
  readonly what: string;
  readonly probe: string;
  /** Our figure at most; or how much more than the peer's it may be. */
  readonly atMost?: number;
  readonly atMostMore?: number;
}

const WAITS = ["redis-wait1", "redis-wait2"];

function xadd(size: string, wanted: number): CaseRow {
  return {
    what: `XADD ${size}, 3 nodes, ack=all, fsync always / redis + 2 replicas, AOF always, better of WAIT 1 and 2`,
    bench: `xadd-${size}`,
    ours: "headrace",
    peers: WAITS,
    figure: "perSecond",
    wanted,
  };
}

function beside(
  what: string,
  bench: string,
  ours: string,
  peer: string,
  wanted: number,
  figure: FigureName = "perSecond",
): CaseRow {
  return { what, bench, ours, peers: [peer], figure, wanted };
}

const single = (figure: FigureName, name: string): CaseRow => ({
  what: `same, 1x1, ${name}`,
  bench: "xadd-1x1",
  ours: "headrace",
  peers: WAITS,
  figure,
  wanted: 1,
});

/** In the order of the table that was asked for. */
export const barRows: readonly (CaseRow | ProbeRow)[] = [
  xadd("8x100", 3),
  xadd("1x500", 3),
  xadd("1x100", 2),
  xadd("50x1", 1.5),
  single("p50Ms", "p50 ms"),
  single("p99Ms", "p99 ms"),
  beside("same, 8x100 / NATS JetStream, 3 replicas on disk, no sync", "xadd-8x100", "headrace", "nats", 4),
  beside("same, 8x100 / redis alone, AOF always", "xadd-8x100", "headrace", "redis-always", 1),
  beside("same, 8x100 / redis alone, AOF everysec (stretch)", "xadd-8x100", "headrace", "redis-everysec", 1),
  beside(
    "XADD 8x100, 3 nodes, ack=1, everysec / redis + 2 replicas, AOF everysec, no WAIT",
    "xadd-ack1-8x100",
    "headrace-ack1",
    "redis-3-everysec",
    1,
  ),
  ...["8x100", "1x100"].map((size) =>
    beside(
      `XADD ${size}, one node in one process, ack=1, everysec / redis alone, AOF everysec`,
      `xadd-alone-${size}`,
      "headrace-in-process",
      "redis-everysec",
      1.5,
    ),
  ),
  beside(
    "gateway alone: XLEN of a missing key of 256 B, 8x100, through it to one node / redis without AOF, XADD of 256 B",
    "gateway-8x100",
    "headrace-one-node",
    "redis-xadd",
    0.7,
  ),
  ...[1, 4].map((consumers) =>
    beside(
      `XREADGROUP COUNT 100 + XACK, ${consumers} consumer(s), 3 nodes, ack=1, everysec / redis alone, AOF everysec`,
      `consume-${consumers}`,
      "headrace-ack1",
      "redis-everysec",
      consumers === 1 ? 0.6 : 1,
    ),
  ),
  ...[1, 4].map((consumers) =>
    beside(
      `same, ${consumers} consumer(s), ack=all, fsync always / redis alone, AOF always`,
      `consume-always-${consumers}`,
      "headrace",
      "redis-always",
      1.5,
    ),
  ),
  ...[1, 4].map((connections) =>
    beside(
      `XRANGE COUNT 1000 in memory, ${connections} connection(s) / redis alone, no AOF`,
      `range-1000-${connections}`,
      "headrace",
      "redis",
      1,
    ),
  ),
  ...(["p50Ms", "p99Ms"] as const).map((figure) =>
    beside(
      `XADD to a blocked XREADGROUP, ${figure.slice(0, 3)} ms, ack=all, fsync always / redis alone, AOF always`,
      "deliver",
      "headrace",
      "redis-always",
      2,
      figure,
    ),
  ),
  { what: "memory of a pending entry, bytes", probe: "pending-memory", atMost: 32 },
  {
    what: "restart with 5 million entries, s to the first XADD / same cluster empty",
    probe: "restart",
    atMostMore: 0.5,
  },
  { what: "gap of writes when the leader is killed with -9, s, median", probe: "failover", atMost: 0.5 },
];

export interface BarLine {
  readonly what: string;
  readonly ours: number | null;
  readonly peer: number | null;
  readonly peerName: string;
  readonly ratio: number | null;
  readonly wanted: string;
  readonly verdict: "met" | "missed" | "not measured";
  readonly note: string;
}

export function barLines(cases: readonly CaseResult[], probes: readonly ProbeResult[]): readonly BarLine[] {
  return barRows.map((row) => ("probe" in row ? probeLine(row, probes) : caseLine(row, cases)));
}

function caseLine(row: CaseRow, cases: readonly CaseResult[]): BarLine {
  const { what, figure, wanted } = row;
  const isTime = figure !== "perSecond";
  const contenders = cases.find(({ name }) => name === row.bench)?.contenders ?? [];
  const medianOf = (name: string): number | null => {
    const contender = contenders.find((each) => each.name === name);
    return contender === undefined ? null : (figureOf(contender, figure)?.median ?? null);
  };
  const ours = medianOf(row.ours);
  const peers = row.peers.flatMap((name) => {
    const value = medianOf(name);
    return value === null ? [] : [{ name, value }];
  });
  const [best] = peers.toSorted((a, b) => (isTime ? a.value - b.value : b.value - a.value));
  const ratio = ours === null || best === undefined ? null : ours / best.value;
  return {
    what,
    ours,
    peer: best?.value ?? null,
    peerName: best?.name ?? "",
    ratio,
    wanted: `${isTime ? "≤" : "≥"} ${wanted} ×`,
    verdict: verdictOf(ratio === null ? null : isTime ? ratio <= wanted : ratio >= wanted),
    note: contenders
      .filter(({ name }) => name === row.ours || name === best?.name)
      .flatMap(disturbance)
      .join("; "),
  };
}

/** A verdict on figures that strangers had a part in is to be taken again. */
function disturbance(contender: ContenderResult): string[] {
  const others = figureOf(contender, "othersCpu")?.median ?? 0;
  if (!(others > OTHERS_CPU_MAX)) return [];
  return [`not of a quiet machine: others had ${shown(others * 100)} % of a core beside ${contender.name}`];
}

function probeLine({ what, probe, atMost, atMostMore }: ProbeRow, probes: readonly ProbeResult[]): BarLine {
  const found = probes.find(({ name }) => name === probe);
  const ours = found?.ours ?? null;
  const peer = found?.peer ?? null;
  const limit = atMost ?? (peer === null ? null : peer + atMostMore!);
  return {
    what,
    ours,
    peer,
    peerName: found?.peerName ?? "",
    ratio: ours === null || peer === null ? null : ours / peer,
    wanted: atMost === undefined ? `≤ ${atMostMore} more` : `≤ ${atMost}`,
    verdict: verdictOf(ours === null || limit === null ? null : ours <= limit),
    note: found?.note ?? "",
  };
}

function verdictOf(isMet: boolean | null): BarLine["verdict"] {
  if (isMet === null) return "not measured";
  return isMet ? "met" : "missed";
}

export function barText(lines: readonly BarLine[]): string {
  const rows = lines.map(({ what, ours, peer, peerName, ratio, wanted, verdict }): Cell[] => [
    what,
    ours,
    peer,
    peerName,
    ratio,
    wanted,
    verdict,
  ]);
  const notes = lines.flatMap(({ what, note }) => (note === "" ? [] : [`${what}: ${note}`]));
  const count = (verdict: BarLine["verdict"]): number => lines.filter((line) => line.verdict === verdict).length;
  return [
    renderTable(["", "ours", "peer", "which", "ratio", "wanted", ""], rows),
    "",
    ...notes,
    `${shown(String(count("met")))} met, ${count("missed")} missed, ${count("not measured")} not measured`,
    "",
  ].join("\n");
}
