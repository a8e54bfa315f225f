/**
 * The Raft paper section by section, for one replica at a time: it is given a log and messages, and what it answers is compared with what the paper
 * says. Scenarios of several replicas are in the other files.
 */
import { describe, expect, test } from "vitest";
import { bytes, Cluster, diskWith, emptyConfState, MessageType, Role } from "../testing/cluster.ts";
import type { ClusterOptions } from "../testing/cluster.ts";
import { EntryType, message } from "../src/index.ts";
import type { Entry, Message } from "../src/index.ts";

const ids = [1, 2, 3];

/** Replica 1 of three with this log; the others do not exist, what is sent to them stays in the network. */
function alone(
  terms: readonly number[],
  hard: { term?: number; vote?: number },
  options: ClusterOptions = {},
): Cluster {
  const cluster = new Cluster(0, options);
  cluster.addWithDisk(1, diskWith(terms, ids, hard));
  return cluster;
}

function entriesOf(firstIndex: number, terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: firstIndex + i, type: EntryType.Normal, data: bytes("x") }));
}

function from(sender: number, type: MessageType, fields: Partial<Message>): Message {
  return { ...message(type, 1, sender), ...fields };
}

/** What replica 1 sends when it has handled `m` and its disk has answered. */
function answersTo(cluster: Cluster, m: Message): Message[] {
  cluster.network = [];
  cluster.node(1).step(m);
  cluster.take(1);
  while (cluster.write(1));
  return cluster.network;
}

function bringTo(cluster: Cluster, role: Role): void {
  const node = cluster.node(1);
  if (role === Role.follower) return;
  node.campaign();
  cluster.take(1);
  while (cluster.write(1));
  if (role === Role.preCandidate || role === Role.candidate) return;
  node.step(from(2, MessageType.VoteResp, { term: node.term }));
  cluster.take(1);
  while (cluster.write(1));
}

const roles = [
  ["follower", Role.follower, false],
  ["pre-candidate", Role.preCandidate, true],
  ["candidate", Role.candidate, false],
  ["leader", Role.leader, false],
] as const;

describe("§5.1 terms", () => {
  for (const [name, role, preVote] of roles) {
    test(`a ${name} that hears of a higher term follows in it`, () => {
      const cluster = alone([1], { term: 1 }, { preVote });
      bringTo(cluster, role);
      expect(cluster.node(1).role).toBe(role);
      cluster.node(1).step(from(2, MessageType.App, { term: 7, index: 1, logTerm: 1 }));
      expect(cluster.node(1).status()).toMatchObject({ role: Role.follower, term: 7, vote: 0, leader: 2 });
    });

    test(`a ${name} ignores what is of a lower term`, () => {
      const cluster = alone([1], { term: 4 }, { preVote });
      bringTo(cluster, role);
      const before = cluster.node(1).status();
      for (const type of [MessageType.App, MessageType.Heartbeat, MessageType.Snap, MessageType.Vote] as const) {
        if (preVote && type !== MessageType.Vote && type !== MessageType.Snap) continue;
        expect(answersTo(cluster, from(2, type, { term: 3, index: 9, commit: 1 }))).toEqual([]);
      }
      for (const type of [MessageType.AppResp, MessageType.VoteResp, MessageType.TimeoutNow] as const) {
        expect(answersTo(cluster, from(2, type, { term: 3, index: 1 }))).toEqual([]);
      }
      expect(cluster.node(1).status()).toEqual(before);
    });

    test(`a ${name} asked for a vote of a higher term by a good log gives it and follows nobody`, () => {
      const cluster = alone([1], { term: 1 }, { preVote });
      bringTo(cluster, role);
      const term = cluster.node(1).term + 1;
      const answers = answersTo(cluster, from(2, MessageType.Vote, { term, index: 42, logTerm: term }));
      expect(answers.map((m) => [m.type, m.to, m.term, m.reject])).toEqual([[MessageType.VoteResp, 2, term, false]]);
      expect(cluster.node(1).status()).toMatchObject({ role: Role.follower, term, vote: 2, leader: 0 });
    });

    test(`a ${name} gives a pre-vote and stays what it is`, () => {
      const cluster = alone([1], { term: 1 }, { preVote });
      bringTo(cluster, role);
      const before = cluster.node(1).status();
      const m = from(2, MessageType.PreVote, { term: before.term + 1, index: 42, logTerm: before.term });
      const answers = answersTo(cluster, m);
      expect(answers.map(({ type, term, reject }) => [type, term, reject])).toEqual([
        [MessageType.PreVoteResp, before.term + 1, false],
      ]);
      expect(cluster.node(1).status()).toEqual(before);
    });
  }
});

describe("§5.2 elections", () => {
  test("everybody starts as a follower of nobody", () => {
    expect(alone([1, 2], { term: 3, vote: 2 }).node(1).status()).toMatchObject({
      role: Role.follower,
      term: 3,
      vote: 2,
      leader: 0,
    });
  });

  test("a vote is given once a term, to the first who asks, and again to the same", () => {
    const table: [vote: number, candidate: number, isGranted: boolean][] = [
      [0, 2, true],
      [0, 3, true],
      [2, 2, true],
      [3, 3, true],
      [2, 3, false],
      [3, 2, false],
    ];
    for (const [vote, candidate, isGranted] of table) {
      const cluster = alone([1], { term: 2, vote });
      const answers = answersTo(cluster, from(candidate, MessageType.Vote, { term: 2, index: 1, logTerm: 1 }));
      expect(answers[0]?.reject).toBe(!isGranted);
    }
  });

  test("whoever knows the term's leader votes for nobody else in that term, even with its vote unspent", () => {
    const cluster = alone([1], { term: 2 });
    cluster.node(1).step(from(2, MessageType.Heartbeat, { term: 2 }));
    cluster.take(1);
    const answers = answersTo(cluster, from(3, MessageType.Vote, { term: 2, index: 9, logTerm: 2 }));
    expect(answers.map(({ reject }) => reject)).toEqual([true]);
    expect(cluster.node(1).status()).toMatchObject({ vote: 0, leader: 2 });
  });

  test("a vote given starts the voter's own timeout again, one refused does not", () => {
    for (const [logTerm, role] of [
      [1, Role.follower],
      [0, Role.candidate],
    ] as const) {
      const cluster = alone([1], { term: 2 });
      cluster.tick(1, 9);
      answersTo(cluster, from(2, MessageType.Vote, { term: 2, index: 1, logTerm }));
      cluster.tick(1, 1);
      expect(cluster.node(1).role).toBe(role);
    }
  });

  test("a voter's first word in a term counts, and its pre-votes count for nothing in it", () => {
    const voters = [1, 2, 3, 4, 5];
    const cluster = new Cluster(0, { preVote: true });
    cluster.addWithDisk(1, diskWith([], voters));
    const node = cluster.node(1);
    node.campaign();
    for (const id of [2, 3, 4]) node.step(from(id, MessageType.PreVoteResp, { term: 1 }));
    cluster.take(1);
    while (cluster.write(1));
    expect([node.role, node.term]).toEqual([Role.candidate, 1]);
    node.step(from(2, MessageType.VoteResp, { term: 1, reject: true }));
    node.step(from(2, MessageType.VoteResp, { term: 1 }));
    for (const id of [3, 4, 5]) node.step(from(id, MessageType.PreVoteResp, { term: 1 }));
    node.step(from(3, MessageType.VoteResp, { term: 1 }));
    expect(node.role).toBe(Role.candidate);
    node.step(from(4, MessageType.VoteResp, { term: 1 }));
    expect(node.role).toBe(Role.leader);
  });

  test("an election is won by a majority, for every size and number of votes", () => {
    const table: [size: number, granted: number, refused: number, role: Role][] = [
      [1, 0, 0, Role.leader],
      [3, 1, 0, Role.leader],
      [3, 0, 0, Role.candidate],
      [3, 0, 1, Role.candidate],
      [3, 0, 2, Role.follower],
      [5, 4, 0, Role.leader],
      [5, 2, 2, Role.leader],
      [5, 1, 0, Role.candidate],
      [5, 1, 3, Role.follower],
      [5, 0, 4, Role.follower],
    ];
    for (const [size, granted, refused, role] of table) {
      const voters = Array.from({ length: size }, (_, i) => i + 1);
      const cluster = new Cluster(0);
      cluster.addWithDisk(1, diskWith([], voters));
      bringTo(cluster, Role.candidate);
      for (let i = 0; i < granted + refused; i++) {
        cluster.node(1).step(from(2 + i, MessageType.VoteResp, { term: 1, reject: i >= granted }));
      }
      expect([cluster.node(1).role, cluster.node(1).term]).toEqual([role, 1]);
    }
  });

  test("a candidate that has given way is not brought back by its own vote, when that becomes durable", () => {
    const cluster = alone([], {});
    const node = cluster.node(1);
    node.campaign();
    cluster.take(1);
    node.step(from(2, MessageType.App, { term: 1 }));
    node.step(from(3, MessageType.VoteResp, { term: 1 }));
    while (cluster.write(1));
    expect(node.status()).toMatchObject({ role: Role.follower, term: 1, leader: 2 });
  });

  test("its own pre-vote, late, is no vote", () => {
    const cluster = alone([], {}, { preVote: true });
    const node = cluster.node(1);
    node.campaign();
    cluster.take(1);
    node.step(from(2, MessageType.PreVoteResp, { term: 1 }));
    node.step(from(3, MessageType.PreVoteResp, { term: 1 }));
    expect([node.role, node.term]).toEqual([Role.candidate, 1]);
    node.step(from(2, MessageType.VoteResp, { term: 1, reject: true }));
    // Two writes: one with the pre-vote, one with the vote.
    cluster.take(1);
    cluster.write(1);
    expect(node.role).toBe(Role.candidate);
    cluster.write(1);
    expect(node.role).toBe(Role.candidate);
    node.step(from(3, MessageType.VoteResp, { term: 1 }));
    expect(node.role).toBe(Role.leader);
  });

  test("nobody campaigns who is no voter, or whose state is being replaced", () => {
    const table = [
      { ...emptyConfState, voters: [2, 3] },
      { ...emptyConfState, voters: [2], learners: [1] },
    ];
    for (const confState of table) {
      const cluster = new Cluster(0);
      const disk = diskWith([1], ids, { term: 1 });
      disk.base = { ...disk.base, confState };
      cluster.addWithDisk(1, disk);
      cluster.tick(1, 50);
      cluster.node(1).campaign();
      expect(cluster.node(1).status()).toMatchObject({ role: Role.follower, term: 1 });
    }
    const receiving = alone([], { term: 1 });
    const meta = { index: 5, term: 1, confState: { ...emptyConfState, voters: ids } };
    receiving.node(1).step(from(2, MessageType.Snap, { term: 1, snapshot: { meta, handle: 0 } }));
    receiving.tick(1, 50);
    expect(receiving.node(1).role).toBe(Role.follower);
  });

  test("a removed replica still votes, for the candidate may know better", () => {
    const cluster = new Cluster(0, { checkQuorum: true });
    const disk = diskWith([1], ids, { term: 1 });
    disk.base = { ...disk.base, confState: { ...emptyConfState, voters: [2, 3] } };
    cluster.addWithDisk(1, disk);
    const answers = answersTo(cluster, from(2, MessageType.Vote, { term: 2, index: 1, logTerm: 1 }));
    expect(answers[0]?.reject).toBe(false);
  });
});

describe("§5.3 replication", () => {
  test("an append is accepted where the entry before it matches, and refused with a hint elsewhere", () => {
    // (1, 1) (2, 2), the first committed.
    const table: [logTerm: number, index: number, expected: Partial<Message>][] = [
      [0, 0, { index: 1, reject: false }],
      [1, 1, { index: 1, reject: false }],
      [2, 2, { index: 2, reject: false }],
      [1, 2, { index: 2, reject: true, rejectHint: 1, logTerm: 1 }],
      [3, 3, { index: 3, reject: true, rejectHint: 2, logTerm: 2 }],
      [3, 9, { index: 9, reject: true, rejectHint: 2, logTerm: 2 }],
    ];
    for (const [logTerm, index, expected] of table) {
      const cluster = alone([1, 2], { term: 2 });
      cluster.node(1).step(from(2, MessageType.Heartbeat, { term: 2, commit: 1 }));
      cluster.take(1);
      const answers = answersTo(cluster, from(2, MessageType.App, { term: 2, logTerm, index }));
      expect(answers).toHaveLength(1);
      expect(answers[0]).toMatchObject({ type: MessageType.AppResp, ...expected });
    }
  });

  test("entries that conflict are replaced with all behind them, equal ones stay", () => {
    // (1, 1) (2, 2)
    const table: [logTerm: number, index: number, terms: number[], expected: number[]][] = [
      [2, 2, [3], [1, 2, 3]],
      [1, 1, [3, 4], [1, 3, 4]],
      [0, 0, [1], [1, 2]],
      [0, 0, [3], [3]],
      [0, 0, [1, 2, 2], [1, 2, 2]],
      [1, 1, [], [1, 2]],
    ];
    for (const [logTerm, index, terms, expected] of table) {
      const cluster = alone([1, 2], { term: 4 });
      answersTo(cluster, from(2, MessageType.App, { term: 4, logTerm, index, entries: entriesOf(index + 1, terms) }));
      expect(cluster.terms(1)).toEqual(expected);
    }
  });

  test("a follower commits what the leader has committed, as far as it knows to have the same", () => {
    // (1, 1) (2, 2) (3, 2)
    const table: [index: number, logTerm: number, terms: number[], leaderCommit: number, expected: number][] = [
      [3, 2, [2], 4, 4],
      [3, 2, [2], 9, 4],
      [1, 1, [], 3, 1],
      [2, 2, [], 1, 1],
      [2, 2, [2], 2, 2],
    ];
    for (const [index, logTerm, terms, commit, expected] of table) {
      const cluster = alone([1, 2, 2], { term: 2 });
      answersTo(
        cluster,
        from(2, MessageType.App, { term: 2, logTerm, index, commit, entries: entriesOf(index + 1, terms) }),
      );
      expect(cluster.node(1).commit).toBe(expected);
    }
  });

  test("a heartbeat moves the commit index forward, never back", () => {
    const cluster = alone([1, 1, 1], { term: 1 });
    for (const [commit, expected] of [
      [2, 2],
      [1, 2],
      [3, 3],
    ] as const) {
      answersTo(cluster, from(2, MessageType.Heartbeat, { term: 1, commit }));
      expect(cluster.node(1).commit).toBe(expected);
    }
  });

  test("an entry is committed exactly when a majority has it, for every size", () => {
    const table: [size: number, alive: number[], isCommitted: boolean][] = [
      [1, [1], true],
      [3, [1], false],
      [3, [1, 2], true],
      [3, [1, 2, 3], true],
      [5, [1, 2], false],
      [5, [1, 2, 3], true],
      [5, [1, 2, 3, 4], true],
    ];
    for (const [size, alive, isCommitted] of table) {
      const cluster = new Cluster(size);
      cluster.elect(1);
      for (const id of cluster.members.keys()) if (!alive.includes(id)) cluster.crash(id);
      cluster.propose(1, "a");
      cluster.stabilize();
      expect(cluster.node(1).commit).toBe(isCommitted ? 2 : 1);
    }
  });

  test("what older terms left behind is committed along with the first entry of the own", () => {
    for (const terms of [[], [2], [1, 2], [1, 1]]) {
      const cluster = new Cluster(0);
      cluster.addWithDisk(1, diskWith(terms, ids, { term: 2 }));
      for (const id of [2, 3]) cluster.addWithDisk(id, diskWith([], ids, { term: 2 }));
      cluster.elect(1);
      for (const id of ids) {
        expect(cluster.terms(id)).toEqual([...terms, 3]);
        expect(cluster.node(id).commit).toBe(terms.length + 1);
        expect(cluster.texts(id)).toEqual(cluster.texts(1));
      }
    }
  });

  test("a refusal leads to the place where the logs part, by way of whole terms", () => {
    const table: [leader: number[], follower: number[], refusals: [hint: number, term: number][], prev: number[]][] = [
      // The follower is short.
      [[1, 1, 2, 2], [1], [[1, 1]], [4, 1]],
      // It has a term that the leader never saw: skip the leader's higher ones.
      [[1, 2, 2, 4, 4, 4, 4], [1, 2, 2, 2, 2, 3], [[6, 3]], [7, 3]],
      // Two foreign terms, in two steps.
      [
        [1, 3, 3, 3, 5, 5, 5],
        [1, 4, 4, 4, 4],
        [
          [5, 4],
          [1, 1],
        ],
        [7, 4, 1],
      ],
      // It has more of the term before the leader's last: one step back is enough.
      [[1, 1, 1, 5], [1, 1, 1, 1, 1, 1], [[4, 1]], [4, 3]],
      // The leader's guess from the hint is refused once more.
      [
        [1, 1, 1, 1, 5],
        [1, 1, 1, 2, 2],
        [
          [5, 2],
          [3, 1],
        ],
        [5, 4, 3],
      ],
      // Nothing at all.
      [[2, 2, 2], [], [[0, 0]], [3, 0]],
    ];
    for (const [leader, follower, expectedRefusals, expectedPrev] of table) {
      const cluster = new Cluster(0);
      cluster.addWithDisk(1, diskWith(leader, ids, { term: 5 }));
      cluster.addWithDisk(2, diskWith(follower, ids, { term: 5 }));
      cluster.addWithDisk(3, diskWith([], ids, { term: 5 }));
      const refusals: [number, number][] = [];
      const prev: number[] = [];
      cluster.drop = (m) => {
        if (m.from === 2 && m.type === MessageType.AppResp && m.reject) refusals.push([m.rejectHint, m.logTerm]);
        if (m.to === 2 && m.type === MessageType.App && m.entries.length > 0) prev.push(m.index);
        return false;
      };
      cluster.elect(1);
      expect(refusals).toEqual(expectedRefusals);
      expect(prev).toEqual(expectedPrev);
      expect(cluster.terms(2)).toEqual([...leader, 6]);
    }
  });
});

describe("§5.4 safety", () => {
  test("a vote goes only to a log that ends in a higher term, or in the same and no earlier", () => {
    // (1, 1) (2, 2)
    const table: [logTerm: number, index: number, isGranted: boolean][] = [
      [0, 0, false],
      [1, 1, false],
      [1, 2, false],
      [1, 9, false],
      [2, 1, false],
      [2, 2, true],
      [2, 3, true],
      [3, 1, true],
    ];
    for (const [logTerm, index, isGranted] of table) {
      const cluster = alone([1, 2], { term: 2 });
      const answers = answersTo(cluster, from(2, MessageType.Vote, { term: 3, logTerm, index }));
      expect(answers.map(({ reject, term }) => [reject, term])).toEqual([[!isGranted, 3]]);
    }
  });

  test("a leader may be elected past somebody with a newer log, and replaces it if that was not committed", () => {
    const all = [1, 2, 3, 4, 5];
    const cluster = new Cluster(0);
    cluster.addWithDisk(1, diskWith([1], all, { term: 1 }));
    cluster.addWithDisk(2, diskWith([1], all, { term: 1 }));
    // Replica 3 led term 2 with the votes of 4 and 5, and told nobody.
    cluster.addWithDisk(3, diskWith([2], all, { term: 2, vote: 3 }));
    cluster.addWithDisk(4, diskWith([], all, { term: 2, vote: 3 }));
    cluster.addWithDisk(5, diskWith([], all, { term: 2, vote: 3 }));
    cluster.node(1).campaign();
    cluster.stabilize();
    // Three refusals: it learns of term 2 that way.
    expect(cluster.node(1).status()).toMatchObject({ role: Role.follower, term: 2 });
    cluster.node(1).campaign();
    cluster.stabilize();
    expect(cluster.node(1).status()).toMatchObject({ role: Role.leader, term: 3 });
    for (const id of all) expect(cluster.terms(id)).toEqual([1, 3]);
  });

  test("a leader that lost its term does not count its own late write", () => {
    const cluster = alone([], {});
    bringTo(cluster, Role.leader);
    const node = cluster.node(1);
    cluster.propose(1, "a");
    cluster.take(1);
    node.step(from(2, MessageType.App, { term: 2, index: 1, logTerm: 1, entries: entriesOf(2, [2]) }));
    const { commit } = node;
    while (cluster.write(1));
    expect(node.status()).toMatchObject({ role: Role.follower, term: 2, leader: 2, commit });
    cluster.take(1);
    while (cluster.write(1));
    expect(cluster.terms(1)).toEqual([1, 2]);
  });
});
