export { simulate, Violation, type SimulationOptions, type SimulationResult } from "./simulation.ts";
export { EventLoop, Life } from "./event-loop.ts";
export { SeededRandom } from "./seeded-random.ts";
export { SimKvStore, SimMachineDisk, SimSegmentDisk } from "./sim-disk.ts";
