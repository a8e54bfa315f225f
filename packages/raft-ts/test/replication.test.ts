import { expect, test } from "vitest";
import { bytes, Cluster, diskWith, MessageType, Role } from "../testing/cluster.ts";
import type { Message } from "../src/index.ts";

const appsTo = (messages: readonly Message[], to: number): Message[] =>
  messages.filter((m) => m.type === MessageType.App && m.to === to);

test("an entry is committed when a majority has it on disk, and applied everywhere", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  const proposed = cluster.propose(1, "a");
  expect(proposed).toEqual({ ok: true, term: 1, index: 2 });
  cluster.stabilize();
  for (const id of [1, 2, 3]) expect(cluster.texts(id)).toEqual(["a"]);
});

test("the index given to a proposal is the one behind the last", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  for (const text of ["a", "b", "c"]) {
    const predicted = leader.lastIndex + 1;
    expect(cluster.propose(1, text)).toMatchObject({ ok: true, index: predicted });
  }
});

test("entries travel to followers while the leader's own disk still writes them", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.propose(1, "a");
  const messages = cluster.take(1);
  expect(appsTo(messages, 2)[0]?.entries.length).toBe(1);
  // Two followers are a majority: committed without the leader's disk.
  cluster.stabilize(2, 3);
  cluster.deliverTo(1);
  expect(leader.commit).toBe(2);
  expect(cluster.get(1).disk.lastIndex()).toBe(1);
  // But not applied here before it is durable here.
  cluster.take(1);
  expect(cluster.get(1).applies).toEqual([]);
  cluster.stabilize();
  expect(cluster.texts(1)).toEqual(["a"]);
});

test("the leader's own copy counts only when its disk has answered", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.propose(1, "a");
  cluster.take(1);
  cluster.drop = (m) => m.to === 3;
  cluster.stabilize(2, 3);
  cluster.deliverTo(1);
  expect(leader.commit).toBe(1);
  cluster.write(1);
  expect(leader.commit).toBe(2);
});

test("a follower acknowledges only what its disk has", () => {
  const cluster = new Cluster(2);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize(1);
  cluster.deliverTo(2);
  cluster.take(2);
  expect(cluster.network.some((m) => m.type === MessageType.AppResp)).toBe(false);
  cluster.write(2);
  expect(cluster.network.find((m) => m.type === MessageType.AppResp)?.index).toBe(2);
});

test("an entry of an older term on a majority is not committed before one of the own term", () => {
  // Figure 8 of the paper. One entry to a message, so that "old" can travel without the no-op behind it.
  const cluster = new Cluster(3, { maxBytesPerMessage: 1 });
  cluster.elect(1);
  cluster.isolate(1);
  cluster.propose(1, "old");
  cluster.stabilize();
  cluster.crash(1);
  cluster.restart(1);
  cluster.drop = (m) =>
    m.type === MessageType.App && m.entries.some((entry) => entry.term === 2) && cluster.node(m.to).lastIndex >= 2;
  cluster.node(1).campaign();
  cluster.stabilize();
  const leader = cluster.node(1);
  expect(leader.role).toBe(Role.leader);
  for (const id of [1, 2, 3]) expect(cluster.get(id).disk.holds(1, 2)).toBe(true);
  expect(leader.commit).toBe(1);
  cluster.heal();
  cluster.tickAll(2);
  expect(leader.commit).toBe(3);
  expect(cluster.texts(2)).toEqual(["old"]);
});

test("all log shapes of Figure 7 are brought in line with the new leader", () => {
  const shapes: Record<number, number[]> = {
    1: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
    2: [1, 1, 1, 4, 4, 5, 5, 6, 6],
    3: [1, 1, 1, 4],
    4: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    5: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    6: [1, 1, 1, 4, 4, 4, 4],
    7: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };
  const ids = [1, 2, 3, 4, 5, 6, 7];
  const cluster = new Cluster(0);
  for (const id of ids) {
    const disk = diskWith(shapes[id]!, ids, { term: 7 });
    cluster.addWithDisk(id, disk);
  }
  cluster.node(1).campaign();
  cluster.stabilize();
  expect(cluster.node(1).role).toBe(Role.leader);
  cluster.propose(1, "new");
  cluster.stabilize();
  const expected = [...shapes[1]!, 8, 8];
  for (const id of ids) {
    expect(cluster.terms(id)).toEqual(expected);
    expect(cluster.node(id).commit).toBe(12);
    expect(cluster.texts(id)).toEqual(cluster.texts(1));
  }
});

test("a refusal skips whole terms: one round per differing term, not per entry", () => {
  const cluster = new Cluster(0);
  const ids = [1, 2, 3];
  const long = (term: number, count: number): number[] => Array.from({ length: count }, () => term);
  cluster.addWithDisk(1, diskWith([1, ...long(5, 40)], ids));
  cluster.addWithDisk(2, diskWith([1, ...long(2, 30), ...long(3, 30), ...long(4, 30)], ids, { term: 5 }));
  cluster.addWithDisk(3, diskWith([1, ...long(5, 40)], ids));
  let refusals = 0;
  cluster.drop = (m) => {
    if (m.type === MessageType.AppResp && m.reject && m.from === 2) refusals++;
    return false;
  };
  cluster.elect(1);
  expect(cluster.terms(2)).toEqual(cluster.terms(1));
  expect(refusals).toBeGreaterThan(0);
  expect(refusals).toBeLessThanOrEqual(4);
});

test("the follower's hint alone finds the place when the leader's log has the longer foreign term", () => {
  const cluster = new Cluster(0);
  const ids = [1, 2, 3];
  cluster.addWithDisk(1, diskWith([1, 3, 3, 3, 5, 5, 5, 5, 5], ids));
  cluster.addWithDisk(2, diskWith([1, 1, 1, 1, 2, 2], ids, { term: 5 }));
  cluster.addWithDisk(3, diskWith([1, 3, 3, 3, 5, 5, 5, 5, 5], ids));
  cluster.elect(1);
  expect(cluster.terms(2)).toEqual([1, 3, 3, 3, 5, 5, 5, 5, 5, 6]);
});

test("appends that arrive twice, late or out of order change nothing that is there", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "a");
  const first = appsTo(cluster.take(1), 2)[0]!;
  cluster.propose(1, "b");
  const second = appsTo(cluster.take(1), 2)[0]!;
  cluster.network = [];
  cluster.node(2).step(second);
  expect(cluster.node(2).lastIndex).toBe(1);
  cluster.node(2).step(first);
  cluster.node(2).step(second);
  cluster.node(2).step(first);
  expect(cluster.node(2).lastIndex).toBe(3);
  cluster.tickAll(2);
  expect(cluster.texts(2)).toEqual(["a", "b"]);
});

test("a full window of messages pauses the stream until something is acknowledged", () => {
  const cluster = new Cluster(3, { maxInflightMessages: 3 });
  cluster.elect(1);
  cluster.tickAll(1);
  cluster.isolate(3);
  const sent: number[] = [];
  for (let i = 0; i < 6; i++) {
    cluster.propose(1, `${i}`);
    sent.push(appsTo(cluster.take(1), 3).filter((m) => m.entries.length > 0).length);
  }
  expect(sent).toEqual([1, 1, 1, 0, 0, 0]);
  cluster.stabilize();
  expect(cluster.texts(2).length).toBe(6);
  cluster.heal();
  // Everything in flight was lost: a heartbeat's answer brings an empty append, its refusal the rest.
  cluster.tickAll(3);
  expect(cluster.texts(3)).toEqual(["0", "1", "2", "3", "4", "5"]);
});

test("a full window of bytes pauses the stream, but one large entry always fits", () => {
  const cluster = new Cluster(3, { maxInflightBytes: 100 });
  cluster.elect(1);
  cluster.tickAll(1);
  cluster.isolate(3);
  const large = "x".repeat(150);
  const sent: number[] = [];
  for (let i = 0; i < 3; i++) {
    cluster.propose(1, large);
    sent.push(appsTo(cluster.take(1), 3).filter((m) => m.entries.length > 0).length);
  }
  expect(sent).toEqual([1, 0, 0]);
  cluster.heal();
  cluster.tickAll(3);
  expect(cluster.texts(3)).toEqual([large, large, large]);
});

test("messages hold at most the configured bytes", () => {
  const cluster = new Cluster(3, { maxBytesPerMessage: 10 });
  cluster.elect(1);
  cluster.isolate(3);
  for (let i = 0; i < 10; i++) cluster.propose(1, "1234");
  cluster.stabilize();
  let largest = 0;
  cluster.drop = (m) => {
    if (m.type === MessageType.App) largest = Math.max(largest, m.entries.length);
    return false;
  };
  cluster.tickAll(2);
  expect(cluster.texts(3).length).toBe(10);
  expect(largest).toBe(2);
});

test("beyond the limit of uncommitted bytes proposals are refused, and nothing has happened", () => {
  const cluster = new Cluster(3, { maxUncommittedBytes: 10 });
  const leader = cluster.elect(1);
  cluster.isolate(1);
  expect(leader.canPropose(100)).toBeNull();
  expect(cluster.propose(1, "12345678").ok).toBe(true);
  cluster.take(1);
  const before = leader.status();
  expect(leader.canPropose(3)).toBe("uncommittedLimit");
  expect(cluster.propose(1, "abc")).toEqual({ ok: false, reason: "uncommittedLimit" });
  expect(leader.status()).toEqual(before);
  expect(leader.hasMessages()).toBe(false);
  // Empty ones and what still fits are taken.
  expect(leader.canPropose(0)).toBeNull();
  expect(leader.canPropose(2)).toBeNull();
  cluster.heal();
  cluster.tickAll(3);
  expect(leader.canPropose(10)).toBeNull();
});

test("the first entry may be larger than the limit of uncommitted bytes", () => {
  const cluster = new Cluster(3, { maxUncommittedBytes: 10 });
  cluster.elect(1);
  expect(cluster.propose(1, "x".repeat(100)).ok).toBe(true);
  expect(cluster.propose(1, "x").ok).toBe(false);
  cluster.stabilize();
  expect(cluster.propose(1, "x").ok).toBe(true);
});

test("an unreachable follower is probed with one message until it answers", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.tickAll(1);
  const stateOf3 = (): string | undefined => leader.status().progress.find((p) => p.id === 3)?.state;
  expect(stateOf3()).toBe("replicate");
  leader.reportUnreachable(3);
  expect(stateOf3()).toBe("probe");
  cluster.drop = (m) => m.from === 3;
  let sent = 0;
  for (let i = 0; i < 4; i++) {
    cluster.propose(1, `${i}`);
    sent += appsTo(cluster.take(1), 3).filter((m) => m.entries.length > 0).length;
    cluster.stabilize();
  }
  expect(sent).toBe(1);
  cluster.heal();
  cluster.tickAll(2);
  expect(stateOf3()).toBe("replicate");
  expect(cluster.texts(3)).toEqual(["0", "1", "2", "3"]);
});

test("a caught-up follower that was unreachable returns to replicate by a heartbeat", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.tickAll(1);
  leader.reportUnreachable(2);
  cluster.tickAll(1);
  expect(leader.status().progress.find((p) => p.id === 2)?.state).toBe("replicate");
});

test("a heartbeat tells a follower no more of the commit index than it is known to have", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, "a");
  cluster.stabilize();
  leader.tick();
  const beats = cluster.take(1).filter((m) => m.type === MessageType.Heartbeat);
  expect(beats.map((m) => [m.to, m.commit])).toEqual([
    [2, 2],
    [3, 1],
  ]);
});

test("entries that are only on disk are waited for, never a snapshot or a failure", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.isolate(3);
  for (const text of ["a", "b", "c"]) cluster.propose(1, text);
  cluster.stabilize();
  cluster.get(1).disk.coldUpTo = 3;
  cluster.heal();
  cluster.tickAll(3);
  expect(cluster.texts(3)).toEqual([]);
  expect(leader.status().progress.find((p) => p.id === 3)?.state).not.toBe("snapshot");
  cluster.get(1).disk.coldUpTo = 0;
  cluster.tickAll(2);
  expect(cluster.texts(3)).toEqual(["a", "b", "c"]);
});

test("committed entries that are only on disk are applied when they can be read", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  cluster.get(2).disk.hardState = { ...cluster.get(2).disk.hardState, commit: 2 };
  cluster.crash(2);
  cluster.get(2).disk.coldUpTo = 2;
  cluster.restart(2);
  cluster.stabilize();
  expect(cluster.texts(2)).toEqual([]);
  expect(cluster.node(2).hasMessages()).toBe(false);
  cluster.get(2).disk.coldUpTo = 0;
  cluster.tickAll(1);
  expect(cluster.texts(2)).toEqual(["a"]);
});

test("the state machine gets at most the configured bytes before it has answered", () => {
  const cluster = new Cluster(1, { maxBytesPerApply: 10 });
  cluster.elect(1);
  for (let i = 0; i < 5; i++) cluster.propose(1, "12345");
  cluster.take(1);
  while (cluster.write(1)) cluster.take(1);
  cluster.take(1);
  expect(cluster.get(1).applies.flatMap((m) => m.entries).length).toBe(2);
  cluster.stabilize();
  expect(cluster.texts(1).length).toBe(5);
});

test("what a former leader wrote is found exactly if it is still in the log", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "kept");
  cluster.stabilize();
  cluster.isolate(1);
  cluster.propose(1, "lost");
  cluster.stabilize();
  cluster.node(2).campaign();
  cluster.stabilize();
  cluster.heal();
  cluster.tickAll(2);
  expect(cluster.node(1).role).toBe(Role.follower);
  expect(cluster.node(1).hasEntry(1, 2)).toBe(true);
  expect(cluster.node(1).hasEntry(1, 3)).toBe(false);
  expect(cluster.node(1).hasEntry(2, 3)).toBe(true);
  expect(cluster.node(1).hasEntry(2, 99)).toBe(false);
  expect(cluster.texts(1)).toEqual(["kept"]);
});

test("several entries of one turn make one acknowledgement of the own disk", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  for (let i = 0; i < 5; i++) leader.propose(bytes("x"));
  const append = leader.takeMessages().find((m) => m.type === MessageType.StorageAppend);
  expect(append?.entries.length).toBe(5);
  expect(append?.responses.map((m) => [m.type, m.to, m.index])).toEqual([
    [MessageType.AppResp, 1, 6],
    [MessageType.StorageAppendResp, 1, 6],
  ]);
});

test("a commit index alone is no reason to write", () => {
  const cluster = new Cluster(1);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.take(1);
  cluster.write(1);
  expect(cluster.node(1).commit).toBe(2);
  const messages = cluster.take(1);
  expect(messages.map((m) => m.type)).toEqual([MessageType.StorageApply]);
  cluster.apply(1);
  cluster.propose(1, "b");
  cluster.take(1);
  // It rides along with the next entries.
  expect(cluster.get(1).appends[0]?.commit).toBe(2);
});

test("who leads again believes nothing of what its followers had in its earlier term", () => {
  const cluster = new Cluster(3);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  const matchOf = (id: number): number =>
    cluster
      .node(1)
      .status()
      .progress.find((view) => view.id === id)!.match;
  const before = matchOf(3);
  expect(before).toBe(cluster.node(1).lastIndex);
  cluster.elect(2);
  cluster.isolate(3);
  cluster.elect(1);
  expect(cluster.node(1).role).toBe(Role.leader);
  expect(matchOf(3)).toBe(0);
  expect(matchOf(2)).toBe(cluster.node(1).lastIndex);
});

test("with each heartbeat a follower hears up to where everybody has the log, and forgets it with the term", () => {
  const cluster = new Cluster(3, { confState: { voters: [1, 2, 3] } });
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  expect(cluster.node(1).heldByAll).toBe(2);
  expect(cluster.node(2).heldByAll).toBe(0);
  cluster.tick(1);
  cluster.stabilize();
  expect([1, 2, 3].map((id) => cluster.node(id).heldByAll)).toEqual([2, 2, 2]);
  cluster.isolate(3);
  cluster.propose(1, "b");
  cluster.stabilize();
  cluster.tick(1);
  cluster.stabilize();
  expect([1, 2].map((id) => [cluster.node(id).commit, cluster.node(id).heldByAll])).toEqual([
    [3, 2],
    [3, 2],
  ]);
  cluster.node(2).campaign();
  cluster.stabilize();
  expect(cluster.node(2).role).toBe(Role.leader);
  // Of the one that is away its new leader knows nothing yet.
  expect([1, 2].map((id) => cluster.node(id).heldByAll)).toEqual([0, 0]);
});

test("a learner counts among those who need the log", () => {
  const cluster = new Cluster(2, { confState: { voters: [1], learners: [2] } });
  cluster.isolate(2);
  cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  expect(cluster.node(1).commit).toBe(2);
  expect(cluster.node(1).heldByAll).toBe(0);
});

test("the heartbeats of a read say so too", () => {
  const cluster = new Cluster(3);
  const leader = cluster.elect(1);
  cluster.propose(1, "a");
  cluster.stabilize();
  leader.requestRead();
  cluster.stabilize();
  expect(cluster.node(2).heldByAll).toBe(2);
});
