/** A crash between an installed snapshot and the log that begins behind it: what the log had promised stays promised (I21, I24). */
import { expect, test } from "vitest";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";
import { meet } from "../src/log-meeting.ts";

/** Only compaction is asked of it. */
function logOf(told: number[]): SharedLogApi {
  return { compact: (_groupId: number, index: number) => void told.push(index) } as unknown as SharedLogApi;
}

function recovered(term: number, vote: number): RecoveredGroup {
  return {
    groupId: 1,
    hardState: { term, vote, commit: 5 },
    onDisk: [],
    entries: [],
    compactedIndex: 5,
    compactedTerm: 3,
  };
}

test.each([
  ["in the snapshot's term the vote is kept: no second one in it", 7, { term: 7, vote: 2, commit: 20 }],
  ["in a later term too", 9, { term: 9, vote: 2, commit: 20 }],
  ["a vote of an earlier term says nothing about the snapshot's", 6, { term: 7, vote: 0, commit: 20 }],
])("%s", (_what, term, hardState) => {
  const told: number[] = [];
  const meeting = meet(1, { index: 20, term: 7, isPut: true }, recovered(term, 2), logOf(told));
  expect(meeting).toEqual({
    ok: true,
    recovered: { groupId: 1, hardState, onDisk: [], entries: [], compactedIndex: 20, compactedTerm: 7 },
  });
  expect(told).toEqual([20]);
});

test("a state that was not put and a log that does not reach it do not meet", () => {
  const meeting = meet(1, { index: 20, term: 7, isPut: false }, recovered(7, 2), logOf([]));
  expect(meeting).toMatchObject({ ok: false, message: "the log ends at 5, the checkpoint is at 20" });
});
