/**
 * A dead letter as an entry of its stream: the fields that it had, and behind them seven pairs that say where it comes from:
 *
 *   dlq:stream  dlq:id  dlq:group  dlq:consumer  dlq:deliveries  dlq:first-delivered  dlq:reason
 *
 * The consumer is the last owner, empty if the entry was nobody's. The time of the first delivery is known where there was only one, and empty elsewhere: a
 * pending record has room for the last one alone. An entry that becomes a dead letter again has the seven pairs twice; so the streams that it has come through
 * can be read from it, and it never enters one of them again.
 */
import { bytesOf, ByteWriter, latin1 } from "@headrace/bytes";
import { fieldsOffset, MIN_ID, OutboxKind, shownDeliveryCount } from "@headrace/engine";
import type { EntryRange, OutboxContent, PendingEntry, StreamId } from "@headrace/engine";
import { strictIdIn } from "../args.ts";

export type DeadReason = "max-retries" | "fatal";

const NAMES = ["stream", "id", "group", "consumer", "deliveries", "first-delivered", "reason"].map(
  (name) => `dlq:${name}`,
);
const ADDED_ELEMENTS = NAMES.length * 2;
const CR = 13;

/** The fields of one entry, as they stand in its stream. */
export interface EntryFields {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly elements: number;
}

/** Where a dead letter comes from. */
export interface LetterOrigin {
  readonly stream: string;
  readonly group: string;
  readonly id: StreamId;
  /** Its fields without what was added. */
  readonly fields: EntryFields;
}

/** Of a range of one entry. */
export function fieldsOf(range: EntryRange): EntryFields {
  let found: EntryFields | null = null;
  range.visitEntries((bytes, start, end) => {
    const { offset, elementCount } = fieldsOffset(bytes, start);
    found = { bytes, start: offset, end, elements: elementCount };
    return false;
  });
  return found!;
}

/** As much of a letter as does not depend on where it goes. */
export interface DeadEntry {
  readonly key: string;
  readonly group: string;
  readonly entry: PendingEntry;
  readonly fields: EntryFields;
  readonly reason: DeadReason;
}

export function letterOf({ key, group, entry, fields, reason }: DeadEntry, target: string): OutboxContent {
  const writer = new ByteWriter(fields.end - fields.start + 512);
  writer.raw(fields.bytes, fields.start, fields.end);
  const { id, consumer, deliveryCount, deliveryTimeMs, isOwned } = entry;
  const firstDelivered = isOwned && deliveryCount === 1 ? String(deliveryTimeMs) : "";
  const deliveries = shownDeliveryCount(deliveryCount).toString();
  const values = [key, id.toString(), group, consumer, deliveries, firstDelivered, reason];
  for (const [i, name] of NAMES.entries()) {
    writeBulk(writer, name);
    writeBulk(writer, values[i]!);
  }
  const elements = fields.elements + ADDED_ELEMENTS;
  return {
    kind: OutboxKind.letter,
    key,
    group,
    target,
    id,
    upTo: MIN_ID,
    count: 0,
    elements,
    fields: writer.take(0),
  };
}

/** Null: these are not the fields of a dead letter. */
export function originOf({ bytes, start, end, elements }: EntryFields): LetterOrigin | null {
  if (elements <= ADDED_ELEMENTS) return null;
  let at = start;
  for (let left = elements - ADDED_ELEMENTS; left > 0; left--) at = behindBulk(bytes, at);
  const fields = { bytes, start, end: at, elements: elements - ADDED_ELEMENTS };
  const values: string[] = [];
  for (const name of NAMES) {
    if (bulkAt(bytes, at) !== name) return null;
    at = behindBulk(bytes, at);
    values.push(bulkAt(bytes, at));
    at = behindBulk(bytes, at);
  }
  const [stream, idText, group] = values;
  const id = strictIdIn(bytesOf(idText!), 0, idText!.length);
  return at !== end || id === null ? null : { stream: stream!, group: group!, id, fields };
}

/** The entry has been in that stream, and became a dead letter there. */
export function cameThrough({ bytes, start, elements }: EntryFields, stream: string): boolean {
  let at = start;
  for (let left = elements; left > 0; left -= 2) {
    const value = behindBulk(bytes, at);
    if (bulkAt(bytes, at) === NAMES[0] && bulkAt(bytes, value) === stream) return true;
    at = behindBulk(bytes, value);
  }
  return false;
}

function writeBulk(writer: ByteWriter, text: string): void {
  writer.latin1(`$${text.length}\r\n`);
  writer.latin1(text);
  writer.latin1("\r\n");
}

let bodyStart = 0;

/** The offset behind the bulk string at `start`; `bodyStart` is where its bytes begin. */
function behindBulk(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  let length = 0;
  for (let byte = bytes[at]!; byte !== CR; byte = bytes[++at]!) length = length * 10 + (byte - 48);
  bodyStart = at + 2;
  return bodyStart + length + 2;
}

function bulkAt(bytes: Uint8Array, start: number): string {
  const end = behindBulk(bytes, start) - 2;
  return latin1(bytes, bodyStart, end);
}
