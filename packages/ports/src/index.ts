export type * from "./result.ts";
export type * from "./clock.ts";
export type * from "./segment-disk.ts";
export type * from "./kv-store.ts";
export type * from "./byte-connection.ts";
export { PeerChannel } from "./peer-network.ts";
export type * from "./peer-network.ts";
export type * from "./observe.ts";
export type * from "./world.ts";
