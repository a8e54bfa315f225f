/**
 * What a stream is, in arrays and maps, written from Redis' rules (t_stream.c) without looking at the engine. Ids are whole milliseconds with
 * sequence 0. Nodes are Redis' listpacks: entries stay in them as deleted ones until none is alive.
 */
import type { DeadLetters, MaxLag, Retry } from "../src/index.ts";
import type { ModelDelayed } from "./delay-steps.ts";
import { ModelIdempotence } from "./idempotence-model.ts";

export interface ModelEntry {
  readonly id: number;
  readonly wire: string;
  dead: boolean;
}

export interface ModelPending {
  /** Null: given back, at `timeMs` 0 and as the `order`th. */
  consumer: string | null;
  timeMs: number;
  deliveries: number;
  order?: number;
}

export interface ModelGroup {
  last: number;
  read: number;
  readonly pending: Map<number, ModelPending>;
  readonly consumers: Map<string, { seenMs: number; activeMs: number }>;
  givenBack: number;
  retry: Retry | null;
  consumerIdleMs: number;
  deadLetters: DeadLetters | null;
  deadLetterCount: number;
  maxLag: MaxLag | null;
}

export class ModelStream {
  nodes: ModelEntry[][] = [];
  lastId = 0;
  maxDeleted = 0;
  added = 0;
  /** −1: never. */
  expiresAtMs = -1;
  readonly groups: Map<string, ModelGroup> = new Map();
  idempotence: ModelIdempotence = new ModelIdempotence();
  /** No copy takes it along. */
  delayed: ModelDelayed[] = [];
  maxLagBytes: { readonly bytes: number; readonly holdMs: number } | null = null;

  /** What COPY makes of it: the same, but deleted entries are gone from their nodes. */
  copy(): ModelStream {
    const copy = new ModelStream();
    copy.nodes = this.nodes.map((node) => node.filter((entry) => !entry.dead).map((entry) => ({ ...entry })));
    copy.lastId = this.lastId;
    copy.maxDeleted = this.maxDeleted;
    copy.added = this.added;
    copy.expiresAtMs = this.expiresAtMs;
    copy.maxLagBytes = this.maxLagBytes;
    copy.idempotence = Object.assign(new ModelIdempotence(), this.idempotence);
    for (const [name, group] of this.groups) {
      const pending = new Map([...group.pending].map(([id, entry]) => [id, { ...entry }]));
      const consumers = new Map([...group.consumers].map(([consumer, times]) => [consumer, { ...times }]));
      copy.groups.set(name, { ...group, pending, consumers });
    }
    return copy;
  }

  live(): ModelEntry[] {
    return this.nodes.flat().filter((entry) => !entry.dead);
  }

  append(id: number, wire: string, nodeMaxEntries: number): void {
    const tail = this.nodes.at(-1);
    const entry = { id, wire, dead: false };
    if (tail === undefined || tail.length >= nodeMaxEntries) this.nodes.push([entry]);
    else tail.push(entry);
    this.lastId = id;
    this.added++;
  }

  #sweep(): void {
    this.nodes = this.nodes.filter((node) => node.some((entry) => !entry.dead));
  }

  delete(ids: readonly number[]): void {
    for (const entry of this.nodes.flat()) if (ids.includes(entry.id)) entry.dead = true;
    this.maxDeleted = Math.max(this.maxDeleted, ...ids);
    this.#sweep();
  }

  /** streamTrim, returning how many it removes. */
  trim(by: "length" | "id", threshold: number, approximate: boolean, limit: number): number {
    let length = this.live().length;
    let deleted = 0;
    for (const node of this.nodes.slice()) {
      if (by === "length" && length <= threshold) break;
      const alive = node.filter((entry) => !entry.dead);
      if (limit > 0 && deleted + alive.length > limit) break;
      const whole = by === "length" ? length - alive.length >= threshold : node.at(-1)!.id < threshold;
      if (!whole && approximate) break;
      for (const entry of alive) {
        if (!whole && (by === "length" ? length <= threshold : entry.id >= threshold)) break;
        entry.dead = true;
        length--;
        deleted++;
      }
      if (!whole) break;
    }
    this.#sweep();
    return deleted;
  }

  isReferenced(id: number): boolean {
    return [...this.groups.values()].some((group) => group.last < id || group.pending.has(id));
  }

  /** streamTrim entry by entry: DELREF takes pending ids along, ACKED passes referenced entries over. Answers how many it removes. */
  trimByPolicy(policy: "drop" | "acked", by: "length" | "id", threshold: number, limit: number): number {
    let length = this.live().length;
    let deleted = 0;
    for (const node of this.nodes.slice()) {
      const alive = node.filter((entry) => !entry.dead);
      if (limit > 0 && deleted + alive.length > limit) break;
      for (const entry of alive) {
        if (by === "length" ? length <= threshold : entry.id >= threshold) break;
        if (policy === "acked" && this.isReferenced(entry.id)) continue;
        if (policy === "drop") for (const group of this.groups.values()) group.pending.delete(entry.id);
        entry.dead = true;
        length--;
        deleted++;
      }
    }
    this.#sweep();
    return deleted;
  }

  deliver(group: ModelGroup, consumer: string, upTo: number, read: number, timeMs: number, noAck: boolean): void {
    for (const { id } of this.live()) {
      if (id > group.last && id <= upTo && !noAck) group.pending.set(id, { consumer, timeMs, deliveries: 1 });
    }
    group.last = upTo;
    group.read = read;
  }
}

export function sortedPending(group: ModelGroup): [number, ModelPending][] {
  return [...group.pending].sort((a, b) => a[0] - b[0]);
}

/** As they are claimed: given back ones first and in that order, then by time, then by id. */
export function oldestPending(group: ModelGroup): number[] {
  const age = ({ consumer, timeMs, order }: ModelPending): number => (consumer === null ? order! - 2 ** 50 : timeMs);
  return sortedPending(group)
    .sort((a, b) => age(a[1]) - age(b[1]) || a[0] - b[0])
    .map(([id]) => id);
}
