/**
 * Replicas of one shard with direct message passing (through the real peer codec), driven by hand: `settle` runs everything that can run now,
 * `pass` lets time go by tick by tick. Links can be cut, disks held, replicas crashed.
 */
import { assert, concatBytes, copyOf } from "@headrace/bytes";
import { Ack } from "@headrace/commands";
import { NO_RETENTION } from "@headrace/engine";
import type { Logger, Scheduler } from "@headrace/ports";
import type { ConfState, Message } from "@headrace/raft-ts";
import { ChannelRegistry } from "../src/channel-registry.ts";
import { decodeFrame, FrameBuilder } from "../src/peer-codec.ts";
import { MemoryBudget } from "../src/memory-budget.ts";
import { SweepPace } from "../src/sweep-pace.ts";
import { TurnTimes } from "../src/turn-times.ts";
import type { OutboxPost, ShardHost, ShardLimits, ShardSettings, WaitQuery } from "../src/shard-api.ts";
import { defaultShardLimits } from "../src/shard-limits.ts";
import { ShardReplica } from "../src/shard.ts";
import { decodeSnapshotFrame } from "../src/snapshot-codec.ts";
import { SnapshotTraffic } from "../src/snapshot-traffic.ts";
import { hashOfFullReload } from "./full-reload.ts";
import { ManualTime, MemoryKv, MemoryLog, SeededRandom, silentLogger } from "./manual-world.ts";
import { GROUP, TestLane } from "./test-lane.ts";

const TICK_MS = 10;
const ELECTION_TICKS = 10;
const STEPS_MAX = 200_000;

export interface ClusterOptions {
  readonly replicas: number;
  readonly fsync?: "always" | "everysec" | "no";
  readonly limits?: Partial<ShardLimits>;
  readonly slots?: readonly { readonly from: number; readonly to: number }[];
  readonly maxEntryBytes?: number;
  /** Of each replica. */
  readonly memoryBytes?: number;
  readonly snapshotBytesPerSecond?: number;
  /** How many of the replicas are members from the beginning; the others are empty and not opened. Default: all. */
  readonly members?: number;
}

export class TestReplica implements ShardHost {
  readonly id: number;
  readonly cluster: ShardCluster;
  log: MemoryLog;
  kv: MemoryKv;
  /** Of this life. */
  traffic: SnapshotTraffic;
  memory: MemoryBudget;
  shard: ShardReplica | null = null;
  readonly channels: ChannelRegistry = new ChannelRegistry();
  readonly post: OutboxPost;
  failure: string | null = null;
  openFailure: string | null = null;
  noSpace = 0;
  /** How they ended. */
  readonly rollbacks: string[] = [];
  #wantsTurn = false;
  #isOpening = false;

  constructor(id: number, cluster: ShardCluster) {
    this.id = id;
    this.cluster = cluster;
    this.post = cluster.postOf(this);
    this.log = new MemoryLog(cluster.time, cluster.fsync);
    this.kv = new MemoryKv(cluster.time);
    this.traffic = new SnapshotTraffic(cluster.time, cluster.snapshotBytesPerSecond);
    this.memory = this.#newMemory();
  }

  get up(): ShardReplica {
    assert(this.shard !== null, `replica ${this.id} is up`);
    return this.shard;
  }

  /** Loads in later events; asking again meanwhile changes nothing. */
  open(): void {
    if (this.#isOpening || this.shard !== null) return;
    this.#isOpening = true;
    const { cluster, log } = this;
    const isMember = this.id <= cluster.members;
    const ids = isMember ? Array.from({ length: cluster.members }, (_, i) => i + 1) : [];
    const members: ConfState = { voters: ids, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    ShardReplica.open(
      {
        config: {
          groupId: GROUP,
          replicaId: this.id,
          electionTicks: ELECTION_TICKS,
          heartbeatTicks: 1,
          tickMs: TICK_MS,
          fsync: cluster.fsync,
          limits: this.memory.limits,
        },
        settings: cluster.settings,
        world: {
          clock: cluster.time,
          scheduler: this.#schedulerOfLife(),
          random: new SeededRandom(this.id * 77 + cluster.restarts),
          kvStore: this.kv,
          log: this.log,
          snapshots: this.traffic,
          memory: this.memory,
          times: new TurnTimes(),
          sweeps: new SweepPace(cluster.time, this.#schedulerOfLife()),
          logger: this.#logger(),
        },
        host: this,
        recovered: this.log.group(GROUP),
        founding: { members, slots: cluster.slots },
      },
      (result) => {
        if (this.log !== log) return;
        this.#isOpening = false;
        if (result.ok) this.shard = result.value;
        else this.openFailure = `${result.reason}: ${result.message}`;
      },
    );
  }

  /** Whatever test a rollback happens in: its outcome is that of a full reload. */
  #logger(): Logger {
    const info = (event: string): void => {
      if (event !== "rollback_finished" && event !== "rollback_loaded_all") return;
      this.rollbacks.push(event);
      const shard = this.up;
      shard.verify();
      const { index, hash } = shard.stateHash();
      assert(hash === hashOfFullReload(shard, this.kv.rows), `a rollback to ${index} is not what a full reload gives`);
    };
    return { ...silentLogger, info };
  }

  /** What a process had in mind ends with it. */
  #schedulerOfLife(): Scheduler {
    const { time } = this.cluster;
    const { log } = this;
    const alive = (task: () => void) => (): void => (this.log === log ? task() : undefined);
    return { soon: (task) => time.soon(alive(task)), after: (delayMs, task) => time.after(delayMs, alive(task)) };
  }

  crash(): void {
    this.shard = null;
    this.#isOpening = false;
    this.cluster.restarts++;
    this.log = this.log.afterCrash();
    this.kv = this.kv.afterCrash();
    this.traffic = new SnapshotTraffic(this.cluster.time, this.cluster.snapshotBytesPerSecond);
    this.memory = this.#newMemory();
  }

  #newMemory(): MemoryBudget {
    const { limits, settings, memoryBytes } = this.cluster;
    const onFull = (isFull: boolean): void => {
      settings.refuseFixedMemory = isFull;
    };
    const memory = new MemoryBudget(limits, { otherBytes: () => 0, onFull });
    memory.budgetBytes = memoryBytes;
    return memory;
  }

  restart(): void {
    this.crash();
    this.open();
    this.cluster.settle();
  }

  sendRaft(message: Message, groupId: number): void {
    this.cluster.send(this.id, message, groupId);
  }

  sendSnapshot(frame: Uint8Array, toReplicaId: number): boolean {
    return this.cluster.sendSnapshot(this.id, toReplicaId, frame);
  }

  requestTurn(groupId: number): void {
    assert(groupId === GROUP, "the one group");
    if (this.#wantsTurn) return;
    this.#wantsTurn = true;
    this.cluster.time.soon(() => {
      this.#wantsTurn = false;
      this.shard?.drive();
      this.memory.endTurn();
    });
  }

  nodeOfReplica(_groupId: number, replicaId: number): number {
    return replicaId + 100;
  }

  stampLimitMs(): number {
    return this.cluster.stampLimitMs;
  }

  onNoSpace(): void {
    this.noSpace++;
  }

  onLeaderChange(): void {}

  onReplicaFailed(_groupId: number, message: string, _damaged: boolean): void {
    this.failure = message;
  }

  lane(): TestLane {
    return new TestLane(this);
  }
}

export class ShardCluster {
  readonly time: ManualTime;
  readonly fsync: "always" | "everysec" | "no";
  readonly limits: ShardLimits;
  readonly settings: ShardSettings;
  readonly memoryBytes: number;
  stampLimitMs: number = Number.POSITIVE_INFINITY;
  readonly slots: readonly { readonly from: number; readonly to: number }[];
  readonly replicas: TestReplica[];
  readonly members: number;
  readonly snapshotBytesPerSecond: number;
  /** Frames of outboxes: where they go to, and what they are. Nobody answers but the test. */
  readonly posted: { readonly from: number; readonly to: string; readonly frame: Uint8Array }[] = [];
  /** What happens to a frame of a snapshot on its way; null: it is lost. */
  onSnapshotFrame: (frame: Uint8Array, from: number, to: number) => Uint8Array | null = (frame) => frame;
  restarts = 0;
  readonly #cut: Set<string>;

  constructor(options: ClusterOptions) {
    this.time = new ManualTime();
    this.fsync = options.fsync ?? "always";
    this.limits = { ...defaultShardLimits, ...options.limits };
    this.settings = {
      ack: Ack.committed,
      nodeBounds: { maxEntries: 100, maxBytes: 4096 },
      idempotenceWindow: { durationSeconds: 100, maxSize: 100 },
      delayedMaxEntries: 100_000,
      outboxMaxBytes: 8 * 1024 * 1024,
      retention: NO_RETENTION,
      notify: 0,
      refuseGrowth: false,
      refuseFixedMemory: false,
    };
    this.memoryBytes = options.memoryBytes ?? 0;
    this.slots = options.slots ?? [{ from: 0, to: 16383 }];
    this.replicas = [];
    this.members = options.members ?? options.replicas;
    this.snapshotBytesPerSecond = options.snapshotBytesPerSecond ?? 1e9;
    this.#cut = new Set();
    for (let id = 1; id <= options.replicas; id++) this.replicas.push(new TestReplica(id, this));
    for (const { log } of this.replicas) log.maxEntryBytes = options.maxEntryBytes ?? log.maxEntryBytes;
    for (const replica of this.replicas) if (replica.id <= this.members) replica.open();
    this.settle();
  }

  /** The one shard owns its slots; all others are shard 2's. */
  postOf({ id }: { readonly id: number }): OutboxPost {
    const owns = (slot: number): boolean => this.slots.some(({ from, to }) => slot >= from && slot <= to);
    return {
      shardOfSlot: (slot) => (owns(slot) ? GROUP : GROUP + 1),
      sendToLeader: (shardId, frame) => void this.posted.push({ from: id, to: `shard ${shardId}`, frame }),
      send: (nodeId, frame) => void this.posted.push({ from: id, to: `node ${nodeId}`, frame }),
    };
  }

  replica(id: number): TestReplica {
    return this.replicas[id - 1]!;
  }

  /** Replica 1 becomes a ready leader. */
  elect(id: number = 1): TestReplica {
    this.replica(id).up.campaign();
    this.settle();
    assert(this.replica(id).up.isReady, `replica ${id} leads`);
    return this.replica(id);
  }

  /** Passes time until some replica out of these is a ready leader. */
  awaitLeader(ids: readonly number[]): TestReplica {
    for (let round = 0; round < 200; round++) {
      for (const id of ids) if (this.replica(id).shard?.isReady === true) return this.replica(id);
      this.pass(TICK_MS);
    }
    throw new Error("no leader in time");
  }

  send(from: number, message: Message, groupId: number): void {
    const to = message.to;
    if (this.#cut.has(`${from}-${to}`)) return;
    const builder = new FrameBuilder(() => ({ wallMs: this.time.wallMs(), isLowOnSpace: false }));
    builder.add(groupId, message);
    const joined = concatBytes(builder.take());
    const frame = copyOf(joined, 0, joined.length);
    this.time.soon(() => {
      const target = this.replica(to).shard;
      if (target === null || this.#cut.has(`${from}-${to}`)) return;
      decodeFrame(frame, (_group, decoded) => target.receive(decoded));
    });
  }

  sendSnapshot(from: number, to: number, sent: Uint8Array): boolean {
    if (this.#cut.has(`${from}-${to}`)) return false;
    const frame = this.onSnapshotFrame(copyOf(sent, 0, sent.length), from, to);
    if (frame === null) return true;
    this.time.soon(() => {
      const { shard, traffic } = this.replica(to);
      if (shard === null || !shard.isHealthy || this.#cut.has(`${from}-${to}`)) return;
      const decoded = decodeSnapshotFrame(frame);
      if (decoded !== null) {
        shard.snapshots.onFrame(decoded);
        return;
      }
      traffic.damagedChunks++;
      if (shard.snapshots.awaitedFrom === from) shard.snapshots.onDamaged();
    });
    return true;
  }

  /** Cuts the replica off from all others, both ways. */
  isolate(id: number): void {
    for (const other of this.replicas) {
      if (other.id === id) continue;
      this.#cut.add(`${id}-${other.id}`);
      this.#cut.add(`${other.id}-${id}`);
    }
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Runs at most so many waiting tasks: faults can come in the middle of everything. */
  run(steps: number): void {
    for (let step = 0; step < steps; step++) if (!this.time.runOne()) return;
  }

  /** Runs everything that can run without time going by. */
  settle(): void {
    for (let step = 0; step < STEPS_MAX; step++) if (!this.time.runOne()) return;
    throw new Error("the cluster does not come to rest");
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.time.pass(TICK_MS);
      for (const replica of this.replicas) replica.shard?.tick();
      this.settle();
    }
  }

  /** Asserts that all replicas that are up hold the same state at the same index. */
  assertSame(): void {
    const hashes = this.replicas.filter((replica) => replica.shard !== null).map((replica) => replica.up.stateHash());
    for (const hash of hashes) {
      assert(hash.index === hashes[0]!.index, `state indexes differ: ${hashes.map((each) => each.index).join(" ")}`);
      assert(hash.hash === hashes[0]!.hash, "states differ at the same index");
    }
  }

  wait(replica: TestReplica, query: Omit<WaitQuery, "answer">): string[] {
    const answers: string[] = [];
    replica.up.wait({
      ...query,
      answer: (outcome, replicas, local) => answers.push(`${outcome} ${replicas}${local ? " local" : ""}`),
    });
    return answers;
  }
}
