import { expect, test } from "vitest";
import { Cluster, diskWith, emptyConfState, MessageType } from "../testing/cluster.ts";
import { ConfChangeTransition, ConfChangeType, message, RaftInvariantError } from "../src/index.ts";
import type { Message, ProgressView, RaftNode } from "../src/index.ts";

const viewOf = (leader: RaftNode, id: number): ProgressView => leader.status().progress.find((p) => p.id === id)!;

/** Three replicas; 3 has missed "a", "b", "c", and the leader's log is cut behind them. */
function behind(): Cluster {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.isolate(3);
  for (const text of ["a", "b", "c"]) cluster.propose(1, text);
  cluster.stabilize();
  cluster.compact(1);
  return cluster;
}

test("a follower behind a compacted log gets a snapshot, then the log again", () => {
  const cluster = behind();
  cluster.propose(1, "d");
  cluster.stabilize();
  cluster.heal();
  cluster.tickAll(3);
  expect(cluster.texts(3)).toEqual(["a", "b", "c", "d"]);
  expect(viewOf(cluster.node(1), 3)).toMatchObject({ state: "replicate", match: 5 });
});

test("while a snapshot is under way nothing else is sent to its receiver", () => {
  const cluster = behind();
  const leader = cluster.node(1);
  cluster.heal();
  cluster.drop = (m) => m.type === MessageType.Snap;
  cluster.tickAll(2);
  expect(viewOf(leader, 3).state).toBe("snapshot");
  const sent = new Set<number>();
  cluster.drop = (m) => {
    if (m.to === 3) sent.add(m.type);
    return false;
  };
  cluster.propose(1, "d");
  cluster.stabilize();
  cluster.tickAll(2);
  expect([...sent]).toEqual([MessageType.Heartbeat]);
});

test("a failed snapshot is tried again after a heartbeat, a finished one is taken on trust", () => {
  const cluster = behind();
  const leader = cluster.node(1);
  cluster.drop = (m) => m.type === MessageType.Snap;
  cluster.tickAll(2);
  leader.reportSnapshot(3, false);
  expect(viewOf(leader, 3)).toMatchObject({ state: "probe", next: 2 });
  expect(cluster.take(1)).toEqual([]);
  cluster.tickAll(2);
  expect(viewOf(leader, 3).state).toBe("snapshot");
  leader.reportSnapshot(3, true);
  expect(viewOf(leader, 3)).toMatchObject({ state: "probe", next: 5 });
  // It was lost all the same: the probe behind it is refused, and another snapshot goes out.
  cluster.heal();
  cluster.tickAll(3);
  expect(cluster.texts(3)).toEqual(["a", "b", "c"]);
});

test("no snapshot is sent to a follower that does not answer", () => {
  const cluster = behind();
  const leader = cluster.node(1);
  // A new term: nobody has been heard of yet except through votes.
  cluster.node(2).campaign();
  cluster.stabilize();
  cluster.elect(1);
  cluster.propose(1, "d");
  cluster.stabilize();
  expect(viewOf(leader, 3).state).toBe("probe");
});

test("while no snapshot is ready the follower is asked again later", () => {
  const cluster = behind();
  cluster.get(1).disk.latest = "unavailable";
  cluster.heal();
  cluster.tickAll(3);
  expect(cluster.texts(3)).toEqual([]);
  cluster.compact(1);
  cluster.tickAll(2);
  expect(cluster.texts(3)).toEqual(["a", "b", "c"]);
});

test("a snapshot older than the follower's addition is not sent to it", () => {
  const cluster = new Cluster(1, { index: 10 });
  const leader = cluster.elect(1);
  const old = cluster.snapshotOf(1);
  cluster.get(1).disk.takeSnapshot = () => old;
  cluster.add(2, emptyConfState, 0);
  cluster.changeV1(1, { type: ConfChangeType.addLearnerNode, replica: 2 });
  cluster.stabilize();
  cluster.tickAll(3);
  expect(viewOf(leader, 2).state).toBe("probe");
  cluster.get(1).disk.takeSnapshot = () => cluster.snapshotOf(1);
  cluster.tickAll(2);
  expect(cluster.node(2).status().confState).toEqual({ ...emptyConfState, voters: [1], learners: [2] });
});

test("an acknowledgement that lets the log take over ends the snapshot state", () => {
  const cluster = behind();
  const leader = cluster.node(1);
  cluster.drop = (m) => m.type === MessageType.Snap;
  cluster.tickAll(2);
  expect(viewOf(leader, 3).state).toBe("snapshot");
  // It got the entries some other way: from an older snapshot, say.
  cluster.get(3).disk.entriesStored = diskWith([1, 1, 1, 1], [1, 2, 3]).entriesStored;
  const ack = message(MessageType.AppResp, 1, 3);
  ack.term = leader.term;
  ack.index = 4;
  leader.step(ack);
  expect(viewOf(leader, 3)).toMatchObject({ state: "replicate", match: 4 });
});

/** The snapshot on its way to replica 3, taken out of the network. */
function snapshotFor3(cluster: Cluster): Message {
  let snap: Message | undefined;
  cluster.drop = (m) => {
    if (m.type === MessageType.Snap) snap = m;
    return m.type === MessageType.Snap;
  };
  cluster.tickAll(3);
  cluster.heal();
  return snap!;
}

test("a snapshot is acknowledged only when it is installed, and nothing is applied meanwhile", () => {
  const cluster = behind();
  cluster.node(3).step(snapshotFor3(cluster));
  cluster.take(3);
  expect(cluster.get(3).appends[0]?.snapshot?.meta.index).toBe(4);
  expect(cluster.get(3).applies).toEqual([]);
  expect(cluster.network).toEqual([]);
  expect(cluster.node(3).status().applied).toBe(1);
  // It must not campaign in this state.
  cluster.node(3).campaign();
  expect(cluster.node(3).term).toBe(1);
  cluster.write(3);
  expect(cluster.node(3).status().applied).toBe(4);
  expect(cluster.network.map((m) => [m.type, m.index])).toEqual([[MessageType.AppResp, 4]]);
});

test("a snapshot whose installation ends in a later term counts all the same", () => {
  const cluster = behind();
  cluster.node(3).step(snapshotFor3(cluster));
  cluster.take(3);
  const later = message(MessageType.Heartbeat, 3, 2);
  later.term = 9;
  cluster.node(3).step(later);
  cluster.write(3);
  expect(cluster.node(3).status()).toMatchObject({ term: 9, applied: 4 });
});

test("a change handed to the state machine before a snapshot came is not made twice", () => {
  const cluster = new Cluster(3, { index: 10 });
  cluster.elect(1);
  cluster.changeV2(1, {
    transition: ConfChangeTransition.jointExplicit,
    changes: [{ type: ConfChangeType.addLearnerNode, replica: 4 }],
  });
  cluster.stabilize(1, 2);
  cluster.changeV2(1, { transition: ConfChangeTransition.auto, changes: [] });
  cluster.stabilize(1, 2);
  const expected = cluster.node(1).status().confState;
  expect(expected.votersOutgoing).toEqual([]);
  // Replica 3 has been handed the first change when a snapshot behind both arrives.
  cluster.drop = (m) => m.from === 3 || m.commit > 12 || m.type === MessageType.Snap;
  for (let i = 0; i < 20; i++) {
    cluster.deliverTo(3);
    cluster.take(3);
    while (cluster.write(3)) cluster.take(3);
  }
  cluster.heal();
  const m = message(MessageType.Snap, 3, 1);
  m.term = cluster.node(1).term;
  m.snapshot = { ...cluster.snapshotOf(1), meta: { ...cluster.snapshotOf(1).meta, index: 20, term: 2 } };
  cluster.node(3).step(m);
  expect(cluster.get(3).applies.flatMap((apply) => apply.entries.map((entry) => entry.type))).toContain(2);
  while (cluster.apply(3));
  expect(cluster.node(3).status().confState).toEqual(expected);
});

test("a snapshot at or behind the commit index, or without this replica, is not installed", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  const confState = cluster.node(1).status().confState;
  const offer = (index: number, conf = confState): number => {
    const m = message(MessageType.Snap, 2, 1);
    m.term = 1;
    m.snapshot = { meta: { index, term: 1, confState: conf }, handle: 0 };
    cluster.node(2).step(m);
    return cluster.node(2).lastIndex;
  };
  expect(offer(2)).toBe(2);
  expect(offer(9, { ...emptyConfState, voters: [1, 3] })).toBe(2);
  expect(offer(9)).toBe(9);
});

test("a snapshot that the log already contains only moves the commit index", () => {
  const cluster = new Cluster(0);
  for (const id of [1, 2, 3]) cluster.addWithDisk(id, diskWith([1, 1, 1, 1], [1, 2, 3]));
  const m = message(MessageType.Snap, 2, 1);
  m.term = 1;
  m.snapshot = { meta: { index: 3, term: 1, confState: { ...emptyConfState, voters: [1, 2, 3] } }, handle: 0 };
  cluster.node(2).step(m);
  expect(cluster.node(2).status()).toMatchObject({ commit: 3, lastIndex: 4 });
  expect(cluster.take(2).some((taken) => taken.snapshot !== null)).toBe(false);
});

test("a snapshot neither lowers the term nor clears the vote", () => {
  const cluster = new Cluster(3);
  const vote = message(MessageType.Vote, 2, 1);
  vote.term = 5;
  cluster.node(2).step(vote);
  const m = message(MessageType.Snap, 2, 1);
  m.term = 5;
  m.snapshot = { meta: { index: 7, term: 2, confState: { ...emptyConfState, voters: [1, 2, 3] } }, handle: 0 };
  cluster.node(2).step(m);
  expect(cluster.node(2).hardState()).toEqual({ term: 5, vote: 1, commit: 7 });
});

test("a restart from a compacted log with a stale commit index goes on from the snapshot", () => {
  const cluster = behind();
  cluster.get(1).disk.hardState = { term: 1, vote: 1, commit: 1 };
  cluster.crash(1);
  cluster.restart(1);
  expect(cluster.node(1).status()).toMatchObject({ commit: 4, applied: 4, term: 1, vote: 1 });
});

test("a leader's word about commits that this log cannot have stops the replica", () => {
  const cluster = new Cluster(3);
  const m = message(MessageType.Heartbeat, 2, 1);
  m.term = 1;
  m.commit = 5;
  expect(() => cluster.node(2).step(m)).toThrow(RaftInvariantError);
});

test("an append that would replace a committed entry stops the replica", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  const m = message(MessageType.App, 2, 3);
  m.term = 9;
  m.index = 2;
  m.logTerm = 1;
  m.entries = [{ term: 9, index: 3, type: 0, data: new Uint8Array(0) }];
  m.commit = 3;
  cluster.node(2).step(m);
  expect(cluster.node(2).commit).toBe(3);
  const again = { ...m, entries: [{ term: 8, index: 3, type: 0 as const, data: new Uint8Array(0) }], index: 2 };
  // Behind the commit index: answered, not appended.
  cluster.node(2).step(again);
  expect(cluster.node(2).hasEntry(9, 3)).toBe(true);
  const conflicting = {
    ...m,
    index: 3,
    logTerm: 9,
    entries: [{ term: 9, index: 4, type: 0 as const, data: new Uint8Array(0) }],
    commit: 4,
  };
  cluster.node(2).step(conflicting);
  expect(cluster.node(2).hasEntry(9, 4)).toBe(true);
});
