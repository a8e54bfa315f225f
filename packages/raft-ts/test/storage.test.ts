import { expect, test } from "vitest";
import { bytes, Cluster, diskWith, MessageType, Role } from "../testing/cluster.ts";
import { LocalAppendThread, message } from "../src/index.ts";
import type { Entry, Message } from "../src/index.ts";
import { UnstableLog } from "../src/unstable-log.ts";

const entry = (term: number, index: number): Entry => ({ term, index, type: 0, data: bytes(`${term}.${index}`) });

function append(from: number, term: number, prev: readonly [number, number], entries: Entry[]): Message {
  const m = message(MessageType.App, 1, from);
  m.term = term;
  m.logTerm = prev[0];
  m.index = prev[1];
  m.entries = entries;
  return m;
}

test("a late answer for an overwritten entry does not make its successor durable", () => {
  // The ABA race: (1,2) is being written, a leader of term 2 replaces it, one of term 3 puts (1,2) back.
  const cluster = new Cluster(0);
  cluster.addWithDisk(1, diskWith([1], [1, 2, 3, 4, 5]));
  const member = cluster.get(1);
  const node = member.node;
  node.step(append(2, 1, [1, 1], [entry(1, 2), entry(1, 3)]));
  cluster.take(1);
  node.step(append(3, 2, [1, 1], [entry(2, 2)]));
  cluster.take(1);
  node.step(append(4, 3, [1, 1], [entry(1, 2), entry(1, 3)]));
  cluster.take(1);
  expect(member.appends.map((m) => m.entries.map((e) => e.term))).toEqual([[1, 1], [2], [1, 1]]);

  const commit = message(MessageType.Heartbeat, 1, 4);
  commit.term = 3;
  commit.commit = 3;
  node.step(commit);
  // First write done and answered: the disk has (1,2) (1,3), but the second write will cut them again.
  cluster.write(1);
  expect(member.disk.lastIndex()).toBe(3);
  const applied = (): number | undefined => member.applies.at(-1)?.entries.at(-1)?.index;
  cluster.take(1);
  expect(applied()).toBe(1);
  cluster.write(1);
  expect(member.disk.lastIndex()).toBe(2);
  cluster.take(1);
  expect(applied()).toBe(1);
  cluster.write(1);
  cluster.take(1);
  expect(member.applies.flatMap((m) => m.entries.map((e) => [e.term, e.index]))).toEqual([
    [1, 1],
    [1, 2],
    [1, 3],
  ]);
});

test("entries under way when the term changes are acknowledged once more in the new term", () => {
  const cluster = new Cluster(0);
  cluster.addWithDisk(1, diskWith([1], [1, 2, 3]));
  const member = cluster.get(1);
  member.node.step(append(2, 1, [1, 1], [entry(1, 2)]));
  cluster.take(1);
  const vote = message(MessageType.Vote, 1, 3);
  vote.term = 5;
  vote.logTerm = 1;
  vote.index = 2;
  member.node.step(vote);
  cluster.take(1);
  // No entries of its own, yet it answers for those before it.
  expect(member.appends[1]?.entries).toEqual([]);
  const last = member.appends[1]?.responses.at(-1);
  expect(last).toMatchObject({
    type: MessageType.StorageAppendResp,
    from: LocalAppendThread,
    term: 5,
    index: 2,
    logTerm: 1,
  });
});

test("entries are handed to the log writer once, and again only what was replaced", () => {
  const unstable = new UnstableLog(5);
  unstable.truncateAndAppend([entry(1, 5), entry(1, 6), entry(1, 7)], 0);
  expect(unstable.nextEntries().length).toBe(3);
  unstable.acceptInProgress();
  expect(unstable.hasNextEntries()).toBe(false);
  unstable.truncateAndAppend([entry(2, 6)], 0);
  expect(unstable.nextEntries()).toEqual([entry(2, 6)]);
  unstable.stableTo(1, 7);
  expect(unstable.offset).toBe(5);
  unstable.stableTo(1, 5);
  expect([unstable.offset, unstable.offsetInProgress]).toEqual([6, 6]);
  unstable.acceptInProgress();
  unstable.stableTo(1, 6);
  expect(unstable.offset).toBe(6);
  unstable.stableTo(2, 6);
  expect(unstable.entries).toEqual([]);
  expect(unstable.offset).toBe(7);
});

test("an overwrite below everything unstable takes the whole log from there", () => {
  const unstable = new UnstableLog(5);
  unstable.truncateAndAppend([entry(1, 5)], 0);
  unstable.acceptInProgress();
  unstable.truncateAndAppend([entry(2, 3), entry(2, 4)], 0);
  expect([unstable.offset, unstable.offsetInProgress, unstable.lastIndex]).toEqual([3, 3, 4]);
  expect(unstable.term(5)).toBe(-1);
  unstable.stableTo(1, 5);
  expect(unstable.offset).toBe(3);
});

test("writes two deep: acknowledgements come one by one, in order", () => {
  const cluster = new Cluster(1);
  const node = cluster.elect(1);
  node.propose(bytes("a"));
  cluster.take(1);
  node.propose(bytes("b"));
  cluster.take(1);
  expect(cluster.get(1).appends.length).toBe(2);
  cluster.write(1);
  expect(node.commit).toBe(2);
  cluster.write(1);
  expect(node.commit).toBe(3);
});

test("a hard state is sent only when it changed", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.tickAll(2);
  cluster.propose(1, "a");
  cluster.take(1);
  const first = cluster.get(1).appends[0]!;
  cluster.propose(1, "b");
  cluster.take(1);
  const second = cluster.get(1).appends[1]!;
  expect([first.term, first.vote, first.commit]).toEqual([1, 1, 1]);
  expect([second.term, second.vote, second.commit]).toEqual([0, 0, 0]);
});

test("a crash before the disk has written loses the entry, and the group agrees on the rest", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.take(1);
  cluster.network = [];
  cluster.crash(1);
  cluster.elect(2);
  cluster.propose(2, "b");
  cluster.stabilize();
  cluster.restart(1);
  cluster.tickAll(3);
  expect(cluster.texts(1)).toEqual(["b"]);
  expect(cluster.node(1).role).toBe(Role.follower);
});

test("after a restart what was committed is applied again from the snapshot on", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  cluster.compact(1);
  cluster.propose(1, "b");
  cluster.stabilize();
  cluster.crash(1);
  cluster.restart(1);
  expect(cluster.texts(1)).toEqual(["a"]);
  cluster.elect(1);
  expect(cluster.texts(1)).toEqual(["a", "b"]);
});

test("answers from a state machine that repeat or trail are harmless", () => {
  const cluster = new Cluster(1);
  const node = cluster.elect(1);
  node.propose(bytes("a"));
  cluster.take(1);
  cluster.write(1);
  cluster.take(1);
  const response = cluster.get(1).applies[0]!.responses[0]!;
  cluster.apply(1);
  node.step(response);
  expect(node.status().applied).toBe(2);
});
