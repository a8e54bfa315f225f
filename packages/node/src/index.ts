export * from "./shard-api.ts";
export * from "./shard-limits.ts";
export * from "./shard.ts";
