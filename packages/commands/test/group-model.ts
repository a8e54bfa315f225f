/**
 * Consumer groups in maps and arrays, written from the reference (redis-streams.md §4.2, §4.3, §4.5), and what is ours from its definition, without looking
 * at handlers or engine: what each command answers, and what it changes. Ids are whole milliseconds with sequence 0; every entry is `f v`.
 */
export type Value = number | bigint | string | null | readonly Value[];
export type Policy = "KEEPREF" | "DELREF" | "ACKED";

const COUNT_MAX = 2n ** 63n - 1n;

interface Pending {
  /** Null: given back. */
  consumer: string | null;
  timeMs: number;
  count: bigint;
  /** Of those that were given back. */
  order: number;
}

interface Group {
  last: number;
  readonly pending: Map<number, Pending>;
  readonly consumers: Set<string>;
  givenBack: number;
  retry: Retry | null;
}

export interface Retry {
  readonly minIdleMs: number;
  readonly factor: number;
  readonly maxIdleMs: number;
}

export interface ReadOptions {
  readonly count: number;
  readonly maxCount: number;
  readonly maxSize: number;
  readonly claimMs: number | null;
  readonly noAck: boolean;
}

export interface ClaimOptions {
  readonly justId: boolean;
  readonly idleMs: number | null;
  readonly retryCount: bigint | null;
  readonly force: boolean;
}

export class GroupModel {
  nowMs: number;
  readonly #entries: Set<number> = new Set();
  readonly #groups: Map<string, Group> = new Map();

  constructor(nowMs: number, groups: readonly string[]) {
    this.nowMs = nowMs;
    for (const name of groups) {
      this.#groups.set(name, { last: 0, pending: new Map(), consumers: new Set(), givenBack: 0, retry: null });
    }
  }

  get ids(): number[] {
    return [...this.#entries];
  }

  pendingIds(group: string): number[] {
    return [...this.#group(group).pending.keys()];
  }

  #group(name: string): Group {
    return this.#groups.get(name)!;
  }

  add(id: number): Value {
    this.#entries.add(id);
    return `${id}-0`;
  }

  delete(ids: readonly number[]): Value {
    return ids.filter((id) => this.#entries.delete(id)).length;
  }

  #isReferenced(id: number): boolean {
    return [...this.#groups.values()].some(({ last, pending }) => last < id || pending.has(id));
  }

  #dropReferences(id: number): void {
    for (const { pending } of this.#groups.values()) pending.delete(id);
  }

  /** XDELEX. */
  deleteBy(policy: Policy, ids: readonly number[]): Value {
    return ids.map((id) => {
      if (policy === "ACKED" && this.#isReferenced(id)) return 2;
      if (policy === "DELREF") this.#dropReferences(id);
      return this.#entries.delete(id) ? 1 : -1;
    });
  }

  /** XACKDEL. */
  acknowledgeAndDelete(group: string, policy: Policy, ids: readonly number[]): Value {
    return ids.map((id) => {
      if (!this.#group(group).pending.delete(id)) return -1;
      if (policy === "ACKED" && this.#isReferenced(id)) return 2;
      if (policy === "DELREF") this.#dropReferences(id);
      this.#entries.delete(id);
      return 1;
    });
  }

  trim(policy: Policy, by: "MAXLEN" | "MINID", threshold: number): Value {
    let removed = 0;
    for (const id of this.ids) {
      if (by === "MAXLEN" ? this.#entries.size <= threshold : id >= threshold) break;
      if (policy === "ACKED" && this.#isReferenced(id)) continue;
      if (policy === "DELREF") this.#dropReferences(id);
      this.#entries.delete(id);
      removed++;
    }
    return removed;
  }

  acknowledge(group: string, ids: readonly number[]): Value {
    return ids.filter((id) => this.#group(group).pending.delete(id)).length;
  }

  setId(group: string, id: number): Value {
    this.#group(group).last = id;
    return "OK";
  }

  setRetry(group: string, retry: Retry | null): Value {
    this.#group(group).retry = retry;
    return "OK";
  }

  deleteConsumer(group: string, consumer: string): Value {
    const { consumers, pending } = this.#group(group);
    consumers.delete(consumer);
    const owned = [...pending].filter(([, entry]) => entry.consumer === consumer);
    for (const [id] of owned) pending.delete(id);
    return owned.length;
  }

  /** DELCONSUMER … HANDBACK. */
  handBack(group: string, consumer: string): Value {
    const found = this.#group(group);
    const owned = sorted(found.pending.keys()).filter((id) => found.pending.get(id)!.consumer === consumer);
    for (const id of owned) {
      const { count } = found.pending.get(id)!;
      found.pending.set(id, { consumer: null, timeMs: 0, count, order: found.givenBack++ });
    }
    found.consumers.delete(consumer);
    return owned.length;
  }

  nack(group: string, mode: string, ids: readonly number[], retryCount: bigint | null, force: boolean): Value {
    const found = this.#group(group);
    let count = 0;
    for (const id of ids) {
      let entry = found.pending.get(id);
      if (entry === undefined) {
        if (!force || !this.#entries.has(id)) continue;
        entry = { consumer: null, timeMs: 0, count: 0n, order: 0 };
        found.pending.set(id, entry);
      }
      entry.consumer = null;
      entry.timeMs = 0;
      entry.order = found.givenBack++;
      if (retryCount !== null) entry.count = retryCount;
      else if (mode === "FATAL") entry.count = COUNT_MAX;
      else if (mode === "SILENT" && entry.count > 0n) entry.count--;
      count++;
    }
    return count;
  }

  #isIdle(entry: Pending, minIdleMs: number): boolean {
    return entry.consumer === null || this.nowMs - entry.timeMs >= minIdleMs;
  }

  #take(group: Group, id: number, consumer: string, timeMs: number, count: bigint): void {
    group.pending.set(id, { consumer, timeMs, count: count > COUNT_MAX ? COUNT_MAX : count, order: 0 });
  }

  claim(group: string, consumer: string, minIdleMs: number, ids: readonly number[], options: ClaimOptions): Value {
    const found = this.#group(group);
    found.consumers.add(consumer);
    const answer: Value[] = [];
    for (const id of ids) {
      const entry = found.pending.get(id);
      if (!this.#entries.has(id)) {
        found.pending.delete(id);
        continue;
      }
      if (entry === undefined ? !options.force : !this.#isIdle(entry, minIdleMs)) continue;
      let count = entry?.count ?? 1n;
      if (options.retryCount !== null) count = options.retryCount;
      else if (!options.justId) count++;
      this.#take(found, id, consumer, this.nowMs - (options.idleMs ?? 0), count);
      answer.push(options.justId ? `${id}-0` : body(id));
    }
    return answer;
  }

  autoClaim(group: string, consumer: string, minIdleMs: number, start: number, count: number, justId: boolean): Value {
    const found = this.#group(group);
    found.consumers.add(consumer);
    const claimed: Value[] = [];
    const deleted: Value[] = [];
    let left = count;
    let attempts = count * 10;
    for (const id of sorted(found.pending.keys())) {
      if (id < start) continue;
      if (left === 0 || attempts === 0) return [`${id}-0`, claimed, deleted];
      attempts--;
      const entry = found.pending.get(id)!;
      if (!this.#entries.has(id)) {
        found.pending.delete(id);
        deleted.push(`${id}-0`);
        left--;
      } else if (this.#isIdle(entry, minIdleMs)) {
        this.#take(found, id, consumer, this.nowMs, justId ? entry.count : entry.count + 1n);
        claimed.push(justId ? `${id}-0` : body(id));
        left--;
      }
    }
    return ["0-0", claimed, deleted];
  }

  /** XREADGROUP … STREAMS s >, or with an id. `keyBytes`: what the key takes in the reply. */
  read(group: string, consumer: string, key: string, after: number | null, options: ReadOptions): Value {
    const found = this.#group(group);
    found.consumers.add(consumer);
    const { maxCount, maxSize, count } = options;
    const rows: Value[] = [];
    let bytes = 4 + bulkBytes(key);
    const goes = (row: Value): boolean => {
      if (rows.length >= count || rows.length >= maxCount || (rows.length > 0 && bytes >= maxSize)) return false;
      rows.push(row);
      bytes += valueBytes(row);
      return true;
    };
    if (after !== null) this.#readHistory(found, consumer, after, goes);
    else {
      const isOpen =
        options.claimMs === null
          ? this.#readDue(found, consumer, options, () => rows.length < count, goes)
          : this.#readOld(found, consumer, options.claimMs, goes);
      if (isOpen) this.#readNew(found, consumer, options, goes);
    }
    return rows.length > 0 || after !== null ? [[key, rows]] : null;
  }

  #readHistory(group: Group, consumer: string, after: number, goes: (row: Value) => boolean): void {
    for (const id of sorted(group.pending.keys())) {
      const entry = group.pending.get(id)!;
      if (id <= after || entry.consumer !== consumer) continue;
      const exists = this.#entries.has(id);
      if (!goes(exists ? body(id) : [`${id}-0`, null])) return;
      if (exists) this.#take(group, id, consumer, this.nowMs, entry.count + 1n);
    }
  }

  /** False: the reply is full. */
  #readOld(group: Group, consumer: string, claimMs: number, goes: (row: Value) => boolean): boolean {
    const age = ({ consumer: owner, timeMs, order }: Pending): number => (owner === null ? order - 2 ** 50 : timeMs);
    const oldest = [...group.pending].sort((a, b) => age(a[1]) - age(b[1]) || a[0] - b[0]);
    for (const [id, entry] of oldest) {
      if (!this.#isIdle(entry, claimMs)) break;
      if (!this.#entries.has(id)) continue;
      if (!goes([...body(id), this.nowMs - entry.timeMs, entry.count])) return false;
      this.#take(group, id, consumer, this.nowMs, entry.count + 1n);
    }
    return true;
  }

  /**
   * What rests for `minIdleMs`, or so often times the factor as it was delivered more than once, is due by the end of it. What is due and gone is
   * pending no more when a read comes by. False: the reply is full.
   */
  #readDue(
    group: Group,
    consumer: string,
    { noAck }: ReadOptions,
    isWithinCount: () => boolean,
    goes: (row: Value) => boolean,
  ): boolean {
    const { retry } = group;
    if (retry === null || noAck) return true;
    const restMs = (count: bigint): number => {
      let ms = retry.minIdleMs;
      for (let each = 1n; each < count && ms < retry.maxIdleMs; each++) ms *= retry.factor;
      return Math.min(ms, retry.maxIdleMs);
    };
    const dueMs = ({ consumer: owner, timeMs, order, count }: Pending): number =>
      owner === null ? order - 2 ** 50 : timeMs + restMs(count);
    const due = [...group.pending].sort((a, b) => dueMs(a[1]) - dueMs(b[1]) || a[0] - b[0]);
    for (const [id, entry] of due) {
      if (dueMs(entry) > this.nowMs) break;
      if (!this.#entries.has(id)) {
        group.pending.delete(id);
        continue;
      }
      if (!goes(body(id))) return false;
      this.#take(group, id, consumer, this.nowMs, entry.count + 1n);
      if (!isWithinCount()) return false;
    }
    return true;
  }

  #readNew(group: Group, consumer: string, { claimMs, noAck }: ReadOptions, goes: (row: Value) => boolean): void {
    for (const id of this.ids) {
      if (id <= group.last) continue;
      if (!goes(claimMs === null ? body(id) : [...body(id), 0, 0])) return;
      group.last = id;
      if (!noAck) this.#take(group, id, consumer, this.nowMs, 1n);
    }
  }

  pendingSummary(group: string): Value {
    const { pending, consumers } = this.#group(group);
    const ids = sorted(pending.keys());
    if (ids.length === 0) return [0, null, null, null];
    const owners = [...consumers].sort().map((name) => {
      return [name, String([...pending.values()].filter((entry) => entry.consumer === name).length)];
    });
    return [ids.length, `${ids[0]}-0`, `${ids.at(-1)}-0`, owners.filter(([, count]) => count !== "0")];
  }

  pendingRange(group: string, minIdleMs: number, start: number, count: number, consumer: string | null): Value {
    const { pending } = this.#group(group);
    const rows: Value[] = [];
    for (const id of sorted(pending.keys())) {
      const entry = pending.get(id)!;
      if (id < start || (consumer !== null && entry.consumer !== consumer)) continue;
      if (minIdleMs > 0 && !this.#isIdle(entry, minIdleMs)) continue;
      if (rows.length < count) {
        const idleMs = entry.consumer === null ? -1 : this.nowMs - entry.timeMs;
        rows.push([`${id}-0`, entry.consumer ?? "", idleMs, entry.count]);
      }
    }
    return rows;
  }
}

function sorted(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}

function body(id: number): readonly Value[] {
  return [`${id}-0`, ["f", "v"]];
}

function bulkBytes(text: string): number {
  return 1 + String(text.length).length + 2 + text.length + 2;
}

function valueBytes(value: Value): number {
  if (value === null) return 5;
  if (typeof value === "string") return bulkBytes(value);
  if (typeof value !== "object") return 3 + String(value).length;
  return value.reduce<number>((sum, each) => sum + valueBytes(each), 3 + String(value.length).length);
}
