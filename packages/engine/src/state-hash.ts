/**
 * A digest of everything that a client or a later effect could see. Entry bytes go in by the CRC-32 of their blocks; everything else word by word into four
 * lanes of multiply-and-rotate mixing (no cryptography: it finds accidents, not attackers). Layout and numbers of blocks, groups, consumers
 * and leaves count too: effects alone decide them, and later effects (which block dies whole, which row is written) depend on them.
 */
import { crc32, slotOfKey } from "@headrace/bytes";
import type { DelayedEntries } from "./delayed-entries.ts";
import type { EntryLog } from "./entry-log.ts";
import type { Group } from "./group.ts";
import type { Idempotence } from "./idempotence.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { Mixer } from "./mixer.ts";
import type { Outbox } from "./outbox.ts";
import type { AnyKey } from "./stored-key.ts";
import type { Stream } from "./stream.ts";
import type { Origins } from "./origins.ts";
import { NOBODY } from "./pending-leaf.ts";
import { MIN_ID } from "./stream-id.ts";

/** What of a ShardState is hashed. */
export interface HashedState {
  readonly keyspace: KeyspaceState;
  readonly origins: Origins;
  readonly index: number;
  readonly logTimeMs: number;
}

export function hashState(state: HashedState): string {
  const mixer = new Mixer();
  mixer.number(state.index);
  mixer.number(state.logTimeMs);
  mixer.number(state.keyspace.nextAge);
  mixer.number(state.keyspace.size);
  state.keyspace.forEachWhole((key) => hashKey(mixer, key));
  mixer.number(state.origins.size);
  for (const [session, record] of state.origins.entries()) {
    mixer.text(session);
    mixer.number(record.sequence);
    mixer.number(record.lastWriteMs);
  }
  hashOutbox(mixer, state.keyspace.outbox);
  return mixer.digest();
}

function hashOutbox(mixer: Mixer, outbox: Outbox): void {
  const { lastNumber, itemCount, taken } = outbox.marks;
  mixer.number(lastNumber);
  mixer.number(itemCount);
  for (const { number, slot, bytes } of outbox.items()) {
    mixer.number(number);
    mixer.word(slot);
    mixer.word(crc32(bytes));
  }
  for (const { targetSlot, slot, number } of taken) {
    mixer.word(targetSlot);
    mixer.word(slot);
    mixer.number(number);
  }
}

function hashKey(mixer: Mixer, key: AnyKey): void {
  mixer.text(key.key);
  mixer.word(slotOfKey(key.key));
  mixer.number(key.age);
  mixer.number(key.place);
  mixer.number(key.expiresAtMs);
  mixer.number(key.lastWriterIndex);
  if (key.stream !== null) {
    hashStream(mixer, key.stream);
  } else {
    mixer.word(key.value.kind);
    key.value.hash(mixer);
  }
}

function hashStream(mixer: Mixer, stream: Stream): void {
  mixer.id(stream.lastId);
  mixer.id(stream.maxDeletedId);
  mixer.number(stream.entriesAdded);
  hashEntries(mixer, stream.entries);
  mixer.word(stream.nextGroupNumber);
  mixer.number(stream.groupCount);
  for (const group of stream.groups()) hashGroup(mixer, group);
  mixer.word(stream.ackLevel);
  const { retention } = stream;
  if (retention !== null) {
    for (const bound of [retention.ageMs, retention.bytes, retention.entries, retention.keep])
      mixer.number(bound ?? -1);
  }
  if (stream.maxLagBytes !== null) {
    const { bytes, holdMs } = stream.maxLagBytes;
    mixer.number(bytes);
    if (holdMs > 0) mixer.number(holdMs);
  }
  if (stream.idempotence !== null) hashIdempotence(mixer, stream.idempotence);
  if (stream.delayed !== null && stream.delayed.count > 0) hashDelayed(mixer, stream.delayed);
}

function hashDelayed(mixer: Mixer, delayed: DelayedEntries): void {
  mixer.number(delayed.count);
  delayed.visit(({ number, dueMs, trim, elementCount, fields }) => {
    mixer.number(number);
    mixer.number(dueMs);
    mixer.number(elementCount);
    mixer.word(fields.length);
    mixer.word(crc32(fields));
    mixer.word(trim === null ? 0 : 1 + trim.policy);
    if (trim === null) return true;
    for (const value of [trim.approximate ? 1 : 0, trim.limit, trim.maxLength]) mixer.number(value);
    mixer.id(trim.minId ?? MIN_ID);
    return true;
  });
}

function hashIdempotence(mixer: Mixer, idempotence: Idempotence): void {
  mixer.word(idempotence.durationSeconds);
  mixer.word(idempotence.maxSize);
  mixer.number(idempotence.iidsAdded);
  mixer.number(idempotence.duplicates);
  mixer.number(idempotence.nextProducerNumber);
  mixer.number(idempotence.nextSegmentNumber);
  mixer.number(idempotence.producerCount);
  for (const producer of idempotence.producers()) {
    mixer.text(producer.name);
    mixer.number(producer.number);
    mixer.number(producer.count);
  }
  for (const segment of idempotence.segments) {
    mixer.number(segment.number);
    mixer.word(segment.count);
    for (let record = 0; record < segment.count; record++) {
      mixer.number(segment.producerAt(record));
      mixer.id(segment.idAt(record));
      mixer.word(segment.endOf(record));
      if (segment.isOfDelayed(record)) mixer.word(1);
    }
    mixer.word(crc32(segment.bytes.subarray(0, segment.byteLength)));
  }
}

/**
 * Dead entries count too: they fill nodes, which decides where later nodes open. What a block's line says stands for what is in it, so that
 * nothing has to be read.
 */
function hashEntries(mixer: Mixer, { blocks, length, nextBlockNumber }: EntryLog): void {
  mixer.number(length);
  mixer.word(nextBlockNumber);
  for (let at = 0; at < blocks.length; at++) {
    const line = blocks.lineAt(at);
    const opensFirst = at === 0 || line.opensFirst;
    for (const value of [line.number, line.count, line.byteLength, line.opensDigest, line.crc]) mixer.word(value);
    mixer.word(opensFirst ? 1 : 0);
    mixer.word(line.opensCount - (line.opensFirst ? 1 : 0));
    mixer.id(line.firstId);
    mixer.id(line.lastId);
    if (!blocks.hasDeadAt(at)) continue;
    const block = blocks.slots[at]!;
    for (let entry = 0; entry < block.count; entry++) mixer.word(block.isLive(entry) ? 0 : 1);
  }
}

function hashGroup(mixer: Mixer, group: Group): void {
  mixer.text(group.name);
  mixer.word(group.number);
  mixer.word(group.nextConsumerNumber);
  mixer.number(group.givenBack);
  mixer.id(group.lastDeliveredId);
  mixer.number(group.entriesRead);
  const { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag } = group;
  if (retry !== null) for (const value of [retry.minIdleMs, retry.factor, retry.maxIdleMs]) mixer.number(value);
  mixer.number(consumerIdleMs);
  mixer.text(deadLetters?.key ?? "");
  mixer.number(deadLetters?.retriesMax ?? 0);
  mixer.number(deadLetterCount);
  if (maxLag !== null) for (const value of [maxLag.entries, maxLag.holdMs]) mixer.number(value);
  mixer.number(group.consumerCount);
  for (const consumer of group.consumers()) {
    mixer.text(consumer.name);
    mixer.word(consumer.number);
    mixer.number(consumer.pendingCount);
    mixer.number(consumer.seenTimeMs);
    mixer.number(consumer.activeTimeMs);
  }
  mixer.number(group.pending.count);
  mixer.word(group.pending.nextLeafNumber);
  for (const leaf of group.pending.leaves) {
    mixer.word(leaf.number);
    mixer.word(leaf.count);
    for (let record = 0; record < leaf.count; record++) {
      mixer.id(leaf.idAt(record));
      const owner = leaf.consumerAt(record);
      mixer.word(owner);
      if (owner !== NOBODY) mixer.text(group.consumerByNumber(owner)!.name);
      mixer.number(leaf.timeAt(record));
      mixer.number(leaf.deliveriesAt(record));
    }
  }
}
