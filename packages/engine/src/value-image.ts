/**
 * A whole value as one piece, for COPY and RESTORE, which carry it through the log. Values from outside are written in this form by whoever read them
 * (commands/src/dump), so what is here is believed.
 *
 *   image   u8 version = 1 · u8 kind · the kind's own
 */
import { assert, type ByteReader, ByteWriter } from "@headrace/bytes";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { ValueView } from "./value-api.ts";
import { valueKind } from "./value-kinds.ts";
import type { Value } from "./value.ts";

const IMAGE_VERSION = 1;
const HEAD_BYTES = 2;

/** Null: larger than `bytesMax`. */
export function imageOf(value: ValueView, bytesMax: number): Uint8Array | null {
  if (HEAD_BYTES + value.imageBytesMax > bytesMax) return null;
  const writer = new ByteWriter(HEAD_BYTES + value.imageBytesMax);
  beginImage(writer, value.kind);
  value.writeImage(writer);
  return writer.take(0);
}

/** What stands in front of the kind's own. */
export function beginImage(writer: ByteWriter, kind: number): void {
  writer.u8(IMAGE_VERSION);
  writer.u8(kind);
}

/** Reads to the end. */
export function readImage(reader: ByteReader, meter: DirtyMeter): Value {
  assert(reader.u8() === IMAGE_VERSION, "an image of another version");
  return valueKind(reader.u8()).readImage(reader, meter);
}
