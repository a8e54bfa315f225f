/**
 * How far writers may be ahead of a stream's readers: a group's limit in entries (XGROUP SETMAXLAG), the stream's in bytes beyond its slowest group (XCFGSET
 * MAXLAG-BYTES), and whether one of them is reached. Lag is what a group has not been delivered, counted (group-lag.ts); what it has pending does not count.
 *
 *   max lag         f64 entries (0: none, and nothing follows) · f64 holdMs (0: an XADD above it is refused at once)
 *   stream limits   u8 count · {u8 kind · body}: kind 1 f64 bytes beyond the slowest group, kind 2 f64 holdMs at that limit (never 0); ascending, left out where
 *                   nothing was set
 *
 * Settings are state. What is counted for them is the leader's own, made at the first XADD that asks, and asking costs nothing to a stream without limits.
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError } from "./api.ts";
import type { Group } from "./group.ts";
import { LagGauge } from "./lag-gauge.ts";
import type { Stream } from "./stream.ts";
import type { StreamId } from "./stream-id.ts";

/** A group may have so many entries before it. */
export interface MaxLag {
  readonly entries: number;
  /** So long an XADD above it is held until consumers catch up; 0: it is refused at once. */
  readonly holdMs: number;
}

/** A stream may have so many bytes before its slowest group. */
export interface MaxLagBytes {
  readonly bytes: number;
  /** As a group's. */
  readonly holdMs: number;
}

export const HOLD_MS_MAX = 3_600_000;

/** A limit, and where a group stands below or beyond it. */
export interface Pressure {
  readonly group: string;
  readonly behind: number;
  readonly limit: number;
  readonly unit: "entries" | "bytes";
  readonly holdMs: number;
}

const StreamLimit = { bytes: 1, holdMs: 2 } as const;

export function isEqualMaxLag(a: MaxLag | null, b: MaxLag | null): boolean {
  if (a === null || b === null) return a === b;
  return a.entries === b.entries && a.holdMs === b.holdMs;
}

export function isEqualMaxLagBytes(a: MaxLagBytes | null, b: MaxLagBytes | null): boolean {
  if (a === null || b === null) return a === b;
  return a.bytes === b.bytes && a.holdMs === b.holdMs;
}

export function writeMaxLag(writer: ByteWriter, maxLag: MaxLag | null): void {
  writer.f64(maxLag === null ? 0 : maxLag.entries);
  if (maxLag !== null) writer.f64(maxLag.holdMs);
}

/** Throws DamagedRowError. */
export function readMaxLag(reader: ByteReader): MaxLag | null {
  const entries = reader.f64();
  if (entries === 0) return null;
  const holdMs = reader.f64();
  if (!isLimit(entries) || (holdMs !== 0 && !isHold(holdMs)) || Object.is(holdMs, -0))
    throw new DamagedRowError("a limit of lag out of range");
  return { entries, holdMs };
}

export function writeStreamLimits(writer: ByteWriter, limit: MaxLagBytes | null): void {
  writer.u8(limit === null ? 0 : limit.holdMs === 0 ? 1 : 2);
  if (limit === null) return;
  writer.u8(StreamLimit.bytes);
  writer.f64(limit.bytes);
  if (limit.holdMs === 0) return;
  writer.u8(StreamLimit.holdMs);
  writer.f64(limit.holdMs);
}

/** Throws DamagedRowError, UnknownRowError. */
export function readStreamLimits(reader: ByteReader): MaxLagBytes | null {
  const count = reader.u8();
  if (count === 0) return null;
  if (count > 2) throw new UnknownRowError(`${count} limits of a stream`);
  expectKind(reader, StreamLimit.bytes);
  const bytes = reader.f64();
  if (!isLimit(bytes)) throw new DamagedRowError("a stream's limit out of range");
  if (count === 1) return { bytes, holdMs: 0 };
  expectKind(reader, StreamLimit.holdMs);
  const holdMs = reader.f64();
  if (!isHold(holdMs)) throw new DamagedRowError("a stream's limit holds for a time out of range");
  return { bytes, holdMs };
}

function expectKind(reader: ByteReader, expected: number): void {
  const kind = reader.u8();
  if (kind !== expected) throw new UnknownRowError(`stream limit ${kind}`);
}

function isHold(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= HOLD_MS_MAX;
}

function isLimit(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

/** The limits of one stream, as they are now: made anew when one of them or its groups change. */
export class StreamLimits {
  readonly #stream: Stream;
  readonly #maxLagBytes: MaxLagBytes | null;
  readonly #groups: readonly Group[];
  /** One for each group with a limit, then one for the slowest group. */
  readonly #gauges: LagGauge[];

  private constructor(stream: Stream, groups: readonly Group[]) {
    this.#stream = stream;
    this.#maxLagBytes = stream.maxLagBytes;
    this.#groups = groups;
    this.#gauges = groups.map(() => new LagGauge(stream.entries, "entries"));
    if (this.#maxLagBytes !== null) this.#gauges.push(new LagGauge(stream.entries, "bytes"));
    stream.entries.gauges = this.#gauges;
  }

  /** Null: it has none, or no group that they could be about. */
  static of(stream: Stream): StreamLimits | null {
    stream.entries.gauges = null;
    if (stream.groupCount === 0) return null;
    const groups = stream.groups().filter(({ maxLag }) => maxLag !== null);
    return groups.length === 0 && stream.maxLagBytes === null ? null : new StreamLimits(stream, groups);
  }

  /**
   * The limit that an XADD meets now, null: it may go on. One that refuses at once comes before those that hold, of these the one that holds for the shortest
   * time. May throw ColdMiss, where a count has to begin inside a block that is not in memory.
   */
  reached(): Pressure | null {
    const bytes = this.#bytes();
    let worst: Pressure | null = bytes !== null && bytes.behind >= bytes.limit ? bytes : null;
    for (let i = 0; i < this.#groups.length; i++) {
      const group = this.#groups[i]!;
      const { entries, holdMs } = group.maxLag!;
      if (worst !== null && holdMs >= worst.holdMs) continue;
      const behind = this.#gauges[i]!.behind(group.lastDeliveredId);
      if (behind >= entries) worst = { group: group.name, behind, limit: entries, unit: "entries", holdMs };
    }
    return worst;
  }

  /** The limit that is the nearest to being reached, as a share of it. May throw ColdMiss. */
  nearest(): Pressure {
    let nearest = this.#bytes();
    for (let i = 0; i < this.#groups.length; i++) {
      const { name, maxLag, lastDeliveredId } = this.#groups[i]!;
      const { entries, holdMs } = maxLag!;
      const behind = this.#gauges[i]!.behind(lastDeliveredId);
      if (nearest === null || behind / entries > nearest.behind / nearest.limit)
        nearest = { group: name, behind, limit: entries, unit: "entries", holdMs };
    }
    return nearest!;
  }

  #bytes(): Pressure | null {
    if (this.#maxLagBytes === null) return null;
    const { bytes: limit, holdMs } = this.#maxLagBytes;
    const slowest = this.#slowest();
    const behind = this.#gauges.at(-1)!.behind(slowest.lastDeliveredId);
    return { group: slowest.name, behind, limit, unit: "bytes", holdMs };
  }

  #slowest(): Group {
    const groups = this.#stream.groups();
    let slowest = groups[0]!;
    let id: StreamId = slowest.lastDeliveredId;
    for (let i = 1; i < groups.length; i++) {
      const group = groups[i]!;
      if (group.lastDeliveredId.compare(id) >= 0) continue;
      slowest = group;
      id = group.lastDeliveredId;
    }
    return slowest;
  }
}
