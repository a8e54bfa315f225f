/**
 * What a consumer group has been told to do by itself, and its bytes in effects, rows and images. All of it is Headrace's own.
 *
 *   retry      f64 minIdleMs (0: none, and nothing follows) · f64 factor · f64 maxIdleMs
 *   dead letters   string key (empty: none, and nothing follows) · f64 retriesMax
 *   settings   u8 count · {u8 kind · body}: kind 1 retry (never none), kind 2 f64 consumerIdleMs, kind 3 dead letters (never none), kind 4 f64 how many the
 *              group has given up, kind 5 max lag (back-pressure.ts, never none); ascending, left out where nothing was set
 */
import type { ByteReader, ByteWriter } from "@headrace/bytes";
import { DamagedRowError, UnknownRowError } from "./api.ts";
import { type MaxLag, readMaxLag, writeMaxLag } from "./back-pressure.ts";

/** When a pending entry is handed out again (XGROUP SETRETRY): after `minIdleMs`, each time `factor` times later, `maxIdleMs` at the latest. */
export interface Retry {
  readonly minIdleMs: number;
  /** 1: always after `minIdleMs`. */
  readonly factor: number;
  readonly maxIdleMs: number;
}

/** Where entries go that were delivered `retriesMax` times without being acknowledged (XGROUP SETDLQ). */
export interface DeadLetters {
  /** The stream's, never empty. */
  readonly key: string;
  readonly retriesMax: number;
}

export interface GroupSettings {
  /** When pending entries are handed out again without being asked for; null: they are not. */
  readonly retry: Retry | null;
  /** Consumers that nobody has seen for so long go, and what they have pending goes back to the group (XGROUP SETIDLE). 0: they stay. */
  readonly consumerIdleMs: number;
  /** Null: entries are delivered as often as somebody claims them. */
  readonly deadLetters: DeadLetters | null;
  /** Entries that the group has given up in its life. */
  readonly deadLetterCount: number;
  /** How far producers may be ahead of it (XGROUP SETMAXLAG). */
  readonly maxLag: MaxLag | null;
}

/** Times of settings end where times of pending entries do. */
export const GROUP_MS_MAX = 0xffff_ffff_ffff;
export const RETRY_FACTOR_MAX = 1000;
export const RETRIES_MAX = 0xffff_ffff;
export const NO_GROUP_SETTINGS: GroupSettings = Object.freeze({
  retry: null,
  consumerIdleMs: 0,
  deadLetters: null,
  deadLetterCount: 0,
  maxLag: null,
});

const Kind = { retry: 1, consumerIdle: 2, deadLetters: 3, deadLetterCount: 4, maxLag: 5 } as const;

/** How long an entry that was delivered so often rests before it is handed out again. */
export function retryDelayMs({ minIdleMs, factor, maxIdleMs }: Retry, deliveryCount: number): number {
  if (factor === 1 || deliveryCount <= 1) return minIdleMs;
  return Math.min(maxIdleMs, Math.floor(minIdleMs * factor ** (deliveryCount - 1)));
}

export function isEqualRetry(a: Retry | null, b: Retry | null): boolean {
  if (a === null || b === null) return a === b;
  return a.minIdleMs === b.minIdleMs && a.factor === b.factor && a.maxIdleMs === b.maxIdleMs;
}

export function writeRetry(writer: ByteWriter, retry: Retry | null): void {
  writer.f64(retry === null ? 0 : retry.minIdleMs);
  if (retry === null) return;
  writer.f64(retry.factor);
  writer.f64(retry.maxIdleMs);
}

/** Throws DamagedRowError. */
export function readRetry(reader: ByteReader): Retry | null {
  const minIdleMs = reader.f64();
  if (minIdleMs === 0) return null;
  const factor = reader.f64();
  const maxIdleMs = reader.f64();
  const isFactor = factor >= 1 && factor <= RETRY_FACTOR_MAX;
  if (!isTime(minIdleMs) || !isFactor || !isTime(maxIdleMs) || maxIdleMs < minIdleMs)
    throw new DamagedRowError("a retry out of range");
  return { minIdleMs, factor, maxIdleMs };
}

export function isEqualDeadLetters(a: DeadLetters | null, b: DeadLetters | null): boolean {
  if (a === null || b === null) return a === b;
  return a.key === b.key && a.retriesMax === b.retriesMax;
}

export function writeDeadLetters(writer: ByteWriter, deadLetters: DeadLetters | null): void {
  writer.string(deadLetters === null ? "" : deadLetters.key);
  if (deadLetters !== null) writer.f64(deadLetters.retriesMax);
}

/** Throws DamagedRowError. */
export function readDeadLetters(reader: ByteReader): DeadLetters | null {
  const key = reader.string();
  if (key === "") return null;
  const retriesMax = reader.f64();
  if (!Number.isInteger(retriesMax) || retriesMax < 1 || retriesMax > RETRIES_MAX)
    throw new DamagedRowError("dead letters after a number of deliveries that is none");
  return { key, retriesMax };
}

export function hasGroupSettings(settings: GroupSettings): boolean {
  const { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag } = settings;
  return retry !== null || consumerIdleMs > 0 || deadLetters !== null || deadLetterCount > 0 || maxLag !== null;
}

export function writeGroupSettings(writer: ByteWriter, settings: GroupSettings): void {
  const { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag } = settings;
  const given = [retry !== null, consumerIdleMs > 0, deadLetters !== null, deadLetterCount > 0, maxLag !== null];
  writer.u8(given.filter(Boolean).length);
  if (retry !== null) {
    writer.u8(Kind.retry);
    writeRetry(writer, retry);
  }
  if (consumerIdleMs > 0) {
    writer.u8(Kind.consumerIdle);
    writer.f64(consumerIdleMs);
  }
  if (deadLetters !== null) {
    writer.u8(Kind.deadLetters);
    writeDeadLetters(writer, deadLetters);
  }
  if (deadLetterCount > 0) {
    writer.u8(Kind.deadLetterCount);
    writer.f64(deadLetterCount);
  }
  if (maxLag !== null) {
    writer.u8(Kind.maxLag);
    writeMaxLag(writer, maxLag);
  }
}

/** Throws DamagedRowError, UnknownRowError. */
export function readGroupSettings(reader: ByteReader): GroupSettings {
  let { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag } = NO_GROUP_SETTINGS;
  let last = 0;
  for (let count = reader.u8(); count > 0; count--) {
    const kind = reader.u8();
    if (kind > Kind.maxLag) throw new UnknownRowError(`group setting ${kind}`);
    if (kind <= last) throw new DamagedRowError("group settings out of order");
    last = kind;
    if (kind === Kind.retry) {
      retry = readRetry(reader);
      if (retry === null) throw new DamagedRowError("a retry that is none");
    } else if (kind === Kind.maxLag) {
      maxLag = readMaxLag(reader);
      if (maxLag === null) throw new DamagedRowError("a limit of lag that is none");
    } else if (kind === Kind.consumerIdle) {
      consumerIdleMs = reader.f64();
      if (!isTime(consumerIdleMs)) throw new DamagedRowError("an idle time out of range");
    } else if (kind === Kind.deadLetters) {
      deadLetters = readDeadLetters(reader);
      if (deadLetters === null) throw new DamagedRowError("dead letters that go nowhere");
    } else {
      deadLetterCount = reader.f64();
      if (!Number.isSafeInteger(deadLetterCount) || deadLetterCount < 1)
        throw new DamagedRowError("a number of dead letters that is none");
    }
  }
  return { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag };
}

function isTime(ms: number): boolean {
  return Number.isInteger(ms) && ms >= 1 && ms <= GROUP_MS_MAX;
}
