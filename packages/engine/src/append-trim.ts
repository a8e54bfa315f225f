/**
 * The bytes of a trim that waits for its entry, in effects and rows:
 *
 *   trim   u8 kind (0: none, and nothing follows; 1 by length; 2 by id) · u8 policy · u8 approximate · f64 limit · f64 maxLength, or id
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError, ReferencePolicy } from "./api.ts";
import type { AppendTrim } from "./delays-api.ts";
import { StreamId } from "./stream-id.ts";

const Kind = { none: 0, byLength: 1, byId: 2 } as const;
const LIMIT_NOT_GIVEN = -1;

export function writeAppendTrim(writer: ByteWriter, trim: AppendTrim | null): void {
  if (trim === null) return writer.u8(Kind.none);
  writer.u8(trim.minId === null ? Kind.byLength : Kind.byId);
  writer.u8(trim.policy);
  writer.u8(trim.approximate ? 1 : 0);
  writer.f64(trim.limit);
  if (trim.minId === null) writer.f64(trim.maxLength);
  else trim.minId.write(writer);
}

/** Throws DamagedRowError. */
export function readAppendTrim(reader: ByteReader): AppendTrim | null {
  const kind = reader.u8();
  if (kind === Kind.none) return null;
  const policy = reader.u8();
  const approximate = reader.u8();
  const limit = reader.f64();
  const isKnown = kind <= Kind.byId && policy <= ReferencePolicy.acknowledged && approximate <= 1;
  if (!isKnown || !isCount(limit, LIMIT_NOT_GIVEN)) throw new DamagedRowError("a trim of no kind");
  const maxLength = kind === Kind.byLength ? reader.f64() : 0;
  if (!isCount(maxLength, 0)) throw new DamagedRowError("a trim to no length");
  const minId = kind === Kind.byId ? StreamId.read(reader) : null;
  return { minId, maxLength, approximate: approximate === 1, limit, policy: policy as ReferencePolicy };
}

function isCount(value: number, min: number): boolean {
  return Number.isInteger(value) && value >= min && !Object.is(value, -0);
}
