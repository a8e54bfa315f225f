/** The figures of `npm run bench:failover` in words. */

export type FaultKind = "kill" | "silent" | "planned";

export interface Fault {
  readonly kind: FaultKind;
  /** The shard whose leader it was aimed at. */
  readonly shard: number;
  readonly node: number;
  /** Shards that the node led. */
  readonly shardsLed: number;
  readonly inFlight: number;
  /** Longest time without a successful write of any stream, until all are written to again. */
  readonly gapMs: number;
  /** The same from then on, until the cluster is whole again and leadership is where it was. */
  readonly afterwardsMs: number;
  /** The same in the seconds before, without a fault. */
  readonly calmMs: number;
  readonly gapByStreamMs: readonly number[];
  /** From the signal to the end of the process. */
  readonly goneMs: number | null;
  /** Error replies and lost connections of all clients. */
  readonly errors: number;
  readonly uncertain: number;
  /** Terms begun, over all groups. */
  readonly elections: number;
}

export interface Soak {
  readonly minutes: number;
  readonly writesPerSecond: number;
  readonly longestGapMs: number;
  readonly elections: number;
  readonly leadersChanged: number;
  readonly errors: number;
}

export interface FailoverResult {
  readonly command: string;
  readonly date: string;
  readonly node: string;
  readonly cores: number;
  readonly good: boolean;
  readonly faults: readonly Fault[];
  readonly acknowledged: number;
  readonly lost: number;
  readonly twice: number;
  readonly soak?: Soak;
}

const kinds: readonly (readonly [FaultKind, string, string])[] = [
  ["kill", "killed with -9", "median < 500 ms"],
  ["silent", "silent (SIGSTOP for 10 s)", "median < 1000 ms"],
  ["planned", "asked to go (SIGTERM)", "every one < 100 ms, no error"],
];

export function failoverReport(result: FailoverResult): string {
  const lines = [
    `${result.date}, node ${result.node}, ${result.cores} cores shared by three nodes, the gateway and the load`,
    result.command,
    "",
  ];
  if (result.soak !== undefined) {
    const { minutes, writesPerSecond, elections, leadersChanged, errors, longestGapMs } = result.soak;
    lines.push(
      `${minutes} minutes at full load without faults: ${elections} elections, ${leadersChanged} changes of leader, ${errors} errors`,
      `${writesPerSecond} writes/s at ack=all, longest time without one on any stream ${Math.round(longestGapMs)} ms`,
    );
    return `${lines.join("\n")}\n`;
  }
  lines.push("a leader's node is …            times  gap ms: median  worst  uncertain  other errors  goal");
  for (const [kind, name, goal] of kinds) {
    const found = result.faults.filter((fault) => fault.kind === kind);
    if (found.length === 0) continue;
    const gaps = found.map((fault) => fault.gapMs).toSorted((a, b) => a - b);
    const sum = (of: (fault: Fault) => number): number => found.reduce((total, fault) => total + of(fault), 0);
    lines.push(
      `${name.padEnd(31)} ${String(found.length).padStart(5)} ${median(gaps).toFixed(0).padStart(15)} ${gaps
        .at(-1)!
        .toFixed(0)
        .padStart(
          6,
        )} ${String(sum((fault) => fault.uncertain)).padStart(10)} ${String(sum((fault) => fault.errors - fault.uncertain)).padStart(13)}  ${goal}`,
    );
    const each = (of: (fault: Fault) => number): string => found.map((fault) => of(fault).toFixed(0)).join(" ");
    lines.push(
      `  each: ${each((fault) => fault.gapMs)}`,
      `  without a fault, just before: ${each((fault) => fault.calmMs)}`,
      `  afterwards, until the node is back: ${each((fault) => fault.afterwardsMs)}`,
    );
  }
  lines.push(
    "",
    `acknowledged at ack=all ${result.acknowledged}, lost ${result.lost}, there twice ${result.twice}`,
    "Gap: the longest time without a successful write on any of the eight shards, from the fault until all are written to again.",
  );
  return `${lines.join("\n")}\n`;
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
