/**
 * What an item of an outbox does in the shard that owns its target's slot: a letter is appended, an order sends entries of the dead-letter stream back, and
 * what comes back is its group's again. Called by the leader's turn, in the batch that also says that the item was taken or is settled; a refusal has changed
 * nothing, and the item is brought again later.
 */
import { slotOfKey } from "@headrace/bytes";
import { MIN_ID, outboxItemBytes, OutboxKind, StreamId } from "@headrace/engine";
import type { OutboxContent, OutboxItem, StreamKeyView, StreamView } from "@headrace/engine";
import type { ShardContext } from "../command.ts";
import { findStream } from "../stream/find-stream.ts";
import { configureNewStream } from "../stream/idempotence.ts";
import { outboxBound } from "./giving-up.ts";
import { type EntryFields, fieldsOf, originOf } from "./letter.ts";

/** Of a dead-letter stream, in one step of an order. */
const LOOKED_AT_MAX = 512;
const PAGE = 16;
const SENT_MAX = 128;
const SENT_BYTES_MAX = 128 * 1024;
/** What an item takes in the outbox beside its bytes. */
const HELD_BYTES = 400;

/** Why an item is not taken now. */
export type TakingRefusal = "memory" | "space" | "outboxFull" | "idsExhausted" | "wrongType";

export interface TakingContext extends Pick<
  ShardContext,
  "keyspace" | "effects" | "nowMs" | "nodeBounds" | "idempotenceWindow" | "outboxMaxBytes"
> {
  /** Why nothing may grow now; null: it may. */
  readonly growthRefusal: "memory" | "space" | null;
}

/** Null: it is done. */
export function takeItem(context: TakingContext, item: OutboxItem): TakingRefusal | null {
  if (item.kind === OutboxKind.letter) return append(context, item.target, allFields(item));
  return item.kind === OutboxKind.order ? sendBack(context, item) : giveBack(context, item);
}

function allFields({ fields, elements }: OutboxItem): EntryFields {
  return { bytes: fields, start: 0, end: fields.length, elements };
}

function append(context: TakingContext, key: string, fields: EntryFields): TakingRefusal | null {
  const { keyspace, effects, nowMs, nodeBounds, growthRefusal } = context;
  if (growthRefusal !== null) return growthRefusal;
  const existing = findStream(keyspace, key);
  if (typeof existing === "string") return "wrongType";
  const lastId = existing === null ? MIN_ID : existing.stream.lastId;
  const id = nowMs > lastId.ms() ? StreamId.of(nowMs, 0) : lastId.next();
  if (id === null) return "idsExhausted";
  effects.append(key, id, fields.elements, fields.bytes, fields.start, fields.end, nodeBounds);
  if (existing === null) configureNewStream(context, key);
  return null;
}

/** One step of an order: what is left of it goes on from the outbox of this shard. */
function sendBack(context: TakingContext, order: OutboxItem): TakingRefusal | null {
  const { keyspace, effects, growthRefusal } = context;
  if (growthRefusal !== null) return growthRefusal;
  const found = findStream(keyspace, order.target);
  if (found === null || typeof found === "string") return null;
  const { stream } = found;
  const upTo = order.upTo.isZero() ? stream.lastId : order.upTo;
  const roomBytes = outboxBound(context) - keyspace.outbox.byteLength;
  const step = chooseStep(stream, order, { upTo, roomBytes, isAlone: isAlone(context, order) });
  if (step === null) return "outboxFull";
  const slot = slotOfKey(order.target);
  for (const content of step.sent) effects.outbox.put(slot, content);
  if (step.ids.length > 0) {
    // Groups of the dead-letter stream do not have pending what is no longer there.
    if (stream.groupCount > 0) effects.dropReferences(order.target, step.ids);
    effects.deleteEntries(order.target, step.ids);
  }
  const left = order.count === 0 ? 0 : order.count - step.ids.length;
  const isCounted = order.count > 0 && left === 0;
  if (step.nextAfter !== null && !isCounted) {
    effects.outbox.put(slot, { ...contentOf(order), id: step.nextAfter, upTo, count: left });
  }
  return null;
}

/** Nothing waits in this outbox but perhaps the order itself: then one entry goes, however large it is, or it never would. */
function isAlone({ keyspace }: TakingContext, order: OutboxItem): boolean {
  for (const queue of keyspace.outbox.queues()) if (queue.size > 1 || queue.first !== order) return false;
  return true;
}

interface Step {
  readonly sent: readonly OutboxContent[];
  readonly ids: readonly StreamId[];
  /** Where the next step goes on; null: this was the last one. */
  readonly nextAfter: StreamId | null;
}

/** Null: there is no room for even one. */
function chooseStep(
  stream: StreamView,
  order: OutboxItem,
  bounds: { readonly upTo: StreamId; readonly roomBytes: number; readonly isAlone: boolean },
): Step | null {
  const sent: OutboxContent[] = [];
  const ids: StreamId[] = [];
  const countMax = order.count === 0 ? SENT_MAX : Math.min(order.count, SENT_MAX);
  let bytes = 0;
  let nextAfter = order.id;
  // A few at a time: they are read at once where they are not in memory.
  for (let lookedAt = 0; lookedAt < LOOKED_AT_MAX;) {
    const from = nextAfter.next();
    if (from === null || from.compare(bounds.upTo) > 0) return { sent, ids, nextAfter: null };
    const page: StreamId[] = [];
    stream.range(from, bounds.upTo, PAGE, false).forEachId((id) => page.push(id));
    if (page.length === 0) return { sent, ids, nextAfter: null };
    lookedAt += page.length;
    for (const id of page) {
      const content = onItsWayBack(fieldsOf(stream.range(id, id, 1, false)), order);
      if (content !== null) {
        bytes += outboxItemBytes(content) + HELD_BYTES;
        const isFirst = ids.length === 0;
        const isFull = bytes > bounds.roomBytes && !(isFirst && bounds.isAlone);
        if (isFull && isFirst) return null;
        if (isFull || ids.length >= countMax || (!isFirst && bytes > SENT_BYTES_MAX)) return { sent, ids, nextAfter };
        sent.push(content);
        ids.push(id);
      }
      nextAfter = id;
    }
  }
  return { sent, ids, nextAfter };
}

/** Null: it did not come from there. */
function onItsWayBack(fields: EntryFields, { key, group, target }: OutboxItem): OutboxContent | null {
  const origin = originOf(fields);
  if (origin === null || origin.stream !== key || origin.group !== group) return null;
  return {
    kind: OutboxKind.giveBack,
    key: target,
    group,
    target: key,
    id: origin.id,
    upTo: MIN_ID,
    count: 0,
    elements: fields.elements,
    fields: fields.bytes.slice(fields.start, fields.end),
  };
}

/**
 * An entry is its group's again: pending for nobody, never delivered, before all others. If its body is gone it is appended anew, where all groups of the
 * stream meet it. If stream or group are gone it goes back to where it was.
 */
function giveBack(context: TakingContext, item: OutboxItem): TakingRefusal | null {
  const { keyspace, effects } = context;
  const found = findStream(keyspace, item.target);
  const group = found === null || typeof found === "string" ? null : found.stream.group(item.group);
  if (found === null || typeof found === "string" || group === null) {
    const { target, key } = item;
    effects.outbox.put(slotOfKey(target), { ...contentOf(item), kind: OutboxKind.letter, key: target, target: key });
    return null;
  }
  const whole = allFields(item);
  const origin = originOf(whole);
  const fields = origin === null ? whole : origin.fields;
  if (!hasBody(found, item.id, fields)) return append(context, item.target, fields);
  if (!group.pending.has(item.id)) effects.giveBack(item.target, item.group, [item.id], [0]);
  return null;
}

/** The entry is there, and is the same one: a stream may have been made anew meanwhile. */
function hasBody({ stream }: StreamKeyView, id: StreamId, fields: EntryFields): boolean {
  const range = stream.range(id, id, 1, false);
  if (range.count === 0) return false;
  const body = fieldsOf(range);
  const length = fields.end - fields.start;
  if (body.elements !== fields.elements || body.end - body.start !== length) return false;
  for (let i = 0; i < length; i++) if (body.bytes[body.start + i] !== fields.bytes[fields.start + i]) return false;
  return true;
}

function contentOf({ kind, key, group, target, id, upTo, count, elements, fields }: OutboxItem): OutboxContent {
  return { kind, key, group, target, id, upTo, count, elements, fields };
}

/** For who begins an order: all of the stream, up to where it ends when the order is begun. */
export function orderOf(key: string, group: string, target: string, count: number): OutboxContent {
  return {
    kind: OutboxKind.order,
    key,
    group,
    target,
    id: MIN_ID,
    upTo: MIN_ID,
    count,
    elements: 0,
    fields: new Uint8Array(0),
  };
}
