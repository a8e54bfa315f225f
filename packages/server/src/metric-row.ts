/** What a metric is: a row of the table in metrics.ts. */

/** One sample: label values in the order of the row's labels, then the value. */
export type Sample = readonly [labels: readonly string[], value: number];

export interface MetricRow<Source> {
  readonly name: string;
  /** Counters only ever grow; they are read from plain numbers, so both are exposed through a gauge's collect. */
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly labels: readonly string[];
  readonly read: (source: Source) => readonly Sample[];
}

export function single<Source>(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (source: Source) => number,
): MetricRow<Source> {
  return { name, type, help, labels: [], read: (source) => [[[], value(source)]] };
}
