/** Options of XGROUP's subcommands that are Headrace's own. */
import { GROUP_MS_MAX, HOLD_MS_MAX, RETRY_FACTOR_MAX } from "@headrace/engine";
import type { MaxLag, Retry } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";

const FIRST = 4;
const FACTOR_BYTES_MAX = 16;
/** POLICY DELAY without MAX: below the shortest time that a widespread client waits for a reply by default (Jedis: 2 s). */
const HOLD_MS_DEFAULT = 1000;

/** `OFF`, or `MIN-IDLE ms [BACKOFF factor MAX ms]` from argument 4 on; or the error text. */
export function readRetryOptions(request: Request): Retry | null | string {
  if (request.is(FIRST, "OFF")) return request.count === FIRST + 1 ? null : Errors.syntax;
  const hasBackoff = request.count === FIRST + 6;
  if (!request.is(FIRST, "MIN-IDLE") || (request.count !== FIRST + 2 && !hasBackoff)) return Errors.syntax;
  if (hasBackoff && !(request.is(FIRST + 2, "BACKOFF") && request.is(FIRST + 4, "MAX"))) return Errors.syntax;
  const minIdleMs = readLong(request, FIRST + 1);
  if (Number.isNaN(minIdleMs)) return Errors.notInteger;
  if (minIdleMs < 1 || minIdleMs > GROUP_MS_MAX) return Errors.retryMinIdle;
  if (!hasBackoff) return { minIdleMs, factor: 1, maxIdleMs: minIdleMs };
  const factor = readFactor(request.latin1(FIRST + 3));
  if (!(factor >= 1 && factor <= RETRY_FACTOR_MAX)) return Errors.retryFactor;
  const maxIdleMs = readLong(request, FIRST + 5);
  if (Number.isNaN(maxIdleMs)) return Errors.notInteger;
  if (maxIdleMs < minIdleMs || maxIdleMs > GROUP_MS_MAX) return Errors.retryMax;
  return { minIdleMs, factor, maxIdleMs };
}

/** `OFF` (0) or milliseconds as argument 4; or the error text. */
export function readIdleOption(request: Request): number | string {
  if (request.is(FIRST, "OFF")) return 0;
  const idleMs = readLong(request, FIRST);
  if (Number.isNaN(idleMs)) return Errors.notInteger;
  return idleMs < 1 || idleMs > GROUP_MS_MAX ? Errors.consumerIdle : idleMs;
}

/** `OFF`, or `entries [POLICY REJECT | DELAY [MAX ms]]` from argument 4 on; or the error text. */
export function readMaxLagOptions(request: Request): MaxLag | null | string {
  if (request.is(FIRST, "OFF")) return request.count === FIRST + 1 ? null : Errors.syntax;
  const entries = readLong(request, FIRST);
  if (Number.isNaN(entries)) return Errors.notInteger;
  if (entries < 1 || entries > Number.MAX_SAFE_INTEGER) return Errors.maxLagEntries;
  if (request.count > FIRST + 1 && request.is(FIRST + 1, "MAX")) return Errors.maxLagHoldPolicy;
  const policy = readPolicy(request, FIRST + 1);
  if (typeof policy === "string") return policy;
  return policy.next === request.count ? { entries, holdMs: policy.holdMs } : Errors.syntax;
}

/**
 * `POLICY REJECT | DELAY [MAX ms]` from argument i on, or nothing, which refuses: how long to hold (0: not at all), and the argument behind it; or the error
 * text.
 */
export function readPolicy(request: Request, i: number): { readonly holdMs: number; readonly next: number } | string {
  if (i >= request.count || !request.is(i, "POLICY")) return { holdMs: 0, next: i };
  if (i + 1 >= request.count) return Errors.syntax;
  const delays = request.is(i + 1, "DELAY");
  if (!delays && !request.is(i + 1, "REJECT")) return Errors.maxLagPolicy;
  const hasMax = i + 2 < request.count && request.is(i + 2, "MAX");
  if (!hasMax) return { holdMs: delays ? HOLD_MS_DEFAULT : 0, next: i + 2 };
  if (i + 3 >= request.count) return Errors.syntax;
  if (!delays) return Errors.maxLagHoldPolicy;
  const holdMs = readLong(request, i + 3);
  if (Number.isNaN(holdMs)) return Errors.notInteger;
  return holdMs < 1 || holdMs > HOLD_MS_MAX ? Errors.maxLagHold : { holdMs, next: i + 4 };
}

/** A decimal number without sign and exponent; NaN: it is none. */
function readFactor(text: string): number {
  return text.length <= FACTOR_BYTES_MAX && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
}
