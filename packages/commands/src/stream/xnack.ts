/**
 * XNACK key group SILENT|FAIL|FATAL IDS n id … [RETRYCOUNT n] [FORCE]: gives entries back, so that anybody may claim them at once, before all others
 * and in this order. SILENT takes the delivery back from the counter, FAIL leaves it, FATAL makes it the greatest there is; RETRYCOUNT says it.
 * FORCE makes entries pending that are not. With FATAL a group that has a dead-letter stream gives the entries up at once (XGROUP SETDLQ). Key and group are looked up before the arguments. Source: t_stream.c xnackCommand of Redis 8.8.
 */
import { countDown, DELIVERY_COUNT_MAX } from "@headrace/engine";
import type { GroupView, StreamKeyView, StreamId } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readDeliveryCount, readLong, readStrictIds } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Fate, GivingUp } from "../dead-letters/giving-up.ts";
import { Errors, noKeyOrGroup, unrecognizedNackOption } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { CLAIM_BYTES, effectBytes } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";

const MODE = 3;
const IDS = 4;
const ID_COUNT = 5;
const FIRST_ID = 6;
/** A pending entry that FORCE makes was never delivered. */
const FORCED_COUNT = 0;
const NOT_GIVEN = -1;

export const xnack = defineCommand({
  name: "xnack",
  arity: -7,
  flags: Flag.write | Flag.fast,
  since: "8.8.0",
  group: "stream",
  summary:
    "Releases claimed messages back to the group's PEL without acknowledging them, making them available for re-delivery.",
  complexity: "O(1) for each message ID processed.",
  syntax: "key group SILENT | FAIL | FATAL IDS numids id [id ...] [RETRYCOUNT count] [FORCE]",
  categories: ["stream"],
  keys: keyAt(1, "RW update"),
  execute,
});

interface NackOptions {
  /** What becomes of a delivery count. */
  readonly recount: (count: number) => number;
  readonly idCount: number;
  force: boolean;
  retryCount: number;
}

function execute(context: ShardContext): void {
  const { request, reply, keyspace, effects, effectRoomBytes } = context;
  const key = request.latin1(1);
  const groupName = request.latin1(2);
  const found = findStream(keyspace, key);
  if (typeof found === "string") return reply.error(found);
  const group = found === null ? null : found.stream.group(groupName);
  if (found === null || group === null) return reply.error(noKeyOrGroup(key, groupName));
  const options = readOptions(request);
  if (typeof options === "string") return reply.error(options);
  const named = readStrictIds(request, FIRST_ID, FIRST_ID + options.idCount);
  if (named === null) return reply.error(Errors.invalidStreamId);
  const roomBytes = effectRoomBytes - effectBytes(1, key, groupName) - named.length * CLAIM_BYTES;
  if (roomBytes < 0) return reply.error(Errors.tooLargeForEntry);
  const isGivenUp = request.is(MODE, "FATAL") && group.deadLetters !== null;
  if (isGivenUp && found.stream.hasCold) found.stream.needEntries(named);
  const ids: StreamId[] = [];
  const counts: number[] = [];
  // An id that is named twice is given back twice.
  const given = new Map<string, number>();
  for (const id of named) {
    const text = id.toString();
    let count = given.get(text) ?? group.pending.find(id)?.deliveryCount ?? NOT_GIVEN;
    if (count === NOT_GIVEN) {
      if (!options.force || !found.stream.has(id)) continue;
      count = FORCED_COUNT;
    }
    count = options.retryCount === NOT_GIVEN ? options.recount(count) : options.retryCount;
    given.set(text, count);
    ids.push(id);
    counts.push(count);
  }
  const givenUp = isGivenUp ? giveUp(context, { found, group }, ids, roomBytes) : new Set<string>();
  const isLeft = (id: StreamId): boolean => givenUp.size === 0 || !givenUp.has(id.toString());
  const left = ids.filter(isLeft);
  const leftCounts = counts.filter((_, i) => isLeft(ids[i]!));
  if (left.length > 0) effects.giveBack(key, groupName, left, leftCounts);
  reply.integer(ids.length);
}

/** Those of the ids that are pending and can go; the others are given back, and go when they would be delivered. */
function giveUp(
  context: ShardContext,
  { found, group }: { readonly found: StreamKeyView; readonly group: GroupView },
  ids: readonly StreamId[],
  roomBytes: number,
): ReadonlySet<string> {
  const givingUp = new GivingUp(context, found, group);
  const given = new Set<string>();
  for (const id of ids) {
    const entry = group.pending.find(id);
    if (entry === null || !found.stream.has(id) || given.has(id.toString())) continue;
    if (givingUp.giveUp(entry, "fatal", roomBytes) === Fate.goes) given.add(id.toString());
  }
  givingUp.send(true);
  return given;
}

function readOptions(request: Request): NackOptions | string {
  const recount = readMode(request);
  if (recount === null) return Errors.nackMode;
  if (!request.is(IDS, "IDS")) return Errors.nackIdsKeyword;
  const idCount = readLong(request, ID_COUNT);
  if (!(idCount >= 1)) return Errors.nackIdCount;
  if (idCount > request.count - FIRST_ID) return Errors.nackIdCountMismatch;
  const options: NackOptions = { recount, idCount, force: false, retryCount: NOT_GIVEN };
  for (let i = FIRST_ID + idCount; i < request.count; i++) {
    if (request.is(i, "FORCE")) {
      options.force = true;
    } else if (request.is(i, "RETRYCOUNT") && i + 1 < request.count) {
      options.retryCount = readDeliveryCount(request, ++i);
      if (!(options.retryCount >= 0)) return Errors.nackRetryCount;
    } else {
      return unrecognizedNackOption(request.latin1(i));
    }
  }
  return options;
}

function readMode(request: Request): ((count: number) => number) | null {
  if (request.is(MODE, "SILENT")) return countDown;
  if (request.is(MODE, "FAIL")) return (count) => count;
  return request.is(MODE, "FATAL") ? () => DELIVERY_COUNT_MAX : null;
}
