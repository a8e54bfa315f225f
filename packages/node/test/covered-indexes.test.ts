import { expect, test } from "vitest";
import { checkpointKey, encodeCheckpointRow, GROUP_ID_MAX, stateKey } from "../src/checkpoint-row.ts";
import type { CheckpointRow } from "../src/checkpoint-row.ts";
import { readCoveredIndexes } from "../src/state-loading.ts";
import { ManualTime, MemoryKv } from "../testing/manual-world.ts";

function row(index: number): CheckpointRow {
  const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const ranges = [{ from: 0, to: 16_383, generation: 65_537 }];
  return { index, term: 3, logTimeMs: 0, confState, ranges, sequence: 1, header: new Uint8Array(9), isPut: false };
}

test("the indexes that checkpoints cover are told of every group whose row can be read, and of nothing else", () => {
  const time = new ManualTime();
  const kv = new MemoryKv(time);
  const groups = [1, 2, 255, 256, ...Array.from({ length: 600 }, (_, i) => 1000 + i), GROUP_ID_MAX];
  const damaged = encodeCheckpointRow(row(77));
  damaged[9]! ^= 1;
  kv.write(
    [
      ...groups.map((groupId) => ({ key: checkpointKey(groupId), value: encodeCheckpointRow(row(groupId * 10)) })),
      { key: checkpointKey(77), value: damaged },
      { key: stateKey(0xfffe_ffff, 3, new Uint8Array(9)), value: new Uint8Array(5) },
    ],
    () => {},
  );
  while (time.runOne());
  let found: ReadonlyMap<number, number> | null = null;
  readCoveredIndexes(kv, (covered) => {
    found = covered;
  });
  while (time.runOne());
  expect(found).toEqual(new Map(groups.map((groupId) => [groupId, groupId * 10])));
});
