/** Replicas that are further behind than the log reaches, and empty ones, get a snapshot while writes go on; whatever breaks on the way. */
import { describe, expect, test } from "vitest";
import { Ack } from "@headrace/commands";
import { ConfChangeType, encodeConfChangeV1 } from "@headrace/raft-ts";
import { decodeSnapshotFrame, SnapshotFrameKind } from "../src/snapshot-codec.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { ClusterOptions, TestReplica } from "../testing/shard-cluster.ts";

/** A checkpoint at every turn, and hardly any log behind it. */
const SHORT_LOG = {
  checkpointKeys: 1,
  checkpointBytes: 1,
  logRetainBytes: 1000,
  logCacheBytes: 500,
  snapshotChunkRows: 3,
  loadRows: 3,
};

class Scene {
  readonly cluster: ShardCluster;
  leader: TestReplica;
  #next = 1;

  constructor(options: Partial<ClusterOptions> = {}) {
    this.cluster = new ShardCluster({ replicas: 3, ...options, limits: { ...SHORT_LOG, ...options.limits } });
    this.leader = this.cluster.elect();
  }

  /** So many entries in several streams, with a group, deletions and whole keys that go. */
  write(count: number): void {
    const lane = this.leader.lane();
    for (let i = 0; i < count; i++) {
      const id = this.#next++;
      const key = `s${id % 11}`;
      lane.send(`XADD ${key} ${id}-0 field value${id}`);
      if (id % 13 === 0)
        lane.send(`XGROUP CREATE ${key} g 0 MKSTREAM`, `XREADGROUP GROUP g c COUNT 3 STREAMS ${key} >`);
      if (id % 17 === 0) lane.send(`XDEL ${key} ${id}-0`);
      if (id % 41 === 0) lane.send("DEL s5");
    }
  }

  /** Replica 3 is away while the log is cut behind it. */
  leaveBehind(count: number = 120): void {
    this.cluster.isolate(3);
    this.write(count);
    this.cluster.pass(50);
    const { matches, firstLogIndex } = this.leader.up.status();
    expect(matches.find(({ replica }) => replica === 3)!.match).toBeLessThan(firstLogIndex - 1);
  }

  catchUp(ms: number = 3000): void {
    this.cluster.pass(ms);
    this.cluster.assertSame();
    for (const { shard } of this.cluster.replicas) shard?.verify();
  }

  addLearner(id: number): TestReplica {
    const change = { type: ConfChangeType.addLearnerNode, replica: id };
    expect(this.leader.up.proposeMembers(encodeConfChangeV1(change), false).ok).toBe(true);
    this.cluster.settle();
    const learner = this.cluster.replica(id);
    learner.open();
    this.cluster.settle();
    return learner;
  }
}

describe("a replica that was away for longer than the log reaches", () => {
  test("gets a snapshot and then the log, while writes go on", () => {
    const scene = new Scene();
    scene.leaveBehind();
    scene.cluster.heal();
    for (let i = 0; i < 40; i++) {
      scene.write(2);
      scene.cluster.pass(10);
    }
    scene.catchUp();
    expect(scene.leader.traffic.sent).toBeGreaterThanOrEqual(1);
    const { traffic, up } = scene.cluster.replica(3);
    expect(traffic.installed).toBeGreaterThanOrEqual(1);
    expect(up.status().firstLogIndex).toBeGreaterThan(100);
    // What it installed is also what it finds after a restart.
    scene.cluster.replica(3).restart();
    scene.catchUp();
  });

  test("is served by the snapshot's next leader too, and can lead itself", () => {
    const scene = new Scene();
    scene.leaveBehind();
    scene.cluster.heal();
    scene.catchUp();
    scene.leader.up.handOver(3, () => {});
    scene.leader = scene.cluster.awaitLeader([3]);
    scene.write(20);
    scene.catchUp();
  });

  test("as a former leader with effects that nobody has, forgets them", () => {
    const scene = new Scene();
    scene.cluster.isolate(1);
    const doomed = scene.leader.lane();
    doomed.ack = Ack.executed;
    for (let i = 0; i < 200; i++) doomed.send(`XADD s1 ${100_000 + i}-0 f doomed`);
    scene.cluster.pass(500);
    scene.leader = scene.cluster.elect(2);
    scene.write(120);
    scene.cluster.pass(50);
    const former = scene.cluster.replica(1).up.status();
    expect(former.dirty).toBe(true);
    expect(former.stateIndex).toBeGreaterThan(former.commitIndex);
    scene.cluster.heal();
    scene.catchUp();
    expect(scene.cluster.replica(1).traffic.installed).toBe(1);
    expect(scene.leader.lane().send("XRANGE s1 100000 +")).toEqual(["1 []"]);
  });

  test("keeps serving its old state's files until the switch: a FLUSHALL that it applies meanwhile harms nothing", () => {
    const scene = new Scene({ replicas: 3 });
    scene.leaveBehind();
    let chunks = 0;
    scene.cluster.onSnapshotFrame = (frame) => {
      // The transfer stands still in the middle.
      if (decodeSnapshotFrame(frame)!.kind === SnapshotFrameKind.chunk && ++chunks > 3) return null;
      return frame;
    };
    scene.cluster.heal();
    scene.cluster.pass(300);
    scene.leader.lane().send("FLUSHALL");
    scene.write(20);
    scene.cluster.onSnapshotFrame = (frame) => frame;
    scene.catchUp(20_000);
    scene.cluster.replica(3).restart();
    scene.catchUp();
  });
});

describe("an empty replica that was added", () => {
  test("gets a snapshot, also where the log reaches back to the beginning", () => {
    const scene = new Scene({ replicas: 4, members: 3, limits: { logRetainBytes: 1 << 30, logCacheBytes: 1 << 20 } });
    scene.write(30);
    const learner = scene.addLearner(4);
    for (let i = 0; i < 20; i++) {
      scene.write(1);
      scene.cluster.pass(10);
    }
    scene.catchUp();
    expect(learner.traffic.installed).toBe(1);
    expect(learner.up.raftStatus().confState).toMatchObject({ voters: [1, 2, 3], learners: [4] });
    learner.restart();
    scene.catchUp();
    expect(learner.up.raftStatus().confState).toMatchObject({ voters: [1, 2, 3], learners: [4] });
  });

  test("gets one that names it, although the last checkpoint is older than its addition", () => {
    const scene = new Scene({ replicas: 4, members: 3, limits: { checkpointKeys: 1000, checkpointBytes: 1 << 20 } });
    scene.write(3);
    const learner = scene.addLearner(4);
    scene.catchUp();
    expect(learner.up.raftStatus().confState).toMatchObject({ voters: [1, 2, 3], learners: [4] });
  });
});

describe("whatever breaks on the way", () => {
  test("frames that are lost are asked for again, from the last row that is there", () => {
    const scene = new Scene();
    scene.leaveBehind();
    let chunks = 0;
    let rows = 0;
    scene.cluster.onSnapshotFrame = (frame) => {
      const decoded = decodeSnapshotFrame(frame)!;
      if (decoded.kind !== SnapshotFrameKind.chunk) return frame;
      chunks++;
      if (chunks % 4 === 3) return null;
      rows += decoded.rows.length;
      return frame;
    };
    scene.cluster.heal();
    scene.catchUp(60_000);
    const { traffic } = scene.cluster.replica(3);
    expect(traffic.resumed).toBeGreaterThanOrEqual(3);
    expect(traffic.installed).toBe(1);
    // No row was sent twice but those that were lost: the rows that arrived are the state's.
    const state = scene.leader.kv.rowCount;
    expect(rows).toBeLessThan(state + 10);
  });

  test("a broken connection goes on where it was, with the snapshot that is still kept", () => {
    const scene = new Scene();
    scene.leaveBehind();
    let chunks = 0;
    scene.cluster.onSnapshotFrame = (frame) => {
      if (decodeSnapshotFrame(frame)!.kind === SnapshotFrameKind.chunk && ++chunks === 4) scene.cluster.isolate(3);
      return frame;
    };
    scene.cluster.heal();
    scene.cluster.pass(200);
    expect(chunks).toBeGreaterThanOrEqual(4);
    expect(scene.cluster.replica(3).traffic.installed).toBe(0);
    scene.cluster.pass(8000);
    const sentBefore = chunks;
    scene.cluster.heal();
    scene.catchUp();
    const { traffic } = scene.cluster.replica(3);
    expect(traffic).toMatchObject({ installed: 1, resumed: 1 });
    expect(chunks).toBeGreaterThan(sentBefore);
    expect(scene.leader.kv.openSnapshots).toBe(0);
  });

  test("a chunk with a bit flipped at any place is found, counted and asked for again, and never installed", () => {
    const scene = new Scene();
    scene.leaveBehind();
    let chunks = 0;
    let altered = 0;
    scene.cluster.onSnapshotFrame = (frame) => {
      chunks++;
      if (chunks % 3 !== 0) return frame;
      altered++;
      const at = (chunks * 37) % frame.length;
      frame[at] = frame[at]! ^ (1 << (chunks & 7));
      return frame;
    };
    scene.cluster.heal();
    scene.catchUp(120_000);
    const { traffic } = scene.cluster.replica(3);
    expect(traffic.installed).toBe(1);
    expect(altered).toBeGreaterThan(5);
    expect(traffic.damagedChunks + scene.leader.traffic.damagedChunks).toBe(altered);
  });

  test("a row that is damaged at its source is not sent: the others go on without that replica, and send their own", () => {
    const scene = new Scene();
    scene.leaveBehind();
    spoilScans(scene.leader, () => true);
    scene.cluster.heal();
    scene.cluster.pass(1000);
    expect(scene.leader.traffic).toMatchObject({ sent: 0, failed: 1, damagedRows: 1 });
    expect(scene.leader.failure).toMatch(/^a snapshot cannot be read: a row of slot \d+ does not match its checksum$/);
    scene.cluster.isolate(1);
    scene.leader = scene.cluster.awaitLeader([2]);
    scene.write(20);
    scene.cluster.pass(3000);
    const [, second, third] = scene.cluster.replicas;
    expect(third!.traffic.installed).toBe(1);
    expect(third!.up.status().stateIndex).toBe(second!.up.status().stateIndex);
  });

  test("a row that is damaged at its source is not sent; where the others can't go on alone, the replica stays and tries again", () => {
    const scene = new Scene();
    scene.leaveBehind();
    let spoiled = 0;
    spoilScans(scene.leader, () => spoiled++ === 0);
    scene.cluster.heal();
    scene.cluster.isolate(2);
    // Until the leader has noticed that one is gone, nothing is asked for.
    scene.cluster.onSnapshotFrame = () => null;
    scene.cluster.pass(1000);
    scene.cluster.onSnapshotFrame = (frame) => frame;
    scene.cluster.pass(7000);
    expect(scene.leader.traffic).toMatchObject({ failed: 1, damagedRows: 1 });
    expect(scene.leader.failure).toBeNull();
    scene.cluster.heal();
    scene.catchUp(10_000);
    expect(scene.cluster.replica(3).traffic.installed).toBe(1);
  });

  test("the receiver may crash at every step", () => {
    for (let step = 0; step < 260; step += 7) crashAt(step, 3);
  });

  test("the source may crash at every step", () => {
    for (let step = 0; step < 260; step += 11) crashAt(step, 1);
  });

  test("the receiver's log may lag behind its store: a crash between the switch and the log leaves the new state", () => {
    const scene = new Scene();
    scene.leaveBehind();
    const receiver = scene.cluster.replica(3);
    const old = receiver.up.status().checkpointIndex;
    scene.cluster.heal();
    receiver.log.holdDisk = true;
    scene.cluster.pass(2000);
    const installed = receiver.up.status();
    expect(installed.checkpointIndex).toBeGreaterThan(old);
    // The leader has heard of nothing: what Raft promised is not on disk.
    const match = scene.leader.up.status().matches.find(({ replica }) => replica === 3)!.match;
    expect(match).toBeLessThan(installed.checkpointIndex);
    receiver.crash();
    receiver.log.holdDisk = false;
    receiver.open();
    scene.cluster.settle();
    expect(receiver.openFailure).toBeNull();
    expect(receiver.up.status().stateIndex).toBe(installed.checkpointIndex);
    scene.catchUp();
  });
});

/** What the replica's snapshots read of its store has a flipped bit in the first row, as long as `isNow` says so. */
function spoilScans(replica: TestReplica, isNow: () => boolean): void {
  const { kv } = replica;
  const scan = kv.scan.bind(kv);
  kv.scan = (from, to, rows, bytes, snapshot, done) =>
    scan(from, to, rows, bytes, snapshot, (result) => {
      if (snapshot === null || !result.ok || result.value.length === 0 || !isNow()) return done(result);
      const [first, ...rest] = result.value;
      const value = Uint8Array.from(first!.value);
      value[5] = value[5]! ^ 1;
      done({ ok: true, value: [{ key: first!.key, value }, ...rest] });
    });
}

function crashAt(step: number, id: number): void {
  const scene = new Scene();
  scene.leaveBehind(40);
  scene.cluster.heal();
  // The first heartbeats, then as many tasks as it takes to be in the middle of something.
  scene.cluster.time.pass(10);
  for (const replica of scene.cluster.replicas) replica.shard?.tick();
  scene.cluster.run(step);
  scene.cluster.replica(id).crash();
  scene.cluster.settle();
  scene.cluster.replica(id).open();
  scene.cluster.settle();
  expect(scene.cluster.replica(id).openFailure, `step ${step}`).toBeNull();
  scene.cluster.pass(300);
  scene.leader = scene.cluster.awaitLeader([1, 2, 3]);
  scene.write(5);
  scene.catchUp(12_000);
  // Nothing is left of what was interrupted.
  const rows = scene.cluster.replicas.map((replica) => replica.kv.rowCount);
  expect(Math.max(...rows) - Math.min(...rows), `step ${step}: rows ${rows.join(" ")}`).toBeLessThan(12);
}

describe("limits", () => {
  test("a snapshot goes no faster than the setting says", () => {
    const scene = new Scene({ snapshotBytesPerSecond: 2000 });
    scene.leaveBehind();
    const before = scene.cluster.time.monotonicMs();
    scene.cluster.heal();
    for (let i = 0; i < 3000 && scene.cluster.replica(3).traffic.installed === 0; i++) scene.cluster.pass(10);
    const tookMs = scene.cluster.time.monotonicMs() - before;
    const { sentBytes } = scene.leader.traffic;
    expect(scene.cluster.replica(3).traffic.installed).toBe(1);
    // All but the last chunk are paid for in time.
    expect(tookMs).toBeGreaterThan(((sentBytes - 2000) / 2000) * 1000);
    expect(scene.leader.traffic.sent).toBe(1);
  });

  test("the log behind a snapshot is kept while it is slow, so that one is enough", () => {
    const scene = new Scene({ snapshotBytesPerSecond: 3000 });
    scene.leaveBehind();
    scene.cluster.heal();
    let held = 0;
    for (let i = 0; i < 400; i++) {
      scene.write(1);
      scene.cluster.pass(10);
      held = Math.max(held, scene.leader.up.status().logBytes);
    }
    expect(held).toBeGreaterThan(5000);
    scene.catchUp(20_000);
    expect(scene.leader.traffic.sent).toBe(1);
    // Afterwards it is cut as ever.
    scene.write(30);
    scene.cluster.pass(2000);
    scene.write(30);
    scene.cluster.pass(100);
    expect(scene.leader.up.status().firstLogIndex).toBeGreaterThan(scene.leader.up.status().lastIndex - 40);
  });

  test("not without end: behind a receiver that is too slow the log is cut, and it needs a newer snapshot", () => {
    const scene = new Scene({ snapshotBytesPerSecond: 1500, limits: { snapshotLogBytes: 3000 } });
    scene.leaveBehind();
    scene.cluster.heal();
    for (let i = 0; i < 200; i++) {
      scene.write(2);
      scene.cluster.pass(10);
    }
    expect(scene.leader.up.status().logBytes).toBeLessThan(300_000);
    expect(scene.leader.traffic.failed).toBeGreaterThan(0);
    expect(scene.cluster.replica(3).traffic.installed).toBe(0);
    scene.catchUp(120_000);
  });

  test("a node sends one snapshot at a time", () => {
    const scene = new Scene({ replicas: 3, snapshotBytesPerSecond: 2000 });
    scene.leaveBehind();
    const claimed = {};
    expect(scene.leader.traffic.claim(claimed)).toBe(true);
    scene.cluster.heal();
    scene.cluster.pass(2000);
    expect(scene.leader.kv.openSnapshots).toBe(0);
    scene.leader.traffic.release(claimed);
    scene.catchUp(30_000);
    expect(scene.leader.traffic.sent).toBe(1);
  });
});

test("a dirty leader cuts nothing that is not committed", () => {
  const scene = new Scene();
  scene.leaveBehind();
  // Replica 2 is gone as well: the leader has effects that nobody will ever commit.
  scene.cluster.isolate(1);
  const lane = scene.leader.lane();
  lane.ack = Ack.executed;
  for (let i = 0; i < 50; i++) lane.send(`XADD s1 ${900_000 + i}-0 f doomed`);
  const { commitIndex, stateIndex, checkpointIndex } = scene.leader.up.status();
  expect(stateIndex).toBeGreaterThan(commitIndex);
  expect(checkpointIndex).toBeLessThanOrEqual(commitIndex);
  const indexes: number[] = [];
  scene.cluster.onSnapshotFrame = (frame) => {
    const decoded = decodeSnapshotFrame(frame)!;
    if (decoded.head.length > 0) indexes.push(decoded.snapshotId);
    return frame;
  };
  scene.cluster.heal();
  // 3 hears of 1 again at once; what it gets is what was committed.
  scene.catchUp(5000);
  expect(indexes.length).toBeGreaterThan(0);
});

test("a change of members takes effect at its leader although nobody waits for its disk", () => {
  for (const fsync of ["everysec", "no"] as const) {
    const scene = new Scene({ replicas: 4, members: 3, fsync });
    scene.addLearner(4);
    expect(scene.leader.up.status().members.learners, fsync).toEqual([4]);
    scene.catchUp();
  }
});
