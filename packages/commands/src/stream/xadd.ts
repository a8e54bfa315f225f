/**
 * XADD key [NOMKSTREAM] [ACK 0|1|ALL] [DELAY ms | AT unix-ms] [KEEPREF|DELREF|ACKED] [IDMP producer iid | IDMPAUTO producer]
 *      [MAXLEN|MINID [=|~] threshold [LIMIT n]] <*|id> field value [field value …]
 *
 * The hottest command: no string but the key, the fields go from the request into the log and the block as the client sent them.
 */
import { MIN_ID } from "@headrace/engine";
import type { StreamId } from "@headrace/engine";
import { AddIdForm } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors, wrongArity } from "../errors.ts";
import { keyName } from "../key-name.ts";
import { defineCommand, keyAt } from "../record.ts";
import { isHeldOrRefused } from "./back-pressure.ts";
import { AddOrTrimOptions, Due, Iid, TrimStrategy } from "./add-or-trim-options.ts";
import { nextAutoId } from "./auto-id.ts";
import { addDelayed } from "./delayed-add.ts";
import { effectBytes } from "./effect-room.ts";
import { existingStream, findStream } from "./find-stream.ts";
import { configureNewStream, hasOwnWindow, knownEntry, recordEntry, writeKnown } from "./idempotence.ts";
import { writeId } from "./write-id.ts";

const options = new AddOrTrimOptions();

export const xadd = defineCommand({
  name: "xadd",
  arity: -5,
  flags: Flag.write | Flag.denyoom | Flag.fast,
  since: "5.0.0",
  group: "stream",
  summary: "Appends a new entry to a stream",
  complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
  syntax:
    "key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [ACK <0 | 1 | ALL>] [DELAY milliseconds | AT unix-time-milliseconds] [IDMPAUTO producer-id | IDMP producer-id idempotent-id] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
  categories: ["stream"],
  tips: ["nondeterministic_output"],
  keys: { ...keyAt(1, "RW update"), notes: "UPDATE instead of INSERT because of the optional trimming feature" },
  execute,
});

function execute(context: ShardContext): void {
  const { request, reply, keyspace, effects } = context;
  const error = options.readAdd(request);
  if (error !== null) return reply.error(error);
  const fieldsFrom = options.idArgument + 1;
  const elementCount = request.count - fieldsFrom;
  if (elementCount < 2 || elementCount % 2 === 1) return reply.error(wrongArity("xadd"));
  if (options.idForm === AddIdForm.explicit && options.id.isZero()) return reply.error(Errors.idZero);
  const key = keyName(request, 1);
  const existing = findStream(keyspace, key);
  if (typeof existing === "string") return reply.error(existing);
  if (existing === null && options.noMakeStream) return reply.nullBulk();
  if (options.due !== Due.now) return addDelayed(context, options, key, existing);
  const lastId = existing === null ? MIN_ID : existing.stream.lastId;
  const id = resolveId(lastId, context.nowMs);
  if (id === null || id.compare(lastId) <= 0) {
    return reply.error(isMax(lastId) ? Errors.idsExhausted : Errors.idNotGreaterThanTop);
  }
  const hasIid = options.iid !== Iid.none;
  const makesWindow = existing === null && hasOwnWindow(context);
  const trims = options.strategy !== TrimStrategy.none;
  // Each further effect names the key again; a trim with DELREF may have two.
  const further = (trims ? 2 : 0) + (hasIid ? 1 : 0) + (makesWindow ? 1 : 0);
  let roomBytes = context.effectRoomBytes;
  if (further > 0) {
    roomBytes -= request.rawEnd - request.rawStart + effectBytes(1 + further, key);
    if (roomBytes < 0) return reply.error(Errors.tooLargeForEntry);
  }
  context.ack = options.ack;
  const known = hasIid ? knownEntry(context, options, existing) : null;
  if (known !== null) {
    if (known.delayed !== 0) context.handsOut = true;
    effects.countDuplicateIid(key);
    return writeKnown(reply, known);
  }
  const isLimited = existing !== null && existing.stream.isLimited;
  if (isLimited && isHeldOrRefused(context, existing)) return;
  if (trims && existing?.stream.hasCold === true) options.lookAhead(existing.stream, context.nodeBounds, roomBytes);
  effects.append(
    key,
    id,
    elementCount,
    request.bytes,
    request.headerStart(fieldsFrom),
    request.rawEnd,
    context.nodeBounds,
  );
  if (existing === null) configureNewStream(context, key);
  if (hasIid) recordEntry(context, key, id);
  if (isLimited) context.noteLimits(key);
  if (trims) options.trim(existingStream(keyspace, key), effects, context.nodeBounds, roomBytes);
  writeId(reply, id);
}

/** The entry's id, or null when there is no further one. */
function resolveId(lastId: StreamId, nowMs: number): StreamId | null {
  if (options.idForm === AddIdForm.auto) return nextAutoId(lastId, nowMs);
  if (options.idForm === AddIdForm.explicit) return options.id;
  if (lastId.msHi !== options.id.msHi || lastId.msLo !== options.id.msLo) return options.id;
  // `ms-*` of the last id's ms: the sequence must not run over into the next millisecond.
  return lastId.seqHi === 0xffffffff && lastId.seqLo === 0xffffffff ? null : lastId.next();
}

function isMax(id: StreamId): boolean {
  return id.msHi === 0xffffffff && id.msLo === 0xffffffff && id.seqHi === 0xffffffff && id.seqLo === 0xffffffff;
}
