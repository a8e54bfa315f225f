import { concatBytes } from "@headrace/bytes";
import { defaultSettings, foundingPlan } from "@headrace/meta";
import type { PeerChannel } from "@headrace/ports";
import { message, MessageType, Role } from "@headrace/raft-ts";
import type { Message } from "@headrace/raft-ts";
import { describe, expect, test } from "vitest";
import { MessageRefusals } from "../src/message-refusals.ts";
import { FrameBuilder } from "../src/peer-codec.ts";
import { LeaderLosses } from "../src/leader-losses.ts";
import type { NodeNote } from "../src/peer-notes.ts";
import { RaftGroups } from "../src/raft-groups.ts";
import { askFrame, chunkFrame, decodeSnapshotFrame, SnapshotFrameKind } from "../src/snapshot-codec.ts";
import type { SnapshotAddress, SnapshotFrame } from "../src/snapshot-codec.ts";
import { SnapshotTraffic } from "../src/snapshot-traffic.ts";
import { TurnTimes } from "../src/turn-times.ts";
import type { GroupLeader, RaftGroup } from "../src/raft-groups.ts";
import { silentLogger, TestRandom } from "./memory-world.ts";
import { Life, VirtualTime } from "./virtual-time.ts";

class FakeGroup implements RaftGroup {
  readonly frames: SnapshotFrame[] = [];
  damaged = 0;
  snapshots: RaftGroup["snapshots"];
  readonly groupId: number;
  readonly replicaId: number;
  isHealthy = true;
  readonly election: { role: Role; term: number; isLeaderOverdue: boolean } = {
    role: Role.follower,
    term: 5,
    isLeaderOverdue: false,
  };
  ticks = 0;
  drives = 0;
  readonly campaignsAtMs: number[] = [];
  forgotten = 0;
  readonly received: Message[] = [];
  readonly unreachable: number[] = [];
  onDrive: () => void = () => undefined;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, groupId: number, replicaId: number) {
    this.#time = time;
    this.groupId = groupId;
    this.replicaId = replicaId;
    this.snapshots = {
      awaitedFrom: 0,
      onFrame: (frame) => this.frames.push(frame),
      onDamaged: () => this.damaged++,
    };
  }

  tick(): void {
    this.ticks++;
  }
  receive(received: Message): void {
    this.received.push(received);
  }
  reportUnreachable(replicaId: number): void {
    this.unreachable.push(replicaId);
  }
  drive(): void {
    this.drives++;
    this.onDrive();
  }
  campaign(): void {
    this.campaignsAtMs.push(this.#time.nowMs);
  }
  forgetLeader(): void {
    this.forgotten++;
  }
  fail(): void {
    this.isHealthy = false;
  }
}

const request = {
  clusterId: "c",
  founders: [1, 2, 3].map((i) => ({
    joinToken: `t${i}`,
    peerAddress: `n${i}:1`,
    dataAddress: "",
    httpAddress: "",
    announceHost: "",
    announcePort: 1,
  })),
  shardCount: 2,
  replicaCount: 3,
  settings: defaultSettings,
};
const state = foundingPlan(request);

function replicaOn(groupId: number, nodeId: number): number {
  return state.replicasOf(groupId).find((replica) => replica.nodeId === nodeId)!.replicaId;
}

class Bench {
  readonly notes: [number, NodeNote][] = [];
  readonly logged: [string, unknown][] = [];
  readonly time: VirtualTime = new VirtualTime();
  readonly sent: [nodeId: number, channel: PeerChannel][] = [];
  readonly sentFrames: Uint8Array[] = [];
  readonly traffic: SnapshotTraffic = new SnapshotTraffic({ wallMs: () => 0, monotonicMs: () => this.time.nowMs }, 1e9);
  readonly leaders: [groupId: number, leader: GroupLeader][] = [];
  turnEnds = 0;
  takes = true;
  readonly groups: RaftGroups;
  readonly group: FakeGroup;
  readonly other: FakeGroup;

  constructor() {
    const life = new Life("n1");
    const logger = {
      ...silentLogger,
      warn: (event: string, fields?: Record<string, unknown>) => void this.logged.push([event, fields]),
    };
    const world = {
      scheduler: {
        soon: (task: () => void): void => void this.time.after(0, life, task),
        after: (delayMs: number, task: () => void) => this.time.after(delayMs, life, task),
      },
      random: new TestRandom(1),
      logger,
      refusals: new MessageRefusals(logger),
      snapshots: this.traffic,
      clock: { wallMs: () => this.time.nowMs, monotonicMs: () => this.time.nowMs },
      times: new TurnTimes(),
      peerNetwork: {
        send: (nodeId: number, channel: PeerChannel, chunks: readonly Uint8Array[]) => {
          this.sent.push([nodeId, channel]);
          this.sentFrames.push(concatBytes(chunks));
          return this.takes;
        },
      },
    };
    this.groups = new RaftGroups(1, 50, world, {
      onLeader: (groupId, leader) => this.leaders.push([groupId, leader]),
      onTurnEnd: () => this.turnEnds++,
      ownNote: () => ({ wallMs: this.time.nowMs, isLowOnSpace: false }),
      onNote: (nodeId, note) => this.notes.push([nodeId, note]),
    });
    this.groups.place(state);
    this.group = new FakeGroup(this.time, 1, replicaOn(1, 1));
    this.other = new FakeGroup(this.time, 2, replicaOn(2, 1));
    this.groups.add(this.group);
    this.groups.add(this.other);
  }
}

function frameOf(...messages: [groupId: number, message: Message][]): Uint8Array {
  const builder = new FrameBuilder(() => ({ wallMs: 1234.5, isLowOnSpace: true }));
  for (const [groupId, each] of messages) builder.add(groupId, each);
  return concatBytes(builder.take());
}

test("every group ticks with one clock", () => {
  const bench = new Bench();
  bench.groups.start();
  bench.time.run(501);
  expect([bench.group.ticks, bench.other.ticks]).toEqual([11, 11]);
  bench.other.isHealthy = false;
  bench.time.run(100);
  expect([bench.group.ticks, bench.other.ticks]).toEqual([13, 11]);
});

test("a turn drives those who asked once, then one frame per peer leaves, then the links are written", () => {
  const bench = new Bench();
  for (const group of [bench.group, bench.other]) {
    group.onDrive = () => {
      expect([bench.sent.length, bench.turnEnds]).toEqual([0, 0]);
      for (const nodeId of [2, 3]) {
        const to = replicaOn(group.groupId, nodeId);
        bench.groups.sendRaft(message(MessageType.App, to, group.replicaId), group.groupId);
      }
    };
    bench.groups.requestTurn(group.groupId);
    bench.groups.requestTurn(group.groupId);
  }
  bench.time.run(0);
  expect([bench.group.drives, bench.other.drives, bench.turnEnds]).toEqual([1, 1, 1]);
  expect(bench.sent.map(([nodeId]) => nodeId)).toEqual([2, 3]);
});

test("what a turn asks for itself comes in the next turn, after everything that has arrived", () => {
  const bench = new Bench();
  const order: string[] = [];
  bench.group.onDrive = () => {
    order.push("group");
    if (order.length < 4) bench.groups.requestTurn(1);
  };
  bench.other.onDrive = () => order.push("other");
  bench.groups.requestTurn(1);
  bench.groups.requestTurn(2);
  bench.time.run(0);
  expect(order).toEqual(["group", "other", "group", "group"]);
});

test("messages reach only the replica that they name, and only from where their sender lives (I19)", () => {
  const bench = new Bench();
  const here = bench.group.replicaId;
  const good = message(MessageType.Heartbeat, here, replicaOn(1, 2));
  const forAnother = message(MessageType.Heartbeat, replicaOn(1, 3), replicaOn(1, 2));
  const forUnknown = message(MessageType.Heartbeat, 999, replicaOn(1, 2));
  const fromAnother = message(MessageType.Heartbeat, here, replicaOn(1, 3));
  const frame = frameOf([1, good], [1, forAnother], [1, forUnknown], [1, fromAnother], [9, good], [2, good]);
  bench.groups.onFrame(2, frame);
  expect(bench.group.received).toHaveLength(1);
  expect(bench.other.received).toHaveLength(0);
  expect(bench.groups.refusals.counts).toEqual({ unknownReplica: 3, unknownSender: 1, unknownGroup: 1 });
});

test("a message for a replica that has stopped is refused and counted as that", () => {
  const bench = new Bench();
  bench.group.isHealthy = false;
  bench.groups.onFrame(2, frameOf([1, message(MessageType.Heartbeat, bench.group.replicaId, replicaOn(1, 2))]));
  expect(bench.group.received).toHaveLength(0);
  expect(bench.groups.refusals.counts).toEqual({ replicaFailed: 1 });
});

test("what a node says of itself arrives with its frames", () => {
  const bench = new Bench();
  bench.groups.onFrame(2, frameOf([1, message(MessageType.Heartbeat, bench.group.replicaId, replicaOn(1, 2))]));
  expect(bench.notes).toEqual([[2, { wallMs: 1234.5, isLowOnSpace: true }]]);
});

test("a frame that is none, or of another version, is refused, counted as that and named in the log", () => {
  const bench = new Bench();
  const frame = frameOf([1, message(MessageType.Heartbeat, bench.group.replicaId, replicaOn(1, 2))]);
  bench.groups.onFrame(2, frame.subarray(0, frame.length - 3));
  bench.groups.onFrame(2, new Uint8Array(0));
  bench.groups.onFrame(2, new Uint8Array([9, 9, 9, 9]));
  expect(bench.groups.refusals.counts).toEqual({ malformed: 2, unknownVersion: 1 });
  expect(bench.groups.refusals.count("unknownVersion")).toBe(1);
  expect(bench.logged).toContainEqual([
    "frame_refused",
    { reason: "unknownVersion", count: 1, node: 2, message: "peer frame version 9" },
  ]);
});

test("a frame that the network did not take is told to the groups in it", () => {
  const bench = new Bench();
  bench.takes = false;
  bench.groups.sendRaft(message(MessageType.App, replicaOn(1, 2), bench.group.replicaId), 1);
  bench.time.run(0);
  expect(bench.group.unreachable).toEqual([replicaOn(1, 2)]);
  expect(bench.other.unreachable).toEqual([]);
});

test("the death of a leader's process leads to a campaign within 10 to 80 ms, only in its own groups", () => {
  for (const loss of ["reset", "refused"] as const) {
    const bench = new Bench();
    bench.groups.onLeaderChange(1, replicaOn(1, 2), 5, false);
    bench.groups.onLeaderChange(2, replicaOn(2, 3), 5, false);
    bench.groups.onPeerDown(2, loss);
    expect([bench.group.forgotten, bench.other.forgotten]).toEqual([1, 0]);
    bench.groups.onLeaderChange(1, 0, 5, false);
    bench.time.run(100);
    expect(bench.group.campaignsAtMs).toHaveLength(1);
    bench.time.run(200);
    expect(bench.group.campaignsAtMs, "nobody was elected: again").toHaveLength(2);
    bench.time.run(10_000);
    expect(bench.group.campaignsAtMs.length, "then it is for the election timeout").toBe(4);
    expect(bench.group.campaignsAtMs[0]).toBeGreaterThanOrEqual(10);
    expect(bench.group.campaignsAtMs[0]).toBeLessThan(80);
    expect(bench.other.campaignsAtMs).toEqual([]);
  }
});

test("an election under way is left alone twice, then it is taken for a split vote", () => {
  for (const isOwn of [true, false]) {
    const bench = new Bench();
    bench.groups.onLeaderChange(1, replicaOn(1, 2), 5, false);
    bench.groups.onPeerDown(2, "reset");
    bench.groups.onLeaderChange(1, 0, 5, false);
    if (isOwn) bench.group.election.role = Role.candidate;
    bench.group.election.term = 6;
    bench.time.run(200);
    expect(bench.group.campaignsAtMs).toEqual([]);
    bench.group.election.term = 7;
    bench.time.run(200);
    expect(bench.group.campaignsAtMs).toEqual([]);
    bench.time.run(200);
    expect(bench.group.campaignsAtMs).toHaveLength(1);
  }
});

test("who hears of a new leader in the meantime does not campaign, nor does silence make anyone campaign", () => {
  const bench = new Bench();
  bench.groups.onLeaderChange(1, replicaOn(1, 2), 5, false);
  bench.groups.onPeerDown(2, "silent");
  bench.groups.onPeerDown(2, "local");
  expect(bench.group.forgotten).toBe(0);
  bench.groups.onPeerDown(2, "reset");
  bench.groups.onLeaderChange(1, 0, 5, false);
  bench.groups.onLeaderChange(1, replicaOn(1, 3), 6, false);
  bench.time.run(100);
  expect(bench.group.campaignsAtMs).toEqual([]);
  expect(bench.leaders.at(-1)).toEqual([
    1,
    { replicaId: replicaOn(1, 3), nodeId: 3, term: 6, ready: false, changes: 2 },
  ]);
});

test("the replicas left of a group campaign one after another, not always in the same order", () => {
  const losses = new LeaderLosses(new TestRandom(1));
  const plan = foundingPlan({ ...request, shardCount: 6 });
  losses.place(0, plan);
  // Shards 1 and 4 are led by node 1.
  const firsts = [1, 4].map((groupId) => {
    const delays = [2, 3].map((nodeId) => {
      const { replicaId } = plan.replicasOf(groupId).find((replica) => replica.nodeId === nodeId)!;
      return losses.delayMs(groupId, replicaId, 1);
    });
    expect(Math.abs(delays[0]! - delays[1]!)).toBeGreaterThan(50);
    return delays[0]! < delays[1]! ? 2 : 3;
  });
  expect(new Set(firsts)).toEqual(new Set([2, 3]));
});

test("a leader that was replaced in one group is doubted in the others, where it is overdue, until it is heard of", () => {
  const bench = new Bench();
  const led = (groupId: number, nodeId: number, term: number): void =>
    bench.groups.onLeaderChange(groupId, replicaOn(groupId, nodeId), term, false);
  led(1, 2, 5);
  led(2, 2, 5);
  bench.groups.start();
  bench.group.election.isLeaderOverdue = true;
  bench.time.run(200);
  expect(bench.group.forgotten, "overdue alone is for the election timeout").toBe(0);
  led(2, 3, 6);
  const heartbeat = message(MessageType.Heartbeat, bench.group.replicaId, replicaOn(1, 2));
  bench.groups.onFrame(2, frameOf([1, heartbeat]));
  bench.time.run(200);
  expect(bench.group.forgotten, "it lives").toBe(0);
  led(2, 2, 7);
  led(2, 3, 8);
  bench.group.election.isLeaderOverdue = false;
  bench.time.run(200);
  expect(bench.group.forgotten, "it may still be heard in time").toBe(0);
  bench.group.election.isLeaderOverdue = true;
  bench.time.run(60);
  bench.group.election.isLeaderOverdue = false;
  bench.groups.onLeaderChange(1, 0, 5, false);
  bench.time.run(100);
  bench.groups.onLeaderChange(1, replicaOn(1, 3), 6, false);
  bench.time.run(500);
  expect(bench.group.forgotten).toBe(1);
  expect(bench.group.campaignsAtMs).toHaveLength(1);
  expect(bench.other.campaignsAtMs).toEqual([]);
});

describe("frames of snapshots", () => {
  const peer = replicaOn(1, 2);
  const address = (group: FakeGroup, change: Partial<SnapshotAddress> = {}): SnapshotAddress => ({
    groupId: 1,
    to: group.replicaId,
    from: peer,
    snapshotId: 7,
    number: 1,
    ...change,
  });

  test("reach the group that they are for", () => {
    const bench = new Bench();
    bench.groups.onSnapshotFrame(2, askFrame(address(bench.group), new Uint8Array([1, 2, 3])));
    expect(bench.group.frames).toMatchObject([{ kind: SnapshotFrameKind.ask, from: peer, snapshotId: 7 }]);
    expect(bench.traffic.refused).toBe(0);
  });

  test.each([
    ["of a group that is not here", { groupId: 9 }, "unknownGroup"],
    ["for another incarnation of the replica", { to: 999 }, "unknownReplica"],
    ["of a replica that does not live where they come from", { from: replicaOn(1, 3) }, "unknownSender"],
  ])("%s are refused with the reason, and the asker is told", (_what, change, reason) => {
    const bench = new Bench();
    bench.groups.onSnapshotFrame(2, askFrame(address(bench.group, change), new Uint8Array(0)));
    expect(bench.group.frames).toEqual([]);
    expect(bench.traffic.refused).toBe(1);
    expect(bench.logged).toMatchObject([["snapshot_refused", { from: 2, reason }]]);
    expect(bench.sent).toEqual([[2, 2]]);
    expect(decodeSnapshotFrame(bench.sentFrames[0]!)).toMatchObject({ kind: SnapshotFrameKind.gone, reason });
    // An answer is not answered.
    bench.groups.onSnapshotFrame(2, bench.sentFrames[0]!);
    expect(bench.sent).toHaveLength(1);
  });

  test("with a bit flipped anywhere are named, counted, and said to whoever awaits a chunk from there", () => {
    const bench = new Bench();
    const rows = [{ key: new Uint8Array([0, 1, 9]), value: new Uint8Array(40).fill(5) }];
    const chunk = { after: new Uint8Array(0), head: new Uint8Array([4]), rows, isLast: true };
    const frame = chunkFrame(address(bench.group), chunk);
    bench.group.snapshots = { ...bench.group.snapshots, awaitedFrom: peer };
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const altered = Uint8Array.from(frame);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      bench.groups.onSnapshotFrame(2, altered);
    }
    expect(bench.group.frames).toEqual([]);
    expect(bench.traffic.damagedChunks).toBe(frame.length * 8);
    expect(bench.group.damaged).toBe(frame.length * 8);
    expect(bench.other.damaged).toBe(0);
    expect(bench.logged[0]).toMatchObject(["snapshot_chunk_damaged", { from: 2 }]);
    bench.groups.onSnapshotFrame(2, frame);
    const [received] = bench.group.frames;
    expect([...received!.head]).toEqual([4]);
    expect(received!.rows.map(({ key, value }) => [[...key], value.length])).toEqual([[[0, 1, 9], 40]]);
    expect(received!.isLast).toBe(true);
  });
});
