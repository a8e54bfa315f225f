/** What a group shows beside its entries, against the model: what it hands out again, and how far it is behind. */
import { expect } from "vitest";
import { groupLag, type GroupView, type PendingView, residentGroupLag, type StreamView } from "../src/index.ts";
import type { ModelGroup, ModelStream } from "./naive-model.ts";

/** In the order of becoming due. */
export function compareDue(view: PendingView, { pending, retry }: ModelGroup): void {
  const due: [number, number][] = [];
  view.visitDue(({ id }, dueMs) => due.push([id.ms(), dueMs]) < 30);
  const expected = [...pending].map(([id, { consumer, timeMs, deliveries, order }]) => {
    const rests = retry === null ? 0 : Math.min(retry.maxIdleMs, retry.minIdleMs * retry.factor ** (deliveries - 1));
    return {
      id,
      dueMs: consumer === null ? 0 : timeMs + rests,
      rank: consumer === null ? order! - 2 ** 50 : timeMs + rests,
    };
  });
  expected.sort((x, y) => x.rank - y.rank || x.id - y.id);
  expect(due).toEqual(retry === null ? [] : expected.slice(0, 30).map(({ id, dueMs }) => [id, dueMs]));
  expect(view.dueFromMs).toBeLessThanOrEqual(
    retry === null ? Number.POSITIVE_INFINITY : (expected[0]?.dueMs ?? Infinity),
  );
}

/** `behind`: ids that the group has not been delivered. */
export function compareLag(stream: StreamView, group: GroupView, behind: readonly number[]): void {
  const exact = groupLag(stream, group);
  expect([exact.entries, exact.undeliveredId?.ms()]).toEqual([behind.length, behind[0]]);
  const resident = residentGroupLag(stream, group);
  // Of a block that is not in memory all counts, and no block of a test has more than a thousand.
  expect(resident.entries).toBeGreaterThanOrEqual(behind.length);
  expect(resident.entries - behind.length).toBeLessThan(1024);
  if (!stream.hasCold) expect(resident).toEqual(exact);
  else if (behind.length > 0) expect(resident.undeliveredId!.ms()).toBeLessThanOrEqual(behind[0]!);
}

/** Which limit of lag an XADD would meet: counted entry by entry. */
export function compareLimits(view: StreamView, model: ModelStream): void {
  const live = model.live();
  const groups = [...model.groups].sort(([a], [b]) => (a < b ? -1 : 1));
  const limited = groups.flatMap(([name, { maxLag, last }]) => {
    const behind = live.filter(({ id }) => id > last).length;
    return maxLag === null ? [] : [{ group: name, behind, limit: maxLag.entries, holdMs: maxLag.holdMs }];
  });
  const { maxLagBytes } = model;
  expect(view.maxLagBytes).toEqual(maxLagBytes);
  expect(view.isLimited).toBe(limited.length > 0 || (maxLagBytes !== null && groups.length > 0));
  const reached = view.limitReached();
  const nearest = view.nearestLimit();
  if (!view.isLimited) return expect([reached, nearest]).toEqual([null, null]);
  const over = limited.filter(({ behind, limit }) => behind >= limit).sort((a, b) => a.holdMs - b.holdMs);
  if (maxLagBytes !== null) {
    const slowest = Math.min(...groups.map(([, { last }]) => last));
    const bytes = live.filter(({ id }) => id > slowest).reduce((sum, { wire }) => sum + wire.length, 0);
    // What was deleted counts as long as its block holds it, and of a block that is not in memory all counts.
    const isExact = !view.hasCold && model.nodes.flat().every(({ dead }) => !dead);
    if (reached?.unit === "bytes") {
      expect(reached.behind).toBeGreaterThanOrEqual(isExact ? bytes : 0);
      if (isExact) expect([reached.behind, reached.limit]).toEqual([bytes, maxLagBytes.bytes]);
      // What holds for the shortest time is what an XADD meets.
      expect(reached.holdMs).toBe(maxLagBytes.holdMs);
      expect(reached.holdMs).toBeLessThanOrEqual(over[0]?.holdMs ?? Infinity);
      expect(model.groups.get(reached.group)!.last).toBe(slowest);
      return;
    }
    if (reached === null || maxLagBytes.holdMs <= reached.holdMs) expect(bytes).toBeLessThan(maxLagBytes.bytes);
    if (nearest!.unit === "bytes") return;
  }
  expect(reached === null ? null : { ...reached, unit: "entries" }).toEqual(
    over.length === 0 ? null : { ...over[0], unit: "entries" },
  );
  const share = Math.max(...limited.map(({ behind, limit }) => behind / limit));
  expect(nearest!.behind / nearest!.limit).toBe(share);
}
