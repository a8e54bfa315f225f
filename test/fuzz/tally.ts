/**
 * What a run has tried: hits for each command, each word of its syntax and each version of the protocol; for each error text that the judge knows; for each
 * divergence rule; and how many replies were no errors. The bars are those of a million commands, and smaller in proportion for shorter runs.
 */
import { readFileSync } from "node:fs";
import { callableCommands, optionsOf } from "../../packages/commands/testing/command-options.ts";
import { errorPatterns } from "../../packages/commands/testing/error-patterns.ts";
import type { ErrorPattern } from "../../packages/commands/testing/error-patterns.ts";
import { divergenceRules } from "./divergence-rules.ts";
import { entries, type Book } from "./grammar.ts";
import { notAsked } from "./not-asked.ts";

const PER_MILLION = { word: 1000, error: 20 };
const GOOD_SHARE = 0.6;

export interface Row {
  readonly name: string;
  readonly hits: number;
  readonly wanted: number;
}

export interface Report {
  readonly commands: number;
  readonly goodShare: number;
  readonly words: readonly Row[];
  readonly errors: readonly Row[];
  readonly rules: readonly Row[];
  /** Bars that were missed, as sentences. */
  readonly missed: readonly string[];
}

export class Tally {
  commands: number = 0;
  #good: number = 0;
  readonly #words: Map<string, number> = new Map();
  readonly #errors: Map<string, number> = new Map();
  readonly #rules: Map<string, number> = new Map();
  readonly #options: Map<string, readonly string[]>;
  readonly #patterns: readonly ErrorPattern[];

  constructor(book: Book) {
    const typed = new Set(entries(book).map(({ command }) => command));
    const records = callableCommands().filter(({ name }) => typed.has(name));
    this.#options = new Map(
      records.map((record) => [record.name, optionsOf(record).filter((word) => !isNotAsked(record.name, word))]),
    );
    this.#patterns = knownToRedis(errorPatterns(), book);
  }

  /** One compared command and the judge's reply. */
  add(command: string | null, words: readonly string[], version: 2 | 3, reply: Uint8Array): void {
    this.commands++;
    if (reply[0] === 45)
      this.#addError(Buffer.from(reply.buffer, reply.byteOffset + 1, reply.length - 3).toString("latin1"));
    else this.#good++;
    this.#addWords(command, words, version);
  }

  /** A call that both sides let sleep; its reply, if it gets one, is compared later. */
  addBlocked(command: string | null, words: readonly string[], version: 2 | 3): void {
    this.commands++;
    this.#good++;
    this.#addWords(command, words, version);
  }

  #addWords(command: string | null, words: readonly string[], version: 2 | 3): void {
    const options = command === null ? undefined : this.#options.get(command);
    if (options === undefined) return;
    this.#hit(this.#words, wordName(command!, "", version));
    if (options.length === 0) return;
    const found = new Set<string>();
    for (let i = 1; i < words.length; i++) found.add(words[i]!.length > 20 ? "" : words[i]!.toUpperCase());
    for (const option of options) if (found.has(option)) this.#hit(this.#words, wordName(command!, option, version));
  }

  addRule(name: string): void {
    this.#hit(this.#rules, name);
  }

  /** What another process has counted. */
  merge(other: Report): void {
    this.commands += other.commands;
    this.#good += Math.round(other.goodShare * other.commands);
    for (const [into, rows] of [
      [this.#words, other.words],
      [this.#errors, other.errors],
      [this.#rules, other.rules],
    ] as const) {
      for (const { name, hits } of rows) into.set(name, (into.get(name) ?? 0) + hits);
    }
  }

  report(): Report {
    const share = Math.min(1, this.commands / 1_000_000);
    const row = (from: Map<string, number>, wanted: number) => (name: string) => ({
      name,
      hits: from.get(name) ?? 0,
      wanted,
    });
    const names = [...this.#options].flatMap(([command, options]) =>
      ["", ...options].flatMap((option) => [wordName(command, option, 2), wordName(command, option, 3)]),
    );
    const words = names.map(row(this.#words, Math.floor(PER_MILLION.word * share)));
    const errors = this.#patterns.map(({ name }) => name).map(row(this.#errors, Math.floor(PER_MILLION.error * share)));
    const rules = divergenceRules.map(({ name }) => name).map(row(this.#rules, 0));
    const goodShare = this.commands === 0 ? 0 : this.#good / this.commands;
    const missed = [...words, ...errors]
      .filter(({ hits, wanted }) => hits < wanted)
      .map(({ name, hits, wanted }) => `${name}: ${hits} hits of ${wanted}`);
    if (goodShare < GOOD_SHARE) missed.push(`replies that are no errors: ${goodShare.toFixed(3)} of ${GOOD_SHARE}`);
    return { commands: this.commands, goodShare, words, errors, rules, missed };
  }

  #addError(text: string): void {
    for (const { name, pattern } of this.#patterns) if (pattern.test(text)) this.#hit(this.#errors, name);
  }

  #hit(into: Map<string, number>, name: string): void {
    into.set(name, (into.get(name) ?? 0) + 1);
  }
}

function wordName(command: string, option: string, version: number): string {
  return `${command}${option === "" ? "" : ` ${option}`} RESP${version}`;
}

function isNotAsked(command: string, word: string): boolean {
  return notAsked.words[command]?.includes(word) === true;
}

/** Where a text has its bar. */
function bookOf(error: string): Book {
  if (notAsked.aboutLists.has(error)) return "lists";
  if (notAsked.aboutHashes.has(error)) return "hashes";
  if (notAsked.aboutSets.has(error)) return "sets";
  return notAsked.aboutValues.has(error) ? "values" : "streams";
}

/** Those whose text stands in the judge's own program, but for what sequences cannot bring about. */
function knownToRedis(all: readonly ErrorPattern[], book: Book): readonly ErrorPattern[] {
  const program = readFileSync("/usr/bin/redis-server").toString("latin1");
  return all.filter(({ name, text }) => {
    if (name in notAsked.errors || bookOf(name) !== book) return false;
    const parts = text
      .replace(/^ERR /, "")
      .split("\u0001")
      .filter((part) => part.trim().length > 3);
    return parts.every((part) => program.includes(part));
  });
}
