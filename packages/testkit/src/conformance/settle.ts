/**
 * How a conformance suite waits: real adapters complete by themselves, simulated ones when their events are pumped. `start` calls the port
 * with the `done` it is given; the answer is what `done` got.
 */
import type { Done, Result } from "@headrace/ports";

export type Settle = <T>(start: (done: Done<T>) => void) => Promise<Result<T>>;

/** For adapters that need no pumping. */
export const settleByWaiting: Settle = (start) => new Promise((resolve) => start(resolve));

/** For simulated ones: `pump` runs one event and says whether there was one. */
export function settleByPumping(pump: () => boolean): Settle {
  return <T>(start: (done: Done<T>) => void) => {
    const results: Result<T>[] = [];
    start((result) => results.push(result));
    if (results.length > 0) throw new Error("completed inside the call");
    while (results.length === 0) {
      if (!pump()) throw new Error("nothing left to happen, and the operation has not completed");
    }
    return Promise.resolve(results[0]!);
  };
}

/** The value, or a test failure that names the reason. */
export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.reason}: ${result.message}`);
  return result.value;
}
