/**
 * How much of the core the simulator alone runs: `npm run sim:coverage [-- --seeds N] [--from N] [--steps N] [--json]`. V8 counts blocks while seeds run
 * (NODE_V8_COVERAGE); here its counts become lines. A line counts when it holds code: after the types are taken out, with a letter or a digit outside of
 * comments; so neither interfaces, nor imports of types, nor closing brackets make the figure better or worse. It is covered when a part of it has run.
 *
 * What is uncovered tells what the workload and the faults lack.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { SearchResult } from "./search.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** The rooms whose faults would be faults of the cluster. */
export const ROOMS: readonly string[] = ["raft-ts", "engine", "node", "gateway", "commands"];
const FIRST_SEED = 20_261_121;
const WORST_FILES = 8;

/** As V8 writes it: ranges of a function, the outermost first, in offsets of UTF-16 units. */
interface FunctionCounts {
  readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
}

export interface FileCoverage {
  readonly file: string;
  readonly lines: number;
  readonly covered: number;
  /** Line numbers, first and last of each stretch. */
  readonly uncovered: readonly (readonly [number, number])[];
}

export interface RoomCoverage {
  readonly room: string;
  readonly lines: number;
  readonly covered: number;
  readonly files: readonly FileCoverage[];
}

/** The numbers of the lines that hold code, from 1. */
export function codeLines(source: string): readonly number[] {
  const lines = stripTypeScriptTypes(source, { mode: "strip" }).split("\n");
  const found: number[] = [];
  let isComment = false;
  for (const [at, line] of lines.entries()) {
    const text = line.trim();
    if (!isComment && text.startsWith("/*")) isComment = true;
    const isCode = !isComment && !text.startsWith("//") && /[A-Za-z0-9]/.test(text);
    if (isCode) found.push(at + 1);
    if (isComment && text.includes("*/")) isComment = false;
  }
  return found;
}

/** For each character of the source whether it has run. Inner ranges come behind the outer ones and have the last word. */
export function ranCharacters(length: number, functions: readonly FunctionCounts[]): Uint8Array {
  const ran = new Uint8Array(length);
  const ranges = functions.flatMap((each) => each.ranges);
  // Of two that begin together the longer one is the outer one.
  const outerFirst = ranges.toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of outerFirst) ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return ran;
}

/** `ran`: as of ranCharacters; null where V8 has never heard of the file. */
export function coverageOf(file: string, source: string, ran: Uint8Array | null): FileCoverage {
  const starts = [0];
  for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) starts.push(at + 1);
  const uncovered: [number, number][] = [];
  let lines = 0;
  let covered = 0;
  let isOpen = false;
  for (const number of codeLines(source)) {
    lines++;
    const from = starts[number - 1]!;
    const end = starts[number] ?? source.length;
    let hasRun = false;
    for (let at = from; at < end && !hasRun; at++) hasRun = ran !== null && ran[at] === 1 && source[at]!.trim() !== "";
    if (hasRun) covered++;
    else if (isOpen) uncovered.at(-1)![1] = number;
    else uncovered.push([number, number]);
    isOpen = !hasRun;
  }
  return { file, lines, covered, uncovered };
}

/** What the V8 reports in the folder say about the rooms' sources, put together. */
function gather(folder: string): readonly RoomCoverage[] {
  const ran = new Map<string, Uint8Array>();
  for (const name of readdirSync(folder)) {
    const report = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
      readonly result: readonly { readonly url: string; readonly functions: readonly FunctionCounts[] }[];
    };
    for (const { url, functions } of report.result) {
      if (!url.startsWith(pathToFileURL(join(root, "packages")).href)) continue;
      const { length } = readFileSync(fileURLToPath(url), "utf8");
      const here = ranCharacters(length, functions);
      const before = ran.get(url);
      if (before !== undefined) for (let at = 0; at < length; at++) here[at]! |= before[at]!;
      ran.set(url, here);
    }
  }
  return ROOMS.map((room) => {
    const sources = join(root, "packages", room, "src");
    const files = readdirSync(sources, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .map((name) => {
        const path = join(sources, name);
        const file = relative(root, path).split(sep).join("/");
        return coverageOf(file, readFileSync(path, "utf8"), ran.get(pathToFileURL(path).href) ?? null);
      });
    return { room, lines: sum(files, "lines"), covered: sum(files, "covered"), files };
  });
}

function sum(parts: readonly FileCoverage[] | readonly RoomCoverage[], what: "lines" | "covered"): number {
  return parts.reduce((total, part) => total + part[what], 0);
}

function percent({ covered, lines }: { readonly covered: number; readonly lines: number }): string {
  return lines === 0 ? "-" : ((100 * covered) / lines).toFixed(1);
}

function runSeeds(folder: string, options: readonly string[]): Promise<void> {
  const args = [join(root, "test", "sim", "search.ts"), ...options];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, NODE_V8_COVERAGE: folder },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => void (output += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) return reject(new Error(`the simulator itself failed, exit code ${code}`));
      const { seed, message } = JSON.parse(output) as SearchResult;
      if (seed === null) resolve();
      else reject(new Error(`seed ${seed}: ${message}`));
    });
  });
}

function print(rooms: readonly RoomCoverage[]): void {
  for (const room of rooms) {
    console.log(`${room.room.padEnd(10)} ${percent(room).padStart(5)} %  of ${room.lines} lines`);
    const worst = room.files
      .filter(({ uncovered }) => uncovered.length > 0)
      .toSorted((a, b) => b.lines - b.covered - (a.lines - a.covered))
      .slice(0, WORST_FILES);
    for (const each of worst) {
      const where = each.uncovered.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(" ");
      console.log(`  ${percent(each).padStart(5)} %  ${each.file}  without: ${where}`);
    }
  }
  console.log(
    `together   ${percent({ lines: sum(rooms, "lines"), covered: sum(rooms, "covered") })} %  of ${sum(rooms, "lines")} lines`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const value = (name: string, otherwise: number): number => {
    const at = args.indexOf(name);
    return at < 0 ? otherwise : Number(args[at + 1]);
  };
  const seeds = value("--seeds", 60);
  const from = value("--from", FIRST_SEED);
  const processes = Math.min(availableParallelism(), seeds);
  const folder = mkdtempSync(join(tmpdir(), "headrace-coverage-"));
  try {
    const each = Math.ceil(seeds / processes);
    const steps = String(value("--steps", 20_000));
    await Promise.all(
      Array.from({ length: processes }, (_, i) =>
        runSeeds(folder, ["--from", String(from + i), "--seeds", String(each), "--steps", steps]),
      ),
    );
    const rooms = gather(folder);
    if (args.includes("--json")) {
      const total = { lines: sum(rooms, "lines"), covered: sum(rooms, "covered") };
      console.log(JSON.stringify({ seeds: each * processes, from, ...total, percent: Number(percent(total)), rooms }));
    } else print(rooms);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
