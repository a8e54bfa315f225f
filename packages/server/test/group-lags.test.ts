/** Which consumer groups a node shows on its metrics, and what of them. */
import type { GroupView, ShardStateApi, StreamView } from "@headrace/engine";
import { StreamId } from "@headrace/engine";
import type { Node } from "@headrace/node";
import { expect, test } from "vitest";
import { GroupLags } from "../src/group-lags.ts";
import { nodeMetrics } from "../src/metrics.ts";

const NOW_MS = Date.UTC(2026, 10, 29);

interface Fake {
  readonly stream: string;
  readonly group: string;
  readonly lag: number;
  readonly firstMs: number;
  readonly pending?: number;
  readonly pendingMs?: number;
}

function seen(fake: Fake): readonly [string, StreamView, GroupView] {
  const { stream, group, lag, firstMs, pending = 0, pendingMs = 0 } = fake;
  const view = {
    residentAfter: () => ({ count: lag, firstId: lag === 0 ? null : StreamId.of(firstMs, 0) }),
  } as unknown as StreamView;
  const groupView = {
    name: group,
    consumerCount: 2,
    deadLetterCount: 6,
    pending: { count: pending, firstId: pending === 0 ? null : StreamId.of(pendingMs, 0) },
    counts: { delivered: 9, redelivered: 4, acknowledged: 3 },
    maxLag: { entries: 5000, holdMs: 0 },
  } as unknown as GroupView;
  return [stream, view, groupView];
}

/** A shard whose groups are seen one at a time. */
function shard(fakes: readonly Fake[]): { readonly groups: Pick<ShardStateApi, "scanGroups"> } {
  return {
    groups: {
      scanGroups: (cursor, _count, visit) => {
        const at = Number(cursor);
        if (at < fakes.length) visit(...seen(fakes[at]!));
        return at + 1 < fakes.length ? BigInt(at + 1) : 0n;
      },
    },
  };
}

function lagsOf(shards: readonly unknown[], max: number): GroupLags {
  const node = { member: { leading: () => shards } } as unknown as Pick<Node, "member">;
  return new GroupLags(node, max, () => NOW_MS);
}

test("those that are the furthest behind are shown, of all shards together, and how many there are", async () => {
  const counts = [5, 0, 300, 70];
  const first = shard(counts.map((lag, i) => ({ stream: `s${i}`, group: "g", lag, firstMs: NOW_MS - 90_000 })));
  const second = shard([{ stream: "caf\xc3\xa9", group: "h", lag: 100, firstMs: 17 }]);
  const gone = { groups: null };
  const lags = lagsOf([first, gone, second], 3);
  await lags.look();
  expect(lags.count).toBe(5);
  expect(lags.rows.map(({ stream, lag, lagSeconds }) => [stream, lag, lagSeconds])).toEqual([
    ["s2", 300, 90],
    ["caf\u00e9", 100, 0],
    ["s3", 70, 90],
  ]);
});

test("of groups that are equally behind those with more pending come first", async () => {
  const pending = { group: "g", lag: 0, firstMs: 0, pendingMs: NOW_MS - 1500 };
  const lags = lagsOf(
    [
      shard([
        { ...pending, stream: "a", pending: 1 },
        { ...pending, stream: "b", pending: 8 },
      ]),
    ],
    20,
  );
  await lags.look();
  expect(lags.rows.map(({ stream, pending: count, pendingSeconds }) => [stream, count, pendingSeconds])).toEqual([
    ["b", 8, 1.5],
    ["a", 1, 1.5],
  ]);
});

test("nothing is looked at when none is to be shown", async () => {
  const node = {
    get member(): never {
      throw new Error("looked at");
    },
  };
  const lags = new GroupLags(node, 0, () => NOW_MS);
  await lags.look();
  expect(lags.rows).toEqual([]);
});

test("the page shows them with stream and group, looked at for this page", async () => {
  const lags = lagsOf([shard([{ stream: 'a "b"', group: "g", lag: 7, firstMs: NOW_MS - 2000, pending: 2 }])], 20);
  const node = { status: () => ({ wal: {}, metadata: null }), readiness: () => ({ ready: true }) } as unknown as Node;
  const bytes = { blockBytes: 0, zeroBytes: 0 };
  const store = { valueBytes: 0, movedValueBytes: 0, rowBytes: 0, tableBytes: 0 };
  const { text } = await nodeMetrics(node, { log: bytes, store }, lags)();
  const labels = '{stream="a \\"b\\"",group="g"}';
  expect(text).toContain(`headrace_group_lag_entries${labels} 7`);
  expect(text).toContain(`headrace_group_lag_seconds${labels} 2`);
  expect(text).toContain(`headrace_group_lag_limit_entries${labels} 5000`);
  expect(text).toContain(`headrace_group_redelivered_entries_total${labels} 4`);
  expect(text).toContain("# TYPE headrace_group_redelivered_entries_total counter");
  expect(text).toContain(`headrace_group_dead_letters_total${labels} 6`);
  expect(text).toContain("\nheadrace_groups 1\n");
});
