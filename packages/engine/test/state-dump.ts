/**
 * Everything that a state holds, field by field, what it knows of the store's rows included: two states with equal dumps are equal in all that
 * can ever be seen of them. Blocks that are not in memory are read for it. Left out are capacities of buffers and the fill of the tail node, which is a cache.
 */
import { ByteWriter } from "@headrace/bytes";
import type { ShardState } from "../src/index.ts";
import type { Block } from "../src/block.ts";
import type { DelayedEntries } from "../src/delayed-entries.ts";
import type { Group } from "../src/group.ts";
import type { Idempotence } from "../src/idempotence.ts";
import type { Stream } from "../src/stream.ts";
import type { Value } from "../src/value.ts";

export function dumpOf(state: ShardState): unknown {
  const { keyspace } = state;
  const keys: unknown[] = [];
  const names: string[] = [];
  keyspace.forEachKey(({ key }) => names.push(key));
  for (const name of names) {
    const key = keyspace.existing(name);
    keys.push({
      type: key.type,
      key: key.key,
      slot: key.slot,
      age: key.age,
      place: key.place,
      foundByAge: keyspace.findByAge(key.slot, key.age) === key,
      expiresAtMs: key.expiresAtMs,
      found: keyspace.find(key.key) === key,
      lastWriterIndex: key.lastWriterIndex,
      dirty: key.dirty,
      persisted: key.persisted,
      ...(key.stream === null ? valueOf(key.value) : streamOf(key.stream)),
    });
  }
  return {
    index: state.index,
    logTimeMs: state.logTimeMs,
    nextAge: keyspace.nextAge,
    size: keyspace.size,
    expiringCount: keyspace.expiringCount,
    delayedEntries: keyspace.delays.count,
    delayedDueMs: keyspace.delays.firstDueMs,
    dirtyKeys: keyspace.dirtyKeys.map((key) => key.key),
    deadRows: keyspace.deadRows,
    deletedKeyCount: keyspace.deletedKeyCount,
    cleared: keyspace.cleared,
    meterBytes: keyspace.meter.bytes,
    lastWriterOfNone: keyspace.lastWriterIndex("no such key"),
    origins: [...state.origins.entries()],
    outbox: outboxOf(state),
    keys,
  };
}

function outboxOf({ keyspace: { outbox } }: ShardState): unknown {
  const queues = [...outbox.queues()].map(({ targetSlot, slot }) => `${targetSlot} ${slot}`);
  return {
    marks: outbox.marks,
    changes: outbox.changes,
    byteLength: outbox.byteLength,
    queues: queues.sort(),
    // Not the index: of an item that was loaded it is not known any more.
    items: [...outbox.items()].map((item) => ({
      ...item,
      index: 0,
      bytes: Buffer.from(item.bytes).toString("latin1"),
    })),
  };
}

function blockOf(block: Block): unknown {
  const { count } = block;
  return {
    number: block.number,
    bytes: Buffer.from(block.bytes.subarray(0, block.byteLength)).toString("latin1"),
    ids: [...block.ids.subarray(0, count * 4)],
    ends: [...block.ends.subarray(0, count)],
    marks: [...block.marks.subarray(0, count)],
    opensFirst: block.opensFirst,
    crc: block.contentCrc(),
    opensDigest: block.opensDigest(),
    deadCount: block.deadCount,
    firstLive: block.firstLive,
    opensCount: block.opensCount,
    dirty: block.dirty,
    dropped: block.dropped,
    marksDirty: block.marksDirty,
    marksPersisted: block.marksPersisted,
    rewrite: block.rewrite,
    capturedCount: block.capturedCount,
    fragments: block.fragments,
  };
}

function delayedOf(delayed: DelayedEntries): unknown {
  const entries: unknown[] = [];
  delayed.visit((entry) => {
    entries.push([...Object.entries(entry), Buffer.from(entry.fields).toString("latin1")]);
    return true;
  });
  const { count, byteLength, dirtyEntries, droppedNumbers } = delayed;
  return { count, byteLength, entries, dirty: dirtyEntries.map(({ number }) => number), droppedNumbers };
}

function idempotenceOf(idempotence: Idempotence): unknown {
  return {
    window: [idempotence.durationSeconds, idempotence.maxSize],
    counters: [idempotence.iidsAdded, idempotence.duplicates, idempotence.tracked, idempotence.recordCount],
    next: [idempotence.nextProducerNumber, idempotence.nextSegmentNumber],
    dirty: idempotence.dirty,
    persisted: idempotence.persisted,
    dirtyProducers: idempotence.dirtyProducers.map((producer) => producer.number),
    droppedProducers: idempotence.droppedProducers,
    dirtySegments: idempotence.dirtySegments.map((segment) => segment.number),
    droppedSegments: idempotence.droppedSegments,
    producers: [...idempotence.producers()].map((producer) => Object.entries(producer)),
    segments: idempotence.segments.map((segment) => ({
      number: segment.number,
      // The last word of a record is the place of the next one: it says nothing behind the last.
      records: Array.from({ length: segment.count }, (_, record) => [
        segment.producerAt(record),
        segment.idAt(record).toString(),
        segment.endOf(record),
        segment.producerAt(record) === 0 ? 0 : segment.hashAt(record),
      ]),
      bytes: Buffer.from(segment.bytes.subarray(0, segment.byteLength)).toString("latin1"),
      live: segment.live,
      firstLive: segment.firstLive,
      dirty: segment.dirty,
      dropped: segment.dropped,
      persisted: segment.persisted,
    })),
  };
}

function groupOf(group: Group): unknown {
  const { pending } = group;
  return {
    name: group.name,
    number: group.number,
    lastDeliveredId: group.lastDeliveredId.toString(),
    entriesRead: group.entriesRead,
    nextConsumerNumber: group.nextConsumerNumber,
    givenBack: group.givenBack,
    settings: group.settings,
    dirty: group.dirty,
    persisted: group.persisted,
    dirtyConsumers: group.dirtyConsumers.map((consumer) => consumer.number),
    droppedConsumers: group.droppedConsumers.map((consumer) => consumer.number),
    consumers: group.consumers().map((consumer) => Object.entries(consumer)),
    byNumber: group.consumers().map((consumer) => group.consumerByNumber(consumer.number) === consumer),
    pendingCount: pending.count,
    unownedCount: pending.unownedCount,
    nextLeafNumber: pending.nextLeafNumber,
    dirtyLeaves: pending.dirtyLeaves.map((leaf) => leaf.number),
    droppedLeaves: pending.droppedLeaves.map((leaf) => leaf.number),
    leaves: pending.leaves.map((leaf) => ({
      number: leaf.number,
      records: [...leaf.stored()],
      owners: leaf.owners.map((owner, i) => [owner, leaf.ownerCounts[i]]).sort((a, b) => a[0]! - b[0]!),
      dirty: leaf.dirty,
      dropped: leaf.dropped,
      persisted: leaf.persisted,
    })),
  };
}

/** The first places where two dumps differ: whole dumps are too large to be shown side by side. */
export function differencesOf(one: unknown, other: unknown, path: string = "", found: string[] = []): string[] {
  if (one === other || found.length === 10) return found;
  if (typeof one === "object" && typeof other === "object" && one !== null && other !== null) {
    const [a, b] = [new Map(Object.entries(one)), new Map(Object.entries(other))];
    for (const key of new Set([...a.keys(), ...b.keys()])) {
      differencesOf(a.get(key), b.get(key), `${path}.${key}`, found);
    }
    return found;
  }
  found.push(`${path}: ${String(one).slice(0, 60)} / ${String(other).slice(0, 60)}`);
  return found;
}

function streamOf(stream: Stream): Record<string, unknown> {
  const { entries } = stream;
  return {
    lastId: stream.lastId.toString(),
    maxDeletedId: stream.maxDeletedId.toString(),
    entriesAdded: stream.entriesAdded,
    nextGroupNumber: stream.nextGroupNumber,
    length: entries.length,
    nextBlockNumber: entries.nextBlockNumber,
    blocks: entries.blocks.slots.map((_, at) => blockOf(entries.blocks.wholeNow(at))),
    dirtyBlocks: entries.dirtyBlocks.map((block) => block.number),
    droppedBlocks: entries.droppedBlocks.map((block) => block.number),
    dirtyPages: [...(entries.dirtyPages ?? [])],
    dirtyGroups: stream.dirtyGroups.map((group) => group.number),
    droppedGroups: stream.droppedGroups.map((group) => group.number),
    groups: stream.groups().map(groupOf),
    ackLevel: stream.ackLevel,
    retention: stream.retention,
    delayed: stream.delayed === null ? null : delayedOf(stream.delayed),
    idempotence: stream.idempotence === null ? null : idempotenceOf(stream.idempotence),
  };
}

function valueOf(value: Value): Record<string, unknown> {
  const writer = new ByteWriter();
  value.writeImage(writer);
  return {
    kind: value.kind,
    image: Buffer.from(writer.take(0)).toString("latin1"),
    storedParts: [...(value.parts?.stored ?? [])].sort((a, b) => a - b),
  };
}
