export * from "./stream-id.ts";
export * from "./api.ts";
export * from "./cold-api.ts";
export * from "./delays-api.ts";
export * from "./leader-queues.ts";
export * from "./value-api.ts";
export * from "./hash-api.ts";
export * from "./set-api.ts";
export type { PendingEntry, PendingView } from "./pending-view.ts";
export {
  countDown,
  countUp,
  DELIVERY_COUNT_LOWER_MAX,
  DELIVERY_COUNT_MAX,
  deliveryCountOf,
  shownDeliveryCount,
} from "./delivery-count.ts";
export { KeyWatch, KeyWatches } from "./key-watches.ts";
export { ENTRIES_READ_UNKNOWN, entriesReadAfterDelivery, estimateEntriesRead, lagOf } from "./lag.ts";
export { DEFAULT_DURATION_SECONDS, DEFAULT_IIDS_MAX, DURATION_SECONDS_MAX, IIDS_MAX } from "./idempotence.ts";
export * from "./key-events.ts";
export { scanCursor, scanCursorPlace, scanCursorSlot } from "./scan.ts";
export {
  hasBounds,
  isEqualRetention,
  NO_RETENTION,
  ownRetention,
  resolveRetention,
  RetentionKeep,
} from "./retention.ts";
export {
  GROUP_MS_MAX,
  isEqualDeadLetters,
  isEqualRetry,
  RETRIES_MAX,
  RETRY_FACTOR_MAX,
  retryDelayMs,
} from "./group-settings.ts";
export { type GroupLag, groupLag, residentGroupLag, timeOfId } from "./group-lag.ts";
export type { DeadLetters, Retry } from "./group-settings.ts";
export { type OutboxContent, type OutboxItem, outboxItemBytes, OutboxKind, readOutboxItem } from "./outbox-item.ts";
export type { OutboxEffects } from "./outbox-effects.ts";
export type { OutboxQueue, OutboxView, SlotPair, StoredItem, TakenNumber } from "./outbox.ts";
export type { LimitEffects } from "./limit-effects.ts";
export {
  HOLD_MS_MAX,
  isEqualMaxLag,
  isEqualMaxLagBytes,
  type MaxLag,
  type MaxLagBytes,
  type Pressure,
} from "./back-pressure.ts";
export type { OwnRetention, Retention } from "./retention.ts";
export { ShardLoader } from "./shard-loader.ts";
export { ShardState } from "./shard-state.ts";
export { NEVER } from "./expiry-heap.ts";
export { readForeignImage } from "./foreign-image.ts";
export { secondsOf } from "./log-seconds.ts";
export { StreamImageWriter } from "./stream-image.ts";
export { writeEntryHead, ENTRY_HEAD_BYTES_MAX, fieldsOffset } from "./entry-form.ts";
export { BlockBytes } from "./block-bytes.ts";
export { rowIsIntact } from "./row-check.ts";
export { HASH_KIND, LISTPACK_FIELDS_MAX } from "./hash-value.ts";
export { writeFieldRecord } from "./field-record.ts";
export { LIST_KIND } from "./list-value.ts";
export { type ElementSource, writeListElement } from "./list-leaf.ts";
export { elementBytes, SORTED_SET_KIND, writeSortedSetImage } from "./sorted-set-value.ts";
export { MemberList } from "./member-list.ts";
export { MemberTable } from "./member-table.ts";
export { SET_KIND } from "./set-value.ts";
export { STRING_KIND } from "./string-value.ts";
export { beginImage, imageOf } from "./value-image.ts";
export { dataSlot, slotOfRow } from "./state-rows.ts";
export { blocksNamedBy, headerOfBlocks, StoredBlock } from "./stored-blocks.ts";
