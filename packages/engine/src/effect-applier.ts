/**
 * The only code that changes state: decodes an effect and does it. Followers and recovery run whole log entries through `applyBatch`; the
 * leader runs each effect through `apply` right after encoding it, and its appends through `Stream.appendRun` as here. Reads no clock, no
 * setting; never fails on what a leader wrote.
 */
import { assert, latin1, ByteReader } from "@headrace/bytes";
import { UnknownEffectError } from "./api.ts";
import { applyDelay } from "./delay-effects.ts";
import {
  BATCH_FORMAT_VERSION,
  BATCH_KIND_EFFECTS,
  EFFECT_VERSION,
  EffectType,
  isKnownEffect,
  NO_SESSION,
  SESSION_BYTES,
} from "./effect-format.ts";
import { visitEntryRuns } from "./entry-runs.ts";
import { readRetry } from "./group-settings.ts";
import { visitIdList } from "./id-list.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import type { StreamKey } from "./stream-key.ts";
import type { Origins } from "./origins.ts";
import { secondsOf } from "./log-seconds.ts";
import { readRetention } from "./retention.ts";
import { readMaxLag, readStreamLimits } from "./back-pressure.ts";
import { ENTRY_COLUMN_BYTES, RunColumns } from "./run-columns.ts";
import type { Group } from "./group.ts";
import { applyOutboxEffect } from "./outbox-effects.ts";
import { applyOldDelivery, applyOldRemoval } from "./old-effects.ts";
import { dropReferences, dropReferencesUpTo } from "./references.ts";
import type { Stream } from "./stream.ts";
import { applyValueEffect, isValueEffect } from "./value-effects.ts";
import { MIN_ID, StreamId } from "./stream-id.ts";
import { readStreamImage } from "./stream-image.ts";

export class EffectApplier {
  readonly #keyspace: KeyspaceState;
  readonly #origins: Origins;
  readonly #columns: RunColumns;
  logTimeMs: number;
  #lastSession: string;

  constructor(keyspace: KeyspaceState, origins: Origins) {
    this.#keyspace = keyspace;
    this.#origins = origins;
    this.#columns = new RunColumns();
    this.logTimeMs = 0;
    this.#lastSession = "";
  }

  /** Applies a whole log entry. Throws UnknownEffectError before anything is changed. */
  applyBatch(data: Uint8Array, index: number): void {
    const reader = new ByteReader(data);
    const version = reader.u8();
    if (version !== BATCH_FORMAT_VERSION) throw new UnknownEffectError(`batch format ${version}`);
    const kind = reader.u8();
    if (kind !== BATCH_KIND_EFFECTS) throw new UnknownEffectError(`batch kind ${kind}`);
    reader.u16();
    const logTimeMs = reader.f64();
    const count = reader.u32();
    const first = reader.offset;
    for (let i = 0; i < count; i++) {
      const type = reader.u8();
      if (!isKnownEffect(type)) throw new UnknownEffectError(`effect type ${type}`);
      const effectVersion = reader.u8();
      if (effectVersion !== EFFECT_VERSION)
        throw new UnknownEffectError(`effect type ${type} version ${effectVersion}`);
      reader.u16();
      reader.skip(reader.u32());
    }
    assert(reader.remaining === 0, "bytes behind the last effect");
    this.beginEntry(index, logTimeMs);
    if (count > 0) this.#keyspace.passTime(logTimeMs);
    reader.offset = first;
    for (let i = 0; i < count; i++) {
      const type = reader.u8();
      reader.u8();
      reader.u16();
      const end = reader.u32() + reader.offset;
      if (type === EffectType.append) this.#append(reader);
      else if (isValueEffect(type)) this.#toValue(type, reader, end);
      else this.apply(type, reader);
      assert(reader.offset === end, "effect body not read to its end");
    }
  }

  /** The body of an effect on a value may go to its end without saying where that is. */
  #toValue(type: number, reader: ByteReader, end: number): void {
    const body = new ByteReader(reader.bytes, reader.offset, end);
    applyValueEffect(this.#keyspace, type, body);
    reader.offset = body.offset;
  }

  /** What follows is of this log entry. */
  beginEntry(index: number, logTimeMs: number): void {
    this.#keyspace.writerIndex = index;
    this.#keyspace.nowSeconds = secondsOf(logTimeMs);
    this.logTimeMs = logTimeMs;
  }

  #append(reader: ByteReader): void {
    const name = reader.string();
    const regionBytes = reader.u32();
    const region = reader.skip(regionBytes);
    const count = reader.u32();
    const ids = reader.skip(count * 16);
    const lengths = reader.skip(count * 4);
    const columns = this.#columns;
    columns.load(reader.bytes, ids, lengths, count);
    const key = this.#keyspace.findStream(name) ?? this.#keyspace.create(name);
    const last = (count - 1) * 4;
    const lastId = new StreamId(
      columns.ids[last]!,
      columns.ids[last + 1]!,
      columns.ids[last + 2]!,
      columns.ids[last + 3]!,
    );
    key.stream.appendRun(reader.bytes, region, columns, 0, count, lastId);
    key.stream.entries.tailNode.forget();
    this.#keyspace.meter.bytes += regionBytes + count * ENTRY_COLUMN_BYTES;
    this.#keyspace.touchReady(key);
    this.#applyOrigins(reader);
  }

  /** The origin part of an append. */
  #applyOrigins(reader: ByteReader): void {
    const sessionCount = reader.u16();
    const sessions = reader.skip(sessionCount * SESSION_BYTES);
    const runs = reader.u32();
    for (let i = 0; i < runs; i++) {
      const session = reader.u16();
      const firstSequence = reader.f64();
      const count = reader.u32();
      if (session === NO_SESSION) continue;
      assert(session < sessionCount, "origin names no session");
      const at = sessions + session * SESSION_BYTES;
      this.recordOrigin(reader.bytes, at, firstSequence + count - 1);
    }
  }

  /** Any effect but append; `reader` stands at its body and ends behind it. */
  apply(type: number, reader: ByteReader): void {
    switch (type) {
      case EffectType.origin:
        this.#origin(reader);
        return;
      case EffectType.createStream:
        this.#keyspace.touchReady(this.#keyspace.create(reader.string()));
        return;
      case EffectType.deleteKey:
        this.#keyspace.remove(this.#keyspace.existing(reader.string()));
        return;
      case EffectType.setExpiry:
        this.#setExpiry(reader);
        return;
      case EffectType.expireKey:
        this.#expireKey(reader);
        return;
      case EffectType.renameKey:
        this.#keyspace.rename(this.#keyspace.existing(reader.string()), reader.string());
        return;
      case EffectType.putStream:
        this.#putStream(reader);
        return;
      case EffectType.flush:
        this.#keyspace.flush();
        return;
      case EffectType.remove:
      case EffectType.cut:
      case EffectType.cutWithReferences:
      case EffectType.moveLastId:
        this.applyEnd(this.applyRemoval(type, reader), reader);
        return;
      case EffectType.trim:
      case EffectType.deleteEntries:
      case EffectType.setStreamId:
      case EffectType.trimByPolicy:
        applyOldRemoval(this.#keyspace, type, reader);
        return;
      case EffectType.dropReferences:
        this.#dropReferences(reader);
        return;
      case EffectType.recordIid:
        this.#recordIid(reader);
        return;
      case EffectType.countDuplicate: {
        const key = this.#keyspace.existingStream(reader.string());
        key.stream.ownIdempotence().countDuplicate();
        this.#keyspace.touch(key);
        return;
      }
      case EffectType.configureIdempotence: {
        const key = this.#keyspace.existingStream(reader.string());
        const durationSeconds = reader.u32();
        key.stream.ownIdempotence().configure(durationSeconds, reader.u32());
        this.#keyspace.touch(key);
        return;
      }
      case EffectType.setStreamAck:
        this.#keyspace.setAck(this.#keyspace.existingStream(reader.string()), reader.u8());
        return;
      case EffectType.setStreamRetention: {
        const key = this.#keyspace.existingStream(reader.string());
        key.stream.retention = readRetention(reader);
        this.#keyspace.touch(key);
        return;
      }
      case EffectType.delayEntry:
      case EffectType.releaseDelayed:
      case EffectType.cancelDelayed:
      case EffectType.recordDelayedIid:
        applyDelay(this.#keyspace, type, reader, this.logTimeMs);
        return;
      case EffectType.setStreamLimits: {
        const key = this.#keyspace.existingStream(reader.string());
        key.stream.maxLagBytes = readStreamLimits(reader);
        key.stream.forgetLimits();
        this.#keyspace.touch(key);
        return;
      }
      default:
        if (isValueEffect(type)) applyValueEffect(this.#keyspace, type, reader);
        else if (!applyOutboxEffect(this.#keyspace, type, reader)) this.#applyToGroup(type, reader);
    }
  }

  #origin(reader: ByteReader): void {
    const at = reader.skip(SESSION_BYTES);
    this.recordOrigin(reader.bytes, at, reader.f64());
  }

  /** The session at bytes[at, at + 16) has written up to this sequence. */
  recordOrigin(bytes: Uint8Array, at: number, lastSequence: number): void {
    this.#origins.record(this.#sessionAt(bytes, at), lastSequence, this.logTimeMs);
  }

  /** The session's 16 bytes as a string: the one made last, if it is the same session as mostly. */
  #sessionAt(bytes: Uint8Array, at: number): string {
    const last = this.#lastSession;
    let same = 0;
    while (same < last.length && bytes[at + same] === last.charCodeAt(same)) same++;
    if (same < SESSION_BYTES) this.#lastSession = latin1(bytes, at, at + SESSION_BYTES);
    return this.#lastSession;
  }

  #setExpiry(reader: ByteReader): void {
    const key = this.#keyspace.existing(reader.string());
    this.#keyspace.setExpiry(key, reader.f64());
    this.#keyspace.touch(key);
  }

  #expireKey(reader: ByteReader): void {
    const key = this.#keyspace.findByPlace(reader.u16(), reader.f64());
    assert(key !== null, "an expired key is there");
    this.#keyspace.remove(key);
    this.#keyspace.expiredKeys++;
  }

  #putStream(reader: ByteReader): void {
    const name = reader.string();
    const replaced = this.#keyspace.find(name);
    if (replaced !== null) this.#keyspace.remove(replaced);
    const key = this.#keyspace.create(name);
    this.#keyspace.setExpiry(key, reader.f64());
    readStreamImage(reader, key.stream, this.#columns);
    if (key.stream.idempotence !== null) this.#keyspace.meter.fixedBytes += key.stream.idempotence.residentBytes;
    this.#keyspace.noticeSettings(key);
    this.#keyspace.touchReady(key);
  }

  /** What an effect of one of the four types takes away; the reader then stands before its `end`. */
  applyRemoval(type: number, reader: ByteReader): StreamKey {
    const key = this.#keyspace.existingStream(reader.string());
    const { stream } = key;
    const { entries } = stream;
    const { tail } = entries;
    switch (type) {
      case EffectType.remove:
        if (reader.u8() === 1) stream.maxDeletedId = StreamId.read(reader);
        visitEntryRuns(
          reader,
          (block, from, to) => entries.killBetween(block, from, to),
          (block) => entries.dropIfDead(block),
        );
        break;
      case EffectType.cut:
        cutBefore(stream, reader);
        break;
      case EffectType.cutWithReferences: {
        const upTo = StreamId.read(reader);
        cutBefore(stream, reader);
        dropReferencesUpTo(
          stream,
          upTo,
          stream.groups().map(() => idSet(reader)),
        );
        break;
      }
      default:
        stream.lastId = StreamId.read(reader);
        stream.noteReferencedUpTo(MIN_ID);
        stream.entriesAdded = reader.f64();
        stream.maxDeletedId = StreamId.read(reader);
        this.#keyspace.touchUnseen(key);
        return key;
    }
    entries.checkTailNode(tail);
    this.#keyspace.touch(key);
    return key;
  }

  /** Where the stream ends after a removal. */
  applyEnd(key: StreamKey, reader: ByteReader): void {
    if (reader.u8() === 0) return;
    key.stream.entries.truncateTail({
      count: reader.u32(),
      byteLength: reader.u32(),
      opensCount: reader.u32(),
      opensDigest: reader.u32(),
      crc: reader.u32(),
      lastId: StreamId.read(reader),
    });
  }

  #dropReferences(reader: ByteReader): void {
    const key = this.#keyspace.existingStream(reader.string());
    const count = reader.u32();
    for (let i = 0; i < count; i++) dropReferences(key.stream, StreamId.read(reader));
    this.#keyspace.touch(key);
  }

  #recordIid(reader: ByteReader): void {
    const key = this.#keyspace.existingStream(reader.string());
    const producer = reader.string();
    const length = reader.u32();
    const start = reader.skip(length);
    key.stream.ownIdempotence().record(producer, reader.bytes, start, start + length, StreamId.read(reader));
    this.#keyspace.touch(key);
    this.#keyspace.scheduleIdempotence(key);
  }

  #applyToGroup(type: number, reader: ByteReader): void {
    const key = this.#keyspace.existingStream(reader.string());
    const { stream } = key;
    const groupName = reader.string();
    this.#keyspace.touchUnseen(key);
    if (type === EffectType.createGroup) {
      stream.createGroup(groupName, StreamId.read(reader), reader.f64());
      return;
    }
    if (type === EffectType.destroyGroup) {
      stream.destroyGroup(groupName);
      this.#keyspace.signalReady(key);
      return;
    }
    const group = stream.existingGroup(groupName);
    stream.markGroupDirty(group);
    switch (type) {
      case EffectType.setGroupRetry:
        group.pending.retry = readRetry(reader);
        // Who waits is to look what there is for it now.
        this.#keyspace.signalReady(key);
        return;
      case EffectType.setGroupMaxLag:
        group.maxLag = readMaxLag(reader);
        stream.forgetLimits();
        return;
      case EffectType.setGroupId:
        group.lastDeliveredId = StreamId.read(reader);
        group.entriesRead = reader.f64();
        return;
      case EffectType.advanceGroup:
        group.lastDeliveredId = StreamId.read(reader);
        return;
      case EffectType.acknowledge: {
        const count = reader.u32();
        for (let i = 0; i < count; i++) {
          // False for an id that is named twice.
          if (group.release(StreamId.read(reader))) group.counts.acknowledged++;
        }
        return;
      }
      case EffectType.createConsumer: {
        const name = reader.string();
        const timeMs = reader.f64();
        group.createConsumer(name, timeMs);
        if (group.consumerIdleMs > 0) this.#keyspace.idleConsumers.came(key, timeMs + group.consumerIdleMs);
        return;
      }
      case EffectType.setConsumerIdle:
        group.consumerIdleMs = reader.f64();
        this.#keyspace.idleConsumers.notice(key);
        return;
      case EffectType.handBackConsumer:
        group.handBackConsumer(reader.string());
        return;
      case EffectType.deleteConsumer:
        group.deleteConsumer(reader.string());
        return;
      case EffectType.touchConsumer: {
        const consumer = group.existing(reader.string());
        group.touchConsumer(consumer, reader.f64(), reader.f64());
        return;
      }
      case EffectType.deliverListed:
        deliver(group, reader);
        return;
      case EffectType.redeliverListed: {
        const consumer = group.existing(reader.string());
        const timeMs = reader.f64();
        const from = StreamId.read(reader);
        const to = StreamId.read(reader);
        const bodiless = idSet(reader);
        const accepts = (id: StreamId): boolean => bodiless.size === 0 || !bodiless.has(id.toString());
        group.counts.redelivered += group.pending.redeliverRange(from, to, consumer.number, accepts, timeMs);
        return;
      }
      case EffectType.deliver:
      case EffectType.redeliver:
      case EffectType.redeliverRange:
        applyOldDelivery(stream, group, type, reader);
        return;
      case EffectType.claim:
        claim(group, reader);
        return;
      case EffectType.giveBack:
        giveBack(group, reader);
        return;
      default:
        throw new UnknownEffectError(`effect type ${type}`);
    }
  }
}

function cutBefore({ entries }: Stream, reader: ByteReader): void {
  const block = reader.u32();
  if (block === 0) entries.cutAll();
  else entries.cutBefore({ block, entry: reader.u32(), id: StreamId.read(reader) });
}

function idSet(reader: ByteReader): ReadonlySet<string> {
  const ids = new Set<string>();
  visitIdList(reader, (id) => ids.add(id.toString()));
  return ids;
}

function deliver(group: Group, reader: ByteReader): void {
  const consumer = group.existing(reader.string());
  const upTo = StreamId.read(reader);
  const entriesRead = reader.f64();
  const timeMs = reader.f64();
  const noAck = reader.u8() === 1;
  const { counts } = group;
  if (noAck && group.entriesRead >= 0 && entriesRead >= 0)
    counts.delivered += Math.max(0, entriesRead - group.entriesRead);
  if (!noAck)
    visitIdList(reader, (id) => {
      group.assign(id, consumer, timeMs, 1);
      counts.delivered++;
    });
  group.lastDeliveredId = upTo;
  group.entriesRead = entriesRead;
}

function claim(group: Group, reader: ByteReader): void {
  const consumer = group.existing(reader.string());
  const count = reader.u32();
  const ids = reader.offset;
  const times = ids + count * 16;
  for (let i = 0; i < count; i++) {
    reader.offset = ids + i * 16;
    const id = StreamId.read(reader);
    reader.offset = times + i * 8;
    const timeMs = reader.f64();
    reader.offset = times + count * 8 + i * 8;
    const deliveries = reader.f64();
    group.assign(id, consumer, timeMs, deliveries);
    const { countBefore } = group.pending;
    if (countBefore >= 0 && deliveries > countBefore) group.counts.redelivered++;
  }
  reader.offset = times + count * 16;
}

function giveBack(group: Group, reader: ByteReader): void {
  const count = reader.u32();
  const ids = reader.offset;
  const counts = ids + count * 16;
  for (let i = 0; i < count; i++) {
    reader.offset = ids + i * 16;
    const id = StreamId.read(reader);
    reader.offset = counts + i * 8;
    group.giveBack(id, reader.f64());
  }
  reader.offset = counts + count * 8;
}
