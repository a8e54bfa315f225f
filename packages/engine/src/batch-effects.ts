/**
 * The leader's open batch: every method checks its preconditions, encodes one effect and applies it at once, non-hot ones by decoding what
 * was just encoded. Consecutive appends to one key share one effect: entry bytes go straight into the batch's region and from there into the
 * tail block; ids, lengths and origins gather beside it and are written behind the region when the run is closed.
 */
import {
  type Effects,
  type EntryPlace,
  type NodeBounds,
  type PolicyCut,
  ReferencePolicy,
  type TrimCut,
} from "./api.ts";
import { assert, ByteReader, ByteWriter, slotOfKey } from "@headrace/bytes";
import { EFFECT_VERSION, EffectType, NO_STREAM_ACK, SESSION_BYTES } from "./effect-format.ts";
import { assertExpiry, assertTime, bodilessOf, isBetween, payloadOf, runsOf } from "./effect-parts.ts";
import { writeBatchHead, writeCounts, writeEnd, writeIds, writePlace } from "./effect-parts.ts";
import { LeaderDelays } from "./delay-effects.ts";
import type { EffectApplier } from "./effect-applier.ts";
import type { EntryRuns } from "./entry-runs.ts";
import { ENTRY_HEAD_BYTES_MAX, writeEntry } from "./entry-form.ts";
import { NEVER } from "./expiry-heap.ts";
import type { Group } from "./group.ts";
import { GROUP_MS_MAX, type Retry, writeRetry } from "./group-settings.ts";
import { IdListWriter } from "./id-list.ts";
import { isWindow } from "./idempotence.ts";
import { KeyEventClass, type KeyEvents } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import type { StreamKey } from "./stream-key.ts";
import { OriginRuns } from "./origin-runs.ts";
import { type LimitEffects, LimitWriter } from "./limit-effects.ts";
import { type EffectSink, type OutboxEffects, OutboxWriter } from "./outbox-effects.ts";
import { type OwnRetention, writeRetention } from "./retention.ts";
import { ENTRY_COLUMN_BYTES, RunColumns } from "./run-columns.ts";
import { MAX_ID, MIN_ID, type StreamId } from "./stream-id.ts";
import { type EffectSink as ValueSink, ValueChanges } from "./value-effects.ts";

const FIRST_CAPACITY_BYTES = 64 * 1024;
const EFFECT_COUNT_OFFSET = 12;

export class BatchEffects implements Effects, EffectSink {
  index: number;
  logTimeMs: number;
  count: number;
  events: KeyEvents | null;
  unaskedCount: number;
  readonly outbox: OutboxEffects;
  readonly delays: LeaderDelays;
  readonly limits: LimitEffects;
  readonly #keyspace: KeyspaceState;
  readonly #applier: EffectApplier;
  readonly #writer: ByteWriter;
  #encoded: number;
  #bodyOffset: number;
  // The open append run; its key is null when there is none.
  #runKey: StreamKey | null;
  #regionOffset: number;
  readonly #columns: RunColumns;
  readonly #origins: OriginRuns;
  readonly #idList: IdListWriter;
  readonly values: ValueChanges;
  // Who executes now, and whether an effect has said so.
  #session: Uint8Array | null;
  #sequence: number;
  #originSaid: boolean;

  constructor(keyspace: KeyspaceState, applier: EffectApplier) {
    this.index = 0;
    this.logTimeMs = 0;
    this.count = 0;
    this.events = null;
    this.unaskedCount = 0;
    this.outbox = new OutboxWriter(keyspace, this);
    this.limits = new LimitWriter(keyspace, this);
    this.#keyspace = keyspace;
    this.#applier = applier;
    this.#writer = new ByteWriter(FIRST_CAPACITY_BYTES);
    this.#encoded = 0;
    this.#bodyOffset = 0;
    this.#runKey = null;
    this.#regionOffset = 0;
    this.#columns = new RunColumns();
    this.#origins = new OriginRuns();
    this.#idList = new IdListWriter();
    const sink: ValueSink = {
      begin: (type) => this.begin(type),
      end: (type) => this.end(type),
      endWith: (apply) => {
        apply(this.#body());
        this.count++;
      },
      said: (eventClass, event, key) => this.#said(eventClass, event, key),
    };
    this.values = new ValueChanges(keyspace, sink);
    this.delays = new LeaderDelays(keyspace, sink);
    this.#session = null;
    this.#sequence = 0;
    this.#originSaid = true;
  }

  get byteLength(): number {
    return this.#writer.length + (this.#runKey === null ? 0 : this.#columns.count * 20 + this.#origins.byteLength + 4);
  }

  /** Begins the batch of log entry `index`. */
  open(index: number, logTimeMs: number): void {
    this.index = index;
    this.logTimeMs = logTimeMs;
    this.count = 0;
    this.unaskedCount = 0;
    this.#encoded = 0;
    this.#session = null;
    this.#originSaid = true;
    const writer = this.#writer;
    writer.clear();
    writeBatchHead(writer, logTimeMs);
  }

  setOrigin(session: Uint8Array | null, sequence: number): void {
    assert(session === null || session.length === SESSION_BYTES, "session is not 16 bytes");
    this.#session = session;
    this.#sequence = sequence;
    this.#originSaid = session === null;
  }

  /** The payload, or null when nothing happened. */
  seal(): Uint8Array | null {
    if (this.count === 0) return null;
    this.#closeRun();
    const writer = this.#writer;
    writer.patchU32(EFFECT_COUNT_OFFSET, this.#encoded);
    return payloadOf(writer);
  }

  append(
    key: string,
    id: StreamId,
    elementCount: number,
    source: Uint8Array,
    start: number,
    end: number,
    bounds: NodeBounds,
  ): void {
    let run = this.#runKey;
    let isNew = false;
    if (run === null || run.key !== key || this.#origins.isFull) {
      const found = this.#keyspace.findStream(key);
      // Before anything is written: the fill of the last node may have to be worked out of blocks that are not in memory.
      if (found !== null) found.stream.entries.tailNode.learn(found.stream.entries.blocks);
      isNew = found === null;
      run = this.#openRun(key, found);
    }
    const { stream } = run;
    assert(stream.lastId.compare(id) < 0, "appended id is not above the last one");
    const writer = this.#writer;
    writer.reserve(end - start + ENTRY_HEAD_BYTES_MAX);
    const entryStart = writer.length;
    const entryEnd = writeEntry(writer.bytes, entryStart, id, elementCount, source, start, end);
    writer.length = entryEnd;
    const length = entryEnd - entryStart;
    const { entries } = stream;
    const flags = entries.layoutFlags(length, id, elementCount, source, start, bounds);
    const columns = this.#columns;
    columns.push(id, length | flags);
    this.#origins.note(this.#session, this.#sequence);
    this.#originSaid = true;
    stream.appendRun(writer.bytes, entryStart, columns, columns.count - 1, columns.count, id);
    this.#keyspace.meter.bytes += length + ENTRY_COLUMN_BYTES;
    this.#keyspace.touchReady(run);
    this.count++;
    if (isNew) this.#said(KeyEventClass.new, "new", key);
    this.#said(KeyEventClass.stream, "xadd", key);
  }

  /** Names what the effect was that was just applied. */
  #said(eventClass: KeyEventClass, event: string, key: string): void {
    if (this.events !== null) this.events.keyEvent(eventClass, event, key);
  }

  #openRun(key: string, found: StreamKey | null): StreamKey {
    this.#closeRun();
    const run = found ?? this.#keyspace.create(key);
    const writer = this.#writer;
    this.#head(EffectType.append);
    writer.string(key);
    this.#regionOffset = writer.length;
    writer.u32(0);
    this.#runKey = run;
    return run;
  }

  #closeRun(): void {
    if (this.#runKey === null) return;
    this.#runKey = null;
    const writer = this.#writer;
    const columns = this.#columns;
    writer.patchU32(this.#regionOffset, writer.length - this.#regionOffset - 4);
    writer.u32(columns.count);
    columns.write(writer);
    const origins = this.#origins;
    origins.write(writer);
    this.#patchBodyBytes();
    columns.clear();
    for (let run = 0; run < origins.runCount; run++) {
      const session = origins.sessionOf(run);
      if (session !== null) this.#applier.recordOrigin(session, 0, origins.lastSequenceOf(run));
    }
    origins.clear();
  }

  #head(type: EffectType): void {
    if (this.#encoded === 0) this.#keyspace.passTime(this.logTimeMs);
    const writer = this.#writer;
    writer.u8(type);
    writer.u8(EFFECT_VERSION);
    writer.u16(0);
    writer.u32(0);
    this.#bodyOffset = writer.length;
    this.#encoded++;
  }

  #patchBodyBytes(): void {
    this.#writer.patchU32(this.#bodyOffset - 4, this.#writer.length - this.#bodyOffset);
  }

  /** Opens any effect but append; its body follows. */
  begin(type: EffectType): ByteWriter {
    this.#closeRun();
    const writer = this.#writer;
    if (!this.#originSaid) {
      this.#originSaid = true;
      this.#head(EffectType.origin);
      writer.all(this.#session!);
      writer.f64(this.#sequence);
      this.#apply(EffectType.origin);
    }
    this.#head(type);
    return writer;
  }

  end(type: EffectType): void {
    this.#apply(type);
    this.count++;
  }

  #apply(type: EffectType): void {
    const reader = this.#body();
    this.#applier.apply(type, reader);
    assert(reader.remaining === 0, "effect body not read to its end");
  }

  /** What has been written of the open effect, which is all. */
  #body(): ByteReader {
    this.#patchBodyBytes();
    return new ByteReader(this.#writer.bytes, this.#bodyOffset, this.#writer.length);
  }

  #beginForGroup(type: EffectType, key: string, group: string): ByteWriter {
    const writer = this.begin(type);
    writer.string(key);
    writer.string(group);
    return writer;
  }

  #beginForStream(type: EffectType, key: string): ByteWriter {
    this.#keyspace.existingStream(key);
    const writer = this.begin(type);
    writer.string(key);
    return writer;
  }

  #existingGroup(key: string, group: string): Group {
    return this.#keyspace.existingStream(key).stream.existingGroup(group);
  }

  createStream(key: string): void {
    assert(this.#keyspace.find(key) === null, "key exists");
    this.begin(EffectType.createStream).string(key);
    this.end(EffectType.createStream);
    this.#said(KeyEventClass.new, "new", key);
  }

  /** A cut of nothing is no effect, here and below. */
  trim(key: string, { count, firstKept }: TrimCut): void {
    this.#keyspace.existingStream(key);
    if (count === 0) return;
    const writer = this.begin(EffectType.cut);
    writer.string(key);
    writePlace(writer, firstKept);
    this.#endRemoval(EffectType.cut, key, null);
    this.#said(KeyEventClass.stream, "xtrim", key);
  }

  trimByPolicy(key: string, cut: PolicyCut): void {
    const { stream } = this.#keyspace.existingStream(key);
    if (cut.policy === ReferencePolicy.acknowledged) stream.noteReferencedUpTo(cut.referencedUpTo);
    if (cut.count === 0) return;
    if (cut.policy === ReferencePolicy.drop && cut.dropped !== null) {
      this.dropReferences(key, cut.dropped);
      return this.trim(key, cut);
    }
    if (cut.policy === ReferencePolicy.drop) {
      const writer = this.begin(EffectType.cutWithReferences);
      writer.string(key);
      cut.upToId.write(writer);
      writePlace(writer, cut.firstKept);
      for (const ids of cut.stayPending) this.#idList.writeAll(writer, ids);
      this.#endRemoval(EffectType.cutWithReferences, key, null);
    } else {
      this.#remove(key, cut.removed, null);
    }
    this.#said(KeyEventClass.stream, "xtrim", key);
  }

  #remove(key: string, removed: EntryRuns, maxDeletedId: StreamId | null): void {
    const writer = this.begin(EffectType.remove);
    writer.string(key);
    writer.u8(maxDeletedId === null ? 0 : 1);
    maxDeletedId?.write(writer);
    removed.write(writer);
    this.#endRemoval(EffectType.remove, key, null);
  }

  /**
   * Ends an effect that takes entries of the key away: when they are gone it shows where the stream then ends. `lastId`: it becomes the stream's last id.
   */
  #endRemoval(type: EffectType, key: string, lastId: StreamId | null): void {
    const writer = this.#writer;
    const reader = new ByteReader(writer.bytes, this.#bodyOffset, writer.length);
    const changed = this.#keyspace.existingStream(key);
    const { entries } = changed.stream;
    const { tail } = entries;
    const deadBefore = tail === null ? 0 : tail.deadCount;
    this.#applier.applyRemoval(type, reader);
    assert(reader.remaining === 0, "effect body not read to its end");
    // A tail of which nothing went ends where it did, and need not be in memory to tell.
    const isSameEnd = lastId === null && tail !== null && entries.tail === tail && tail.deadCount === deadBefore;
    const endOffset = writer.length;
    writeEnd(writer, isSameEnd ? null : entries.tailEnd(lastId));
    this.#patchBodyBytes();
    this.#applier.applyEnd(changed, new ByteReader(writer.bytes, endOffset, writer.length));
    this.count++;
  }

  dropReferences(key: string, ids: readonly StreamId[]): void {
    const writer = this.#beginForStream(EffectType.dropReferences, key);
    writeIds(writer, ids);
    this.end(EffectType.dropReferences);
  }

  deleteEntries(key: string, ids: readonly StreamId[]): void {
    const { stream } = this.#keyspace.existingStream(key);
    const places: EntryPlace[] = [];
    let maxDeletedId = stream.maxDeletedId;
    for (const id of ids) {
      const place = stream.entries.placeOf(id);
      assert(place !== null, "deleted entry does not exist");
      places.push(place);
      if (id.compare(maxDeletedId) > 0) maxDeletedId = id;
    }
    this.#remove(key, runsOf(places), maxDeletedId === stream.maxDeletedId ? null : maxDeletedId);
    this.#said(KeyEventClass.stream, "xdel", key);
  }

  deleteKey(key: string): void {
    this.#keyspace.existing(key);
    this.begin(EffectType.deleteKey).string(key);
    this.end(EffectType.deleteKey);
    this.#said(KeyEventClass.generic, "del", key);
  }

  setExpiry(key: string, atMs: number): void {
    this.#keyspace.existing(key);
    assert(atMs === NEVER || (Number.isSafeInteger(atMs) && atMs > this.logTimeMs), "a key's time is to come");
    const writer = this.begin(EffectType.setExpiry);
    writer.string(key);
    writer.f64(atMs);
    this.end(EffectType.setExpiry);
    this.#said(KeyEventClass.generic, atMs === NEVER ? "persist" : "expire", key);
  }

  /** Nobody's write: a command that only found it out has written nothing. */
  unasked(write: () => void): void {
    const originSaid = this.#originSaid;
    this.#originSaid = true;
    write();
    this.unaskedCount++;
    this.#originSaid = originSaid;
  }

  expireKey(key: string): void {
    const { slot, place, expiry } = this.#keyspace.existing(key);
    assert(expiry !== null && expiry.atMs < this.logTimeMs, "a key that expires has had its time");
    this.unasked(() => {
      const writer = this.begin(EffectType.expireKey);
      writer.u16(slot);
      writer.f64(place);
      this.end(EffectType.expireKey);
    });
    this.#said(KeyEventClass.expired, "expired", key);
  }

  renameKey(key: string, name: string): void {
    const { slot } = this.#keyspace.existing(key);
    assert(key !== name && slotOfKey(name) === slot, "a key is renamed within its slot");
    const writer = this.begin(EffectType.renameKey);
    writer.string(key);
    writer.string(name);
    this.end(EffectType.renameKey);
    this.#said(KeyEventClass.new, "new", name);
    this.#said(KeyEventClass.generic, "rename_from", key);
    this.#said(KeyEventClass.generic, "rename_to", name);
  }

  putStream(key: string, image: Uint8Array, expiresAtMs: number, event: "copy_to" | "restore"): void {
    assertExpiry(expiresAtMs);
    const writer = this.begin(EffectType.putStream);
    writer.string(key);
    writer.f64(expiresAtMs);
    writer.all(image);
    this.end(EffectType.putStream);
    this.#said(KeyEventClass.new, "new", key);
    this.#said(KeyEventClass.generic, event, key);
  }

  setStreamId(key: string, lastId: StreamId, entriesAdded: number, maxDeletedId: StreamId): void {
    const { stream } = this.#keyspace.existingStream(key);
    assert(stream.range(MIN_ID, MAX_ID, 1, true).firstId.compare(lastId) <= 0, "last id below an entry");
    assert(Number.isSafeInteger(entriesAdded), "counter of added entries out of range");
    const writer = this.#beginForStream(EffectType.moveLastId, key);
    lastId.write(writer);
    writer.f64(entriesAdded);
    maxDeletedId.write(writer);
    this.#endRemoval(EffectType.moveLastId, key, lastId);
    this.#said(KeyEventClass.stream, "xsetid", key);
  }

  recordIid(key: string, producer: string, source: Uint8Array, start: number, end: number, id: StreamId): void {
    assert(producer.length > 0 && end > start, "nameless producer or iid");
    const writer = this.#beginForStream(EffectType.recordIid, key);
    writer.string(producer);
    writer.u32(end - start);
    writer.raw(source, start, end);
    id.write(writer);
    this.end(EffectType.recordIid);
  }

  countDuplicateIid(key: string): void {
    this.#beginForStream(EffectType.countDuplicate, key);
    this.end(EffectType.countDuplicate);
  }

  configureIdempotence(key: string, durationSeconds: number, maxSize: number): void {
    assert(isWindow(durationSeconds, maxSize), "no window of idempotence");
    const writer = this.#beginForStream(EffectType.configureIdempotence, key);
    writer.u32(durationSeconds);
    writer.u32(maxSize);
    this.end(EffectType.configureIdempotence);
  }

  setStreamAck(key: string, ack: 0 | 1 | 2 | null): void {
    const writer = this.#beginForStream(EffectType.setStreamAck, key);
    writer.u8(ack ?? NO_STREAM_ACK);
    this.end(EffectType.setStreamAck);
  }

  setStreamRetention(key: string, own: OwnRetention | null): void {
    const writer = this.#beginForStream(EffectType.setStreamRetention, key);
    writeRetention(writer, own);
    this.end(EffectType.setStreamRetention);
  }

  createGroup(key: string, group: string, lastDeliveredId: StreamId, entriesRead: number): void {
    assert(this.#keyspace.existingStream(key).stream.group(group) === null, "group exists");
    this.#putGroup(EffectType.createGroup, key, group, lastDeliveredId, entriesRead);
    this.#said(KeyEventClass.stream, "xgroup-create", key);
  }

  #putGroup(type: EffectType, key: string, group: string, lastDeliveredId: StreamId, entriesRead: number): void {
    const writer = this.#beginForGroup(type, key, group);
    lastDeliveredId.write(writer);
    writer.f64(entriesRead);
    this.end(type);
  }

  setGroupId(key: string, group: string, lastDeliveredId: StreamId, entriesRead: number): void {
    this.#existingGroup(key, group);
    this.#putGroup(EffectType.setGroupId, key, group, lastDeliveredId, entriesRead);
    this.#said(KeyEventClass.stream, "xgroup-setid", key);
  }

  setConsumerIdle(key: string, group: string, consumerIdleMs: number): void {
    this.#existingGroup(key, group);
    assert(isBetween(consumerIdleMs, 0, GROUP_MS_MAX), "a consumer's idle time out of range");
    this.#beginForGroup(EffectType.setConsumerIdle, key, group).f64(consumerIdleMs);
    this.end(EffectType.setConsumerIdle);
  }

  setGroupRetry(key: string, group: string, retry: Retry | null): void {
    this.#existingGroup(key, group);
    writeRetry(this.#beginForGroup(EffectType.setGroupRetry, key, group), retry);
    this.end(EffectType.setGroupRetry);
  }

  destroyGroup(key: string, group: string): void {
    this.#existingGroup(key, group);
    this.#beginForGroup(EffectType.destroyGroup, key, group);
    this.end(EffectType.destroyGroup);
    this.#said(KeyEventClass.stream, "xgroup-destroy", key);
  }

  createConsumer(key: string, group: string, consumer: string, timeMs: number): void {
    assert(this.#existingGroup(key, group).consumer(consumer) === null, "consumer exists");
    const writer = this.#beginForGroup(EffectType.createConsumer, key, group);
    writer.string(consumer);
    writer.f64(timeMs);
    this.end(EffectType.createConsumer);
    this.#said(KeyEventClass.stream, "xgroup-createconsumer", key);
  }

  deleteConsumer(key: string, group: string, consumer: string): void {
    this.#consumerGoes(EffectType.deleteConsumer, key, group, consumer);
  }

  handBackConsumer(key: string, group: string, consumer: string): void {
    this.#consumerGoes(EffectType.handBackConsumer, key, group, consumer);
  }

  #consumerGoes(type: EffectType, key: string, group: string, consumer: string): void {
    this.#existingGroup(key, group).existing(consumer);
    this.#beginForGroup(type, key, group).string(consumer);
    this.end(type);
    this.#said(KeyEventClass.stream, "xgroup-delconsumer", key);
  }

  touchConsumer(key: string, group: string, consumer: string, seenMs: number, activeMs: number): void {
    this.#existingGroup(key, group).existing(consumer);
    const writer = this.#beginForGroup(EffectType.touchConsumer, key, group);
    writer.string(consumer);
    writer.f64(seenMs);
    writer.f64(activeMs);
    this.end(EffectType.touchConsumer);
  }

  deliver(
    key: string,
    group: string,
    consumer: string,
    upToId: StreamId,
    entriesRead: number,
    timeMs: number,
    noAck: boolean,
  ): void {
    const { stream } = this.#keyspace.existingStream(key);
    const found = stream.existingGroup(group);
    found.existing(consumer);
    const from = found.lastDeliveredId.next();
    assert(from !== null && from.compare(upToId) <= 0, "delivery does not move forward");
    assertTime(timeMs);
    const delivered = noAck ? null : stream.entries.range(from, upToId, -1, false);
    const writer = this.#beginForGroup(EffectType.deliverListed, key, group);
    writer.string(consumer);
    upToId.write(writer);
    writer.f64(entriesRead);
    writer.f64(timeMs);
    writer.u8(noAck ? 1 : 0);
    if (delivered !== null) {
      this.#idList.begin(writer);
      delivered.listIds(writer, this.#idList);
      this.#idList.end(writer);
    }
    this.end(EffectType.deliverListed);
  }

  redeliver(key: string, group: string, consumer: string, from: StreamId, to: StreamId, timeMs: number): void {
    const { stream } = this.#keyspace.existingStream(key);
    const found = stream.existingGroup(group);
    found.existing(consumer);
    assertTime(timeMs);
    const bodiless = bodilessOf(stream, found, consumer, from, to);
    const writer = this.#beginForGroup(EffectType.redeliverListed, key, group);
    writer.string(consumer);
    writer.f64(timeMs);
    from.write(writer);
    to.write(writer);
    this.#idList.writeAll(writer, bodiless);
    this.end(EffectType.redeliverListed);
  }

  dropBodiless(key: string, group: string, ids: readonly StreamId[]): void {
    this.unasked(() => this.acknowledge(key, group, ids));
  }

  acknowledge(key: string, group: string, ids: readonly StreamId[]): void {
    const { pending } = this.#existingGroup(key, group);
    for (const id of ids) assert(pending.has(id), "acknowledged entry is not pending");
    const writer = this.#beginForGroup(EffectType.acknowledge, key, group);
    writeIds(writer, ids);
    this.end(EffectType.acknowledge);
  }

  claim(
    key: string,
    group: string,
    consumer: string,
    ids: readonly StreamId[],
    deliveryTimesMs: readonly number[],
    deliveryCounts: readonly number[],
  ): void {
    this.#existingGroup(key, group).existing(consumer);
    assert(ids.length === deliveryTimesMs.length && ids.length === deliveryCounts.length, "columns differ in length");
    for (const timeMs of deliveryTimesMs) assertTime(timeMs);
    const writer = this.#beginForGroup(EffectType.claim, key, group);
    writer.string(consumer);
    writeIds(writer, ids);
    for (const timeMs of deliveryTimesMs) writer.f64(timeMs);
    writeCounts(writer, deliveryCounts);
    this.end(EffectType.claim);
  }

  giveBack(key: string, group: string, ids: readonly StreamId[], deliveryCounts: readonly number[]): void {
    this.#existingGroup(key, group);
    assert(ids.length === deliveryCounts.length, "columns differ in length");
    const writer = this.#beginForGroup(EffectType.giveBack, key, group);
    writeIds(writer, ids);
    writeCounts(writer, deliveryCounts);
    this.end(EffectType.giveBack);
  }

  advanceGroup(key: string, group: string, lastDeliveredId: StreamId): void {
    const found = this.#existingGroup(key, group);
    assert(found.lastDeliveredId.compare(lastDeliveredId) <= 0, "position moves backwards");
    lastDeliveredId.write(this.#beginForGroup(EffectType.advanceGroup, key, group));
    this.end(EffectType.advanceGroup);
  }

  flush(): void {
    this.begin(EffectType.flush);
    this.end(EffectType.flush);
  }
}
