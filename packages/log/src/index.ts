export * from "./api.ts";
export { SharedLog } from "./shared-log.ts";
