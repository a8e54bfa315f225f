export { simulate, type SimulationOptions, type SimulationResult } from "./simulation.ts";
export { Violation } from "./violation.ts";
export {
  simulateBackup,
  simulateRestoration,
  type CrashAt,
  type RestorationOptions,
  type RestorationResult,
  type TakenBackup,
} from "./restoration.ts";
export { EventLoop, Life } from "./event-loop.ts";
export { SeededRandom } from "./seeded-random.ts";
export { SimKvStore, SimMachineDisk, SimSegmentDisk } from "./sim-disk.ts";
// The workload and the judge of what clients saw, for runs on real processes.
export {
  ClientWork,
  GroupNames,
  GROUP,
  judgedStreams,
  preparations,
  workNamed,
  workStreams,
  type WorkName,
  type WorkStreams,
} from "./workload.ts";
export { History } from "./checkers/history.ts";
export type { Entry, FinalView, PendingRow } from "./checkers/reading.ts";
export { ErrorReply, replyValue, type ReplyValue } from "./reply-value.ts";
export type { AckLevel, Operation } from "./sim-client.ts";
