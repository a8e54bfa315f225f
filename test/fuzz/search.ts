/**
 * Many sequences from one seed, and what they found: each difference with as few steps as still show it, and the numbers that bring it back. A sequence
 * draws from its own number alone, so that it is replayed without those before it.
 */
import fc from "fast-check";
import { Differential } from "./differential.ts";
import type { Difference } from "./differential.ts";
import { sequences } from "./grammar.ts";
import type { Book, Sequence } from "./grammar.ts";
import { Tally } from "./tally.ts";
import type { Report } from "./tally.ts";

const SEQUENCE_STEPS = 120;
/** A search that has found so many does not look for more. */
const FOUND_MAX = 60;
/** Differences of one kind that are shown. */
const ALIKE_SHOWN = 2;

export interface Finding {
  readonly book: Book;
  readonly seed: number;
  /** Of the sequence. */
  readonly number: number;
  readonly difference: Difference;
}

export interface SearchOptions {
  readonly book: Book;
  readonly seed: number;
  readonly commands: number;
  /** Sequences with these numbers only: `first`, `first + stride`, … */
  readonly first: number;
  readonly stride: number;
  /** Only the sequence `first`. */
  readonly only: boolean;
  readonly onProgress: (line: string) => void;
}

export interface SearchResult {
  readonly findings: readonly Finding[];
  readonly report: Report;
}

export async function search(options: SearchOptions): Promise<SearchResult> {
  const differential = await Differential.open();
  const tally = new Tally(options.book);
  const findings: Finding[] = [];
  const arbitrary = sequences(SEQUENCE_STEPS, options.book);
  try {
    let number = options.first;
    while (tally.commands < options.commands && findings.length < FOUND_MAX) {
      const seed = seedOf(options.seed, number);
      const [sequence] = fc.sample(arbitrary, { seed, numRuns: 1 });
      const difference = await differential.run(sequence!, tally);
      if (difference !== null) {
        const smaller = await shrunk(differential, sequence!, difference);
        const finding = { book: options.book, seed: options.seed, number, difference: smaller };
        const known = findings.filter((each) => kindOf(each.difference) === kindOf(smaller)).length;
        findings.push(finding);
        options.onProgress(known < ALIKE_SHOWN ? describe(finding) : `── one more of ${kindOf(smaller)}`);
      }
      if (options.only) break;
      if (((number - options.first) / options.stride) % 500 === 499) options.onProgress(`${tally.commands} commands`);
      number += options.stride;
    }
  } finally {
    await differential.close();
  }
  return { findings, report: tally.report() };
}

/** Well apart for neighbours. */
function seedOf(seed: number, number: number): number {
  return (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) | 0;
}

/** Leaves out steps, at first half of them at once, as long as something still differs. */
async function shrunk(differential: Differential, failing: Sequence, first: Difference): Promise<Difference> {
  let difference = first;
  let { steps } = failing;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < steps.length;) {
      const fewer = steps.toSpliced(from, size);
      const still = await differential.run({ ...failing, steps: fewer }, null);
      if (still === null) {
        from += size;
        continue;
      }
      difference = still;
      steps = fewer;
    }
  }
  return difference;
}

/** The command, and what both answers begin with. */
function kindOf({ typed, ours, theirs }: Difference): string {
  const [, name = "", sub = ""] = typed.at(-1)!.split(" ");
  return `${name} ${sub.length > 2 ? sub : ""} ${ours.slice(0, 8)} ${theirs.slice(0, 8)}`.replaceAll(/[^ -~]/g, "");
}

const SHOWN_BYTES = 300;

/** Long replies from shortly before the first byte that differs. */
function around(reply: string, other: string): string {
  if (reply.length <= SHOWN_BYTES * 2) return JSON.stringify(reply);
  let at = 0;
  while (at < reply.length && reply[at] === other[at]) at++;
  const from = Math.max(0, at - SHOWN_BYTES / 2);
  return `… from byte ${from}: ${JSON.stringify(reply.slice(from, from + SHOWN_BYTES * 2))}`;
}

export function describe({ book, seed, number, difference }: Finding): string {
  return [
    `── difference in sequence ${number}: npm run fuzz:redis -- --book ${book} --seed ${seed} --only ${number}`,
    ...difference.typed.map((line) => (line.length > SHOWN_BYTES ? `${line.slice(0, SHOWN_BYTES)}…` : line)),
    `ours:   ${around(difference.ours, difference.theirs)}`,
    `theirs: ${around(difference.theirs, difference.ours)}`,
  ].join("\n");
}
