/**
 * XADD … DELAY ms | AT unix-ms: the entry is delayed, or, when its time has come already, appears at once; the answer is a handle either way, so that
 * clients need not ask which it was. What XADD says beside it is judged now, but for the trim, which waits for the entry. Also what a leader does when
 * an entry is due.
 */
import { DELAY_MS_MAX, MIN_ID } from "@headrace/engine";
import type { Effects, NodeBounds, StreamKeyView } from "@headrace/engine";
import type { ShardContext } from "../command.ts";
import { Errors, tooManyDelayed } from "../errors.ts";
import { AddOrTrimOptions, Due, Iid, TrimStrategy } from "./add-or-trim-options.ts";
import { nextAutoId } from "./auto-id.ts";
import { writeHandle } from "./delayed-handle.ts";
import { effectBytes } from "./effect-room.ts";
import { existingStream } from "./find-stream.ts";
import { configureNewStream, knownEntry, recordDelayed, writeKnown } from "./idempotence.ts";

/** Effects that name the key: the two of the entry, two of a trim, and the window of a new stream. */
const EFFECTS_MAX = 5;

/** `existing`: what the key holds; the fields have been checked. */
export function addDelayed(
  context: ShardContext,
  options: AddOrTrimOptions,
  key: string,
  existing: StreamKeyView | null,
): void {
  const { request, reply, effects, nowMs, nodeBounds, keyspace } = context;
  const dueMs = options.due === Due.after ? nowMs + options.dueValue : options.dueValue;
  if (dueMs - nowMs > DELAY_MS_MAX) return reply.error(Errors.delayTooLong);
  const id = nextAutoId(existing === null ? MIN_ID : existing.stream.lastId, nowMs);
  if (id === null) return reply.error(Errors.idsExhausted);
  const isDue = dueMs <= nowMs;
  const { delayedMaxEntries } = context;
  const count = existing?.stream.delayed?.count ?? 0;
  const isFull = !isDue && delayedMaxEntries > 0 && count >= delayedMaxEntries;
  const hasIid = options.iid !== Iid.none;
  const requestBytes = request.rawEnd - request.rawStart;
  const roomBytes = context.effectRoomBytes - (hasIid ? 2 : 1) * requestBytes - effectBytes(EFFECTS_MAX + 1, key);
  if (roomBytes < 0) return reply.error(Errors.tooLargeForEntry);
  context.handsOut = true;
  const known = hasIid ? knownEntry(context, options, existing) : null;
  if (known !== null) {
    effects.countDuplicateIid(key);
    return writeKnown(reply, known);
  }
  if (isFull) return reply.error(tooManyDelayed(count));
  if (isDue && existing !== null) {
    // Blocks that are not in memory can be waited for only before the first effect.
    effects.delays.lookAhead(key);
    const trims = options.strategy !== TrimStrategy.none;
    if (trims && existing.stream.hasCold) options.lookAhead(existing.stream, nodeBounds, roomBytes);
  }
  const fieldsFrom = options.idArgument + 1;
  const number = effects.delays.delay(
    key,
    dueMs,
    isDue ? null : options.appendTrim,
    request.count - fieldsFrom,
    request.bytes,
    request.headerStart(fieldsFrom),
    request.rawEnd,
  );
  if (existing === null) configureNewStream(context, key);
  if (hasIid) recordDelayed(context, key, number);
  if (isDue) {
    effects.delays.release(key, number, id, nodeBounds);
    if (options.strategy !== TrimStrategy.none)
      options.trim(existingStream(keyspace, key), effects, nodeBounds, roomBytes);
  }
  writeHandle(reply, number);
}

const waiting = new AddOrTrimOptions();

/**
 * The key's first delayed entry, which is due, appears, and its trim is done. Answers how many entries came and went: 0, and nothing has happened, when
 * the stream has no further id.
 */
export function releaseFirst(found: StreamKeyView, effects: Effects, bounds: NodeBounds, roomBytes: number): number {
  const { key, stream } = found;
  const { number, trim } = stream.delayed!.first!;
  const id = nextAutoId(stream.lastId, effects.logTimeMs);
  if (id === null) return 0;
  effects.delays.release(key, number, id, bounds);
  if (trim === null) return 1;
  waiting.takeTrim(trim);
  return 1 + waiting.trim(found, effects, bounds, roomBytes - effectBytes(3, key));
}
