export { openLevelStore } from "./level-store.ts";
export type { LevelStoreOptions } from "./level-store.ts";
export { openRecordStore } from "./record-store.ts";
export { openSpaceProbe } from "./space-probe.ts";
export { noStoreBytes } from "./written-bytes.ts";
export type { StoreBytes } from "./written-bytes.ts";
