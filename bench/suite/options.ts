/** What `npm run bench` is asked: its options, and which cases they choose. */
import { parseArgs } from "node:util";
import type { Axis, BenchCase } from "./case.ts";
import type { UpTo } from "./grow-cases.ts";

export interface Options {
  readonly only: readonly string[];
  /** Null: 5, or as many as a case says itself. */
  readonly runs: number | null;
  readonly warmSeconds: number;
  /** Null: 3, or as long as a case says itself. */
  readonly seconds: number | null;
  readonly prototype: string | null;
  readonly flags: readonly string[];
  readonly systems: readonly string[] | null;
  /** Figures that are no load; null: those of the sets that are chosen. */
  readonly probes: readonly string[] | null;
  /** Where axes of growth end. */
  readonly upTo: UpTo;
  readonly name: string;
  readonly save: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** Whoever asks for nothing gets these. */
const DEFAULT_SET = "xadd";

/** Throws an error with a plain text about what it does not understand. `prototype`: where it lies when nothing is said. */
export function readOptions(args: readonly string[], prototype: string | null): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: DEFAULT_SET },
      runs: { type: "string" },
      seconds: { type: "string" },
      "warm-seconds": { type: "string", default: "2" },
      prototype: { type: "string" },
      "no-prototype": { type: "boolean", default: false },
      flags: { type: "string", default: "" },
      systems: { type: "string" },
      probes: { type: "string" },
      "up-to": { type: "string", default: "" },
      name: { type: "string" },
      "no-save": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const only = words(values.only);
  if (only.length === 0) throw new Error("--only needs a name");
  return {
    only,
    runs: values.runs === undefined ? null : number("runs", values.runs, Number.isSafeInteger),
    seconds: values.seconds === undefined ? null : number("seconds", values.seconds, Number.isFinite),
    warmSeconds: number("warm-seconds", values["warm-seconds"], Number.isFinite),
    prototype: values["no-prototype"] ? null : (values.prototype ?? prototype),
    flags: values.flags.split(" ").filter((flag) => flag !== ""),
    systems: values.systems === undefined ? null : words(values.systems),
    probes: values.probes === undefined ? null : words(values.probes),
    upTo: ends(values["up-to"]),
    name: fileName(values.name ?? only.join("-")),
    save: !values["no-save"],
    json: values.json,
    help: values.help,
  };
}

function words(text: string): string[] {
  return text.split(",").filter((word) => word !== "");
}

function number(name: string, text: string, isGood: (value: number) => boolean): number {
  const value = Number(text);
  if (text === "" || !isGood(value) || value <= 0) throw new Error(`--${name} needs a number above 0, not "${text}"`);
  return value;
}

const axes: readonly string[] = ["nodes", "shards", "streams", "connections", "entries"] satisfies Axis[];

function ends(text: string): UpTo {
  return Object.fromEntries(
    words(text).map((word) => {
      const [axis, value] = word.split("=", 2);
      if (!axes.includes(axis!)) throw new Error(`--up-to needs AXIS=N with one of ${axes.join(", ")}, not "${word}"`);
      return [axis!, number(`up-to ${axis}=`, value ?? "", Number.isSafeInteger)];
    }),
  );
}

function fileName(name: string): string {
  if (!/^[\w-]+$/.test(name)) throw new Error(`--name needs letters, digits, - and _, not "${name}"`);
  return name;
}

/** Cases whose name or set is named, in their own order. Throws with the names that exist. */
export function chosenCases(only: readonly string[], cases: readonly BenchCase[]): readonly BenchCase[] {
  const known = new Set(cases.flatMap(({ name, sets }) => [name, ...sets]));
  const unknown = only.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new Error(`no case or set is called ${unknown.join(", ")}; there are ${[...known].join(", ")}`);
  return cases.filter(({ name, sets }) => [name, ...sets].some((each) => only.includes(each)));
}

/** Lines of the help. */
export function helpText(cases: readonly BenchCase[]): string {
  const sets = Map.groupBy(
    cases.flatMap((each) => each.sets.map((set) => ({ set, name: each.name }))),
    ({ set }) => set,
  );
  return [
    "npm run bench [-- options]",
    `  --only NAME[,NAME]   cases or sets (default ${DEFAULT_SET})`,
    "  --runs N             repetitions, interleaved: every system once, then every system again (default 5; of growth 3, of grow-entries and overload 1)",
    "  --seconds X          time that counts of a sample (default 3; of growth 2, of mixed 600, of overload 300)",
    "  --warm-seconds X     load before it (default 2)",
    "  --systems NAME,…     only these systems",
    "  --probes NAME,…      only these of pending-memory, restart, failover, limits (default: with bar all, with growth and overload limits)",
    "  --up-to AXIS=N,…     where growth ends: nodes, shards, streams, connections, entries (default entries=10000000, the others where their cases end)",
    "  --prototype DIR      folder of the bare prototype (default ../shared/prototype when it is there)",
    "  --no-prototype       leave the prototype out",
    '  --flags "…"          further flags for headrace up',
    "  --name NAME          of the files in bench/results (default: what --only says)",
    "  --no-save            leave bench/results as it is",
    "  --json               one JSON line instead of the table",
    "",
    "sets:",
    ...[...sets].map(([set, members]) => `  ${set.padEnd(20)} ${members.map(({ name }) => name).join(" ")}`),
    "",
    "cases:",
    ...cases.map(({ name, what }) => `  ${name.padEnd(20)} ${what}`),
    "",
  ].join("\n");
}
