/**
 * What a stream is, in arrays and maps, written from Redis' rules (t_stream.c) without looking at the engine. Ids are whole milliseconds with
 * sequence 0. Nodes are Redis' listpacks: entries stay in them as deleted ones until none is alive.
 */
export interface ModelEntry {
  readonly id: number;
  readonly wire: string;
  dead: boolean;
}

export interface ModelPending {
  consumer: string;
  timeMs: number;
  deliveries: number;
}

export interface ModelGroup {
  last: number;
  read: number;
  readonly pending: Map<number, ModelPending>;
  readonly consumers: Map<string, { seenMs: number; activeMs: number }>;
}

export class ModelStream {
  nodes: ModelEntry[][] = [];
  lastId = 0;
  maxDeleted = 0;
  added = 0;
  readonly groups: Map<string, ModelGroup> = new Map();

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
