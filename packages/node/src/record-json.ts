/**
 * Small durable records (identity, founding, metadata) as JSON that a person can read:
 *
 *   {"formatVersion":1, …fields, "crc32":"8 hex digits over the JSON of everything before it"}
 *
 * The checksum tells damage from a record of a newer program, so that neither is ever guessed at.
 */
import { crc32, utf8, utf8Bytes } from "@headrace/bytes";

export const RECORD_FORMAT_VERSION = 1;

export type RecordFields = Readonly<Record<string, unknown>>;

export type DecodedRecord =
  | { readonly kind: "record"; readonly fields: RecordFields }
  | { readonly kind: "newer"; readonly formatVersion: number }
  | { readonly kind: "damaged"; readonly message: string };

export function encodeRecord(fields: RecordFields): Uint8Array {
  const body = { formatVersion: RECORD_FORMAT_VERSION, ...fields };
  return utf8Bytes(`${JSON.stringify({ ...body, crc32: digestOf(body) })}\n`);
}

export function decodeRecord(bytes: Uint8Array): DecodedRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8(bytes));
  } catch {
    return { kind: "damaged", message: "is no JSON" };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return { kind: "damaged", message: "is no record" };
  }
  const { crc32: digest, ...body } = parsed as Record<string, unknown>;
  const formatVersion = body["formatVersion"];
  if (typeof formatVersion !== "number") return { kind: "damaged", message: "has no formatVersion" };
  // The checksum's rule is this version's: a newer record is refused before it is checked.
  if (formatVersion > RECORD_FORMAT_VERSION) return { kind: "newer", formatVersion };
  if (digest !== digestOf(body)) return { kind: "damaged", message: "does not match its checksum" };
  return { kind: "record", fields: body };
}

function digestOf(body: RecordFields): string {
  return (crc32(utf8Bytes(JSON.stringify(body))) >>> 0).toString(16).padStart(8, "0");
}
