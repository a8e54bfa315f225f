/**
 * Writes frames straight into a ByteWriter. `beginFrame` leaves room for the header, the caller writes the payload, `endFrame` fills the
 * header in; a payload over 64 KiB is then cut into fragments in place. Nothing else may be written to the writer in between.
 */
import type { ByteWriter } from "@headrace/bytes";
import { FLAG_MORE, FRAME_HEADER_BYTES, MAX_FRAME_PAYLOAD_BYTES } from "./frame.ts";
import type { FrameType } from "./frame.ts";

/** Starts a frame; answers its offset, which `endFrame` wants back. */
export function beginFrame(writer: ByteWriter, type: FrameType, shard: number, lane: number): number {
  const at = writer.length;
  writer.reserve(FRAME_HEADER_BYTES + 64);
  const bytes = writer.bytes;
  bytes[at + 4] = type;
  bytes[at + 5] = 0;
  bytes[at + 6] = shard & 255;
  bytes[at + 7] = shard >>> 8;
  bytes[at + 8] = lane & 255;
  bytes[at + 9] = (lane >>> 8) & 255;
  bytes[at + 10] = (lane >>> 16) & 255;
  bytes[at + 11] = lane >>> 24;
  writer.length = at + FRAME_HEADER_BYTES;
  return at;
}

/** Ends the frame begun at `at`: everything written since is its payload. */
export function endFrame(writer: ByteWriter, at: number): void {
  const payloadBytes = writer.length - at - FRAME_HEADER_BYTES;
  if (payloadBytes <= MAX_FRAME_PAYLOAD_BYTES) writer.patchU32(at, payloadBytes);
  else cutIntoFragments(writer, at, payloadBytes);
}

/** A whole frame with bytes[start, end) as its payload. */
export function writeFrame(
  writer: ByteWriter,
  type: FrameType,
  shard: number,
  lane: number,
  payload: Uint8Array,
): void {
  const at = beginFrame(writer, type, shard, lane);
  writer.all(payload);
  endFrame(writer, at);
}

/**
 * Ends the frame begun at `at`, the last thing in the writer, with bytes that are not copied: all chunks, what stood in the writer before included, go to
 * `take` in their order. The writer is empty then, and `bytes` must not change any more.
 */
export function endFrameBy(
  writer: ByteWriter,
  at: number,
  bytes: Uint8Array,
  take: (chunk: Uint8Array) => void,
  nextCapacityBytes: number,
): void {
  const firstBytes = writer.length - at - FRAME_HEADER_BYTES;
  const payloadBytes = firstBytes + bytes.length;
  const count = Math.ceil(payloadBytes / MAX_FRAME_PAYLOAD_BYTES);
  const firstEnd = writer.length;
  // The headers of the other fragments come behind the first one: pieces of the same memory.
  writer.reserve((count - 1) * FRAME_HEADER_BYTES);
  for (let i = 0; i < count; i++) {
    const headerAt = i === 0 ? at : firstEnd + (i - 1) * FRAME_HEADER_BYTES;
    const size = Math.min(MAX_FRAME_PAYLOAD_BYTES, payloadBytes - i * MAX_FRAME_PAYLOAD_BYTES);
    if (i > 0) writer.bytes.copyWithin(headerAt + 4, at + 4, at + FRAME_HEADER_BYTES);
    writer.patchU32(headerAt, size);
    writer.bytes[headerAt + 5] = i < count - 1 ? FLAG_MORE : 0;
  }
  writer.length = firstEnd + (count - 1) * FRAME_HEADER_BYTES;
  const written = writer.take(nextCapacityBytes);
  take(written.subarray(0, firstEnd));
  for (let i = 0, from = 0; i < count; i++) {
    const headerAt = firstEnd + (i - 1) * FRAME_HEADER_BYTES;
    if (i > 0) take(written.subarray(headerAt, headerAt + FRAME_HEADER_BYTES));
    const to = Math.min(bytes.length, (i + 1) * MAX_FRAME_PAYLOAD_BYTES - firstBytes);
    take(bytes.subarray(from, to));
    from = to;
  }
}

/** Moves the fragments apart, last one first, so that a header fits in front of each. */
function cutIntoFragments(writer: ByteWriter, at: number, payloadBytes: number): void {
  const count = Math.ceil(payloadBytes / MAX_FRAME_PAYLOAD_BYTES);
  writer.reserve((count - 1) * FRAME_HEADER_BYTES);
  const bytes = writer.bytes;
  const stride = FRAME_HEADER_BYTES + MAX_FRAME_PAYLOAD_BYTES;
  const payloadStart = at + FRAME_HEADER_BYTES;
  for (let i = count - 1; i >= 0; i--) {
    const from = payloadStart + i * MAX_FRAME_PAYLOAD_BYTES;
    const size = Math.min(MAX_FRAME_PAYLOAD_BYTES, payloadBytes - i * MAX_FRAME_PAYLOAD_BYTES);
    const headerAt = at + i * stride;
    if (i > 0) {
      bytes.copyWithin(headerAt + FRAME_HEADER_BYTES, from, from + size);
      bytes.copyWithin(headerAt + 4, at + 4, payloadStart);
    }
    writer.patchU32(headerAt, size);
    bytes[headerAt + 5] = i < count - 1 ? FLAG_MORE : 0;
  }
  writer.length += (count - 1) * FRAME_HEADER_BYTES;
}
