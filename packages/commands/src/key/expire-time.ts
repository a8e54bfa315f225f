/** The time that EXPIRE and its relatives name, as Redis reads it: 64 bits, refused where they overflow; kept up to 2^53 − 1 ms. */
import type { Request } from "@headrace/resp";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const KEPT_MAX = BigInt(Number.MAX_SAFE_INTEGER);

export const NOT_INTEGER = "notInteger";
export const OUT_OF_RANGE = "outOfRange";

/** Milliseconds since the epoch; `baseMs` is added. The far past and the far future are cut off where numbers end. */
export function readExpireTime(
  request: Request,
  i: number,
  unitMs: 1 | 1000,
  baseMs: number,
): number | typeof NOT_INTEGER | typeof OUT_OF_RANGE {
  const given = request.int64(i);
  if (given === null) return NOT_INTEGER;
  const factor = BigInt(unitMs);
  if (given > INT64_MAX / factor || given < INT64_MIN / factor) return OUT_OF_RANGE;
  const whenMs = given * factor;
  if (whenMs > INT64_MAX - BigInt(baseMs)) return OUT_OF_RANGE;
  const atMs = whenMs + BigInt(baseMs);
  if (atMs > KEPT_MAX) return Number.MAX_SAFE_INTEGER;
  return atMs < -KEPT_MAX ? -Number.MAX_SAFE_INTEGER : Number(atMs);
}
