/** What a run of the suite leaves behind: everything that a reader needs to judge the figures, and the raw samples. */
import { cpus } from "node:os";
import type { Measured } from "./load-process.ts";
import type { BenchCase, Growth } from "./case.ts";
import type { OverloadFigures } from "./overload.ts";
import type { ProcessUse } from "./process-usage.ts";
import { spread, type Spread } from "./statistics.ts";

export interface Sample {
  readonly run: number;
  /** Null when it failed. */
  readonly figures: Measured | null;
  /** Of overload; `figures` are of its phase then. */
  readonly overload?: OverloadFigures;
  readonly failed: string | null;
}

export interface ContenderResult {
  readonly name: string;
  readonly system: string;
  readonly samples: readonly Sample[];
}

export interface CaseResult {
  readonly name: string;
  readonly what: string;
  readonly unit: BenchCase["unit"];
  /** Where the case has its own. */
  readonly runs?: number;
  readonly seconds?: number;
  readonly growth?: Growth;
  readonly contenders: readonly ContenderResult[];
}

export interface Conditions {
  readonly command: string;
  readonly date: string;
  readonly node: string;
  readonly cpus: number;
  readonly cpuModel: string;
  readonly runs: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Of the systems that were measured. */
  readonly systems: Readonly<Record<string, { readonly what: string; readonly version: string }>>;
  /** System → why it was not measured. */
  readonly leftOut: Readonly<Record<string, string>>;
}

export interface SuiteResult extends Conditions {
  readonly cases: readonly CaseResult[];
}

/** Above this share of a core, strangers on the machine are part of what was measured. */
export const OTHERS_CPU_MAX = 0.2;

export const figures = {
  perSecond: (sample: Measured): number => sample.operations / sample.seconds,
  p50Ms: (sample: Measured): number => sample.latencyMs.p50,
  p99Ms: (sample: Measured): number => sample.latencyMs.p99,
  p999Ms: (sample: Measured): number => sample.latencyMs.p999,
  /** Flushes that the disk saw in a second; NaN where the kernel does not tell. */
  syncs: (sample: Measured): number => sample.diskFlushesPerSecond ?? Number.NaN,
  /** Share of a core that strangers had; NaN where the kernel does not tell. */
  othersCpu: (sample: Measured): number => sample.othersCpu ?? Number.NaN,
  /** Share of a core that the load generator had. */
  loadCpu: (sample: Measured): number => sample.cpuSeconds / sample.seconds,
  /** Of all processes of the system together, in cores. */
  cpu: (sample: Measured): number => sum(sample, ({ cpu }) => cpu),
  rssMiB: (sample: Measured): number => sum(sample, ({ rssMiB }) => rssMiB),
  anonMiB: (sample: Measured): number => sum(sample, ({ anonMiB }) => anonMiB),
} as const;

function sum({ usage }: Measured, of: (use: ProcessUse) => number): number {
  return Object.values(usage).reduce((all, use) => all + of(use), 0);
}

export type FigureName = keyof typeof figures;

/** Null when no sample is good. */
export function figureOf(contender: ContenderResult, name: FigureName): Spread | null {
  const good = contender.samples.flatMap((sample) => (sample.figures === null ? [] : [figures[name](sample.figures)]));
  return good.length === 0 ? null : spread(good);
}

/** How often and how long a case with lengths of its own was measured; empty for others. */
export function lengthText({ runs, seconds }: CaseResult): string {
  const parts = [
    ...(runs === undefined ? [] : [`${runs} run(s)`]),
    ...(seconds === undefined ? [] : [`${seconds} s each`]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

/** What is the same for every result of this process. */
export function machine(): Pick<Conditions, "node" | "cpus" | "cpuModel"> {
  const all = cpus();
  return { node: process.version, cpus: all.length, cpuModel: all[0]?.model ?? "unknown" };
}
