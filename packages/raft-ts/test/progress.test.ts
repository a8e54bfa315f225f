/** A leader's view of one replica, and the window of what is on its way to it: unit by unit, expected values by arithmetic. */
import { expect, test } from "vitest";
import { Inflights } from "../src/inflights.ts";
import { Progress, ProgressState } from "../src/progress.ts";

const { probe, replicate, snapshot } = ProgressState;

function progressAt(state: ProgressState, match: number, next: number): Progress {
  const progress = new Progress(2, next, false, new Inflights(256, 1 << 20));
  progress.match = match;
  progress.state = state;
  return progress;
}

test("an acknowledgement moves match, and next no further than it must", () => {
  // match 3, next 5
  const table: [acknowledged: number, isNews: boolean, match: number, next: number][] = [
    [2, false, 3, 5],
    [3, false, 3, 5],
    [4, true, 4, 5],
    [5, true, 5, 6],
    [9, true, 9, 10],
  ];
  for (const [index, isNews, match, next] of table) {
    const progress = progressAt(probe, 3, 5);
    progress.isFlowPaused = true;
    expect(progress.acknowledge(index)).toBe(isNews);
    expect([progress.match, progress.next]).toEqual([match, next]);
    expect(progress.isFlowPaused).toBe(!isNews);
  }
});

test("a refusal in the stream goes back behind what matches, unless it is older than that", () => {
  const table: [refused: number, isNews: boolean, next: number][] = [
    [4, false, 10],
    [5, false, 10],
    [9, true, 6],
  ];
  for (const [refused, isNews, next] of table) {
    const progress = progressAt(replicate, 5, 10);
    expect(progress.refuse(refused, 2)).toBe(isNews);
    expect(progress.next).toBe(next);
  }
});

test("a refused probe goes to the hint, never behind what matches and never forward; one that is not the probe's is out of date", () => {
  const table: [match: number, next: number, refused: number, hint: number, isNews: boolean, expected: number][] = [
    [0, 10, 5, 5, false, 10],
    [0, 10, 9, 9, true, 9],
    [0, 10, 9, 2, true, 3],
    [0, 10, 9, 0, true, 1],
    [0, 2, 1, 1, true, 1],
    [0, 2, 1, 10, true, 1],
    [4, 10, 9, 1, true, 5],
  ];
  for (const [match, next, refused, hint, isNews, expected] of table) {
    const progress = progressAt(probe, match, next);
    progress.isFlowPaused = true;
    expect(progress.refuse(refused, hint)).toBe(isNews);
    expect(progress.next).toBe(expected);
    expect(progress.isFlowPaused).toBe(!isNews);
  }
});

test("probing begins behind what matches, or behind a snapshot that has arrived", () => {
  const fromStream = progressAt(replicate, 3, 9);
  fromStream.sentCommit = 8;
  fromStream.becomeProbe();
  expect([fromStream.match, fromStream.next, fromStream.sentCommit]).toEqual([3, 4, 3]);

  const arrived = progressAt(snapshot, 1, 11);
  arrived.pendingSnapshot = 10;
  arrived.becomeProbe();
  expect([arrived.match, arrived.next, arrived.pendingSnapshot]).toEqual([1, 11, 0]);

  const failed = progressAt(snapshot, 1, 11);
  failed.pendingSnapshot = 0;
  failed.becomeProbe();
  expect([failed.match, failed.next]).toEqual([1, 2]);
});

test("a snapshot's receiver has the log behind it next, and is told of nothing else", () => {
  const progress = progressAt(probe, 1, 2);
  progress.becomeSnapshot(10);
  expect([progress.state, progress.match, progress.next, progress.pendingSnapshot]).toEqual([snapshot, 1, 11, 10]);
  expect(progress.isPaused()).toBe(true);
  expect(progress.canBumpCommit(10)).toBe(false);
});

test("the stream begins behind what matches, with an empty window", () => {
  const progress = progressAt(probe, 1, 5);
  progress.inflights.add(4, 1);
  progress.isFlowPaused = true;
  progress.becomeReplicate();
  expect([progress.state, progress.match, progress.next, progress.inflights.count]).toEqual([replicate, 1, 2, 0]);
  expect(progress.isPaused()).toBe(false);
});

test("a probe pauses when it carries entries, a stream when its window is full, a snapshot always", () => {
  const empty = progressAt(probe, 0, 1);
  empty.sentEntries(0, 0);
  expect(empty.isPaused()).toBe(false);
  const carrying = progressAt(probe, 0, 1);
  carrying.sentEntries(2, 2);
  expect([carrying.isPaused(), carrying.next]).toEqual([true, 1]);
  const stream = new Progress(2, 1, false, new Inflights(2, 1 << 20));
  stream.becomeReplicate();
  stream.sentEntries(3, 3);
  expect([stream.isPaused(), stream.next]).toEqual([false, 4]);
  stream.sentEntries(1, 1);
  expect([stream.isPaused(), stream.next, stream.inflights.count]).toEqual([true, 5, 2]);
});

test("the commit index is repeated only to whom it can tell something", () => {
  // next 6: it has been sent entries up to 5
  const table: [sentCommit: number, commit: number, canBump: boolean][] = [
    [3, 3, false],
    [3, 4, true],
    [4, 9, true],
    [5, 9, false],
    [7, 9, false],
  ];
  for (const [sentCommit, commit, canBump] of table) {
    const progress = progressAt(replicate, 3, 6);
    progress.sentCommit = sentCommit;
    expect(progress.canBumpCommit(commit)).toBe(canBump);
  }
});

test("the window counts messages and bytes, in a ring", () => {
  const window = new Inflights(10, 1 << 20);
  for (let index = 0; index < 5; index++) window.add(index, 100 + index);
  expect([window.count, window.bytes, window.isFull()]).toEqual([5, 510, false]);
  for (let index = 5; index < 10; index++) window.add(index, 100 + index);
  expect([window.count, window.bytes, window.isFull()]).toEqual([10, 1045, true]);
  expect(() => window.add(10, 1)).toThrow("full window");
  window.freeUpTo(4);
  expect([window.count, window.bytes]).toEqual([5, 535]);
  window.freeUpTo(8);
  expect([window.count, window.bytes]).toEqual([1, 109]);
  for (let index = 10; index < 15; index++) window.add(index, 100 + index);
  expect([window.count, window.bytes]).toEqual([6, 669]);
  window.freeUpTo(12);
  expect([window.count, window.bytes]).toEqual([2, 227]);
  window.freeUpTo(14);
  expect([window.count, window.bytes]).toEqual([0, 0]);
  window.freeUpTo(99);
  expect(window.count).toBe(0);
  window.add(15, 7);
  window.reset();
  expect([window.count, window.bytes]).toEqual([0, 0]);
});

test("the window is full when either limit is reached; the last message in may exceed the bytes", () => {
  const table: [maxMessages: number, maxBytes: number, fits: number][] = [
    [1, 1000, 1],
    [3, 1000, 3],
    [9, 300, 3],
    [9, 250, 3],
    [9, 100, 1],
    [9, 1, 1],
  ];
  for (const [maxMessages, maxBytes, fits] of table) {
    const window = new Inflights(maxMessages, maxBytes);
    let sent = 0;
    while (!window.isFull()) window.add(++sent, 100);
    expect(sent).toBe(fits);
    window.freeUpTo(sent);
    expect(window.isFull()).toBe(false);
  }
});
