/** Waiting for elements of a list or a sorted set, and for how long: seconds as a float, 0 for ever. Source: timeout.c getTimeoutFromObjectOrReply. */
import type { BlockedCall, ShardContext } from "./command.ts";
import { Errors } from "./errors.ts";
import { ceiledProduct, parseLongDouble } from "./long-double.ts";
import type { Request } from "@headrace/resp";

const INT64_MAX = 2n ** 63n - 1n;
const MS_IN_SECOND = 1000n;

/** Milliseconds, rounded up; or the error text. Beyond 64 bits Redis 7.0 takes it for negative. */
export function readTimeoutMs(request: Request, i: number, nowMs: number): number | string {
  const seconds = parseLongDouble(request.latin1(i));
  if (seconds === null) return Errors.timeoutNotFloat;
  const ms = seconds === "infinite" ? null : ceiledProduct(seconds, MS_IN_SECOND);
  if (ms === null || ms < 0n || ms > INT64_MAX) return Errors.timeoutNegative;
  return ms > INT64_MAX - BigInt(nowMs) ? Errors.timeoutOutOfRange : Number(ms);
}

/** The call waits for one of these keys to be a list, or a sorted set. */
export function waitForElement(
  context: ShardContext,
  kind: "list" | "zset",
  keys: readonly string[],
  timeoutMs: number,
): void {
  const call: BlockedCall = {
    keys,
    timeoutMs,
    kind,
    resolvedIds: [],
    readsFromState: false,
    claimMinIdleMs: -1,
    takesDue: false,
    wakeAtMs: Number.POSITIVE_INFINITY,
  };
  context.block(call);
}
