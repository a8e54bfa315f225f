/** Clock, chance and timers of the process: nothing in a simulation may use them. */
const TIMERS = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"];

/**
 * Whatever asks the real world for time or chance during a run is a bug that would make seeds worthless. Promises can't be trapped; what they would
 * do comes after the run, so that it would never be seen to happen.
 */
export function trapAmbientWorld(): () => void {
  const world = globalThis as unknown as Record<string, unknown>;
  const trap = (name: string) => (): never => {
    throw new Error(`${name} was called inside the simulation: take it from a port`);
  };
  const RealDate = Date;
  const realNow = Date.now;
  const realRandom = Math.random;
  const kept = TIMERS.map((name) => [name, world[name]] as const);
  RealDate.now = trap("Date.now");
  Math.random = trap("Math.random");
  world["Date"] = new Proxy(RealDate, { construct: trap("new Date") });
  const realPerformance = performance;
  world["performance"] = { now: trap("performance.now") };
  for (const name of TIMERS) world[name] = trap(name);
  return () => {
    world["Date"] = RealDate;
    RealDate.now = realNow;
    Math.random = realRandom;
    world["performance"] = realPerformance;
    for (const [name, real] of kept) world[name] = real;
  };
}
