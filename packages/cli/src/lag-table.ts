/** `headrace lag` for people: a table out of what XINFO LAG says. Pure text. */
import { table } from "./cluster-table.ts";

/** One consumer group of one stream. Ages are null where there is nothing, or ids are no times. */
export interface GroupLagReport {
  readonly stream: string;
  readonly group: string;
  readonly consumers: number;
  readonly lag: number;
  readonly lagMs: number | null;
  readonly pending: number;
  readonly pendingMs: number | null;
  readonly delivered: number;
  readonly redelivered: number;
  readonly acknowledged: number;
  /** Entries that the group has given up in its life. */
  readonly deadLetters: number;
  /** How far producers may be ahead of it; null: no limit. */
  readonly maxLag: number | null;
  /** Of a stretch of time, if one was looked at. */
  readonly rates?: GroupRates;
}

/** Entries a second; null: counters began anew meanwhile, as they do when another replica leads. */
export interface GroupRates {
  readonly delivered: number | null;
  readonly redelivered: number | null;
  readonly acknowledged: number | null;
}

/** What became of a group between two looks at it; null: it is not there any more. */
export function ratesOf(before: GroupLagReport, after: GroupLagReport | null, seconds: number): GroupRates {
  const rate = (name: keyof GroupRates): number | null => {
    if (after === null || after[name] < before[name]) return null;
    return (after[name] - before[name]) / seconds;
  };
  return { delivered: rate("delivered"), redelivered: rate("redelivered"), acknowledged: rate("acknowledged") };
}

/** The furthest behind first: by entries, then by what is pending, then by name. */
export function compareLag(a: GroupLagReport, b: GroupLagReport): number {
  if (a.lag !== b.lag) return b.lag - a.lag;
  if (a.pending !== b.pending) return b.pending - a.pending;
  return compareText(a.stream, b.stream) || compareText(a.group, b.group);
}

export function lagTable(reports: readonly GroupLagReport[], groups: number): string {
  const rows = reports.map((report) => [
    printable(report.stream),
    printable(report.group),
    String(report.consumers),
    String(report.lag),
    age(report.lagMs),
    String(report.pending),
    age(report.pendingMs),
    String(report.redelivered),
    String(report.deadLetters),
    report.maxLag === null ? "-" : String(report.maxLag),
    ...(report.rates === undefined ? [] : [perSecond(report.rates.delivered), perSecond(report.rates.acknowledged)]),
  ]);
  const header = [
    "stream",
    "group",
    "consumers",
    "behind",
    "since",
    "pending",
    "since",
    "redelivered",
    "dead letters",
    "limit",
  ];
  if (reports.some(({ rates }) => rates !== undefined)) header.push("delivered/s", "acked/s");
  const left = groups - reports.length;
  const rest = left > 0 ? `less behind: ${left} more\n` : "";
  return `${table(header, rows)}\n${rest}`;
}

const UNITS: readonly (readonly [ms: number, unit: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1000, "s"],
  [1, "ms"],
];

/** In the largest unit of which there is one at least. */
function age(ms: number | null): string {
  if (ms === null) return "-";
  const [unitMs, unit] = UNITS.find(([each]) => ms >= each) ?? [1, "ms"];
  return `${Math.floor(ms / unitMs)} ${unit}`;
}

function perSecond(rate: number | null): string {
  if (rate === null) return "-";
  return rate >= 100 ? String(Math.round(rate)) : rate.toFixed(1);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** What would move the cursor, or begin a line, stands there as its code. */
function printable(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
