/**
 * Turns a list of arbitrary numbers into valid effects on a leader, the same changes on the naive model, payloads on a follower, captures into
 * a row store. Valid always: picks are taken modulo what exists.
 */
import { asciiBytes, ByteWriter, compareBytes, withRest } from "@headrace/bytes";
import { expect } from "vitest";
import {
  type BlockName,
  type Capture,
  ColdMiss,
  type ColdReads,
  type Effects,
  MAX_ID,
  MIN_ID,
  NEVER,
  ReferencePolicy,
  ShardLoader,
  ShardState,
  StreamId,
} from "../src/index.ts";
import { compareDelays, delayStep, isDelayStep, LAST_DELAY_KIND } from "./delay-steps.ts";
import { compareIdempotence, idempotenceStep, isIdempotenceStep } from "./idempotence-steps.ts";
import { compareDue, compareLag, compareLimits } from "./group-looks.ts";
import { settingStep } from "./setting-steps.ts";
import { compareOutbox, ModelOutbox, outboxStep } from "./outbox-steps.ts";
import { ModelStream, oldestPending, sortedPending, type ModelGroup } from "./naive-model.ts";

export interface Step {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const KEYS = ["a", "b{t}", "c", "d{t}"];
/** In the same slot. */
const PARTNERS: Readonly<Record<string, string>> = { "b{t}": "d{t}", "d{t}": "b{t}" };
export const STEP_KIND_MAX = LAST_DELAY_KIND;
const GROUPS = ["g1", "g2"];
const CONSUMERS = ["alice", "bob", "carol"];

/** Rows of entries stand in slots from here on: nobody reads them to open a state. */
export const DATA_REGION = 0x8000;

export class RowStore {
  rows = new Map<string, { slot: number; subkey: Uint8Array; value: Uint8Array }>();
  header: Capture["header"] | null = null;
  index = 0;

  write(capture: Capture): void {
    if (capture.cleared) this.rows.clear();
    const seen = new Set<string>();
    for (const row of capture.rows) {
      const name = `${row.slot}/${Buffer.from(row.subkey).toString("hex")}`;
      if (row.value !== null) {
        expect(seen.has(name), "a row is written twice").toBe(false);
        this.rows.set(name, { slot: row.slot, subkey: row.subkey, value: withRest(row.value, row.rest) });
      } else {
        expect(seen.has(name), "a row is removed after it was written").toBe(false);
        this.rows.delete(name);
      }
      if (row.value !== null) seen.add(name);
    }
    this.header = capture.header;
    this.index = capture.index;
  }

  load(): ShardState {
    const loader = new ShardLoader();
    for (const row of [...this.rows.values()].reverse()) {
      if (row.slot < DATA_REGION) loader.row(row.slot, row.subkey, row.value);
    }
    const state = loader.finish(this.header!, this.index);
    state.coldReads = this.coldReads(false);
    state.verify();
    return state;
  }

  /** Takes blocks in as whoever runs a command does that has met them. */
  takeIn(state: ShardState, blocks: readonly BlockName[]): void {
    for (const block of blocks) {
      const range = state.rowsOfBlock(block);
      expect(range, "a block that is missed is not in memory").not.toBe(null);
      const rows = [...this.rows.values()].filter(
        ({ slot, subkey }) =>
          slot === range!.fromSlot && compareBytes(subkey, range!.from) >= 0 && compareBytes(subkey, range!.to) < 0,
      );
      expect(state.takeBlock(block, rows)).toBe(true);
      expect(state.takeBlock(block, rows), "nobody needs it twice").toBe(false);
    }
  }

  /** What a state reads from here when it has given up blocks. */
  coldReads(mayMiss: boolean): ColdReads {
    return {
      mayMiss,
      rowNow: (slot, subkey) => this.rows.get(`${slot}/${Buffer.from(subkey).toString("hex")}`)?.value ?? null,
      wantsSoon: () => undefined,
      passed: () => undefined,
    };
  }

  copy(): RowStore {
    const copy = new RowStore();
    copy.rows = new Map(this.rows);
    copy.header = this.header;
    copy.index = this.index;
    return copy;
  }
}

/** A leader's reads: what runs may miss as long as it has changed nothing. */
class LeaderReads implements ColdReads {
  readonly #store: RowStore;
  #effects: Effects | null = null;
  #before = 0;

  constructor(store: RowStore) {
    this.#store = store;
  }

  begin(effects: Effects): void {
    this.#effects = effects;
    this.#before = effects.count;
  }

  end(): void {
    this.#effects = null;
  }

  get mayMiss(): boolean {
    return this.#effects !== null && this.#effects.count === this.#before;
  }

  rowNow(slot: number, subkey: Uint8Array): Uint8Array | null {
    return this.#store.coldReads(false).rowNow(slot, subkey);
  }

  passed(): void {}

  wantsSoon(): void {}
}

export class Driver {
  leader = new ShardState();
  follower = new ShardState();
  leaderStore = new RowStore();
  followerStore = new RowStore();
  /** By index. */
  readonly payloads: Uint8Array[] = [];
  readonly model = new Map<string, ModelStream>();
  readonly outbox = new ModelOutbox();
  readonly nodeMaxEntries: number;
  readonly valueBytesMax: number;
  /** Blocks leave memory again and again, other ones on leader and follower. */
  readonly evicts: boolean;
  misses = 0;
  evicted = 0;
  #nextId = 1;
  readonly #given = new Set<number>();

  constructor(nodeMaxEntries: number, valueBytesMax: number, evicts = false) {
    this.nodeMaxEntries = nodeMaxEntries;
    this.valueBytesMax = valueBytesMax;
    this.evicts = evicts;
  }

  #evict(state: ShardState, store: RowStore, pick: number): void {
    if (!this.evicts || store.header === null) return;
    this.evicted += state.evict(pick % 3 === 0 ? Number.POSITIVE_INFINITY : (pick * 7919) % 60_000, store.index);
    expect(state.memory.blockBytes).toBeGreaterThanOrEqual(0);
  }

  get checksNodes(): boolean {
    return this.valueBytesMax < 100;
  }

  /** One log entry made of these steps. */
  batch(steps: readonly Step[]): void {
    this.#evict(this.leader, this.leaderStore, steps[0]!.a);
    const index = this.leader.index + 1;
    const effects = this.leader.openBatch(index, index * 1000);
    const session = new Uint8Array(16).fill(index % 5);
    const reads = new LeaderReads(this.leaderStore);
    if (this.evicts) this.leader.coldReads = reads;
    steps.forEach((step, i) => {
      if (step.a % 7 === 0) this.leader.setOrigin(null, 0);
      else this.leader.setOrigin(session, index * 100 + i);
      this.#run(effects, reads, step);
    });
    const payload = this.leader.sealBatch();
    if (payload === null) return;
    this.payloads[index] = payload;
    this.#evict(this.follower, this.followerStore, index * 13);
    this.follower.apply(payload, index);
    expect(this.follower.stateHash()).toBe(this.leader.stateHash());
    this.follower.verify();
  }

  /** Again and again, until all that it reads is there. */
  #run(effects: Effects, reads: LeaderReads, step: Step): void {
    for (;;) {
      reads.begin(effects);
      try {
        this.#step(effects, step);
        return;
      } catch (error) {
        if (!(error instanceof ColdMiss)) throw error;
        this.misses++;
        expect(error.wanted.length).toBeGreaterThan(0);
        // What it would be glad to find next comes now and then.
        const ahead = step.c % 2 === 0 ? error.ahead(4, Infinity) : [];
        this.leaderStore.takeIn(this.leader, [...error.wanted, ...ahead]);
      } finally {
        reads.end();
      }
    }
  }

  /** Captures of both are written, or dropped and taken again later. */
  checkpoint(step: Step): void {
    const state = step.a % 2 === 0 ? this.leader : this.follower;
    const store = state === this.leader ? this.leaderStore : this.followerStore;
    const capture = state.capture();
    expect(state.dirtyBytes).toBe(0);
    expect(state.dirtyKeys).toBe(0);
    if (step.b % 4 === 0) {
      state.restoreDirty(capture);
      return;
    }
    store.write(capture);
    this.#evict(state, store, step.c);
    const loaded = store.load();
    expect(loaded.stateHash()).toBe(state.stateHash());
    // From here on the loaded state lives in place of the lived one, as follower or as leader.
    if (step.b % 4 !== 1) return;
    if (state === this.leader) this.leader = loaded;
    else this.follower = loaded;
    if (step.c % 2 === 0) {
      [this.leader, this.follower] = [this.follower, this.leader];
      [this.leaderStore, this.followerStore] = [this.followerStore, this.leaderStore];
    }
  }

  #step(effects: Effects, { kind, a, b, c }: Step): void {
    const key = KEYS[a % KEYS.length]!;
    let stream = this.model.get(key);
    if (stream !== undefined && stream.expiresAtMs >= 0 && stream.expiresAtMs < effects.logTimeMs) {
      expect(this.leader.live.find(key), "an expired key is not there").toBe(null);
      this.model.delete(key);
      stream = undefined;
    }
    if (stream === undefined || kind < 12) {
      if (stream === undefined) {
        stream = new ModelStream();
        this.model.set(key, stream);
      }
      if (kind === 11 && stream.added === 0 && this.leader.keyspace.find(key) === null) effects.createStream(key);
      else for (let i = 0; i <= b % 12; i++) this.#append(effects, key, stream, c + i);
      return;
    }
    const view = this.leader.keyspace.existingStream(key).stream;
    if (isIdempotenceStep({ kind, a, b, c })) {
      idempotenceStep(effects, key, view, stream.idempotence, { kind, a, b, c });
      return;
    }
    if (isDelayStep({ kind, a, b, c })) {
      const options = { given: this.#given, nodeMaxEntries: this.nodeMaxEntries };
      return delayStep(effects, key, stream, () => this.#takeId(stream, c), options, { kind, a, b, c });
    }
    const live = stream.live();
    switch (kind) {
      case 12:
      case 13: {
        const ids = [...new Set([b, c, b + c].map((pick) => live[pick % Math.max(1, live.length)]?.id ?? 0))].filter(
          (id) => id > 0,
        );
        if (ids.length === 0) return;
        effects.deleteEntries(
          key,
          ids.map((id) => StreamId.of(id, 0)),
        );
        stream.delete(ids);
        return;
      }
      case 14: {
        const approximate = c % 2 === 0;
        const limit = approximate && c % 3 === 0 ? b % 10 : 0;
        const threshold = b % (live.length + 2);
        const cut = view.trimByLength(threshold, approximate, limit);
        if (!approximate || this.checksNodes) {
          expect(cut.count).toBe(stream.trim("length", threshold, approximate, limit));
        } else {
          expect(cut.count).toBeLessThanOrEqual(Math.max(0, live.length - threshold));
          stream.trim("length", live.length - cut.count, false, 0);
        }
        effects.trim(key, cut);
        return;
      }
      case 15: {
        const approximate = c % 2 === 0;
        const limit = approximate && c % 3 === 0 ? b % 10 : 0;
        const threshold = (live[0]?.id ?? 0) + (b % 20);
        const cut = view.trimById(StreamId.of(threshold, 0), approximate, limit);
        if (!approximate || this.checksNodes) {
          expect(cut.count).toBe(stream.trim("id", threshold, approximate, limit));
        } else {
          stream.trim("length", live.length - cut.count, false, 0);
        }
        effects.trim(key, cut);
        return;
      }
      case 16:
        if (c % 8 === 0) {
          effects.flush();
          this.model.clear();
          this.outbox.items = [];
        } else if (c % 3 === 0) {
          effects.deleteKey(key);
          this.model.delete(key);
        } else {
          const lastId = Math.max(stream.lastId, this.#nextId);
          const added = stream.added + 3;
          effects.setStreamId(key, StreamId.of(lastId, 0), added, StreamId.of(stream.maxDeleted, 0));
          stream.lastId = lastId;
          stream.added = added;
        }
        return;
      case 27:
        this.#trimByPolicy(effects, key, stream, { kind, a, b, c });
        return;
      case 30:
      case 31:
      case 32:
      case 33:
        this.#keyStep(effects, key, stream, { kind, a, b, c });
        return;
      default:
        this.#groupStep(effects, key, stream, { kind, a, b, c });
    }
  }

  #trimByPolicy(effects: Effects, key: string, stream: ModelStream, { a, b, c }: Step): void {
    const policy = a % 2 === 0 ? ReferencePolicy.drop : ReferencePolicy.acknowledged;
    const by = c % 2 === 0 ? "length" : "id";
    // Nodes of many kilobytes are not what the model's are.
    const limit = this.checksNodes && c % 3 === 0 ? b % 10 : 0;
    const live = stream.live();
    const threshold = by === "length" ? b % (live.length + 2) : (live[0]?.id ?? 0) + (b % 20);
    const bound = { maxLength: threshold, minId: by === "length" ? null : StreamId.of(threshold, 0) };
    const view = this.leader.keyspace.existingStream(key).stream;
    for (const { id } of live) expect(view.isReferenced(StreamId.of(id, 0))).toBe(stream.isReferenced(id));
    const cut = view.trimByPolicy(policy, bound, limit, Number.POSITIVE_INFINITY);
    expect(cut.count).toBe(stream.trimByPolicy(a % 2 === 0 ? "drop" : "acked", by, threshold, limit));
    effects.trimByPolicy(key, cut);
  }

  #keyStep(effects: Effects, key: string, stream: ModelStream, { kind, b, c }: Step): void {
    const partner = PARTNERS[key];
    if (kind >= 32) {
      stream.expiresAtMs = c % 4 === 0 ? NEVER : effects.logTimeMs + 1 + (b % 6000);
      effects.setExpiry(key, stream.expiresAtMs);
    } else if (partner === undefined) {
      return;
    } else if (kind === 30) {
      effects.renameKey(key, partner);
      this.model.delete(key);
      this.model.set(partner, stream);
    } else {
      const image = this.leader.live.find(key)!.stream!.image(Number.POSITIVE_INFINITY)!;
      effects.putStream(partner, image, stream.expiresAtMs, "copy_to");
      this.model.set(partner, stream.copy());
    }
  }

  #takeId(stream: ModelStream, pick: number): number {
    const id = Math.max(this.#nextId, stream.lastId + 1);
    this.#nextId = id + 1 + (pick % 3);
    return id;
  }

  #append(effects: Effects, key: string, stream: ModelStream, pick: number): void {
    const id = this.#takeId(stream, pick);
    const value = String.fromCharCode(97 + (pick % 26)).repeat(1 + ((pick * 7919) % this.valueBytesMax));
    const fields = `$1\r\nf\r\n$${value.length}\r\n${value}\r\n`;
    const bytes = asciiBytes(fields);
    effects.append(key, StreamId.of(id, 0), 2, bytes, 0, bytes.length, {
      maxEntries: this.nodeMaxEntries,
      maxBytes: 0,
    });
    const text = `${id}-0`;
    stream.append(id, `*2\r\n$${text.length}\r\n${text}\r\n*2\r\n${fields}`, this.nodeMaxEntries);
  }

  #groupStep(effects: Effects, key: string, stream: ModelStream, { kind, a, b, c }: Step): void {
    const name = GROUPS[b % GROUPS.length]!;
    const group = stream.groups.get(name);
    if (group === undefined) {
      effects.createGroup(key, name, StreamId.of(c % 30, 0), c % 5);
      stream.groups.set(name, {
        last: c % 30,
        read: c % 5,
        pending: new Map(),
        consumers: new Map(),
        givenBack: 0,
        retry: null,
        consumerIdleMs: 0,
        deadLetters: null,
        deadLetterCount: 0,
        maxLag: null,
      });
      return;
    }
    const consumer = CONSUMERS[c % CONSUMERS.length]!;
    if (!group.consumers.has(consumer)) {
      effects.createConsumer(key, name, consumer, c);
      group.consumers.set(consumer, { seenMs: c, activeMs: -1 });
      return;
    }
    const owned = sortedPending(group);
    const picked = [...new Set(owned.filter((_, i) => (i + a) % (1 + (b % 5)) === 0))];
    const ids = picked.map(([id]) => StreamId.of(id, 0));
    switch (kind) {
      case 17:
      case 18:
      case 19: {
        const target = stream.live().find((entry) => entry.id > group.last + (b % 40)) ?? stream.live().at(-1);
        if (target === undefined || target.id <= group.last) return;
        const noAck = a % 5 === 0;
        effects.deliver(key, name, consumer, StreamId.of(target.id, 0), b, 5000 + c, noAck);
        stream.deliver(group, consumer, target.id, b, 5000 + c, noAck);
        return;
      }
      case 20:
      case 21:
        effects.acknowledge(key, name, ids);
        for (const [id] of picked) group.pending.delete(id);
        return;
      case 22:
        effects.claim(
          key,
          name,
          consumer,
          ids,
          ids.map((_, i) => 2 ** 40 + i),
          ids.map((_, i) => 2 ** 33 + i),
        );
        picked.forEach(([id], i) => group.pending.set(id, { consumer, timeMs: 2 ** 40 + i, deliveries: 2 ** 33 + i }));
        return;
      case 23: {
        const [from, to] = [b % 60, (b % 60) + (a % 40)];
        effects.redeliver(key, name, consumer, StreamId.of(from, 0), StreamId.of(to, 0), 9000 + c);
        for (const [id, entry] of owned) {
          if (entry.consumer !== consumer || id < from || id > to) continue;
          if (!stream.live().some((live) => live.id === id)) continue;
          entry.timeMs = 9000 + c;
          entry.deliveries++;
        }
        return;
      }
      case 24:
        if (settingStep(effects, key, name, { stream, group }, a, b)) return;
        effects.touchConsumer(key, name, consumer, b, a % 2 === 0 ? -1 : a);
        group.consumers.get(consumer)!.seenMs = b;
        if (a % 2 !== 0) group.consumers.get(consumer)!.activeMs = a;
        return;
      case 25:
        // Backwards now and then: what is pending will be delivered again.
        effects.setGroupId(key, name, StreamId.of(b % 50, 0), -1);
        group.last = b % 50;
        group.read = -1;
        return;
      case 26:
        if (a % 4 === 0) {
          effects.handBackConsumer(key, name, consumer);
          group.consumers.delete(consumer);
          for (const [id, { consumer: owner, deliveries }] of owned) {
            if (owner !== consumer) continue;
            group.pending.set(id, { consumer: null, timeMs: 0, deliveries, order: group.givenBack++ });
          }
        } else if (a % 2 === 0) {
          effects.deleteConsumer(key, name, consumer);
          group.consumers.delete(consumer);
          for (const [id, entry] of owned) if (entry.consumer === consumer) group.pending.delete(id);
        } else if (c % 3 === 0) {
          effects.destroyGroup(key, name);
          stream.groups.delete(name);
        } else {
          effects.advanceGroup(key, name, StreamId.of(group.last + 1, 0));
          group.last++;
        }
        return;
      case 28: {
        // Some that are pending, and one that may not be.
        const given = [...new Set([...picked.map(([id]) => id), b % 60])].filter((_, i) => i < 5);
        effects.giveBack(
          key,
          name,
          given.map((id) => StreamId.of(id, 0)),
          given.map((id) => 2 ** 47 + id),
        );
        for (const id of given) {
          group.pending.set(id, { consumer: null, timeMs: 0, deliveries: 2 ** 47 + id, order: group.givenBack++ });
        }
        return;
      }
      case 29: {
        const dropped = [...picked.map(([id]) => id), b % 60].filter((id, i, all) => all.indexOf(id) === i);
        effects.dropReferences(
          key,
          dropped.map((id) => StreamId.of(id, 0)),
        );
        for (const each of stream.groups.values()) for (const id of dropped) each.pending.delete(id);
        return;
      }
      case 34:
      case 35:
        outboxStep({ effects, outbox: this.outbox, key, name, group }, { kind, a, b, c });
        return;
      default:
    }
  }

  /** The state shows what the model says. */
  compare(step: Step): void {
    const { keyspace } = this.leader;
    expect(keyspace.size).toBe(this.model.size);
    compareDelays(this.leader, this.model);
    for (const [key, stream] of this.model) {
      expect(keyspace.find(key)!.expiresAtMs).toBe(stream.expiresAtMs);
      const view = keyspace.existingStream(key).stream;
      const live = stream.live();
      expect(view.length).toBe(live.length);
      expect(view.firstId.ms()).toBe(live[0]?.id ?? 0);
      expect(view.lastId.ms()).toBe(stream.lastId);
      expect(view.maxDeletedId.ms()).toBe(stream.maxDeleted);
      expect(view.entriesAdded).toBe(stream.added);
      if (this.checksNodes) expect(view.nodeCount).toBe(stream.nodes.length);
      const low = Math.max(0, (live[0]?.id ?? 0) + (step.a % 30) - 5);
      const high = low + (step.b % 60);
      this.#compareRange(view, live, MIN_ID, MAX_ID, -1, false);
      this.#compareRange(view, live, StreamId.of(low, 0), StreamId.of(high, 9), step.c % 9, step.a % 2 === 0);
      expect(view.countAfter(StreamId.of(high, 0))).toBe(live.filter((entry) => entry.id > high).length);
      compareIdempotence(view, stream.idempotence, this.leader.logTimeMs);
      expect([...view.groups()].map((group) => group.name)).toEqual([...stream.groups.keys()].sort());
      compareLimits(view, stream);
      for (const [name, group] of stream.groups) {
        this.#compareGroup(view.group(name)!, group, step);
        compareLag(
          view,
          view.group(name)!,
          live.filter(({ id }) => id > group.last).map(({ id }) => id),
        );
      }
    }
    const seen: string[] = [];
    for (let cursor = 0n, first = true; first || cursor !== 0n; first = false)
      cursor = this.leader.scanGroups(cursor, 1 + (step.a % 3), (key, _stream, group) =>
        seen.push(`${key} ${group.name}`),
      );
    const known = [...this.model].flatMap(([key, { groups }]) => [...groups.keys()].map((name) => `${key} ${name}`));
    expect(seen.sort()).toEqual(known.sort());
    compareOutbox(this.leader, this.outbox);
  }

  #compareRange(
    view: ReturnType<ShardState["keyspace"]["existingStream"]>["stream"],
    live: ReturnType<ModelStream["live"]>,
    start: StreamId,
    end: StreamId,
    limit: number,
    reverse: boolean,
  ): void {
    let expected = live.filter(
      (e) => StreamId.of(e.id, 0).compare(start) >= 0 && StreamId.of(e.id, 0).compare(end) <= 0,
    );
    if (reverse) expected = expected.reverse();
    if (limit >= 0) expected = expected.slice(0, limit);
    const range = view.range(start, end, limit, reverse);
    const writer = new ByteWriter();
    range.writeTo(writer);
    expect(Buffer.from(writer.view()).toString("latin1")).toBe(expected.map((entry) => entry.wire).join(""));
    expect(range.count).toBe(expected.length);
    const ids: number[] = [];
    range.forEachId((id) => ids.push(id.ms()));
    expect(ids).toEqual(expected.map((entry) => entry.id));
    if (expected.length === 0) return;
    expect(range.firstId.ms()).toBe(expected[0]!.id);
    expect(range.lastId.ms()).toBe(expected.at(-1)!.id);
  }

  #compareGroup(
    view: NonNullable<ReturnType<ReturnType<ShardState["keyspace"]["existingStream"]>["stream"]["group"]>>,
    group: ModelGroup,
    step: Step,
  ): void {
    expect(view.lastDeliveredId.ms()).toBe(group.last);
    expect(view.entriesRead).toBe(group.read);
    const pending = sortedPending(group);
    expect(view.pending.count).toBe(pending.length);
    expect(view.pending.firstId?.ms()).toBe(pending[0]?.[0]);
    expect(view.pending.lastId?.ms()).toBe(pending.at(-1)?.[0]);
    const low = (pending[0]?.[0] ?? 0) + (step.a % 20);
    for (const consumer of [null, ...CONSUMERS]) {
      const seen: unknown[] = [];
      view.pending.visit(StreamId.of(low, 0), StreamId.of(low + 50, 0), consumer, (entry) => {
        seen.push([entry.id.ms(), entry.consumer, entry.deliveryTimeMs, entry.deliveryCount]);
        return seen.length < 20;
      });
      const expected = pending
        .filter(([id, e]) => id >= low && id <= low + 50 && (consumer === null || e.consumer === consumer))
        .slice(0, 20)
        .map(([id, e]) => [id, e.consumer ?? "", e.timeMs, e.deliveries]);
      expect(seen).toEqual(expected);
    }
    expect(view.pending.unownedCount).toBe(pending.filter(([, entry]) => entry.consumer === null).length);
    // Not at every step: a heap that is asked seldom has much to put right.
    if (step.c % 3 === 0) {
      const oldest: number[] = [];
      view.pending.visitOldest(({ id, isOwned }) => {
        oldest.push(id.ms());
        expect(isOwned).toBe(group.pending.get(id.ms())!.consumer !== null);
        return oldest.length < 30;
      });
      expect(oldest).toEqual(oldestPending(group).slice(0, 30));
      compareDue(view.pending, group);
    }
    expect([view.retry, view.consumerIdleMs, view.maxLag]).toEqual([group.retry, group.consumerIdleMs, group.maxLag]);
    expect([view.deadLetters, view.deadLetterCount]).toEqual([group.deadLetters, group.deadLetterCount]);
    expect([...view.consumers()].map((c) => [c.name, c.pendingCount, c.seenTimeMs, c.activeTimeMs])).toEqual(
      [...group.consumers]
        .sort((a, b) => (a[0] < b[0] ? -1 : 1))
        .map(([name, c]) => [name, pending.filter(([, e]) => e.consumer === name).length, c.seenMs, c.activeMs]),
    );
    expect(view.pending.find(StreamId.of(pending[0]?.[0] ?? 7, 1))).toBe(null);
  }
}
