export * from "./message.ts";
export type * from "./log-reader.ts";
export type * from "./config.ts";
export * from "./raft-node.api.ts";
export { RaftNode } from "./raft-node.ts";
export { RaftInvariantError } from "./invariants.ts";
export {
  ConfChangeTransition,
  ConfChangeType,
  decodeConfChange,
  encodeConfChangeV1,
  encodeConfChangeV2,
} from "./conf-change-codec.ts";
export type { ConfChange, ConfChangeSingle } from "./conf-change-codec.ts";
