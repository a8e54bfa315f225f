/**
 * Breaks a copy of the sources in one place and lets the simulator of the copy look for the damage, or the test that is named for it. Used by
 * mutants.test.ts; alone it runs the whole table and prints it: `npm run sim:mutants [-- NAME-PART …] [--seconds N] [--from N] [--json]`.
 */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { mutants, type Mutant } from "./mutants.ts";
import type { SearchResult } from "./search.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** Where every search begins: fixed, so that a tree on which a mutant is found finds it every time. */
export const FIRST_SEED = 20_261_121;
/** As the search goes on (search.ts). */
const SEED_STEP = 7919;
const STEPS = "20000";
/** Searches are measured in seconds of the processor; a busy machine may take that much longer. */
const BUSY_FACTOR = 30;

export interface Verdict {
  readonly mutant: Mutant;
  /** What was said against it; null: nobody noticed anything in the time there was. */
  readonly message: string | null;
  /** Replays it; null where a test noticed. */
  readonly seed: number | null;
  readonly runs: number;
  readonly seconds: number;
  /** Seeds that failed without the mutant too: bugs of ours. */
  readonly failing: readonly number[];
}

/** The source with the one edit. Throws when the anchor isn't there exactly once: then the table has to follow the code. */
export function mutated(mutant: Mutant, source: string): string {
  const parts = source.split(mutant.find);
  if (mutant.find === "" || parts.length !== 2) {
    throw new Error(`${mutant.name}: its anchor stands ${parts.length - 1} times in ${mutant.file}, not once`);
  }
  return parts.join(mutant.replace);
}

/** A folder with a copy of the sources; links between the rooms lead to the copies. */
function copyOfSources(withTests: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), "headrace-mutant-"));
  const links = join(folder, "node_modules", "@headrace");
  mkdirSync(links, { recursive: true });
  const leftOut = withTests ? /[\\/]node_modules$/ : /[\\/](node_modules|test|testing)$/;
  for (const room of readdirSync(join(root, "packages"))) {
    const from = join(root, "packages", room);
    const to = join(folder, "packages", room);
    cpSync(from, to, {
      recursive: true,
      filter: (path) => !leftOut.test(path.slice(from.length).split(sep).join("/")),
    });
    symlinkSync(join("..", "..", "packages", room), join(links, room));
  }
  cpSync(join(root, "test", "sim", "search.ts"), join(folder, "search.ts"));
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  if (!withTests) return folder;
  cpSync(join(root, "vitest.config.ts"), join(folder, "vitest.config.ts"));
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@headrace") symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  return folder;
}

/** How long a mutant is looked for: until either is used up. Only runs are the same on every machine. */
export interface SearchBound {
  /** Of the processor. */
  readonly seconds: number;
  readonly runs: number;
}

/** What notices must not notice anything without the edit: else it is not the mutant that was noticed. */
export async function judge(mutant: Mutant, bound: SearchBound, firstSeed: number): Promise<Verdict> {
  const folder = copyOfSources(mutant.test !== undefined);
  try {
    const file = join(folder, mutant.file);
    const original = readFileSync(file, "utf8");
    const broken = mutated(mutant, original);
    const change = (isBroken: boolean): void => writeFileSync(file, isBroken ? broken : original);
    change(true);
    if (mutant.test === undefined) return await judgeBySeeds(mutant, folder, change, { ...bound, firstSeed });
    return await judgeByTest(mutant, mutant.test, folder, change);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function judgeBySeeds(
  mutant: Mutant,
  folder: string,
  change: (isBroken: boolean) => void,
  { seconds, runs: runsMax, firstSeed }: SearchBound & { readonly firstSeed: number },
): Promise<Verdict> {
  const survived = { mutant, message: null, seed: null };
  let from = firstSeed;
  let runs = 0;
  let spent = 0;
  const failing: number[] = [];
  for (;;) {
    const work = mutant.work === undefined ? [] : ["--work", mutant.work];
    const until = [
      ...work,
      "--from",
      String(from),
      "--seconds",
      String(seconds - spent),
      "--seeds",
      String(runsMax - runs),
    ];
    const found = await search(folder, until, (seconds - spent) * BUSY_FACTOR);
    runs += found?.runs ?? 0;
    spent += found?.seconds ?? seconds;
    // It may also loop for ever: that counts as not noticed.
    if (found === null || found.seed === null) return { ...survived, runs, seconds: spent, failing };
    const { seed, message } = found;
    change(false);
    const control = await search(folder, [...work, "--from", String(seed), "--seeds", "1"], 10 * BUSY_FACTOR);
    change(true);
    if (control !== null && control.seed === null) return { mutant, message, seed, runs, seconds: spent, failing };
    // It was not the mutant that was noticed, but a bug of ours: one more reason to tell, none to stop.
    failing.push(seed);
    if (spent >= seconds || runs >= runsMax) return { ...survived, runs, seconds: spent, failing };
    from = (seed + SEED_STEP) >>> 0;
  }
}

async function judgeByTest(
  mutant: Mutant,
  test: string,
  folder: string,
  change: (isBroken: boolean) => void,
): Promise<Verdict> {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const report = join(folder, "report.json");
  const args = [vitest, "run", "--root", folder, "--reporter=json", `--outputFile.json=${report}`, test];
  const from = performance.now();
  const broken = await runNode(folder, args, 20 * BUSY_FACTOR);
  const seconds = (performance.now() - from) / 1000;
  const isNoticed = broken === null || broken.exitCode !== 0;
  const message = isNoticed ? firstFailure(report) : null;
  change(false);
  const whole = await runNode(folder, args, 20 * BUSY_FACTOR);
  if (whole === null || whole.exitCode !== 0)
    throw new Error(`${test} fails without "${mutant.name}" too\n${whole?.output}`);
  return { mutant, message, seed: null, runs: 1, seconds, failing: [] };
}

/** The title of the first test that failed. */
function firstFailure(report: string): string {
  if (!existsSync(report)) return "the tests do not come to an end";
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    readonly testResults: readonly {
      readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
    }[];
  };
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === "failed");
  return failed?.fullName ?? "the file cannot be loaded";
}

async function search(folder: string, options: readonly string[], seconds: number): Promise<SearchResult | null> {
  const args = [join(folder, "search.ts"), ...options, "--steps", STEPS];
  const ended = await runNode(folder, args, seconds);
  if (ended === null) return null;
  if (ended.exitCode !== 0) throw new Error(`the simulator itself failed\n${ended.output}`);
  return JSON.parse(ended.output.trim().split("\n").at(-1)!) as SearchResult;
}

/** Null: it did not come to an end. */
function runNode(
  folder: string,
  args: readonly string[],
  seconds: number,
): Promise<{ readonly output: string; readonly exitCode: number } | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    let isOver = false;
    const limit = setTimeout(() => {
      isOver = true;
      child.kill("SIGKILL");
    }, seconds * 1000);
    child.stdout.on("data", (chunk: Buffer) => void (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => void (errors += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(limit);
      resolve(isOver ? null : { output: code === 0 ? output : `${output}\n${errors}`, exitCode: code ?? 1 });
    });
  });
}

export function lineOf({ mutant, message, seed, seconds, failing }: Verdict): string {
  const by = mutant.test === undefined ? `seed ${seed}` : mutant.test;
  const fate = message === null ? "SURVIVED" : `killed by ${by}: ${message.slice(0, 160)}`;
  const others = failing.length === 0 ? "" : ` (seeds ${failing.join(", ")} fail without it too)`;
  return `${mutant.name.padEnd(56)} ${mutant.invariant.padEnd(5)} ${seconds.toFixed(1).padStart(6)} s  ${fate}${others}`;
}

async function runTable(): Promise<void> {
  const args = process.argv.slice(2);
  const take = (name: string, otherwise: number): number => {
    const at = args.indexOf(name);
    return at < 0 ? otherwise : Number(args.splice(at, 2)[1]);
  };
  const seconds = take("--seconds", 120);
  const firstSeed = take("--from", FIRST_SEED);
  const processes = take("--processes", availableParallelism());
  const isJson = args.includes("--json");
  const parts = args.filter((part) => part !== "--json");
  const chosen = mutants.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
  const verdicts: Verdict[] = [];
  const waiting = chosen.values();
  const work = async (): Promise<void> => {
    for (const mutant of waiting) {
      const verdict = await judge(mutant, { seconds, runs: Number.MAX_SAFE_INTEGER }, firstSeed);
      verdicts.push(verdict);
      if (!isJson) console.log(lineOf(verdict));
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
  const killed = verdicts.filter(({ message }) => message !== null);
  const bySeeds = killed.filter(({ mutant }) => mutant.test === undefined).length;
  if (isJson) {
    const rows = verdicts.map(({ mutant: { name, invariant, file, test }, ...rest }) => ({
      name,
      invariant,
      file,
      killedBy: test ?? "simulator",
      ...rest,
    }));
    console.log(JSON.stringify({ mutants: chosen.length, killed: killed.length, bySimulator: bySeeds, rows }));
  } else {
    console.log(`${killed.length} of ${chosen.length} mutants killed, ${bySeeds} of them by the simulator alone`);
  }
  process.exitCode = killed.length === chosen.length ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runTable();
