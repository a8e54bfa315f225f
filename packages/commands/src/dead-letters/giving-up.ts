/**
 * Which pending entries a call does not get any more, because their group gives them up (XGROUP SETDLQ): what was delivered as often as the group says goes
 * into the outbox instead, at the moment when it would be delivered again. One object for a call and a group; nothing happens before `send`.
 *
 * An entry is delivered as if the group had no dead-letter stream when it has been in that stream before (letter.ts): it would go round for ever. So is one
 * that would not fit into a log entry with what is added to it. While the outbox is full, an entry neither goes nor is delivered.
 */
import { outboxItemBytes } from "@headrace/engine";
import type { GroupView, StreamKeyView, OutboxContent, PendingEntry } from "@headrace/engine";
import type { ShardContext } from "../command.ts";
import { cameThrough, type DeadReason, fieldsOf, letterOf } from "./letter.ts";

/** One call gives up no more: it is to come back soon. */
const LETTERS_MAX = 256;
/** What the effect takes beside the item; and what an item takes in the outbox beside its bytes. */
const EFFECT_BYTES = 128;
const HELD_BYTES = 400;
/** What taking the letter, and sending it back, needs beside its own bytes. */
const MARGIN_BYTES = 4096;

export const Fate = {
  /** It is delivered as ever. */
  stays: 0,
  /** It is given up with `send`. */
  goes: 1,
  /** It would be given up, and there is no room for it in the outbox. */
  waits: 2,
  /** It would be given up, and this call has no room for it: what comes behind it is for the next one. */
  isForNext: 3,
} as const;
export type Fate = (typeof Fate)[keyof typeof Fate];

export class GivingUp {
  /** Bytes of effects that `send` takes. */
  usedBytes: number;
  readonly #context: ShardContext;
  readonly #found: StreamKeyView;
  readonly #group: GroupView;
  readonly #letters: OutboxContent[];
  #heldBytes: number;

  constructor(context: ShardContext, found: StreamKeyView, group: GroupView) {
    this.usedBytes = 0;
    this.#context = context;
    this.#found = found;
    this.#group = group;
    this.#letters = [];
    this.#heldBytes = 0;
  }

  get count(): number {
    return this.#letters.length;
  }

  /** Of an entry whose body is there and in memory, which would be delivered now. `roomBytes`: for its effect, beside `usedBytes`. */
  judge(entry: PendingEntry, roomBytes: number): Fate {
    const { deadLetters } = this.#group;
    if (deadLetters === null || entry.deliveryCount < deadLetters.retriesMax) return Fate.stays;
    return this.giveUp(entry, "max-retries", roomBytes);
  }

  /** The same however often it was delivered. */
  giveUp(entry: PendingEntry, reason: DeadReason, roomBytes: number): Fate {
    const { deadLetters, name } = this.#group;
    const { key, stream } = this.#found;
    if (deadLetters === null || deadLetters.key === key) return Fate.stays;
    const target = deadLetters.key;
    const fields = fieldsOf(stream.range(entry.id, entry.id, 1, false));
    if (cameThrough(fields, target)) return Fate.stays;
    const letter = letterOf({ key, group: name, entry, fields, reason }, target);
    const bytes = outboxItemBytes(letter);
    const cost = bytes + EFFECT_BYTES;
    if (cost + key.length + target.length + MARGIN_BYTES > this.#context.effectRoomBytes) return Fate.stays;
    const heldBytes = this.#context.keyspace.outbox.byteLength + this.#heldBytes;
    if (heldBytes > 0 && heldBytes + bytes + HELD_BYTES > outboxBound(this.#context)) return Fate.waits;
    if (this.usedBytes + cost > roomBytes || this.count >= LETTERS_MAX) return Fate.isForNext;
    this.usedBytes += cost;
    this.#heldBytes += bytes + HELD_BYTES;
    this.#letters.push(letter);
    return Fate.goes;
  }

  /** `isAsked` false: a read has found out that they are due. */
  send(isAsked: boolean): void {
    for (const letter of this.#letters) this.#context.effects.outbox.giveUp(letter, isAsked);
    this.#letters.length = 0;
  }
}

/** While it is so, entries that are due to be given up wait: who reads the group is not to be woken for them again and again. */
export function outboxIsFull(context: Pick<ShardContext, "keyspace" | "outboxMaxBytes">): boolean {
  return context.keyspace.outbox.byteLength > outboxBound(context) / 2;
}

/** In bytes: a target that takes nothing for long must not fill the memory. */
export function outboxBound({ outboxMaxBytes }: Pick<ShardContext, "outboxMaxBytes">): number {
  return outboxMaxBytes === 0 ? Number.POSITIVE_INFINITY : outboxMaxBytes;
}
