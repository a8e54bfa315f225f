/** Measures one step, in a process of its own (what ran before would shape how it is compiled): `node bench/steps/measure.ts NAME`. Prints one JSON line. */
import { getHeapStatistics } from "node:v8";
import { CALIBRATION_UNITS, calibration } from "./calibration.ts";
import { stepNamed } from "./steps.ts";

/** In rounds; the fastest counts, since everything that disturbs makes it slower. */
const ROUNDS = 60;
const WARM_ROUNDS = 20;

export interface MeasuredStep {
  readonly nanoseconds: number;
  /** Of the calibration loop for 256 bytes. */
  readonly unitNanoseconds: number;
  readonly bytes: number;
}

function timed(work: () => number): { readonly nanoseconds: number; readonly result: number } {
  const from = process.hrtime.bigint();
  const result = work();
  return { nanoseconds: Number(process.hrtime.bigint() - from), result };
}

const step = stepNamed(process.argv[2] ?? "");
const calibrate = calibration();
for (let round = 0; round < WARM_ROUNDS; round++) {
  calibrate();
  step.run();
  step.tidy();
}
let nanoseconds = Number.POSITIVE_INFINITY;
let unitNanoseconds = Number.POSITIVE_INFINITY;
let bytes = 0;
let commands = 0;
for (let round = 0; round < ROUNDS; round++) {
  unitNanoseconds = Math.min(unitNanoseconds, timed(calibrate).nanoseconds / CALIBRATION_UNITS);
  const before = getHeapStatistics().total_allocated_bytes;
  const { nanoseconds: took, result } = timed(step.run);
  bytes += getHeapStatistics().total_allocated_bytes - before;
  commands += result;
  nanoseconds = Math.min(nanoseconds, took / result);
  step.tidy();
}
console.log(JSON.stringify({ nanoseconds, unitNanoseconds, bytes: bytes / commands } satisfies MeasuredStep));
