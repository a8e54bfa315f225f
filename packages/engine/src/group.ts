/** A consumer group: its position, consumers and pending entries. Every change is part of `apply`. */
import { assert } from "@headrace/bytes";
import type { GroupView } from "./api.ts";
import type { MaxLag } from "./back-pressure.ts";
import { Consumer } from "./consumer.ts";
import type { DirtyMeter } from "./dirty-meter.ts";
import type { DeadLetters, GroupSettings, Retry } from "./group-settings.ts";
import { NOBODY } from "./pending-leaf.ts";
import { PendingList } from "./pending-list.ts";
import { CONSUMER_BYTES } from "./resident-bytes.ts";
import { sortedByName } from "./sorted-by-name.ts";
import { MAX_ID, MIN_ID, type StreamId } from "./stream-id.ts";

const GROUP_ROW_BYTES = 128;
const CONSUMER_ROW_BYTES = 80;

export class Group implements GroupView {
  readonly name: string;
  /** Unique in its stream for ever: names the group's rows. */
  readonly number: number;
  lastDeliveredId: StreamId;
  entriesRead: number;
  readonly pending: PendingList;
  /** 0: consumers stay. */
  consumerIdleMs: number;
  deadLetters: DeadLetters | null;
  deadLetterCount: number;
  /** Null: its producers may be ahead of it as far as they like. */
  maxLag: MaxLag | null;
  readonly counts: { delivered: number; redelivered: number; acknowledged: number };
  nextConsumerNumber: number;
  /** How often an entry was given back (XNACK): their order. */
  givenBack: number;
  dirty: boolean;
  persisted: boolean;
  dirtyConsumers: Consumer[];
  droppedConsumers: Consumer[];
  readonly #consumers: Map<string, Consumer>;
  readonly #byNumber: Map<number, Consumer>;
  readonly #meter: DirtyMeter;
  #sorted: readonly Consumer[] | null;

  constructor(name: string, number: number, lastDeliveredId: StreamId, entriesRead: number, meter: DirtyMeter) {
    this.name = name;
    this.number = number;
    this.lastDeliveredId = lastDeliveredId;
    this.entriesRead = entriesRead;
    this.consumerIdleMs = 0;
    this.deadLetters = null;
    this.deadLetterCount = 0;
    this.maxLag = null;
    this.counts = { delivered: 0, redelivered: 0, acknowledged: 0 };
    this.nextConsumerNumber = 1;
    this.givenBack = 0;
    this.dirty = false;
    this.persisted = false;
    this.dirtyConsumers = [];
    this.droppedConsumers = [];
    this.#consumers = new Map();
    this.#byNumber = new Map();
    this.#meter = meter;
    this.#sorted = null;
    this.pending = new PendingList({ byName: this.#consumers, byNumber: this.#byNumber }, meter);
  }

  get retry(): Retry | null {
    return this.pending.retry;
  }

  get settings(): GroupSettings {
    const { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag } = this;
    return { retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag };
  }

  set settings({ retry, consumerIdleMs, deadLetters, deadLetterCount, maxLag }: GroupSettings) {
    this.pending.retry = retry;
    this.consumerIdleMs = consumerIdleMs;
    this.deadLetters = deadLetters;
    this.deadLetterCount = deadLetterCount;
    this.maxLag = maxLag;
  }

  get consumerCount(): number {
    return this.#consumers.size;
  }

  consumers(): readonly Consumer[] {
    this.#sorted ??= sortedByName(this.#consumers.values());
    return this.#sorted;
  }

  consumer(name: string): Consumer | null {
    return this.#consumers.get(name) ?? null;
  }

  consumerByNumber(number: number): Consumer | null {
    return this.#byNumber.get(number) ?? null;
  }

  createConsumer(name: string, timeMs: number): void {
    const consumer = new Consumer(name, this.nextConsumerNumber++, timeMs);
    this.adopt(consumer);
    this.#meter.fixedBytes += CONSUMER_BYTES + name.length;
    this.markConsumerDirty(consumer);
  }

  /** Takes a consumer in, a new one or one that was loaded. */
  adopt(consumer: Consumer): void {
    assert(!this.#consumers.has(consumer.name), "consumer exists");
    this.#consumers.set(consumer.name, consumer);
    this.#byNumber.set(consumer.number, consumer);
    this.#sorted = null;
  }

  deleteConsumer(name: string): void {
    const consumer = this.existing(name);
    this.pending.removeConsumer(consumer.number);
    this.#meter.fixedBytes -= CONSUMER_BYTES + name.length;
    this.#consumers.delete(name);
    this.#byNumber.delete(consumer.number);
    this.#sorted = null;
    if (consumer.persisted) this.droppedConsumers.push(consumer);
  }

  /** As `deleteConsumer`, but what it has pending is the group's from now on, in the order of ids, with counts as they are. */
  handBackConsumer(name: string): void {
    const { number } = this.existing(name);
    const ids: StreamId[] = [];
    this.pending.visit(MIN_ID, MAX_ID, name, ({ id }) => ids.push(id) > 0);
    for (const id of ids) this.giveBack(id, this.pending.countOf(id));
    assert(this.#byNumber.get(number)!.pendingCount === 0, "a consumer that handed all back has something");
    this.deleteConsumer(name);
  }

  /** Rollback: as if the consumer had never been made; its pending entries go their own way. */
  dropConsumer(consumer: Consumer): void {
    this.#consumers.delete(consumer.name);
    this.#byNumber.delete(consumer.number);
    this.#sorted = null;
  }

  /** Counts pending entries anew, all of them and by consumer. Answers false when one belongs to nobody. */
  recount(): boolean {
    const { pending } = this;
    for (const consumer of this.#consumers.values()) consumer.pendingCount = 0;
    pending.count = 0;
    pending.unownedCount = 0;
    for (const leaf of pending.leaves) {
      pending.count += leaf.count;
      for (let i = 0; i < leaf.owners.length; i++) {
        const count = leaf.ownerCounts[i]!;
        const owner = this.#byNumber.get(leaf.owners[i]!);
        if (owner !== undefined) owner.pendingCount += count;
        else if (leaf.owners[i] === NOBODY) pending.unownedCount += count;
        else return false;
      }
    }
    return true;
  }

  existing(name: string): Consumer {
    const consumer = this.#consumers.get(name);
    assert(consumer !== undefined, "no such consumer");
    return consumer;
  }

  touchConsumer(consumer: Consumer, seenMs: number, activeMs: number): void {
    consumer.seenTimeMs = seenMs;
    if (activeMs >= 0) consumer.activeTimeMs = activeMs;
    this.markConsumerDirty(consumer);
  }

  /** Makes the id pending for the consumer, taking it from whoever has it. */
  assign(id: StreamId, consumer: Consumer, timeMs: number, deliveries: number): void {
    const before = this.pending.put(id, consumer.number, timeMs, deliveries);
    if (before === consumer.number) return;
    this.#lose(before);
    consumer.pendingCount++;
  }

  /** Makes the id pending for nobody: it is claimed before all that has an owner, behind what was given back before. */
  giveBack(id: StreamId, deliveries: number): void {
    const before = this.pending.put(id, NOBODY, this.givenBack++, deliveries);
    if (before === NOBODY) return;
    this.#lose(before);
    this.pending.unownedCount++;
  }

  /** A copy of one that was given back when `order` others had been: it is pending for nobody, and nobody had it here. */
  putGivenBack(id: StreamId, order: number, deliveries: number): void {
    this.pending.put(id, NOBODY, order, deliveries);
    this.pending.unownedCount++;
  }

  /** Answers false when the id was not pending. */
  release(id: StreamId): boolean {
    const owner = this.pending.remove(id);
    this.#lose(owner);
    return owner >= 0;
  }

  /** The owner, −1 for none, has one pending entry less. */
  #lose(owner: number): void {
    if (owner > NOBODY) this.#byNumber.get(owner)!.pendingCount--;
    else if (owner === NOBODY) this.pending.unownedCount--;
  }

  markConsumerDirty(consumer: Consumer): void {
    if (consumer.dirty) return;
    consumer.dirty = true;
    this.dirtyConsumers.push(consumer);
    this.#meter.bytes += CONSUMER_ROW_BYTES + consumer.name.length;
  }

  /** True when it was clean: the stream then has to remember it. */
  becomeDirty(): boolean {
    if (this.dirty) return false;
    this.dirty = true;
    this.#meter.bytes += GROUP_ROW_BYTES + this.name.length;
    return true;
  }

  verify(): void {
    this.pending.verify();
    const owned = new Map<number, number>();
    for (const leaf of this.pending.leaves) {
      leaf.owners.forEach((owner, i) => owned.set(owner, (owned.get(owner) ?? 0) + leaf.ownerCounts[i]!));
    }
    for (const consumer of this.#consumers.values()) {
      assert(consumer.pendingCount === (owned.get(consumer.number) ?? 0), "consumer's pending entries miscounted");
      assert(consumer.number < this.nextConsumerNumber, "consumer number from the future");
    }
    assert(this.#byNumber.size === this.#consumers.size, "consumer tables differ");
  }
}
