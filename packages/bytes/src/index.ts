export * from "./ascii-integer.ts";
export * from "./assert.ts";
export * from "./byte-copy.ts";
export * from "./byte-reader.ts";
export * from "./byte-writer.ts";
export * from "./crc16.ts";
export * from "./crc32.ts";
export * from "./latin1.ts";
