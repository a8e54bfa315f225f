export * from "./api.ts";
export * from "./recovered-group.ts";
export { SharedLog } from "./shared-log.ts";
