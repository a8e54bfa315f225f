/**
 * XREADGROUP of a group with a retry (XGROUP SETRETRY): before new entries the call takes pending ones of the whole group that are to be handed out again,
 * those first whose time came first. What was given back by XNACK is, at once, before all others. One whose body is gone can't be, and is pending no
 * more, as XAUTOCLAIM has it: else every read would meet it again. What was delivered as often as the group says is given up instead (XGROUP SETDLQ).
 */
import type { GroupView, StreamKeyView, PendingEntry, StreamId } from "@headrace/engine";
import type { ShardContext } from "../command.ts";
import { Fate, GivingUp } from "../dead-letters/giving-up.ts";
import { CLAIM_BYTES, ID_BYTES } from "./effect-room.ts";
import type { ReadBudget } from "./read-budget.ts";

/** Ids without a body that one call drops of a stream; what is beyond is for the next one. */
const DROPPED_MAX = 1000;
/** Entries for which there is no room in the outbox that one call passes by. */
export const PASSED_MAX = 1000;

interface DueBounds {
  readonly countMax: number;
  /** For the effects about what is picked and dropped. */
  readonly roomBytes: number;
  readonly budget: ReadBudget;
}

export interface DuePick {
  /** What the call is given of the group; counted in the budget. */
  readonly picked: PendingEntry[];
  /** Of the room. */
  readonly usedBytes: number;
}

export function pickDue(
  context: ShardContext,
  found: StreamKeyView,
  group: GroupView,
  { countMax, roomBytes, budget }: DueBounds,
): DuePick {
  const { effects, nowMs } = context;
  const { key, stream } = found;
  const picked: PendingEntry[] = [];
  const bodiless: StreamId[] = [];
  let usedBytes = 0;
  if (countMax < 1 || group.pending.dueFromMs > nowMs) return { picked, usedBytes };
  const givingUp = new GivingUp(context, found, group);
  let passed = 0;
  group.pending.visitDue((entry, dueMs) => {
    if (dueMs > nowMs || usedBytes + givingUp.usedBytes + CLAIM_BYTES > roomBytes) return false;
    const range = stream.range(entry.id, entry.id, 1, false);
    if (range.count === 0) {
      usedBytes += ID_BYTES;
      return bodiless.push(entry.id) < DROPPED_MAX;
    }
    const fate = givingUp.judge(entry, roomBytes - usedBytes);
    if (fate !== Fate.stays) return fate !== Fate.isForNext && (fate === Fate.goes || ++passed < PASSED_MAX);
    if (budget.admitRange(range) === 0) return false;
    usedBytes += CLAIM_BYTES;
    picked.push(entry);
    return picked.length < countMax;
  });
  if (bodiless.length > 0) effects.dropBodiless(key, group.name, bodiless);
  givingUp.send(false);
  return { picked, usedBytes: usedBytes + givingUp.usedBytes };
}
