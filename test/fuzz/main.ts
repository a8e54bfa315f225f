/**
 * `npm run fuzz:redis -- --book B --commands N --seed S --json`: random sequences of commands on our gateway and on redis-server 7.0.15 side by side. Ends with status
 * 1 when an answer differs that docs/divergence.md does not explain, or when something was tried too seldom. `--only K` runs sequence K alone.
 */
import { parseArgs } from "node:util";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { type Book, books } from "./grammar.ts";
import { describe, search } from "./search.ts";
import type { Finding, SearchOptions, SearchResult } from "./search.ts";
import { Tally } from "./tally.ts";
import type { Report } from "./tally.ts";

const HELP = [
  "npm run fuzz:redis [-- options]",
  "  --book NAME    streams, values, lists, sets or hashes (default: one after the other)",
  "  --commands N   commands of each book, over all threads (default 100,000)",
  "  --seed S       the seed of all sequences (default: a fresh one, which is printed)",
  "  --only K       runs sequence K alone, whatever was tried by it",
  "  --threads N    worker threads, with a redis-server each (default 2)",
  "  --json         JSON instead of the report",
  "Ends with status 1 when an answer differs that docs/divergence.md does not explain, or when something was tried too seldom.",
].join("\n");

type Task = Omit<SearchOptions, "onProgress">;

if (isMainThread) {
  process.exitCode = await main();
} else {
  const result = await search({ ...(workerData as Task), onProgress: (line) => parentPort!.postMessage({ line }) });
  parentPort!.postMessage({ result });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      book: { type: "string" },
      commands: { type: "string", default: "100000" },
      seed: { type: "string" },
      only: { type: "string" },
      threads: { type: "string", default: "2" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  const threads = values.only === undefined ? Number(values.threads) : 1;
  process.stderr.write(`seed ${seed}\n`);
  let isGood = true;
  for (const book of books) {
    if (values.book !== undefined && values.book !== book) continue;
    if (!(await searchBook(book, seed, threads, values))) isGood = false;
  }
  return isGood ? 0 : 1;
}

interface Said {
  readonly commands: string;
  readonly only?: string | undefined;
  readonly json: boolean;
}

/** Whether nothing was found, and everything tried often enough. */
async function searchBook(book: Book, seed: number, threads: number, values: Said): Promise<boolean> {
  const started = Date.now();
  const results = await Promise.all(
    Array.from({ length: threads }, (_, i) =>
      run({
        book,
        seed,
        commands: Math.ceil(Number(values.commands) / threads),
        first: values.only === undefined ? i : Number(values.only),
        stride: threads,
        only: values.only !== undefined,
      }),
    ),
  );
  const tally = new Tally(book);
  for (const { report } of results) tally.merge(report);
  const report = tally.report();
  const findings = results.flatMap((result) => result.findings);
  const seconds = Math.round((Date.now() - started) / 1000);
  const missed = values.only === undefined ? report.missed : [];
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ book, seed, seconds, findings, ...report }, null, 1)}\n`
      : `# ${book}\n${shown(seed, seconds, report, findings)}\n`,
  );
  return findings.length === 0 && missed.length === 0;
}

function run(task: Task): Promise<SearchResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    worker.on("message", (message: { line?: string; result?: SearchResult }) => {
      if (message.line !== undefined) process.stderr.write(`${message.line}\n`);
      if (message.result !== undefined) resolve(message.result);
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`a worker ended with ${code}`)));
  });
}

function shown(seed: number, seconds: number, report: Report, findings: readonly Finding[]): string {
  const table = (title: string, rows: Report["words"]): string[] => [
    "",
    `## ${title}`,
    ...rows.map(
      ({ name, hits, wanted }) => `${String(hits).padStart(8)} ${hits < wanted ? "MISSED" : "      "} ${name}`,
    ),
  ];
  return [
    `seed ${seed}: ${report.commands} commands compared in ${seconds} s, ${findings.length} unexplained differences`,
    `replies that are no errors: ${(report.goodShare * 100).toFixed(1)} %`,
    ...findings.map(describe),
    ...table("hits per divergence rule", report.rules),
    ...table("hits per error text that Redis 7.0.15 has", report.errors),
    ...table("hits per command, word and protocol version", report.words),
    "",
    ...(report.missed.length === 0 ? ["every bar was met"] : ["missed:", ...report.missed]),
  ].join("\n");
}
