/** How a run of a simulation ends: with what it found, or with the rule that was broken. */
import { trapAmbientWorld } from "./ambient-world.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Faults } from "./faults.ts";

/** A rule was broken; the message names it, `seed` and `steps` replay it. */
export class Violation extends Error {
  override name: string = "Violation";
  readonly seed: number;
  readonly traceHash: string;
  readonly atStep: number;
  /** Kinds of faults that could happen, and the numbers of those that did. */
  readonly faults: readonly string[];
  readonly happened: readonly number[];

  constructor(seed: number, loop: EventLoop, faults: Faults | null, message: string) {
    super(message);
    this.seed = seed;
    this.traceHash = loop.traceHash;
    this.atStep = loop.steps;
    this.faults = faults === null ? [] : faults.kinds;
    this.happened = faults === null ? [] : faults.happened;
  }
}

interface Judged<Result> {
  readonly faults: Faults;
  run(): Result;
}

/** Makes and runs it where nothing ambient works. Throws a `Violation` for whatever it throws. */
export function judgedRun<Result>(seed: number, loop: EventLoop, make: () => Judged<Result>): Result {
  const restore = trapAmbientWorld();
  let run: Judged<Result> | null = null;
  try {
    run = make();
    return run.run();
  } catch (error) {
    const whole = error instanceof Error ? error.message : String(error);
    // Large entries say no more than small ones.
    const message = whole.replaceAll(/x{100,}/g, "xxx…");
    const violation = new Violation(seed, loop, run === null ? null : run.faults, message);
    if (error instanceof Error && error.stack !== undefined) violation.stack = error.stack;
    throw violation;
  } finally {
    restore();
  }
}
