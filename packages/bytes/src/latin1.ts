/**
 * Byte strings as JavaScript strings: one character per byte (latin1), so that binary keys are exact `Map` keys and stay one-byte strings
 * in V8. Never used for display.
 */
import { Buffer } from "node:buffer";

// Called on the prototype: chunks may be plain Uint8Arrays, and one call site then sees one shape.
const slice = Buffer.prototype.latin1Slice;
const write = Buffer.prototype.latin1Write;

/** bytes[start, end) as a latin1 string. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return slice.call(bytes, start, end);
}

/** Writes the string's low bytes at `offset`, which must have room; returns the offset behind them. */
export function writeLatin1(bytes: Uint8Array, offset: number, text: string): number {
  const length = text.length;
  if (length < 12) {
    for (let i = 0; i < length; i++) bytes[offset + i] = text.charCodeAt(i);
    return offset + length;
  }
  write.call(bytes, text, offset, length);
  return offset + length;
}

/** A new array holding the string's bytes. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** UTF-8 text for people and JSON records. */
export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

export function utf8Bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}
