export * from "./stream-id.ts";
export * from "./api.ts";
export { ENTRIES_READ_UNKNOWN, entriesReadAfterDelivery, estimateEntriesRead, lagOf } from "./lag.ts";
export { scanCursor, scanCursorAge, scanCursorSlot } from "./scan.ts";
export { ShardLoader } from "./shard-loader.ts";
export { ShardState } from "./shard-state.ts";
export { rowIsIntact } from "./row-check.ts";
