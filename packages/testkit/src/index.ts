export * from "./group-status.ts";
export * from "./local-cluster.ts";
