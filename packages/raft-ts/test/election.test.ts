import { expect, test } from "vitest";
import { bytes, Cluster, diskWith, MessageType, Role } from "../testing/cluster.ts";
import { message, RaftNode } from "../src/index.ts";

test("the first replica whose timeout passes is elected and commits its no-op", () => {
  const cluster = new Cluster(3);
  cluster.tick(1, 10);
  cluster.stabilize();
  const leader = cluster.node(1);
  expect(leader.role).toBe(Role.leader);
  expect(leader.term).toBe(1);
  expect(leader.commit).toBe(1);
  expect(leader.hasCommittedInTerm).toBe(true);
  expect(cluster.node(2).leader).toBe(1);
  expect(cluster.node(3).commit).toBe(1);
});

test("a single voter leads only after its vote, and commits only after its entry, is on its own disk", () => {
  const cluster = new Cluster(1);
  const node = cluster.node(1);
  node.campaign();
  cluster.take(1);
  expect(node.role).toBe(Role.candidate);
  cluster.write(1);
  expect(node.role).toBe(Role.leader);
  expect(node.commit).toBe(0);
  cluster.take(1);
  expect(node.commit).toBe(0);
  cluster.write(1);
  expect(node.commit).toBe(1);
});

test("requests for votes leave only after the term and the log are durable", () => {
  const cluster = new Cluster(3);
  cluster.node(1).campaign();
  cluster.take(1);
  expect(cluster.network).toEqual([]);
  cluster.write(1);
  expect(cluster.get(1).disk.hardState).toEqual({ term: 1, vote: 1, commit: 0 });
  expect(cluster.network.map((m) => [m.type, m.to])).toEqual([
    [MessageType.Vote, 2],
    [MessageType.Vote, 3],
  ]);
});

test("a vote leaves only after it is durable", () => {
  const cluster = new Cluster(3);
  cluster.node(1).campaign();
  cluster.stabilize(1);
  cluster.deliverTo(2);
  cluster.take(2);
  expect(cluster.network.some((m) => m.from === 2)).toBe(false);
  cluster.write(2);
  expect(cluster.get(2).disk.hardState.vote).toBe(1);
  expect(cluster.network.some((m) => m.from === 2 && m.type === MessageType.VoteResp && !m.reject)).toBe(true);
});

test("a replica votes once in a term, also after a restart, and again for the same candidate", () => {
  const cluster = new Cluster(3);
  const ask = (from: number): boolean => {
    const m = message(MessageType.Vote, 3, from);
    m.term = 5;
    cluster.node(3).step(m);
    cluster.take(3);
    cluster.write(3);
    const answer = cluster.network.pop()!;
    expect(answer.type).toBe(MessageType.VoteResp);
    return !answer.reject;
  };
  expect(ask(1)).toBe(true);
  expect(ask(2)).toBe(false);
  cluster.crash(3);
  cluster.restart(3);
  expect(ask(2)).toBe(false);
  expect(ask(1)).toBe(true);
});

test("a candidate with an older or shorter log gets no vote", () => {
  const voters = [1, 2, 3];
  const cases: [term: number, index: number, granted: boolean][] = [
    [2, 9, false],
    [3, 2, false],
    [3, 3, true],
    [3, 4, true],
    [4, 1, true],
  ];
  for (const [logTerm, index, granted] of cases) {
    const node = new RaftNode(configOf(2), diskWith([1, 2, 3], voters));
    const m = message(MessageType.Vote, 2, 1);
    m.term = 9;
    m.logTerm = logTerm;
    m.index = index;
    node.step(m);
    const responses = node.takeMessages().flatMap((taken) => taken.responses);
    expect(responses.find((r) => r.type === MessageType.VoteResp)?.reject).toBe(!granted);
  }
});

test("two candidates split the vote, and a later election decides", () => {
  const cluster = new Cluster(4);
  cluster.node(1).campaign();
  cluster.node(2).campaign();
  cluster.drop = (m) => m.type === MessageType.Vote && ((m.from === 1 && m.to === 4) || (m.from === 2 && m.to === 3));
  cluster.stabilize();
  expect(cluster.leader()).toBeUndefined();
  cluster.heal();
  cluster.elect(1);
  expect(cluster.node(2).leader).toBe(1);
});

test("a candidate gives way to a leader of its own term", () => {
  const cluster = new Cluster(3);
  cluster.isolate(3);
  cluster.elect(1);
  cluster.node(3).campaign();
  cluster.stabilize();
  expect(cluster.node(3).role).toBe(Role.candidate);
  cluster.heal();
  cluster.tickAll(1);
  expect(cluster.node(3).role).toBe(Role.follower);
  expect(cluster.node(3).leader).toBe(1);
});

test("without pre-vote a returning replica deposes the leader, with pre-vote it cannot", () => {
  for (const preVote of [false, true]) {
    const cluster = new Cluster(3, { preVote });
    cluster.elect(1);
    cluster.isolate(3);
    for (let i = 0; i < 40; i++) {
      cluster.tick(3);
      cluster.stabilize();
    }
    cluster.propose(1, "x");
    cluster.stabilize();
    expect(cluster.node(3).term > 1).toBe(!preVote);
    cluster.heal();
    cluster.tick(3, 10);
    cluster.stabilize();
    cluster.tickAll(1);
    expect(cluster.node(1).role === Role.leader).toBe(preVote);
  }
});

test("a pre-vote changes neither term nor vote", () => {
  const cluster = new Cluster(3, { preVote: true });
  cluster.node(1).campaign();
  cluster.stabilize(1);
  cluster.deliverTo(2);
  cluster.stabilize(2);
  expect(cluster.node(1).role).toBe(Role.preCandidate);
  expect(cluster.node(1).hardState()).toEqual({ term: 0, vote: 0, commit: 0 });
  expect(cluster.node(2).hardState()).toEqual({ term: 0, vote: 0, commit: 0 });
});

test("a pre-candidate with a current log wins where the leader is gone", () => {
  const cluster = new Cluster(3, { preVote: true, checkQuorum: true, randomBelow: () => 5 });
  cluster.elect(1);
  cluster.crash(1);
  cluster.tick(2, 15);
  cluster.tick(3, 9);
  cluster.stabilize();
  // Replica 3 has heard of the leader within its timeout.
  expect(cluster.node(2).role).toBe(Role.preCandidate);
  cluster.tick(3, 1);
  cluster.tick(2, 15);
  cluster.stabilize();
  expect(cluster.leader()?.term).toBe(2);
});

test("with check-quorum nobody votes while a leader was heard of, except in a transfer", () => {
  const cluster = new Cluster(3, { checkQuorum: true });
  cluster.elect(1);
  const ask = (force: boolean): number => {
    const m = message(MessageType.Vote, 2, 3);
    m.term = 7;
    m.logTerm = 1;
    m.index = 9;
    m.force = force;
    cluster.node(2).step(m);
    return cluster.node(2).term;
  };
  expect(ask(false)).toBe(1);
  cluster.tick(2, 9);
  expect(ask(false)).toBe(1);
  expect(ask(true)).toBe(7);
});

test("with check-quorum a leader without contact to a majority steps down", () => {
  const cluster = new Cluster(3, { checkQuorum: true });
  cluster.elect(1);
  cluster.isolate(1);
  cluster.tick(1, 10);
  cluster.stabilize();
  // The answers of the election still count for the first round.
  expect(cluster.node(1).role).toBe(Role.leader);
  cluster.tick(1, 10);
  expect(cluster.node(1).role).toBe(Role.follower);
  expect(cluster.node(1).leader).toBe(0);
  expect(cluster.node(1).term).toBe(1);
});

test("a deposed leader is told of the new term by whom it sends to", () => {
  const cluster = new Cluster(3, { preVote: true, checkQuorum: true, randomBelow: () => 5 });
  cluster.elect(1);
  cluster.isolate(1);
  cluster.tick(2, 15);
  cluster.tick(3, 10);
  cluster.stabilize();
  const second = cluster.leader();
  expect(second?.term).toBe(2);
  cluster.heal();
  cluster.drop = (m) => m.to === 1 && m.type !== MessageType.AppResp;
  cluster.tick(1);
  cluster.stabilize();
  expect(cluster.node(1).role).toBe(Role.follower);
  expect(cluster.node(1).term).toBe(2);
});

test("a follower that forgot its leader grants a pre-vote, but only to a current log", () => {
  const cluster = new Cluster(3, { preVote: true, checkQuorum: true });
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "x");
  cluster.stabilize();
  cluster.heal();
  cluster.node(2).forgetLeader();
  expect(cluster.node(2).leader).toBe(0);
  // Behind: refused although the leader is forgotten.
  cluster.node(3).campaign();
  cluster.stabilize(2, 3);
  expect(cluster.node(3).role).not.toBe(Role.candidate);
  cluster.network = [];
  // Current: replica 2 campaigns after 3 forgot as well and caught up.
  cluster.tickAll(2);
  cluster.node(3).forgetLeader();
  cluster.node(2).campaign();
  cluster.stabilize();
  expect(cluster.node(2).role).toBe(Role.leader);
});

test("forgetting the leader means nothing to a leader, and a heartbeat restores it", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.node(1).forgetLeader();
  expect(cluster.node(1).leader).toBe(1);
  cluster.node(2).forgetLeader();
  expect(cluster.node(2).leader).toBe(0);
  cluster.tickAll(1);
  expect(cluster.node(2).leader).toBe(1);
});

test("messages for somebody else, without a term, or of local kinds from the network are ignored", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  const before = cluster.node(2).status();
  const wrongTarget = message(MessageType.App, 3, 1);
  wrongTarget.term = 9;
  cluster.node(2).step(wrongTarget);
  cluster.node(2).step(message(MessageType.Heartbeat, 2, 1));
  cluster.node(2).step(message(MessageType.Hup, 2, 1));
  const forged = message(MessageType.StorageAppendResp, 2, 1);
  cluster.node(2).step(forged);
  const stranger = message(MessageType.VoteResp, 2, 99);
  stranger.term = 9;
  cluster.node(2).step(stranger);
  expect(cluster.node(2).status()).toEqual(before);
});

test("an election timeout is drawn again for every round", () => {
  const drawn = [0, 4, 9];
  let at = 0;
  const cluster = new Cluster(3, { randomBelow: (n) => drawn[at++ % 3]! % n });
  cluster.isolate(1);
  // First drawn at start (0 → 10 ticks), then once in each term that it enters.
  const rounds: number[] = [];
  for (let tick = 1; tick <= 60; tick++) {
    const before = cluster.node(1).term;
    cluster.tick(1);
    if (cluster.node(1).term !== before) rounds.push(tick);
  }
  expect(rounds.length).toBeGreaterThan(2);
  expect(new Set(rounds.map((tick, i) => tick - (rounds[i - 1] ?? 0))).size).toBeGreaterThan(1);
});

function configOf(id: number): ConstructorParameters<typeof RaftNode>[0] {
  return {
    id,
    electionTicks: 10,
    heartbeatTicks: 1,
    applied: 0,
    maxBytesPerMessage: 1 << 20,
    maxBytesPerApply: 1 << 20,
    maxInflightMessages: 256,
    maxInflightBytes: 1 << 24,
    maxUncommittedBytes: 1 << 24,
    preVote: false,
    checkQuorum: false,
    stepDownOnRemoval: false,
    commitRidesAlong: false,
    randomBelow: () => 0,
  };
}

test("proposals are refused by whoever does not lead, without a trace", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  expect(cluster.node(2).canPropose(1)).toBe("notLeader");
  expect(cluster.node(2).propose(bytes("x"))).toEqual({ ok: false, reason: "notLeader" });
  expect(cluster.node(2).hasMessages()).toBe(false);
});

test("a leader is overdue when nothing came of it for an election timeout, and not a tick before", () => {
  const cluster = new Cluster(3);
  cluster.tick(1, 10);
  cluster.stabilize();
  const follower = cluster.node(2);
  for (let i = 0; i < 9; i++) follower.tick();
  expect([follower.role, follower.isLeaderOverdue]).toEqual([Role.follower, false]);
  cluster.tick(1, 1);
  cluster.stabilize();
  for (let i = 0; i < 9; i++) follower.tick();
  expect(follower.isLeaderOverdue).toBe(false);
  follower.tick();
  // Ten ticks and no more: from here on it may campaign on its own.
  expect(follower.isLeaderOverdue).toBe(follower.role === Role.follower);
  expect(cluster.node(1).isLeaderOverdue).toBe(false);
});
