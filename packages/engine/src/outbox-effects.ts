/**
 * Effects about dead letters and the outbox (outbox.ts): how they are written on the leader, and what they do on every replica. Bodies are drawn in
 * effect-format.ts.
 */
import { assert, type ByteReader, type ByteWriter, slotOfKey } from "@headrace/bytes";
import { EffectType } from "./effect-format.ts";
import { isBetween } from "./effect-parts.ts";
import { type DeadLetters, readDeadLetters, RETRIES_MAX, writeDeadLetters } from "./group-settings.ts";
import type { KeyspaceState } from "./keyspace-state.ts";
import { assertOutboxContent, type OutboxContent, OutboxKind, readOutboxItem, writeOutboxItem } from "./outbox-item.ts";
import type { TakenNumber } from "./outbox.ts";

export interface OutboxEffects {
  setDeadLetters(key: string, group: string, deadLetters: DeadLetters | null): void;
  /**
   * A letter goes into the outbox, and its entry out of the group's pending list, in which it is. `isAsked` false: whoever finds out that it is due did not
   * ask for it, and has written nothing.
   */
  giveUp(letter: OutboxContent, isAsked: boolean): void;
  /** `slot`: of this shard. */
  put(slot: number, content: OutboxContent): void;
  /** These are where they were to go. */
  settle(numbers: readonly number[]): void;
  /** What another shard sent under this number was taken; with what it means in the same log entry. */
  take(taken: TakenNumber): void;
}

/** The open batch as far as these effects need it. */
export interface EffectSink {
  readonly logTimeMs: number;
  begin(type: EffectType): ByteWriter;
  end(type: EffectType): void;
  /** What `write` writes is nobody's. */
  unasked(write: () => void): void;
}

export class OutboxWriter implements OutboxEffects {
  readonly #keyspace: KeyspaceState;
  readonly #sink: EffectSink;

  constructor(keyspace: KeyspaceState, sink: EffectSink) {
    this.#keyspace = keyspace;
    this.#sink = sink;
  }

  setDeadLetters(key: string, group: string, deadLetters: DeadLetters | null): void {
    this.#keyspace.existingStream(key).stream.existingGroup(group);
    if (deadLetters !== null) {
      assert(deadLetters.key.length > 0 && isBetween(deadLetters.retriesMax, 1, RETRIES_MAX), "dead letters of nobody");
    }
    const writer = this.#sink.begin(EffectType.setDeadLetters);
    writer.string(key);
    writer.string(group);
    writeDeadLetters(writer, deadLetters);
    this.#sink.end(EffectType.setDeadLetters);
  }

  giveUp(letter: OutboxContent, isAsked: boolean): void {
    const { pending } = this.#keyspace.existingStream(letter.key).stream.existingGroup(letter.group);
    assert(letter.kind === OutboxKind.letter && pending.has(letter.id), "what a group gives up is pending");
    const write = (): void => this.#write(EffectType.giveUp, slotOfKey(letter.key), letter);
    if (isAsked) write();
    else this.#sink.unasked(write);
  }

  put(slot: number, content: OutboxContent): void {
    this.#write(EffectType.putOutbox, slot, content);
  }

  #write(type: EffectType, slot: number, content: OutboxContent): void {
    assertOutboxContent(content);
    const writer = this.#sink.begin(type);
    writeOutboxItem(writer, this.#keyspace.outbox.nextNumber(this.#sink.logTimeMs), slot, content);
    this.#sink.end(type);
  }

  settle(numbers: readonly number[]): void {
    const writer = this.#sink.begin(EffectType.settleOutbox);
    writer.u32(numbers.length);
    for (const number of numbers) writer.f64(number);
    this.#sink.end(EffectType.settleOutbox);
  }

  take({ targetSlot, slot, number }: TakenNumber): void {
    const writer = this.#sink.begin(EffectType.takeOutbox);
    writer.u16(targetSlot);
    writer.u16(slot);
    writer.f64(number);
    this.#sink.end(EffectType.takeOutbox);
  }
}

/** False: not one of these. */
export function applyOutboxEffect(keyspace: KeyspaceState, type: number, reader: ByteReader): boolean {
  const { outbox } = keyspace;
  switch (type) {
    case EffectType.setDeadLetters: {
      const key = keyspace.existingStream(reader.string());
      const group = key.stream.existingGroup(reader.string());
      group.deadLetters = readDeadLetters(reader);
      key.stream.markGroupDirty(group);
      keyspace.touchUnseen(key);
      // Who waits is to look what there is for it now.
      keyspace.signalReady(key);
      return true;
    }
    case EffectType.giveUp: {
      const item = readOutboxItem(reader);
      const key = keyspace.existingStream(item.key);
      const group = key.stream.existingGroup(item.group);
      assert(group.release(item.id), "what a group gives up is pending");
      group.deadLetterCount++;
      key.stream.markGroupDirty(group);
      keyspace.touchUnseen(key);
      outbox.put(item, keyspace.writerIndex);
      return true;
    }
    case EffectType.putOutbox:
      outbox.put(readOutboxItem(reader), keyspace.writerIndex);
      return true;
    case EffectType.settleOutbox:
      for (let count = reader.u32(); count > 0; count--) outbox.settle(reader.f64(), keyspace.deadRows);
      return true;
    case EffectType.takeOutbox:
      outbox.take({ targetSlot: reader.u16(), slot: reader.u16(), number: reader.f64() });
      return true;
    default:
      return false;
  }
}
