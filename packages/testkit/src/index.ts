export * from "./local-cluster.ts";
