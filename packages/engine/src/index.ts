export * from "./stream-id.ts";
export * from "./api.ts";
