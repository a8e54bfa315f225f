export * from "./channel-payload.ts";
export * from "./frame.ts";
export * from "./frame-reader.ts";
export * from "./frame-writer.ts";
export * from "./handshake.ts";
export * from "./payload.ts";
