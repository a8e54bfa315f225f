/** What nodes count of themselves, read from their metrics. */
import type { RunningNode } from "@headrace/testkit";

/** Value of each line, its labels included: `name{label="…"}`. */
export type Metrics = ReadonlyMap<string, number>;

export async function metricsOf({ httpPort }: RunningNode): Promise<Metrics> {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** Over all label values. */
export function sumOf(metrics: Metrics, name: string): number {
  let sum = 0;
  for (const [line, value] of metrics) if (line === name || line.startsWith(`${name}{`)) sum += value;
  return sum;
}

export interface Quantile {
  readonly count: number;
  /** The bound of the bucket that holds it, ms: it is not above that. */
  readonly atMostMs: number;
}

/** Of what a histogram has counted since `before`. */
export function quantileOf(before: Metrics, after: Metrics, name: string, share: number): Quantile {
  const grown = (line: string): number => (after.get(line) ?? 0) - (before.get(line) ?? 0);
  const count = grown(`${name}_count`);
  const bounds = [...after.keys()]
    .filter((line) => line.startsWith(`${name}_bucket{`))
    .map((line) => /le="([^"]+)"/.exec(line)![1]!);
  const bound = bounds.find((each) => grown(`${name}_bucket{le="${each}"}`) >= count * share);
  return { count, atMostMs: bound === undefined || bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound) * 1000 };
}
