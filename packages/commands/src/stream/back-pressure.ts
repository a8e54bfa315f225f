/**
 * What an XADD does at a stream's limit of lag (XGROUP SETMAXLAG, XCFGSET MAXLAG-BYTES): it is refused, or held until consumers catch up: then it waits as a
 * blocked call does and runs again from its start, so that a held XADD has not happened. Where nobody may wait (in a transaction, or when its
 * time is over) it is refused. Streams without a limit pay one look at a field.
 */
import type { Pressure, StreamKeyView } from "@headrace/engine";
import type { BlockedCall, ShardContext } from "../command.ts";
import { backPressure } from "../errors.ts";

/** True: the XADD may not append now; its error is written, or it waits. May throw ColdMiss. */
export function isHeldOrRefused(context: ShardContext, { key, stream }: StreamKeyView): boolean {
  const pressure = stream.limitReached();
  if (pressure === null) return false;
  context.noteLimits(key);
  if (pressure.holdMs > 0 && !context.denyBlocking) {
    context.block(heldCall(key, pressure));
  } else {
    const { group, behind, unit, limit } = pressure;
    context.noteRefusedForLag();
    context.reply.error(backPressure(key, group, behind, unit, limit));
  }
  return true;
}

function heldCall(key: string, { holdMs }: Pressure): BlockedCall {
  return {
    keys: [key],
    timeoutMs: holdMs,
    kind: "write",
    resolvedIds: [null],
    readsFromState: false,
    claimMinIdleMs: -1,
    takesDue: false,
    wakeAtMs: Number.POSITIVE_INFINITY,
  };
}
