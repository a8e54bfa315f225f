export * from "./faulty-network.ts";
export * from "./group-status.ts";
export * from "./leader-kills.ts";
export * from "./local-cluster.ts";
export * from "./proxied-cluster.ts";
