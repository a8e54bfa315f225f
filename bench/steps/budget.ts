/**
 * Budgets of the steps: what a command may cost in each, in time as a multiple of the calibration loop's unit of the same run, and in bytes of heap. Kept in
 * bench/budgets.json.
 */

export interface Cost {
  /** Nanoseconds a command, divided by those of the calibration loop for 256 bytes. */
  readonly ratio: number;
  /** Of JavaScript heap, a command; buffers outside of it are not in it. */
  readonly bytes: number;
}

export interface BudgetFile {
  /** How the figures were taken. */
  readonly node: string;
  readonly date: string;
  /** A step may take this many times what is written down: noise between runs. */
  readonly ratioSlack: number;
  readonly bytesSlack: number;
  readonly steps: Readonly<Record<string, Cost>>;
}

/** Bytes that are no change: the heap counts what it hands out in larger pieces. */
const BYTES_GRAIN = 24;

export interface Verdict {
  readonly step: string;
  readonly ratioMax: number | null;
  readonly bytesMax: number | null;
  /** Plain sentences; empty when the budget is kept. */
  readonly broken: readonly string[];
}

/** Of every step that was measured, and of steps of the file that are gone when `isWhole`. */
export function verdicts(
  costs: Readonly<Record<string, Cost>>,
  file: BudgetFile,
  isWhole: boolean,
): readonly Verdict[] {
  const measured = Object.entries(costs).map(([step, cost]) => verdictOf(step, cost, file));
  if (!isWhole) return measured;
  const gone = Object.keys(file.steps).filter((step) => !(step in costs));
  return [
    ...measured,
    ...gone.map((step) => ({
      step,
      ratioMax: null,
      bytesMax: null,
      broken: [`${step}: has a budget but is no step any more; run with --update`],
    })),
  ];
}

function verdictOf(step: string, cost: Cost, { steps, ratioSlack, bytesSlack }: BudgetFile): Verdict {
  const budget = steps[step];
  if (budget === undefined) {
    return { step, ratioMax: null, bytesMax: null, broken: [`${step}: has no budget yet; run with --update`] };
  }
  const ratioMax = budget.ratio * ratioSlack;
  const bytesMax = budget.bytes * bytesSlack + BYTES_GRAIN;
  const broken: string[] = [];
  if (cost.ratio > ratioMax)
    broken.push(
      `${step}: takes ${cost.ratio.toFixed(2)} × the calibration loop a command; the budget allows ${ratioMax.toFixed(2)}`,
    );
  if (cost.bytes > bytesMax)
    broken.push(
      `${step}: allocates ${cost.bytes.toFixed(0)} bytes a command; the budget allows ${bytesMax.toFixed(0)}`,
    );
  return { step, ratioMax, bytesMax, broken };
}
