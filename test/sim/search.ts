/**
 * Runs seeds one after the other in this process, until one shows a violation or there are enough: `node search.ts --from N (--seeds N | --seconds N)
 * [--steps N] [--work NAME]`. Ends with one line of JSON. For mutants (it is copied beside the changed sources, and asks for their simulator) and for the coverage,
 * which V8 writes when the process ends.
 */
import { simulate, Violation, workNamed } from "@headrace/sim";

export interface SearchResult {
  readonly runs: number;
  /** Of the processor, from the start of the process on. */
  readonly seconds: number;
  /** Of the violation that was found. */
  readonly seed: number | null;
  readonly message: string;
}

const SEED_STEP = 7919;

const args = process.argv.slice(2);
const value = (name: string, otherwise: number): number => {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : Number(args[at + 1]);
};
const from = value("--from", 1);
const steps = value("--steps", 20_000);
const work = args.indexOf("--work");
const only = workNamed(work < 0 ? undefined : args[work + 1]);
const seeds = value("--seeds", Number.POSITIVE_INFINITY);
const seconds = value("--seconds", Number.POSITIVE_INFINITY);
/** Of the processor: what else the machine does changes nothing. */
const elapsed = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

function search(): SearchResult {
  let runs = 0;
  for (; runs < seeds && elapsed() < seconds; runs++) {
    const seed = (from + runs * SEED_STEP) >>> 0;
    try {
      simulate({ seed, steps, only });
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return { runs: runs + 1, seconds: elapsed(), seed, message: error.message };
    }
  }
  return { runs, seconds: elapsed(), seed: null, message: "" };
}

console.log(JSON.stringify(search()));
