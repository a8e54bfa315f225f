/**
 * Reads a stream image that comes from outside (RESTORE of what DUMP gave out, perhaps by somebody else): believes nothing, and writes what it
 * finds into an image of our own. Its entries become what readers are sent, so every byte of their form is checked.
 */
import { ByteReader, TruncatedError } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError } from "./api.ts";
import { DirtyMeter } from "./dirty-meter.ts";
import { LENGTH_MASK, NO_STREAM_ACK, OPENS_NODE } from "./effect-format.ts";
import { isEntryForm } from "./entry-form.ts";
import { readStreamLimits } from "./back-pressure.ts";
import { hasGroupSettings, readGroupSettings } from "./group-settings.ts";
import { readIdempotence } from "./idempotence-rows.ts";
import { UINT48_MAX } from "./pending-leaf.ts";
import { readRetention } from "./retention.ts";
import { MIN_ID, StreamId } from "./stream-id.ts";
import { IMAGE_VERSION, ImageSection, type StreamImageWriter } from "./stream-image.ts";

/** False: bytes[start, end) are no image, or `image` has become too large. */
export function readForeignImage(bytes: Uint8Array, start: number, end: number, image: StreamImageWriter): boolean {
  const reader = new ByteReader(bytes, start, end);
  try {
    return readSections(reader, image) && reader.remaining === 0;
  } catch (error) {
    if (error instanceof TruncatedError || error instanceof DamagedRowError || error instanceof UnknownRowError)
      return false;
    throw error;
  }
}

function readSections(reader: ByteReader, image: StreamImageWriter): boolean {
  if (reader.u8() !== IMAGE_VERSION) return false;
  if (!inSection(reader, ImageSection.head, () => readHead(reader, image))) return false;
  if (!inSection(reader, ImageSection.entries, () => readEntries(reader, image))) return false;
  const names = new Set<string>();
  let kind = reader.u8();
  for (; kind === ImageSection.group; kind = reader.u8()) {
    reader.offset--;
    if (!inSection(reader, kind, () => readGroup(reader, names, image))) return false;
    if (reader.u8() === ImageSection.groupSettings) {
      reader.offset--;
      if (!inSection(reader, ImageSection.groupSettings, () => readOwnGroupSettings(reader, image))) return false;
    } else {
      reader.offset--;
    }
  }
  if (kind === ImageSection.settings) {
    reader.offset--;
    if (!inSection(reader, kind, () => readSettings(reader, image))) return false;
    kind = reader.u8();
  }
  if (kind === ImageSection.retention) {
    reader.offset--;
    if (!inSection(reader, kind, () => readOwnRetention(reader, image))) return false;
    kind = reader.u8();
  }
  if (kind === ImageSection.limits) {
    reader.offset--;
    if (!inSection(reader, kind, () => readOwnLimits(reader, image))) return false;
    kind = reader.u8();
  }
  return kind === ImageSection.end;
}

/** Whether a section of this kind comes, and is what its length says. */
function inSection(reader: ByteReader, kind: number, read: () => boolean): boolean {
  if (reader.u8() !== kind) return false;
  const end = reader.u32() + reader.offset;
  return read() && reader.offset === end;
}

let lastId: StreamId = MIN_ID;
let entriesAdded = 0;

function readHead(reader: ByteReader, image: StreamImageWriter): boolean {
  lastId = StreamId.read(reader);
  const maxDeletedId = StreamId.read(reader);
  entriesAdded = reader.f64();
  if (!isCount(entriesAdded, Number.MAX_SAFE_INTEGER)) return false;
  image.head(lastId, maxDeletedId, entriesAdded);
  return true;
}

function readEntries(reader: ByteReader, image: StreamImageWriter): boolean {
  const { bytes } = reader;
  const regionBytes = reader.u32();
  let at = reader.skip(regionBytes);
  const regionEnd = at + regionBytes;
  const count = reader.u32();
  if (count > entriesAdded) return false;
  const ids = new ByteReader(bytes, reader.skip(count * 16));
  const lengths = new ByteReader(bytes, reader.skip(count * 4));
  let previous = MIN_ID;
  for (let left = count; left > 0; left--) {
    const id = StreamId.read(ids);
    const length = lengths.u32();
    const entryEnd = at + (length & LENGTH_MASK);
    if (id.compare(previous) <= 0 || entryEnd > regionEnd || !isEntryForm(bytes, at, entryEnd, id)) return false;
    const from = image.region.length;
    image.region.raw(bytes, at, entryEnd);
    image.entry(id, from, (length & OPENS_NODE) !== 0);
    if (image.isTooLarge) return false;
    previous = id;
    at = entryEnd;
  }
  image.endEntries();
  return at === regionEnd && previous.compare(lastId) <= 0;
}

function readGroup(reader: ByteReader, names: Set<string>, image: StreamImageWriter): boolean {
  const name = reader.string();
  const lastDeliveredId = StreamId.read(reader);
  const entriesRead = reader.f64();
  const givenBack = reader.f64();
  if (names.has(name) || !isCountOrUnknown(entriesRead) || !isCount(givenBack, UINT48_MAX)) return false;
  names.add(name);
  image.group(name, lastDeliveredId, entriesRead, givenBack);
  const consumers = new Set<string>();
  for (let left = reader.u32(); left > 0; left--) {
    const consumer = reader.string();
    const seenMs = reader.f64();
    const activeMs = reader.f64();
    if (consumers.has(consumer) || !isCount(seenMs, Number.MAX_SAFE_INTEGER) || !isCountOrUnknown(activeMs))
      return false;
    consumers.add(consumer);
    image.consumer(consumer, seenMs, activeMs);
  }
  image.beginPending();
  const orders = new Set<number>();
  let previous = MIN_ID;
  for (let left = reader.u32(); left > 0; left--) {
    const id = StreamId.read(reader);
    const consumer = reader.u32();
    const timeMs = reader.f64();
    const deliveries = reader.f64();
    if (id.compare(previous) <= 0 || consumer > consumers.size) return false;
    if (!isCount(timeMs, UINT48_MAX) || !isCount(deliveries, UINT48_MAX)) return false;
    if (consumer === 0) {
      // The next one that is given back gets the number `givenBack`.
      if (timeMs >= givenBack || orders.has(timeMs)) return false;
      orders.add(timeMs);
    }
    image.pending(id, consumer, timeMs, deliveries);
    if (image.isTooLarge) return false;
    previous = id;
  }
  image.endGroup();
  return true;
}

function readSettings(reader: ByteReader, image: StreamImageWriter): boolean {
  const ackLevel = reader.u8();
  const hasIdempotence = reader.u8();
  if ((ackLevel > 2 && ackLevel !== NO_STREAM_ACK) || hasIdempotence > 1) return false;
  image.settings(ackLevel, hasIdempotence === 0 ? null : readIdempotence(reader, new DirtyMeter()));
  return true;
}

function readOwnGroupSettings(reader: ByteReader, image: StreamImageWriter): boolean {
  const settings = readGroupSettings(reader);
  if (hasGroupSettings(settings)) image.groupSettings(settings);
  return hasGroupSettings(settings);
}

function readOwnRetention(reader: ByteReader, image: StreamImageWriter): boolean {
  const own = readRetention(reader);
  if (own !== null) image.retention(own);
  return own !== null;
}

function readOwnLimits(reader: ByteReader, image: StreamImageWriter): boolean {
  const limit = readStreamLimits(reader);
  if (limit !== null) image.limits(limit);
  return limit !== null;
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max && !Object.is(value, -0);
}

function isCountOrUnknown(value: number): boolean {
  return value === -1 || isCount(value, Number.MAX_SAFE_INTEGER);
}
