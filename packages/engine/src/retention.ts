/**
 * How long a stream keeps its entries: bounds by age, bytes and number, of its own or the cluster's, and their bytes in effects, rows and images.
 *
 *   f64 ageMs · f64 bytes · f64 entries (each −1: the cluster's, 0: no bound) · u8 keep (0 nothing, 1 unacknowledged, 255 the cluster's)
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError } from "./api.ts";

/** What a retention never drops, whatever its bounds say. */
export const RetentionKeep = {
  nothing: 0,
  /** What a consumer group has not acknowledged: not delivered to it yet, or pending. */
  unacknowledged: 1,
} as const;
export type RetentionKeep = (typeof RetentionKeep)[keyof typeof RetentionKeep];

/** Bounds that count for a stream; 0: there is none. */
export interface Retention {
  /** By the time in the entries' ids. */
  readonly ageMs: number;
  /** Of the stored form of entries. */
  readonly bytes: number;
  readonly entries: number;
  readonly keep: RetentionKeep;
}

/** A stream's own bounds; null: the cluster's, 0: none, whatever the cluster has. */
export interface OwnRetention {
  readonly ageMs: number | null;
  readonly bytes: number | null;
  readonly entries: number | null;
  readonly keep: RetentionKeep | null;
}

export const NO_RETENTION: Retention = Object.freeze({ ageMs: 0, bytes: 0, entries: 0, keep: RetentionKeep.nothing });

const INHERITED = -1;
const INHERITED_KEEP = 255;

export function hasBounds({ ageMs, bytes, entries }: Retention): boolean {
  return ageMs > 0 || bytes > 0 || entries > 0;
}

export function resolveRetention(own: OwnRetention | null, cluster: Retention): Retention {
  if (own === null) return cluster;
  return {
    ageMs: own.ageMs ?? cluster.ageMs,
    bytes: own.bytes ?? cluster.bytes,
    entries: own.entries ?? cluster.entries,
    keep: own.keep ?? cluster.keep,
  };
}

export function isEqualRetention(a: OwnRetention | null, b: OwnRetention | null): boolean {
  if (a === null || b === null) return a === b;
  return a.ageMs === b.ageMs && a.bytes === b.bytes && a.entries === b.entries && a.keep === b.keep;
}

/** Null when nothing of it is the stream's own. */
export function ownRetention(
  ageMs: number | null,
  bytes: number | null,
  entries: number | null,
  keep: RetentionKeep | null,
): OwnRetention | null {
  if (ageMs === null && bytes === null && entries === null && keep === null) return null;
  return { ageMs, bytes, entries, keep };
}

export function writeRetention(writer: ByteWriter, own: OwnRetention | null): void {
  writer.f64(own?.ageMs ?? INHERITED);
  writer.f64(own?.bytes ?? INHERITED);
  writer.f64(own?.entries ?? INHERITED);
  writer.u8(own?.keep ?? INHERITED_KEEP);
}

/** Throws DamagedRowError. */
export function readRetention(reader: ByteReader): OwnRetention | null {
  const ageMs = boundOf(reader.f64());
  const bytes = boundOf(reader.f64());
  const entries = boundOf(reader.f64());
  const keep = reader.u8();
  if (keep !== INHERITED_KEEP && keep > RetentionKeep.unacknowledged) throw new DamagedRowError("retention of no kind");
  return ownRetention(ageMs, bytes, entries, keep === INHERITED_KEEP ? null : (keep as RetentionKeep));
}

function boundOf(value: number): number | null {
  if (value === INHERITED) return null;
  if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0))
    throw new DamagedRowError("bound out of range");
  return value;
}
