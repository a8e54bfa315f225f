export * from "./config.ts";
export { Gateway } from "./gateway.ts";
export type { GatewayGauges } from "./gateway.ts";
export { Statistics } from "./statistics.ts";
