/**
 * Consumer groups for the metrics of a node: those of the shards that it leads which are the furthest behind, a bounded number, so that names of streams never
 * make the page as long as the keyspace. Looked at once for each page, some keys at a time, so that the node's turns go on meanwhile; with nothing but what is
 * in memory. `headrace lag` and XINFO LAG are exact.
 */
import { setImmediate as nextEvent } from "node:timers/promises";
import { residentGroupLag, timeOfId } from "@headrace/engine";
import type { GroupView, StreamId, StreamView } from "@headrace/engine";
import type { Node } from "@headrace/node";

/** Between two events. */
const KEYS_AT_ONCE = 500;

export interface GroupLagRow {
  readonly stream: string;
  readonly group: string;
  readonly lag: number;
  readonly lagSeconds: number;
  readonly pending: number;
  readonly pendingSeconds: number;
  readonly consumers: number;
  readonly delivered: number;
  readonly redelivered: number;
  readonly acknowledged: number;
  readonly deadLetters: number;
  /** 0: no limit. */
  readonly maxLag: number;
}

type LookedAtNode = Pick<Node, "member">;

export class GroupLags {
  /** As of the last look: the furthest behind first. */
  rows: readonly GroupLagRow[];
  /** Of all that were looked at. */
  count: number;
  readonly #node: LookedAtNode;
  readonly #rowsMax: number;
  readonly #nowMs: () => number;

  /** `rowsMax` 0: nothing is looked at. */
  constructor(node: LookedAtNode, rowsMax: number, nowMs: () => number) {
    this.rows = [];
    this.count = 0;
    this.#node = node;
    this.#rowsMax = rowsMax;
    this.#nowMs = nowMs;
  }

  async look(): Promise<void> {
    if (this.#rowsMax === 0) return;
    const nowMs = this.#nowMs();
    let found: GroupLagRow[] = [];
    let count = 0;
    for (const shard of this.#node.member?.leading() ?? []) {
      let cursor = 0n;
      do {
        // Null: it leads no more.
        cursor =
          shard.groups?.scanGroups(cursor, KEYS_AT_ONCE, (key, stream, group) => {
            count++;
            found.push(rowOf(key, stream, group, nowMs));
          }) ?? 0n;
        if (found.length > this.#rowsMax) found = found.sort(byLag).slice(0, this.#rowsMax);
        if (cursor !== 0n) await nextEvent();
      } while (cursor !== 0n);
    }
    this.rows = found.sort(byLag);
    this.count = count;
  }
}

function rowOf(key: string, stream: StreamView, group: GroupView, nowMs: number): GroupLagRow {
  const { entries, undeliveredId, pendingId } = residentGroupLag(stream, group);
  const { delivered, redelivered, acknowledged } = group.counts;
  return {
    stream: shown(key),
    group: shown(group.name),
    lag: entries,
    lagSeconds: ageSeconds(undeliveredId, nowMs),
    pending: group.pending.count,
    pendingSeconds: ageSeconds(pendingId, nowMs),
    consumers: group.consumerCount,
    delivered,
    redelivered,
    acknowledged,
    deadLetters: group.deadLetterCount,
    maxLag: group.maxLag?.entries ?? 0,
  };
}

/** Those with the most entries to be delivered first, then those with the most pending, then by name. */
function byLag(a: GroupLagRow, b: GroupLagRow): number {
  if (a.lag !== b.lag) return b.lag - a.lag;
  if (a.pending !== b.pending) return b.pending - a.pending;
  return a.stream === b.stream ? compare(a.group, b.group) : compare(a.stream, b.stream);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** 0: there is none, or its id is no time. */
function ageSeconds(id: StreamId | null, nowMs: number): number {
  const atMs = id === null ? null : timeOfId(id);
  return atMs === null ? 0 : Math.max(0, nowMs - atMs) / 1000;
}

/** Names are bytes; labels are text. */
function shown(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}
