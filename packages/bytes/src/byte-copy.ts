import { Buffer } from "node:buffer";

const copy = Buffer.prototype.copy;

/** Copies source[start, end) to target at `offset`; returns the offset behind it. A `subarray` first would cost more than the copy. */
export function copyBytes(target: Uint8Array, offset: number, source: Uint8Array, start: number, end: number): number {
  copy.call(source, target, offset, start, end);
  return offset + (end - start);
}

/** Uninitialised memory outside the pool, for buffers that live long. */
export function allocate(lengthBytes: number): Uint8Array {
  return Buffer.allocUnsafeSlow(lengthBytes);
}

/** The same; small ones share memory with each other: for many that go at about the same time. Memory of its own costs 1 µs, and the collector as much. */
export function allocateShared(lengthBytes: number): Uint8Array {
  return Buffer.allocUnsafe(lengthBytes);
}

/** An own copy of bytes[start, end). */
export function copyOf(bytes: Uint8Array, start: number = 0, end: number = bytes.length): Uint8Array {
  const own = Buffer.allocUnsafeSlow(end - start);
  copy.call(bytes, own, 0, start, end);
  return own;
}

/** An own copy of all of it; small ones share memory with each other: for many that go at about the same time. */
export function pooledCopyOf(bytes: Uint8Array): Uint8Array {
  const own = Buffer.from(bytes);
  return new Uint8Array(own.buffer, own.byteOffset, own.length);
}

/** A copy: a part of `memory`, where that is given and has room for it, else of its own. */
export function copyInto(memory: Uint8Array | null, bytes: Uint8Array): Uint8Array {
  if (memory === null || memory.length < bytes.length) return new Uint8Array(bytes);
  memory.set(bytes);
  return memory.subarray(0, bytes.length);
}

/** One contiguous copy of all chunks. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** `first` and what stands behind it, as one; without anything behind it, `first` itself. */
export function withRest(first: Uint8Array, rest: readonly Uint8Array[] | undefined): Uint8Array {
  return rest === undefined ? first : Buffer.concat([first, ...rest]);
}

/** How long that is. */
export function lengthWithRest(first: Uint8Array, rest: readonly Uint8Array[] | undefined): number {
  let length = first.length;
  if (rest !== undefined) for (const piece of rest) length += piece.length;
  return length;
}

/** Bytewise order, as the ordered store sorts: negative, 0, positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
