/**
 * The engine's contract: what handlers may look at, how they change anything, and what node, sim and checkpoints rely on.
 *
 * THE ONE MUTATION PATH. A handler on the leader reads through `Keyspace`/`Stream`/`Group` and changes state only by calling a method of
 * `Effects`. Each such method (1) encodes the effect into the open batch and (2) runs the very `apply` that followers, recovery and the
 * simulator run. `apply` never fails, reads no clock, no chance, no setting. Everything is resolved before: final ids, exact bounds,
 * absolute times.
 *
 * BATCH = payload of one Raft log entry (little-endian):
 *
 *   u8 formatVersion = 1 · u8 kind = 1 (effects) · u16 reserved · f64 logTimeMs · u32 effectCount · effects…
 *   effect: u8 type · u8 version · u16 reserved · u32 bodyBytes · body
 *
 * A replica that meets an unknown formatVersion, type or version stops (UnknownEffectError); it never skips.
 *
 * The APPEND effect covers a run of consecutive appends to one stream, so that a follower applies it with one copy and no parsing:
 *
 *   string key · region bytes (entries in wire form, back to back) · ids column (16 bytes each) ·
 *   lengths column (u32: bit 31 = opens a new stream node, bit 30 = opens a new storage block, bits 0–29 = bytes of the entry) ·
 *   origin runs (u32 count, then {session index u16, first sequence f64, count u32} each) · u32 regionBytes · u32 count · …
 *
 * (the exact order of header and columns is the engine's; it is documented at the top of effect-format.ts). Whether an entry opens a node
 * or a block is decided by the leader from its settings and carried in the effect, so that layout never depends on one node's settings.
 *
 * An entry's wire form is what a reader receives: `*2\r\n$<len>\r\n<id>\r\n*<n>\r\n` followed by the client's own bytes of its fields.
 *
 * ORIGIN: effects carry the session and request number of the command that caused them: appends as runs, all other effects by an ORIGIN
 * effect in front of the first effect of a command. A session is 16 opaque bytes + the log time at its opening.
 */
import type { ByteWriter } from "@headrace/bytes";
import type { MaxLagBytes, Pressure } from "./back-pressure.ts";
import type { EntryRuns } from "./entry-runs.ts";
import type { GroupSettings, Retry } from "./group-settings.ts";
import type { KeyEvents } from "./key-events.ts";
import type { KeyWatches } from "./key-watches.ts";
import type { BlockName, ColdReads } from "./cold-api.ts";
import type { DelayedView, DelayEffects, KnownIid } from "./delays-api.ts";
import type { DelayQueueApi, IdleConsumersApi, RetentionQueueApi } from "./leader-queues.ts";
import type { LimitEffects } from "./limit-effects.ts";
import type { OutboxEffects } from "./outbox-effects.ts";
import type { OutboxView } from "./outbox.ts";
import type { OwnRetention } from "./retention.ts";
import type { PendingView } from "./pending-view.ts";
import type { StreamId } from "./stream-id.ts";
import type { ValueEffects, ValueType, ValueView } from "./value-api.ts";

/** What a stream looks like from outside. All ids and numbers as of now, uncommitted effects included. */
export interface StreamView {
  readonly length: number;
  readonly lastId: StreamId;
  /** Id of the first live entry, 0-0 when empty. */
  readonly firstId: StreamId;
  readonly maxDeletedId: StreamId;
  readonly entriesAdded: number;
  /** Redis' stream nodes (boundary column), and the radix tree's node count as XINFO STREAM reports it. */
  readonly nodeCount: number;
  readonly radixTreeNodes: number;
  readonly groupCount: number;
  /** Sorted by name (bytewise), as Redis' radix tree gives them. */
  groups(): Iterable<GroupView>;
  group(name: string): GroupView | null;
  has(id: StreamId): boolean;
  /** Some of its entries are not in memory. */
  readonly hasCold: boolean;
  /** Has all blocks in memory that hold one of these ids: for who will ask for them one by one. May throw ColdMiss, as all that looks at entries. */
  needEntries(ids: readonly StreamId[]): void;
  /**
   * Live entries between `start` and `end`, both included, at most `limit` (negative or Infinity: all), backwards when `reverse`.
   * The answer is a frozen position list over blocks; it must be used before the next effect on this stream.
   */
  range(start: StreamId, end: StreamId, limit: number, reverse: boolean): EntryRange;
  /**
   * The exact cut of a MAXLEN/MINID trim. `approximate` removes whole nodes only (Redis' `~`); `limit` bounds the entries removed (0: no bound).
   */
  trimByLength(maxLength: number, approximate: boolean, limit: number): TrimCut;
  trimById(minId: StreamId, approximate: boolean, limit: number): TrimCut;
  /**
   * What a trim with a policy other than keep removes; it goes entry by entry, and only the bound of LIMIT goes by nodes. Less, when the effect
   * would take more than about `bytesMax`, or where more of the stream has to be brought into memory than is good at once: the next trim goes on there.
   */
  trimByPolicy(policy: RemovingPolicy, bound: TrimBound, limit: number, bytesMax: number): PolicyCut;
  /** Some group has not delivered the id yet, or has it pending. */
  isReferenced(id: StreamId): boolean;
  /** What it knows of its producers' idempotent ids; null: nothing yet, and the default window. */
  readonly idempotence: IdempotenceView | null;
  /** Its own acknowledgement level, as in `Ack`; null: it has none. */
  readonly ack: 0 | 1 | 2 | null;
  /** Its own bounds; null: all are the cluster's. */
  readonly retention: OwnRetention | null;
  /** What will appear in it later (XADD DELAY); null: nothing. */
  readonly delayed: DelayedView | null;
  /** It has a limit of lag, and groups that it is about. */
  readonly isLimited: boolean;
  /** How many bytes beyond its slowest group it may hold; null: no limit. */
  readonly maxLagBytes: MaxLagBytes | null;
  /** The limit that an XADD meets now, null: none. May throw ColdMiss. */
  limitReached(): Pressure | null;
  /** The limit that is the nearest to being reached, or the farthest beyond; null: it has none. May throw ColdMiss. */
  nearestLimit(): Pressure | null;
  /** Live entries with an id > `id` (for lag), by counting, or null when Redis would not know it. */
  countAfter(id: StreamId): number;
  /** The same with nothing but what is in memory, and the first of them: at most a block too many. */
  residentAfter(id: StreamId): { readonly count: number; readonly firstId: StreamId | null };
  /** Everything of it as one piece (stream-image.ts); null: larger than that. */
  image(bytesMax: number): Uint8Array | null;
  readonly blockCount: number;
  /** What it takes in memory, about. */
  readonly memoryBytes: number;
}

/** Idempotent producing (XADD IDMP): which iid of which producer has become which entry, within a window of time and number. */
export interface IdempotenceView {
  readonly durationSeconds: number;
  /** Iids kept of each producer. */
  readonly maxSize: number;
  /** In the stream's life. */
  readonly iidsAdded: number;
  readonly duplicates: number;
  /** What bytes[start, end) stand for, if they are known as this producer's iid at this time. */
  find(producer: string, bytes: Uint8Array, start: number, end: number, nowMs: number): KnownIid | null;
  countTracked(nowMs: number): { readonly producers: number; readonly iids: number };
}

/** An entry, and where it stands: the number of its block, and which entry of it. */
export interface EntryPlace {
  readonly id: StreamId;
  readonly block: number;
  readonly entry: number;
}

/** `count` entries to remove, the first ones; `firstKept` is where the stream then begins (null: becomes empty). */
export interface TrimCut {
  readonly count: number;
  readonly firstKept: EntryPlace | null;
}

/** What becomes of an entry that consumer groups still refer to, and of their references, when it is removed. */
export const ReferencePolicy = {
  /** KEEPREF: it goes, pending lists keep its id. */
  keep: 0,
  /** DELREF: it goes, and out of all pending lists. */
  drop: 1,
  /** ACKED: it stays. */
  acknowledged: 2,
} as const;
export type ReferencePolicy = (typeof ReferencePolicy)[keyof typeof ReferencePolicy];

export type RemovingPolicy = Exclude<ReferencePolicy, typeof ReferencePolicy.keep>;

/** MAXLEN or MINID: `minId` null says that it is the length. */
export interface TrimBound {
  readonly maxLength: number;
  readonly minId: StreamId | null;
}

/** `count` entries to remove. */
export type PolicyCut = {
  readonly count: number;
} & (
  | {
      readonly policy: typeof ReferencePolicy.acknowledged;
      readonly removed: EntryRuns;
      /** Groups need all entries up to this one: the next trim goes on behind it. */
      readonly referencedUpTo: StreamId;
    }
  | {
      readonly policy: typeof ReferencePolicy.drop;
      /** All up to this one, and all that groups have pending up to it. */
      readonly upToId: StreamId;
      /** Where the stream then begins. */
      readonly firstKept: EntryPlace | null;
      /** Pending up to there, but their entries are gone already: they stay pending. By group, ascending. */
      readonly stayPending: readonly (readonly StreamId[])[];
      /** Where those are too many to be named: those that are pending no longer, instead. An effect of its own names them. */
      readonly dropped: readonly StreamId[] | null;
    }
);

export interface EntryRange {
  readonly count: number;
  /** First and last id in the order of the range (count > 0). */
  readonly firstId: StreamId;
  readonly lastId: StreamId;
  /** Appends all entries in wire form (without the array header): slices of blocks, not entry by entry. */
  writeTo(writer: ByteWriter): void;
  forEachId(visit: (id: StreamId) => void): void;
  /** Of a range that is not backwards: each entry's wire form, where it stands in `bytes`; `visit` answers false to stop. */
  visitEntries(visit: (bytes: Uint8Array, start: number, end: number) => boolean): void;
}

export interface GroupView extends GroupSettings {
  readonly name: string;
  readonly lastDeliveredId: StreamId;
  /** −1: unknown. */
  readonly entriesRead: number;
  readonly pending: PendingView;
  readonly counts: GroupCounts;
  readonly consumerCount: number;
  /** Sorted by name. */
  consumers(): Iterable<ConsumerView>;
  consumer(name: string): ConsumerView | null;
}

/** What this replica has seen happen to a group, since it has it in memory. Statistics, no part of the state. */
export interface GroupCounts {
  /** Entries that were delivered as new ones; with NOACK, as far as entries-read tells. */
  readonly delivered: number;
  /** Deliveries of pending entries: delivery counts that were raised. */
  readonly redelivered: number;
  /** Entries that have left the pending list one by one: acknowledged, or because they were gone. */
  readonly acknowledged: number;
}

export interface ConsumerView {
  readonly name: string;
  readonly pendingCount: number;
  readonly seenTimeMs: number;
  /** −1: never got anything. */
  readonly activeTimeMs: number;
}

/** One key: of a stream, or of another value. */
export type KeyView = StreamKeyView | ValueKeyView;

interface CommonKeyView {
  readonly key: string;
  readonly slot: number;
  /** Log index of the last effect that touched it: what a reader's reply has to wait for (I6). */
  readonly lastWriterIndex: number;
  /** The key is gone when log time is above it; NEVER: it stays. */
  readonly expiresAtMs: number;
  /** Log time of the last use, in the seconds of `secondsOf`. Known to this replica only. */
  usedAtSeconds: number;
}

export interface StreamKeyView extends CommonKeyView {
  readonly type: "stream";
  readonly stream: StreamView;
  readonly value: null;
}

export interface ValueKeyView extends CommonKeyView {
  readonly type: ValueType;
  readonly stream: null;
  readonly value: ValueView;
}

/**
 * What commands see. Through `ShardStateApi.live` a key whose time is over is not there: whoever finds that out has logged it, so that no later
 * leader, whose clock may be behind, shows the key again.
 */
export interface Keyspace {
  /** Keys that have expired and were not found out count, as in Redis. */
  readonly size: number;
  /** False: no stream has an acknowledgement level of its own. */
  readonly anyAcks: boolean;
  /** How many keys will expire. */
  readonly expiringCount: number;
  /** Keys that have expired, as far as this replica has seen it happen. */
  readonly expiredKeys: number;
  readonly outbox: OutboxView;
  /** Counts as a use. */
  find(key: string): KeyView | null;
  /** Does not count as a use. */
  peek(key: string): KeyView | null;
  /** One of the keys; `ordinal` < size. Null: it has expired, and is gone now. */
  pick(ordinal: number): KeyView | null;
  /** Index of the last writer of the key, deleted keys included as long as their deletion is not committed; 0 when clean. */
  lastWriterIndex(key: string): number;
  /** Keys in order of (slot, place), from a SCAN cursor; see scan.ts for the cursor's form. `visit` per key; answers the next cursor. */
  scan(cursor: bigint, count: number, visit: (key: KeyView) => void): bigint;
  forEachKey(visit: (key: KeyView) => void): void;
}

/** The keys as they are stored. */
export interface StoredKeyspace {
  readonly size: number;
  readonly expiringCount: number;
  /** Keys that have expired, as far as this replica has seen it happen. */
  readonly expiredKeys: number;
  find(key: string): KeyView | null;
  lastWriterIndex(key: string): number;
  forEachKey(visit: (key: KeyView) => void): void;
  /** The key that expires next; null when none does. */
  nextToExpire(): KeyView | null;
}

/** What append needs besides the entry: Redis' node bounds. A setting of the cluster, resolved by the leader. */
export interface NodeBounds {
  /** stream-node-max-entries; 0 = no bound. */
  readonly maxEntries: number;
  /** stream-node-max-bytes; 0 = no bound. */
  readonly maxBytes: number;
}

/**
 * The only way to change anything. Every method encodes one effect and applies it at once. All arguments are final. Names: latin1 strings.
 * Preconditions are asserted: a handler that breaks one is a bug, not a user's mistake.
 */
export interface Effects {
  /** Index that the open log entry will have, and its time. */
  readonly index: number;
  readonly logTimeMs: number;
  /** Effects so far in the open batch; a handler that leaves it unchanged was a read. */
  readonly count: number;
  /** How many of them are no command's doing, who found that out did not ask for it: keys that expired, `dropBodiless`. */
  readonly unaskedCount: number;
  readonly byteLength: number;
  readonly outbox: OutboxEffects;
  readonly limits: LimitEffects;

  /**
   * Appends an entry; creates the stream if the key is free. `id` > last id. `elementCount` = 2 × number of fields; source[start, end) is the
   * client's own RESP of the fields and values (`$…\r\n…\r\n` repeated), copied.
   */
  append(
    key: string,
    id: StreamId,
    elementCount: number,
    source: Uint8Array,
    start: number,
    end: number,
    bounds: NodeBounds,
  ): void;
  createStream(key: string): void;
  /** Removes the first entries up to, not including, `firstKept` (null: all). Does not move max-deleted-entry-id. */
  trim(key: string, cut: TrimCut): void;
  /** Removes what `StreamView.trimByPolicy` has planned, and remembers how far it looked. Does not move max-deleted-entry-id. */
  trimByPolicy(key: string, cut: PolicyCut): void;
  /** Takes these ids out of the pending lists of all groups, wherever they are. */
  dropReferences(key: string, ids: readonly StreamId[]): void;
  /** Removes these existing entries and moves max-deleted-entry-id. */
  deleteEntries(key: string, ids: readonly StreamId[]): void;
  deleteKey(key: string): void;
  /** A time to come, or NEVER. */
  setExpiry(key: string, atMs: number): void;
  /** Removes a key whose time is over. */
  expireKey(key: string): void;
  /** Gives the key another name of the same slot; who has that name is removed. */
  renameKey(key: string, name: string): void;
  /** Makes the key hold what the image says (see StreamImageWriter), whatever it held. */
  putStream(key: string, image: Uint8Array, expiresAtMs: number, event: "copy_to" | "restore"): void;
  setStreamId(key: string, lastId: StreamId, entriesAdded: number, maxDeletedId: StreamId): void;
  /** source[start, end) is from now on the producer's iid of this entry. The oldest of the producer's make room. */
  recordIid(key: string, producer: string, source: Uint8Array, start: number, end: number, id: StreamId): void;
  countDuplicateIid(key: string): void;
  /** Another window than before begins with nothing known. */
  configureIdempotence(key: string, durationSeconds: number, maxSize: number): void;
  setStreamAck(key: string, ack: 0 | 1 | 2 | null): void;
  setStreamRetention(key: string, own: OwnRetention | null): void;
  createGroup(key: string, group: string, lastDeliveredId: StreamId, entriesRead: number): void;
  setGroupId(key: string, group: string, lastDeliveredId: StreamId, entriesRead: number): void;
  /** 0: consumers stay. */
  setConsumerIdle(key: string, group: string, consumerIdleMs: number): void;
  setGroupRetry(key: string, group: string, retry: Retry | null): void;
  destroyGroup(key: string, group: string): void;
  createConsumer(key: string, group: string, consumer: string, timeMs: number): void;
  deleteConsumer(key: string, group: string, consumer: string): void;
  /** The same, but what it has pending belongs to nobody then, in the order of ids, with counts as they are. */
  handBackConsumer(key: string, group: string, consumer: string): void;
  /** Sets seen time, and active time unless `activeMs` is negative. */
  touchConsumer(key: string, group: string, consumer: string, seenMs: number, activeMs: number): void;
  /**
   * Delivers the live entries behind the group's last delivered id up to `upToId` to the consumer: advances the group's position and
   * entries-read (the value given), and, unless `noAck`, makes or takes over their pending entries with count 1 and this time.
   */
  deliver(
    key: string,
    group: string,
    consumer: string,
    upToId: StreamId,
    entriesRead: number,
    timeMs: number,
    noAck: boolean,
  ): void;
  /** The consumer read its own history: count + 1 and this time for each of its pending ids in [from, to] whose entry exists. */
  redeliver(key: string, group: string, consumer: string, from: StreamId, to: StreamId, timeMs: number): void;
  /** Pending ids whose entries are gone are pending no more. Nobody asked for it, whoever finds it out. */
  dropBodiless(key: string, group: string, ids: readonly StreamId[]): void;
  /** Removes pending entries that exist. */
  acknowledge(key: string, group: string, ids: readonly StreamId[]): void;
  /**
   * Gives pending entries to the consumer (making those that are missing), with these absolute values; arrays run parallel.
   */
  claim(
    key: string,
    group: string,
    consumer: string,
    ids: readonly StreamId[],
    deliveryTimesMs: readonly number[],
    deliveryCounts: readonly number[],
  ): void;
  /** Makes these ids pending for nobody (those that are missing too), to be claimed in this order, with these counts. */
  giveBack(key: string, group: string, ids: readonly StreamId[], deliveryCounts: readonly number[]): void;
  /** Moves the group's position forward without delivering (XCLAIM LASTID). */
  advanceGroup(key: string, group: string, lastDeliveredId: StreamId): void;
  /** Removes every key of this shard. */
  flush(): void;
  /** Of values that are no streams. */
  readonly values: ValueEffects;
  readonly delays: DelayEffects;
}

/** One value for the ordered store; `subkey` sorts within the slot. `value: null` removes it. */
export interface StateRow {
  /** The key's; with bit 15 set for rows of entries, which so stand behind all others (`slotOfRow`). */
  readonly slot: number;
  readonly subkey: Uint8Array;
  readonly value: Uint8Array | null;
  /** What stands behind `value` in the row, piece after piece. Bytes of a block are the block's own: they do not change (`Block.lend`). */
  readonly rest?: readonly Uint8Array[];
  /** CRC-32 of all of it, where it is known. */
  readonly crc?: number;
}

/** A shard's checkpoint part that belongs to the whole shard, not to a slot (log time, sessions, key age counter). */
export interface ShardHeader {
  readonly bytes: Uint8Array;
}

/** What a checkpoint writes: everything that changed since the last capture, by copy (block bytes by reference, they are append-only). */
export interface Capture {
  readonly index: number;
  readonly rows: readonly StateRow[];
  readonly header: ShardHeader;
  readonly byteLength: number;
  /** FLUSHALL since the last capture: all older rows of the shard are dead. */
  readonly cleared: boolean;
}

/** What a state takes in memory, in bytes, about; kept as it changes. */
export interface StateMemory {
  /** Entries and columns of blocks, which go and come. */
  readonly blockBytes: number;
  /** What stays as long as it is there: names, headers, block indexes, tombstones, groups, pending lists, idempotent ids, sessions. */
  readonly fixedBytes: number;
  /** Of those what small streams take that could be packed, sooner or later. */
  readonly packableBytes: number;
  /** Streams that are packed. */
  readonly packedStreams: number;
  /** How often one of them was asked for, since this state was made. */
  readonly unpackings: number;
}

/** The deterministic state of one shard. */
export interface ShardStateApi {
  /** Everything that is stored, expired keys too. */
  readonly keyspace: StoredKeyspace;
  /** What commands see. Only while a batch is open. */
  readonly live: Keyspace;
  /** The state index X. */
  readonly index: number;
  readonly logTimeMs: number;

  /** Applies a whole log entry (followers, recovery, replay). `index` = X + 1, asserted. Empty data = no-op. Throws UnknownEffectError. */
  apply(data: Uint8Array, index: number): void;

  /** Leader: opens the batch that will be log entry `index` = X + 1. Log time = max(own last, `wallMs`). */
  openBatch(index: number, wallMs: number): Effects;
  /** Hears of what effects of the open batch do to keys; null: nobody listens, and it costs nothing. */
  keyEvents: KeyEvents | null;
  /** Names who is executing from here on; the next effect is preceded by its origin. */
  setOrigin(session: Uint8Array | null, sequence: number): void;
  /** Closes the batch. Null when it holds no effect (nothing happened, X unchanged); else the payload, owned by the caller, X = index. */
  sealBatch(): Uint8Array | null;

  /** Highest number under which the session has written, 0: it has not. Infinity: too many others have since, nobody can say. */
  lastSequence(session: Uint8Array): number;

  /** Everything up to `index` is committed: dirty tombstones below it may go. */
  committedTo(index: number): void;

  /** Keys with blocked readers: their touches are collected. Counted: each watch needs its unwatch. */
  watchKey(key: string): void;
  unwatchKey(key: string): void;
  /**
   * Watched keys that were touched since the last call. True, in the order in which they became so: blocked readers are to be served, for entries came,
   * or the key, or one of its groups, is there no more. False: only who waits for pending entries may find some.
   */
  takeTouchedKeys(): ReadonlyMap<string, boolean>;
  /** WATCH: flags of this leader's clients. They survive no other state. */
  readonly watches: KeyWatches;

  readonly retention: RetentionQueueApi;
  readonly idleConsumers: IdleConsumersApi;
  readonly outbox: OutboxView;
  readonly delays: DelayQueueApi;
  /** Groups of some keys from a cursor on, as SCAN has them, packed ones too; answers the next cursor. Views are good until `visit` returns. */
  scanGroups(cursor: bigint, count: number, visit: (key: string, stream: StreamView, group: GroupView) => void): bigint;

  /** Bytes and keys that a capture would write now: the checkpoint's trigger. */
  readonly dirtyBytes: number;
  readonly dirtyKeys: number;
  /** At the end of a turn, with no batch open. */
  capture(): Capture;
  /** The capture was dropped (its entry was replaced): its keys are dirty again. */
  restoreDirty(capture: Capture): void;

  /**
   * Begins to take the state back to the checkpoint at `index` with this header. `captures`: all that were taken since and not written, in
   * order. Until the rollback is finished nothing else may be done with the state. Null, and nothing has happened, when everything was
   * touched, so that loading all of it again is the only way.
   */
  beginRollback(captures: readonly Capture[], header: ShardHeader, index: number): ShardRollbackApi | null;

  readonly memory: StateMemory;
  /** Null: nothing is ever given up. No part of the state: loading, rollback and a new state begin with null. */
  coldReads: ColdReads | null;
  /**
   * Gives up blocks and packs small streams, the ones used longest ago first, until `bytes` are free or nothing is left that may go: only what is in the
   * store, in captures up to `durableIndex`. Answers how many bytes became free. With no batch open. Views of streams mean nothing afterwards.
   */
  evict(bytes: number, durableIndex: number): number;
  /** The same of small streams alone. */
  pack(bytes: number, durableIndex: number): number;
  /** Where the block's entries are in the store; null: they are in memory, or it is no more. */
  rowsOfBlock(block: BlockName): RowRange | null;
  /**
   * The rows of that range, read since. False: nobody needs them any more. Throws DamagedRowError, and nothing has happened: also when the store has
   * been written since, and they are of before.
   */
  takeBlock(block: BlockName, rows: readonly StateRow[]): boolean;

  /** Hex digest of everything that a client or a later effect could see; equal on every replica at an equal index. Walks all: tests, sim. */
  stateHash(): string;
  /** Walks all structures and asserts their invariants. Tests, sim. */
  verify(): void;
}

/** Rebuilds a state from the rows of a checkpoint, in any order; `finish` checks that it is complete. */
export interface ShardLoaderApi {
  row(slot: number, subkey: Uint8Array, value: Uint8Array): void;
  finish(header: ShardHeader, index: number): ShardStateApi;
}

/** Rows from (fromSlot, from) up to, not including, (toSlot, to); subkeys of different lengths compare bytewise. */
export interface RowRange {
  readonly fromSlot: number;
  readonly from: Uint8Array;
  readonly toSlot: number;
  readonly to: Uint8Array;
}

/**
 * A state on its way back to a checkpoint. The caller reads `ranges` from the store as it is at the checkpoint and hands over every row, in any
 * order; values are kept until `finish`, and must not change. Then the state is as if it had been loaded from all rows.
 */
export interface ShardRollbackApi {
  /** Ascending, without overlap. */
  readonly ranges: readonly RowRange[];
  /** Keys of which something is dropped. */
  readonly keyCount: number;
  /** Throws DamagedRowError. */
  row(slot: number, subkey: Uint8Array, value: Uint8Array): void;
  /** Throws DamagedRowError; the state is good for nothing then. */
  finish(): void;
}

/** Met an effect or a version that this program does not know: the replica must stop. */
export class UnknownEffectError extends Error {
  override name: string = "UnknownEffectError";
}

/** A stored value is whole, but of a form that this program does not know: the replica must stop, and nothing is thrown away. */
export class UnknownRowError extends Error {
  override name: string = "UnknownRowError";
}

/** A stored value does not match its checksum or its form. */
export class DamagedRowError extends Error {
  override name: string = "DamagedRowError";
}
