export type * from "./shard-api.ts";
