export * from "./ack.ts";
export * from "./command.ts";
export * from "./errors.ts";
export * from "./execute.ts";
export * from "./keys.ts";
export * from "./table.ts";
export { globMatches } from "./glob.ts";
export { readCursor } from "./key/scan.ts";
export { REDIS_VERSION } from "./server/redis-version.ts";
