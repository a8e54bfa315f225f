export * from "./message.ts";
export type * from "./log-reader.ts";
export type * from "./config.ts";
export * from "./raft-node.api.ts";
