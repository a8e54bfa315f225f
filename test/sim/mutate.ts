/**
 * Breaks a copy of the sources in one place and lets the simulator of the copy look for the damage. Used by mutants.test.ts; alone it runs the whole
 * table and prints it: `npm run sim:mutants [-- NAME-PART …] [--seconds N]`.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { mutants, type Mutant } from "./mutants.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export interface Verdict {
  readonly mutant: Mutant;
  /** What the simulator said; null: it noticed nothing in the time it had. */
  readonly message: string | null;
  readonly seed: string;
  readonly seconds: number;
}

/** The source with the one edit. Throws when the anchor isn't there exactly once: then the table has to follow the code. */
export function mutated(mutant: Mutant, source: string): string {
  const parts = source.split(mutant.find);
  if (mutant.find === "" || parts.length !== 2) {
    throw new Error(`${mutant.name}: its anchor stands ${parts.length - 1} times in ${mutant.file}, not once`);
  }
  return parts.join(mutant.replace);
}

/** A folder in which the simulator runs on its own copy of the sources; links between the rooms lead to the copies. */
function copyOfSources(): string {
  const folder = mkdtempSync(join(tmpdir(), "headrace-mutant-"));
  const links = join(folder, "node_modules", "@headrace");
  mkdirSync(links, { recursive: true });
  for (const room of readdirSync(join(root, "packages"))) {
    const from = join(root, "packages", room);
    const to = join(folder, "packages", room);
    cpSync(from, to, {
      recursive: true,
      filter: (path) => !/[\\/](node_modules|test|testing)$/.test(path.slice(from.length).split(sep).join("/")),
    });
    symlinkSync(join("..", "..", "packages", room), join(links, room));
  }
  return folder;
}

/**
 * Runs seeds until one is found that notices, for at most `seconds`. The same seed must then pass without the edit: else it is not the mutant that
 * was noticed.
 */
export async function judge(mutant: Mutant, seconds: number, firstSeed: number): Promise<Verdict> {
  const folder = copyOfSources();
  const from = performance.now();
  try {
    const file = join(folder, mutant.file);
    const original = readFileSync(file, "utf8");
    writeFileSync(file, mutated(mutant, original));
    const search = ["--minutes", String(seconds / 60), "--from", String(firstSeed), "--first"];
    const { output, exitCode } = await runSimulator(folder, search, seconds + 20);
    const took = (performance.now() - from) / 1000;
    const found = /^seed (\d+): VIOLATION (.*)$/m.exec(output);
    if (found === null) {
      if (exitCode !== 0) throw new Error(`${mutant.name}: the simulator itself failed\n${output}`);
      return { mutant, message: null, seed: "", seconds: took };
    }
    const [, seed, message] = found;
    writeFileSync(file, original);
    const control = await runSimulator(folder, ["--seed", seed!], 60);
    if (control.exitCode !== 0) throw new Error(`seed ${seed} fails without "${mutant.name}" too\n${control.output}`);
    return { mutant, message: message!, seed: seed!, seconds: took };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runSimulator(
  folder: string,
  options: readonly string[],
  seconds: number,
): Promise<{ readonly output: string; readonly exitCode: number }> {
  const main = join(folder, "packages", "sim", "src", "main.ts");
  const args = [...options, "--steps", "20000"];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    // A mutant may also loop for ever: the time is bounded from outside too, and that counts as not noticed.
    let isOver = false;
    const limit = setTimeout(() => {
      isOver = true;
      child.kill("SIGKILL");
    }, seconds * 1000);
    const gather = (chunk: Buffer): void => void (output += chunk.toString());
    child.stdout.on("data", gather);
    child.stderr.on("data", gather);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(limit);
      resolve({ output, exitCode: isOver ? 0 : (code ?? 1) });
    });
  });
}

export function lineOf(verdict: Verdict): string {
  const { mutant, message, seed, seconds } = verdict;
  const fate = message === null ? "SURVIVED" : `killed by seed ${seed}: ${message.slice(0, 160)}`;
  return `${mutant.name.padEnd(52)} ${mutant.invariant.padEnd(6)} ${seconds.toFixed(1).padStart(5)} s  ${fate}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const at = args.indexOf("--seconds");
  const seconds = at < 0 ? 120 : Number(args.splice(at, 2)[1]);
  const firstSeed = Math.floor(Math.random() * 0x7fffffff);
  const chosen = mutants.filter(({ name }) => args.length === 0 || args.some((part) => name.includes(part)));
  let survived = 0;
  for (const mutant of chosen) {
    const verdict = await judge(mutant, seconds, firstSeed);
    if (verdict.message === null) survived++;
    console.log(lineOf(verdict));
  }
  console.log(`${chosen.length - survived} of ${chosen.length} mutants killed`);
  process.exitCode = survived === 0 ? 0 : 1;
}
