/**
 * XCLAIM key group consumer min-idle id … [IDLE ms] [TIME unix-ms] [RETRYCOUNT n] [FORCE] [JUSTID] [LASTID id]
 *
 * What was delivered as often as its group says is given up instead (XGROUP SETDLQ). Key and group are looked up before the arguments (unlike XAUTOCLAIM); ids end where the first word that is none begins.
 * Source: t_stream.c xclaimCommand.
 */
import { countUp, MIN_ID } from "@headrace/engine";
import type { GroupView, StreamKeyView, StreamId } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readDeliveryCount, readLong, readStrictId } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Fate, GivingUp } from "../dead-letters/giving-up.ts";
import { Errors, noKeyOrGroup, unrecognizedClaimOption } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { ClaimBatch, isIdleFor } from "./claim-batch.ts";
import { CLAIM_BYTES, effectBytes } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { writeEntriesOrIds } from "./write-entries.ts";

/** A pending entry that FORCE makes begins like one just delivered. */
const FORCED_COUNT = 1;
const NOT_GIVEN = -1;

export const xclaim = defineCommand({
  name: "xclaim",
  arity: -6,
  flags: Flag.write | Flag.fast,
  since: "5.0.0",
  group: "stream",
  summary:
    "Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered to the specified consumer.",
  complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
  syntax:
    "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
  categories: ["stream"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RW update"),
  execute,
  handsOutData: true,
});

interface ClaimOptions {
  readonly minIdleMs: number;
  readonly ids: readonly StreamId[];
  force: boolean;
  justIds: boolean;
  deliveryTimeMs: number;
  retryCount: number;
  lastId: StreamId;
}

function execute(context: ShardContext): void {
  const { request, reply, keyspace, effects, nowMs } = context;
  const key = request.latin1(1);
  const groupName = request.latin1(2);
  const found = findStream(keyspace, key);
  if (typeof found === "string") return reply.error(found);
  const group = found === null ? null : found.stream.group(groupName);
  if (found === null || group === null) return reply.error(noKeyOrGroup(key, groupName));
  const options = readOptions(request, nowMs);
  if (typeof options === "string") return reply.error(options);
  const consumer = request.latin1(3);
  const roomBytes = context.effectRoomBytes - effectBytesMax(options.ids, key, groupName, consumer);
  if (roomBytes < 0) return reply.error(Errors.tooLargeForEntry);
  found.stream.needEntries(options.ids);
  if (options.lastId.compare(group.lastDeliveredId) > 0) effects.advanceGroup(key, groupName, options.lastId);
  const isKnown = group.consumer(consumer) !== null;
  if (!isKnown) effects.createConsumer(key, groupName, consumer, nowMs);
  const batch = new ClaimBatch(effects, key, groupName, consumer);
  claimAll({ batch, givingUp: new GivingUp(context, found, group) }, found, group, { ...options, nowMs, roomBytes });
  if (batch.claimed.length > 0) effects.touchConsumer(key, groupName, consumer, nowMs, nowMs);
  else if (isKnown) effects.touchConsumer(key, groupName, consumer, nowMs, NOT_GIVEN);
  writeEntriesOrIds(reply, found.stream, batch.claimed, options.justIds);
}

/** The group's position, the consumer created or touched; and for each ascending run of ids those that are dropped and claimed. */
function effectBytesMax(ids: readonly StreamId[], key: string, groupName: string, consumer: string): number {
  let runs = 1;
  for (let i = 1; i < ids.length; i++) if (ids[i - 1]!.compare(ids[i]!) >= 0) runs++;
  return effectBytes(3 + 2 * runs, key, groupName, consumer) + ids.length * CLAIM_BYTES;
}

function claimAll(
  { batch, givingUp }: { readonly batch: ClaimBatch; readonly givingUp: GivingUp },
  { stream }: StreamKeyView,
  group: GroupView,
  options: ClaimOptions & { readonly nowMs: number; readonly roomBytes: number },
): void {
  const { nowMs, roomBytes } = options;
  const flush = (): void => {
    givingUp.send(false);
    batch.flush();
  };
  let previous: StreamId | null = null;
  for (const id of options.ids) {
    if (previous !== null && previous.compare(id) >= 0) flush();
    previous = id;
    const pending = group.pending.find(id);
    if (!stream.has(id)) {
      if (pending !== null) batch.drop(id);
      continue;
    }
    if (pending === null && !options.force) continue;
    if (pending !== null && !isIdleFor(pending, options.minIdleMs, nowMs)) continue;
    if (pending !== null && givingUp.judge(pending, roomBytes) !== Fate.stays) continue;
    let count = pending === null ? FORCED_COUNT : pending.deliveryCount;
    if (options.retryCount >= 0) count = options.retryCount;
    else if (!options.justIds) count = countUp(count);
    batch.claim(id, options.deliveryTimeMs, count);
  }
  flush();
}

function readOptions(request: Request, nowMs: number): ClaimOptions | string {
  const minIdleMs = readLong(request, 4);
  if (Number.isNaN(minIdleMs)) return Errors.claimMinIdle;
  const ids: StreamId[] = [];
  let i = 5;
  for (; i < request.count; i++) {
    const id = readStrictId(request, i);
    if (id === null) break;
    ids.push(id);
  }
  const options: ClaimOptions = {
    minIdleMs: Math.max(0, minIdleMs),
    ids,
    force: false,
    justIds: false,
    deliveryTimeMs: NOT_GIVEN,
    retryCount: NOT_GIVEN,
    lastId: MIN_ID,
  };
  while (i < request.count) {
    const behind = readOption(request, i, options, nowMs);
    if (typeof behind === "string") return behind;
    i = behind;
  }
  // A time from a client's own reckoning may lie in the future or before the epoch: taken as now, without an error.
  if (options.deliveryTimeMs < 0 || options.deliveryTimeMs > nowMs) options.deliveryTimeMs = nowMs;
  return options;
}

/** Reads the option at i; the position behind it, or the error text. */
function readOption(request: Request, i: number, options: ClaimOptions, nowMs: number): number | string {
  if (request.is(i, "FORCE")) {
    options.force = true;
    return i + 1;
  }
  if (request.is(i, "JUSTID")) {
    options.justIds = true;
    return i + 1;
  }
  if (i + 1 < request.count) {
    if (request.is(i, "IDLE")) {
      const idleMs = readLong(request, i + 1);
      if (Number.isNaN(idleMs)) return Errors.claimIdle;
      options.deliveryTimeMs = nowMs - idleMs;
      return i + 2;
    }
    if (request.is(i, "TIME")) {
      options.deliveryTimeMs = readLong(request, i + 1);
      return Number.isNaN(options.deliveryTimeMs) ? Errors.claimTime : i + 2;
    }
    if (request.is(i, "RETRYCOUNT")) {
      options.retryCount = readDeliveryCount(request, i + 1);
      return Number.isNaN(options.retryCount) ? Errors.claimRetryCount : i + 2;
    }
    if (request.is(i, "LASTID")) {
      const lastId = readStrictId(request, i + 1);
      if (lastId === null) return Errors.invalidStreamId;
      options.lastId = lastId;
      return i + 2;
    }
  }
  return unrecognizedClaimOption(request.latin1(i));
}
