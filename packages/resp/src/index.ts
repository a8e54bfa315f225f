export * from "./api.ts";
export * from "./double-text.ts";
export * from "./reply-reader.ts";
export * from "./reply-writer.ts";
export * from "./request-decoder.ts";
