/**
 * How far ahead of readers blocks are read. Who goes on where his last miss left off reads a stream from one end to the other: twice as many blocks each
 * time, up to a bound, so that he waits for the disk ever more rarely. Who turns up elsewhere gets fewer each time, in the end none: what is read for
 * him is what he asked for.
 *
 * Must not know: how blocks are read, whether they have come.
 */
import type { BlockName, ColdMiss, Passage, WantedBlock } from "@headrace/engine";

/** A block, about. Where entries are large fewer are read, of twice as many bytes at most: perhaps nobody asks for them. */
const BLOCK_BYTES = 32 * 1024;

/** Blocks for a reader of whom nothing is known yet. */
const FIRST_BLOCKS = 4;
/** Readers that are told apart in one stream, and streams that are remembered: the ones looked at last. */
const RUNS_MAX = 4;
const STREAMS_MAX = 64;

/** One reader, as far as his misses show him. Numbers of blocks. */
interface Run {
  readonly step: -1 | 1;
  /** Where he missed last. */
  at: number;
  /** The last one that was read ahead for him. */
  aheadTo: number;
  blocks: number;
}

/** Where he was last, or in what was read for him. */
function isWithin({ step, at, aheadTo }: Run, number: number): boolean {
  return (number - at) * step >= 0 && (number - aheadTo) * step <= 0;
}

/** Of one stream. */
class Readers {
  /** The one that was met last is the last. */
  runs: Run[] = [];
  /** For the next one that turns up somewhere. */
  firstBlocks: number = FIRST_BLOCKS;
}

export class ReadAhead {
  /** The one looked at last is the last. */
  readonly #streams: Map<string, Readers> = new Map();

  /** What to read beside what the miss wants. */
  wanted(miss: ColdMiss, bytesMax: number): readonly WantedBlock[] {
    const { step, wanted } = miss;
    if (step === 0) return [];
    const [first, last] = step > 0 ? [wanted[0]!, wanted.at(-1)!] : [wanted.at(-1)!, wanted[0]!];
    const run = this.#runOf(this.#readersOf(first), step, first.number, Math.floor(bytesMax / BLOCK_BYTES));
    run.at = first.number;
    // He may have caught up with what is being read for him.
    const aheadTo = last.number + step * run.blocks;
    if ((aheadTo - run.aheadTo) * step > 0) run.aheadTo = aheadTo;
    return run.blocks === 0 ? [] : miss.ahead(run.blocks, Math.min(bytesMax, 2 * run.blocks * BLOCK_BYTES));
  }

  /**
   * What to read now that somebody came by without a miss: when half of what was read for him is behind him, the next part is, so that he need not wait at
   * its end.
   */
  passed({ last, step, ahead }: Passage, bytesMax: number): readonly WantedBlock[] {
    const run = this.#streams
      .get(`${last.slot}:${last.age}`)
      ?.runs.findLast((each) => each.step === step && isWithin(each, last.number));
    if (run === undefined) return [];
    const left = (run.aheadTo - last.number) * step;
    run.at = last.number;
    if (left * 2 > run.blocks) return [];
    run.blocks = Math.min(run.blocks * 2, Math.floor(bytesMax / BLOCK_BYTES));
    run.aheadTo += step * run.blocks;
    const blocks = left + run.blocks;
    return ahead(blocks, 2 * blocks * BLOCK_BYTES);
  }

  /** Nothing that was known of streams counts any more. */
  forget(): void {
    this.#streams.clear();
  }

  #readersOf({ slot, age }: BlockName): Readers {
    const key = `${slot}:${age}`;
    const readers = this.#streams.get(key) ?? new Readers();
    this.#streams.delete(key);
    this.#streams.set(key, readers);
    if (this.#streams.size > STREAMS_MAX) {
      const [oldest] = this.#streams.keys();
      this.#streams.delete(oldest!);
    }
    return readers;
  }

  #runOf(readers: Readers, step: -1 | 1, at: number, blocksMax: number): Run {
    const goesOn = (each: Run): boolean =>
      each.step === step && (at - each.at) * step >= 0 && (at - each.aheadTo) * step <= 1;
    let run = readers.runs.findLast(goesOn);
    if (run === undefined) {
      run = { step, at, aheadTo: at, blocks: Math.min(readers.firstBlocks, blocksMax) };
      readers.firstBlocks >>= 1;
    } else {
      // All of it was used.
      if ((at - run.aheadTo) * step > 0) run.blocks = Math.max(1, run.blocks * 2);
      run.blocks = Math.min(run.blocks, blocksMax);
      readers.firstBlocks = FIRST_BLOCKS;
    }
    const known = run;
    readers.runs = [...readers.runs.filter((each) => each !== known), known].slice(-RUNS_MAX);
    return known;
  }
}
