/**
 * docs/commands.md: every command and every word of its syntax, and the fixture that shows it in RESP2 and in RESP3. A cell is empty when no fixture does.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bytesOf } from "@headrace/bytes";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import { findCommand } from "../src/index.ts";
import { callableCommands, optionsOf } from "./command-options.ts";
import { parseTranscript, respVersions } from "./transcript.ts";

const folder = join(import.meta.dirname, "../test/testdata");
const LIMITS = { maxBulkBytes: 1 << 26, maxArguments: 1 << 16, maxInlineBytes: 1 << 20, maxRequestBytes: 1 << 26 };

const aboutItself = "packages/gateway/test/about-itself.test.ts";

/** Commands, and words of them, whose replies no fixture can hold, and who shows them. */
const shownElsewhere: Readonly<Record<string, string>> = {
  "client|info": aboutItself,
  "client|list NORMAL": aboutItself,
  "client|reply OFF": aboutItself,
  "client|reply SKIP": aboutItself,
  "cluster|info": aboutItself,
  "cluster|nodes": aboutItself,
  "cluster|shards": aboutItself,
  command: "packages/commands/test/commands.test.ts",
  info: "packages/commands/test/commands.test.ts",
  wait: "packages/gateway/test/waits.test.ts",
  waitaof: "packages/gateway/test/waits.test.ts",
};

export interface PageCell {
  readonly command: string;
  /** "" for the command itself. */
  readonly option: string;
  readonly version: 2 | 3;
  readonly fixture: string | null;
}

export function pageCells(): readonly PageCell[] {
  const shown = shownWords();
  const cells: PageCell[] = [];
  for (const record of callableCommands()) {
    const own = record.name.split("|")[0]!;
    for (const option of ["", ...optionsOf(record)]) {
      for (const version of [2, 3] as const) {
        const names = shown.get(cellKey(record.name, option, version)) ?? new Set();
        const fixture = names.has(own) ? own : ([...names].toSorted()[0] ?? elsewhere(record.name, option));
        cells.push({ command: record.name, option, version, fixture });
      }
    }
  }
  return cells;
}

function elsewhere(command: string, option: string): string | null {
  return shownElsewhere[option === "" ? command : `${command} ${option}`] ?? shownElsewhere[command] ?? null;
}

export function commandPage(): string {
  const lines = [
    "# Commands and options, and the fixtures that show them",
    "",
    "Printed by `npm run docs:commands` from the command table and `packages/commands/test/testdata`; do not edit. Each fixture is judged by the pure",
    "engine, by a simulated cluster with faults, and, where Redis 7.0.15 knows the command, by a real redis-server.",
    "",
    "| command | word | RESP2 | RESP3 |",
    "|---|---|---|---|",
  ];
  const cells = pageCells();
  for (let i = 0; i < cells.length; i += 2) {
    const { command, option, fixture } = cells[i]!;
    const other = cells[i + 1]!.fixture;
    lines.push(
      `| ${nameCell(command)} | ${option === "" ? "" : `\`${option}\``} | ${fixture ?? ""} | ${other ?? ""} |`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function nameCell(command: string): string {
  return command.toUpperCase().replace("|", " ");
}

/** Fixtures by command, word and version. */
function shownWords(): Map<string, Set<string>> {
  const shown = new Map<string, Set<string>>();
  for (const file of readdirSync(folder)) {
    const fixture = file.replace(".txt", "");
    for (const each of parseTranscript(readFileSync(join(folder, file), "latin1"))) {
      for (const { command } of each.lines) {
        for (const word of wordsOf(command)) {
          for (const version of respVersions(each)) {
            const key = cellKey(word.command, word.option, version);
            const names = shown.get(key);
            if (names === undefined) shown.set(key, new Set([fixture]));
            else names.add(fixture);
          }
        }
      }
    }
  }
  return shown;
}

function cellKey(command: string, option: string, version: number): string {
  return `${command} ${option} ${version}`;
}

/** The command that a line calls, alone and with each of its arguments. */
function* wordsOf(line: string): Iterable<{ readonly command: string; readonly option: string }> {
  const decoder = new RequestDecoder(LIMITS);
  decoder.feed(bytesOf(`${line}\r\n`));
  if (decoder.next() !== DecodeResult.request) return;
  const { request } = decoder;
  const record = findCommand(request);
  if (record === null) return;
  const command = record.name;
  yield { command, option: "" };
  for (let i = 1; i < request.count; i++) yield { command, option: request.latin1(i).toUpperCase() };
}
