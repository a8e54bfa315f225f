/** A stream: its entries, its counters and its groups. Reads are the contract's `StreamView`; every change is part of `apply`. */
import { assert } from "@headrace/bytes";
import type { EntryRange, PolicyCut, RemovingPolicy, StreamView, TrimBound, TrimCut } from "./api.ts";
import { type MaxLagBytes, type Pressure, StreamLimits } from "./back-pressure.ts";
import { DelayedEntries } from "./delayed-entries.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import { EntryLog } from "./entry-log.ts";
import { NO_STREAM_ACK } from "./effect-format.ts";
import { Group } from "./group.ts";
import { Idempotence } from "./idempotence.ts";
import { residentAfter } from "./group-lag.ts";
import { isReferenced, planTrimByPolicy } from "./references.ts";
import { radixTreeNodes } from "./radix-nodes.ts";
import type { OwnRetention, Retention } from "./retention.ts";
import { planRetention, type RetentionPlan } from "./retention-plan.ts";
import type { RunColumns } from "./run-columns.ts";
import { groupBytes } from "./resident-bytes.ts";
import { sortedByName } from "./sorted-by-name.ts";
import { MIN_ID, type StreamId } from "./stream-id.ts";
import { imageOf } from "./stream-image.ts";
import { memoryOf } from "./stream-memory.ts";
import { planTrimById, planTrimByLength } from "./trim-plan.ts";

/** Shared by all streams without a group, never written: an empty Map takes 200 bytes. */
const NO_GROUPS: Map<string, Group> = new Map();

export class Stream implements StreamView {
  readonly entries: EntryLog;
  lastId: StreamId;
  maxDeletedId: StreamId;
  entriesAdded: number;
  nextGroupNumber: number;
  /** Null for most: default window, nothing known. */
  idempotence: Idempotence | null;
  /** Its own acknowledgement level, or NO_STREAM_ACK. */
  ackLevel: number;
  /** Null for most: all of its bounds are the cluster's. */
  retention: OwnRetention | null;
  /** How many bytes beyond its slowest group it may hold; 0: no limit. */
  maxLagBytes: MaxLagBytes | null;
  /** Null for most. Not null and empty until the next capture, when the last one has gone. */
  delayed: DelayedEntries | null;
  dirtyGroups: Group[];
  droppedGroups: Group[];
  readonly meter: DirtyMeter;
  #referencedUpTo: StreamId;
  #groups: Map<string, Group>;
  #sorted: readonly Group[] | null;
  /** Undefined: not looked at since its groups or settings changed. */
  #limits: StreamLimits | null | undefined;

  constructor(meter: DirtyMeter) {
    this.entries = new EntryLog(meter);
    this.lastId = MIN_ID;
    this.maxDeletedId = MIN_ID;
    this.entriesAdded = 0;
    this.nextGroupNumber = 1;
    this.idempotence = null;
    this.ackLevel = NO_STREAM_ACK;
    this.retention = null;
    this.maxLagBytes = null;
    this.delayed = null;
    this.dirtyGroups = [];
    this.droppedGroups = [];
    this.meter = meter;
    this.#referencedUpTo = MIN_ID;
    this.#groups = NO_GROUPS;
    this.#sorted = null;
    this.#limits = undefined;
  }

  get length(): number {
    return this.entries.length;
  }

  get firstId(): StreamId {
    return this.entries.firstLiveId() ?? MIN_ID;
  }

  get nodeCount(): number {
    return this.entries.nodeCount();
  }

  get radixTreeNodes(): number {
    return radixTreeNodes(this.entries, this.nodeCount);
  }

  get groupCount(): number {
    return this.#groups.size;
  }

  groups(): readonly Group[] {
    this.#sorted ??= sortedByName(this.#groups.values());
    return this.#sorted;
  }

  group(name: string): Group | null {
    return this.#groups.get(name) ?? null;
  }

  has(id: StreamId): boolean {
    return this.entries.has(id);
  }

  get hasCold(): boolean {
    return this.entries.blocks.coldCount > 0;
  }

  needEntries(ids: readonly StreamId[]): void {
    this.entries.needEntries(ids);
  }

  range(start: StreamId, end: StreamId, limit: number, reverse: boolean): EntryRange {
    return this.entries.range(start, end, limit, reverse);
  }

  trimByLength(maxLength: number, approximate: boolean, limit: number): TrimCut {
    return planTrimByLength(this.entries, maxLength, approximate, limit);
  }

  trimById(minId: StreamId, approximate: boolean, limit: number): TrimCut {
    return planTrimById(this.entries, minId, approximate, limit);
  }

  trimByPolicy(policy: RemovingPolicy, bound: TrimBound, limit: number, bytesMax: number): PolicyCut {
    return planTrimByPolicy(this, policy, bound, limit, bytesMax);
  }

  /** What its retention drops now: see retention-plan.ts. */
  planRetention(retention: Retention, nowMs: number, blocksMax: number): RetentionPlan {
    return planRetention(this.entries, this.groups(), retention, nowMs, blocksMax);
  }

  cutOfBlocks({ blocks, entries }: RetentionPlan): TrimCut {
    return { count: entries, firstKept: blocks === 0 ? null : this.entries.firstOf(blocks) };
  }

  /**
   * Every live entry up to this one is pending in some group: what was looked through once need not be looked through again. Only the leader's trims use
   * it; known to this object alone.
   */
  referencedUpTo(): StreamId {
    for (const { pending } of this.groups()) {
      const lowest = pending.lowestRemoved;
      pending.lowestRemoved = null;
      if (lowest !== null && lowest.compare(this.#referencedUpTo) <= 0)
        this.#referencedUpTo = lowest.previous() ?? MIN_ID;
    }
    return this.#referencedUpTo;
  }

  noteReferencedUpTo(id: StreamId): void {
    this.#referencedUpTo = id;
  }

  isReferenced(id: StreamId): boolean {
    return isReferenced(this, id);
  }

  get isLimited(): boolean {
    if (this.#limits === undefined) this.#limits = StreamLimits.of(this);
    return this.#limits !== null;
  }

  limitReached(): Pressure | null {
    return this.isLimited ? this.#limits!.reached() : null;
  }

  nearestLimit(): Pressure | null {
    return this.isLimited ? this.#limits!.nearest() : null;
  }

  /** Its limits, or its groups, are others than before. */
  forgetLimits(): void {
    this.#limits = undefined;
    this.entries.gauges = null;
  }

  countAfter(id: StreamId): number {
    const next = id.next();
    return next === null ? 0 : this.entries.length - this.entries.countBefore(next);
  }

  residentAfter(id: StreamId): { readonly count: number; readonly firstId: StreamId | null } {
    return residentAfter(this.entries, id);
  }

  ownIdempotence(): Idempotence {
    if (this.idempotence === null) {
      this.idempotence = new Idempotence(this.meter);
      // Its header's row says that there is one.
      this.idempotence.markDirty();
    }
    return this.idempotence;
  }

  ownDelayed(): DelayedEntries {
    this.delayed ??= new DelayedEntries(this.meter);
    return this.delayed;
  }

  existingDelayed(): DelayedEntries {
    assert(this.delayed !== null, "nothing is delayed");
    return this.delayed;
  }

  get ack(): 0 | 1 | 2 | null {
    return this.ackLevel === NO_STREAM_ACK ? null : (this.ackLevel as 0 | 1 | 2);
  }

  image(bytesMax: number): Uint8Array | null {
    return imageOf(this, bytesMax);
  }

  get blockCount(): number {
    return this.entries.blocks.length;
  }

  get memoryBytes(): number {
    return memoryOf(this);
  }

  existingGroup(name: string): Group {
    const group = this.#groups.get(name);
    assert(group !== undefined, "no such group");
    return group;
  }

  /** Appends columns[from, to), whose bytes stand at `offset`; `lastId` is the id of the last one. */
  appendRun(source: Uint8Array, offset: number, columns: RunColumns, from: number, to: number, lastId: StreamId): void {
    this.entries.appendRun(source, offset, columns, from, to);
    // Stops at 2^53 − 1, which only XSETID can come near: beyond it, one by one and many at once would differ.
    this.entriesAdded = Math.min(this.entriesAdded + (to - from), Number.MAX_SAFE_INTEGER);
    this.lastId = lastId;
  }

  createGroup(name: string, lastDeliveredId: StreamId, entriesRead: number): Group {
    const group = new Group(name, this.nextGroupNumber++, lastDeliveredId, entriesRead, this.meter);
    this.adoptGroup(group);
    this.markGroupDirty(group);
    this.meter.fixedBytes += groupBytes(group);
    return group;
  }

  /** Takes a group in, a new one or one that was loaded. */
  adoptGroup(group: Group): void {
    assert(!this.#groups.has(group.name), "group exists");
    if (this.#groups === NO_GROUPS) this.#groups = new Map();
    this.#groups.set(group.name, group);
    this.#sorted = null;
    this.forgetLimits();
  }

  destroyGroup(name: string): void {
    const group = this.existingGroup(name);
    this.meter.fixedBytes -= groupBytes(group);
    this.#groups.delete(name);
    this.#sorted = null;
    this.forgetLimits();
    this.#referencedUpTo = MIN_ID;
    if (group.persisted) this.droppedGroups.push(group);
  }

  /** Rollback: as if the group had never been made. */
  dropGroup(group: Group): void {
    this.#groups.delete(group.name);
    this.#sorted = null;
    this.forgetLimits();
  }

  markGroupDirty(group: Group): void {
    if (group.becomeDirty()) this.dirtyGroups.push(group);
  }

  verify(): void {
    this.entries.verify();
    const tail = this.entries.tail;
    if (tail !== null) assert(tail.lastId.compare(this.lastId) <= 0, "an entry is above the last id");
    this.idempotence?.verify();
    for (const group of this.#groups.values()) {
      assert(group.number < this.nextGroupNumber, "group number from the future");
      group.verify();
    }
  }
}
