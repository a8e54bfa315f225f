/** What a group shows beside its entries, against the model: what it hands out again, and how far it is behind. */
import { expect } from "vitest";
import { groupLag, type GroupView, type PendingView, residentGroupLag, type StreamView } from "../src/index.ts";
import type { ModelGroup } from "./naive-model.ts";

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
