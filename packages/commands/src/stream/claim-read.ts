/**
 * XREADGROUP … CLAIM min-idle: before new entries the call takes pending ones of the whole group that were given back or delivered long enough ago, the
 * oldest first. One whose body is gone is passed over and stays. Entries have four elements then: what is claimed shows how long it was idle and how
 * often it had been delivered, what is new two zeros. Source: t_stream.c of Redis 8.4 and 8.8.
 */
import { digitCount } from "@headrace/bytes";
import { DELIVERY_COUNT_LOWER_MAX, shownDeliveryCount } from "@headrace/engine";
import type { EntryRange, GroupView, StreamKeyView, PendingEntry, StreamId } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import type { ShardContext } from "../command.ts";
import { Fate, GivingUp } from "../dead-letters/giving-up.ts";
import { isIdleFor } from "./claim-batch.ts";
import { CLAIM_BYTES } from "./effect-room.ts";
import type { ReadBudget } from "./read-budget.ts";
import { type DuePick, PASSED_MAX } from "./retry-read.ts";
import { writeDeliveryCount } from "./write-delivery-count.ts";

/** The digit of `*4`, where a stored entry says `*2`. */
const FOUR = 52;
/** `:0` and a line end, twice. */
export const NEW_TAIL_BYTES = 8;

interface ClaimBounds {
  readonly minIdleMs: number;
  readonly countMax: number;
  /** For the effects about what is claimed and given up. */
  readonly roomBytes: number;
  readonly budget: ReadBudget;
}

/** What the call claims of the group; counted in the budget. What was delivered as often as the group says is given up instead (XGROUP SETDLQ). */
export function pickClaims(
  context: ShardContext,
  found: StreamKeyView,
  group: GroupView,
  bounds: ClaimBounds,
): DuePick {
  const { minIdleMs, countMax, roomBytes, budget } = bounds;
  const { nowMs } = context;
  const { stream } = found;
  const picked: PendingEntry[] = [];
  if (countMax < 1 || group.pending.count === 0) return { picked, usedBytes: 0 };
  const givingUp = new GivingUp(context, found, group);
  let passed = 0;
  const usedBytes = (): number => picked.length * CLAIM_BYTES + givingUp.usedBytes;
  group.pending.visitOldest((entry) => {
    if (!isIdleFor(entry, minIdleMs, nowMs) || usedBytes() + CLAIM_BYTES > roomBytes) return false;
    const range = stream.range(entry.id, entry.id, 1, false);
    if (range.count === 0) return true;
    const fate = givingUp.judge(entry, roomBytes - picked.length * CLAIM_BYTES);
    if (fate !== Fate.stays) return fate !== Fate.isForNext && (fate === Fate.goes || ++passed < PASSED_MAX);
    let entryBytes = 0;
    range.visitEntries((_bytes, start, end) => {
      entryBytes = end - start + tailBytes(entry, nowMs);
      return true;
    });
    if (!budget.admit(entryBytes)) return false;
    picked.push(entry);
    return picked.length < countMax;
  });
  givingUp.send(false);
  return { picked, usedBytes: usedBytes() };
}

/** From which log time on there is something to claim: 0 for what nobody owns, Infinity when nothing will come of itself. */
export function claimableFromMs({ stream }: StreamKeyView, { pending }: GroupView, minIdleMs: number): number {
  let fromMs = Number.POSITIVE_INFINITY;
  if (pending.count === 0) return fromMs;
  pending.visitOldest(({ id, isOwned, deliveryTimeMs }) => {
    if (!stream.has(id)) return true;
    fromMs = isOwned ? deliveryTimeMs + minIdleMs : 0;
    return false;
  });
  return fromMs;
}

export function writeClaimed(
  reply: ReplyWriterApi,
  { stream }: StreamKeyView,
  entry: PendingEntry,
  nowMs: number,
): void {
  writeBodies(reply, stream.range(entry.id, entry.id, 1, false), () => {
    reply.integer(idleMs(entry, nowMs));
    writeDeliveryCount(reply, entry.deliveryCount);
  });
}

export function writeNew(reply: ReplyWriterApi, range: EntryRange): void {
  writeBodies(reply, range, () => {
    reply.integer(0);
    reply.integer(0);
  });
}

export function idsOf(entries: readonly PendingEntry[]): StreamId[] {
  return entries.map(({ id }) => id);
}

function writeBodies(reply: ReplyWriterApi, range: EntryRange, writeTail: () => void): void {
  range.visitEntries((bytes, start, end) => {
    const { writer } = reply;
    const at = writer.length;
    writer.raw(bytes, start, end);
    writer.bytes[at + 1] = FOUR;
    writeTail();
    return true;
  });
}

/** What nobody owns was delivered at 0: all of the time since then. */
function idleMs({ deliveryTimeMs }: PendingEntry, nowMs: number): number {
  return Math.max(0, nowMs - deliveryTimeMs);
}

function tailBytes(entry: PendingEntry, nowMs: number): number {
  const { deliveryCount } = entry;
  const countDigits =
    deliveryCount <= DELIVERY_COUNT_LOWER_MAX
      ? digitCount(deliveryCount)
      : shownDeliveryCount(deliveryCount).toString().length;
  return 3 + digitCount(idleMs(entry, nowMs)) + 3 + countDigits;
}
