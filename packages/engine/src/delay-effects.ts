/**
 * Effects of delayed entries (their bodies are drawn in effect-format.ts): how they change a state, and how a leader adds them to its open batch. A
 * release says which entry appears, under which id and whether it opens a node or a block: every replica builds the entry of what it has.
 */
import { assert, type ByteReader, ByteWriter, copyOf } from "@headrace/bytes";
import type { NodeBounds } from "./api.ts";
import { readAppendTrim, writeAppendTrim } from "./append-trim.ts";
import { DelayedEntry } from "./delayed-entries.ts";
import type { AppendTrim, DelayEffects } from "./delays-api.ts";
import { EffectType } from "./effect-format.ts";
import { ENTRY_HEAD_BYTES_MAX, writeEntry, writeEntryHead } from "./entry-form.ts";
import { KeyEventClass } from "./key-events.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { ENTRY_COLUMN_BYTES, RunColumns } from "./run-columns.ts";
import type { StreamKey } from "./stream-key.ts";
import { StreamId } from "./stream-id.ts";
import type { EffectSink } from "./value-effects.ts";

const SCRATCH_BYTES = 64 * 1024;
/** A larger scratch is not kept. */
const SCRATCH_BYTES_MAX = 1024 * 1024;

const columns = new RunColumns();
const scratch = new ByteWriter(SCRATCH_BYTES);
const headScratch = new Uint8Array(ENTRY_HEAD_BYTES_MAX);

/** One of the four; `reader` stands at its body and ends behind it. `logTimeMs`: of the log entry. */
export function applyDelay(keyspace: KeyspaceState, type: number, reader: ByteReader, logTimeMs: number): void {
  switch (type) {
    case EffectType.delayEntry:
      delay(keyspace, reader);
      return;
    case EffectType.releaseDelayed:
      // Only the leader knows how full its last node is now.
      release(keyspace, reader).stream.entries.tailNode.forget();
      return;
    case EffectType.cancelDelayed: {
      const key = keyspace.existingStream(reader.string());
      key.stream.existingDelayed().take(reader.f64());
      changed(keyspace, key);
      return;
    }
    default: {
      assert(type === EffectType.recordDelayedIid, "an effect of delayed entries");
      const key = keyspace.existingStream(reader.string());
      const producer = reader.string();
      const length = reader.u32();
      const start = reader.skip(length);
      const { bytes } = reader;
      key.stream.ownIdempotence().recordDelayed(producer, bytes, start, start + length, reader.f64(), logTimeMs);
      keyspace.touch(key);
      keyspace.scheduleIdempotence(key);
    }
  }
}

function delay(keyspace: KeyspaceState, reader: ByteReader): void {
  const name = reader.string();
  const dueMs = reader.f64();
  const trim = readAppendTrim(reader);
  const elementCount = reader.u32();
  const length = reader.u32();
  const start = reader.skip(length);
  const found = keyspace.findStream(name);
  const key = found ?? keyspace.create(name);
  const fields = copyOf(reader.bytes, start, start + length);
  key.stream.ownDelayed().add(new DelayedEntry(keyspace.takeAge(), dueMs, trim, elementCount, fields));
  changed(keyspace, key);
  if (found === null) keyspace.signalReady(key);
}

function release(keyspace: KeyspaceState, reader: ByteReader): StreamKey {
  const key = keyspace.existingStream(reader.string());
  const number = reader.f64();
  const id = StreamId.read(reader);
  const flags = reader.u32();
  const { stream } = key;
  const { fields, elementCount } = stream.existingDelayed().take(number);
  scratch.clear();
  scratch.reserve(fields.length + ENTRY_HEAD_BYTES_MAX);
  const length = writeEntry(scratch.bytes, 0, id, elementCount, fields, 0, fields.length);
  columns.clear();
  columns.push(id, (length | flags) >>> 0);
  stream.appendRun(scratch.bytes, 0, columns, 0, 1, id);
  if (scratch.bytes.length > SCRATCH_BYTES_MAX) scratch.take(SCRATCH_BYTES);
  keyspace.meter.bytes += length + ENTRY_COLUMN_BYTES;
  changed(keyspace, key);
  keyspace.signalReady(key);
  return key;
}

function changed(keyspace: KeyspaceState, key: StreamKey): void {
  keyspace.touch(key);
  keyspace.delays.notice(key);
}

export class LeaderDelays implements DelayEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  delay(
    key: string,
    dueMs: number,
    trim: AppendTrim | null,
    elementCount: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): number {
    assert(Number.isSafeInteger(dueMs) && elementCount >= 2 && end > start, "a delayed entry has a time and fields");
    const isNew = this.#keyspace.find(key) === null;
    const writer = this.#sink.begin(EffectType.delayEntry);
    writer.string(key);
    writer.f64(dueMs);
    writeAppendTrim(writer, trim);
    writer.u32(elementCount);
    writer.u32(end - start);
    writer.raw(source, start, end);
    this.#sink.end(EffectType.delayEntry);
    if (isNew) this.#sink.said(KeyEventClass.new, "new", key);
    return this.#keyspace.nextAge - 1;
  }

  lookAhead(key: string): void {
    const { entries } = this.#keyspace.existingStream(key).stream;
    entries.tailNode.learn(entries.blocks);
  }

  release(key: string, number: number, id: StreamId, bounds: NodeBounds): void {
    const { stream } = this.#keyspace.existingStream(key);
    const { entries } = stream;
    const entry = stream.existingDelayed().find(number);
    assert(entry !== null, "no such delayed entry");
    assert(stream.lastId.compare(id) < 0, "a released entry's id is not above the last one");
    // Before anything is written, as for any appended entry.
    entries.tailNode.learn(entries.blocks);
    const writer = this.#sink.begin(EffectType.releaseDelayed);
    const { fields, elementCount } = entry;
    const length = writeEntryHead(headScratch, 0, id, elementCount) + fields.length;
    writer.string(key);
    writer.f64(number);
    id.write(writer);
    writer.u32(entries.layoutFlags(length, id, elementCount, fields, 0, bounds) >>> 0);
    this.#sink.endWith((reader) => release(this.#keyspace, reader));
    this.#sink.said(KeyEventClass.stream, "xadd", key);
  }

  cancel(key: string, number: number): void {
    assert(this.#keyspace.existingStream(key).stream.delayed?.find(number) !== null, "no such delayed entry");
    const writer = this.#sink.begin(EffectType.cancelDelayed);
    writer.string(key);
    writer.f64(number);
    this.#sink.end(EffectType.cancelDelayed);
  }

  recordIid(key: string, producer: string, source: Uint8Array, start: number, end: number, number: number): void {
    this.#keyspace.existingStream(key);
    assert(producer.length > 0 && end > start && number > 0, "nameless producer or iid");
    const writer = this.#sink.begin(EffectType.recordDelayedIid);
    writer.string(key);
    writer.string(producer);
    writer.u32(end - start);
    writer.raw(source, start, end);
    writer.f64(number);
    this.#sink.end(EffectType.recordDelayedIid);
  }
}
