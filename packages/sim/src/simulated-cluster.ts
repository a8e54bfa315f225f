/**
 * A whole cluster in one thread: the same Node and Gateway as in production on simulated ports. The twin of server/real-node.ts and
 * server/real-gateway.ts, to be read beside them. Holds wiring only.
 */
import { createHmac } from "node:crypto";
import { defaultLimits, noProcessNumbers, Gateway } from "@headrace/gateway";
import type { ClusterState } from "@headrace/meta";
import { defaultNodeConfig, Node, type ShardReplica, type ShardStatus } from "@headrace/node";
import type { Digest, Logger } from "@headrace/ports";
import { checkRollback } from "./checkers/rollbacks.ts";
import { Life, type EventLoop } from "./event-loop.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { SimulatedBackup } from "./simulated-backup.ts";
import { SimClock, SimScheduler } from "./sim-clock.ts";
import { SimKvStore, SimMachineDisk, SimRecordStore, SimSegmentDisk, SimSpaceProbe } from "./sim-disk.ts";
import { SimByteNetwork, SimNetwork } from "./sim-network.ts";
import { PeerDirectory, SimMetaClient, SimPeerNetwork } from "./sim-peers.ts";

export interface ClusterOptions {
  /** Founders. */
  readonly nodes: number;
  /** Nodes that join later; faults give them work and take it away again. */
  readonly spares: number;
  readonly gateways: number;
  readonly shards: number;
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Small, so that a run of seconds sees many. */
  readonly checkpointIntervalMs: number;
  readonly walSegmentBytes: number;
  /** Log behind a checkpoint for who lags; with little of it snapshots are sent. */
  readonly logRetainBytes: number;
  readonly snapshotBytesPerSecond: number;
  /** Short: a run of seconds sees many rounds. */
  readonly scrubEveryMs: number;
  /** Short: a node that is down for some seconds is replaced. */
  readonly nodeDownAfterMs: number;
  /** Few: a leader without its quorum soon has to stop (I17). */
  readonly uncommittedEntries: number;
  /** What a power cut may take of a leader's own entries at ack=1 and 0. */
  readonly fsync: "always" | "everysec" | "no";
  /** Memory budget of a node; with little of it most of what is stored is not in memory. */
  readonly memoryBytes: number;
  /** What it is founded from: the backup's shards and settings count. */
  readonly backup: SimulatedBackup | null;
  /** A wall clock of the caller's for every process; null: it follows simulated time. */
  readonly wallMs: (() => number) | null;
}

export const defaultClusterOptions: ClusterOptions = {
  nodes: 3,
  spares: 0,
  gateways: 2,
  shards: 2,
  electionTimeoutMs: 500,
  heartbeatMs: 50,
  checkpointIntervalMs: 150,
  walSegmentBytes: 256 * 1024,
  logRetainBytes: defaultNodeConfig.shardLimits.logRetainBytes,
  snapshotBytesPerSecond: defaultNodeConfig.snapshotBytesPerSecond,
  scrubEveryMs: defaultNodeConfig.scrubEveryMs,
  nodeDownAfterMs: defaultNodeConfig.nodeDownAfterMs,
  uncommittedEntries: defaultNodeConfig.shardLimits.uncommittedEntries,
  fsync: defaultNodeConfig.fsync,
  memoryBytes: 0,
  backup: null,
  wallMs: null,
};

/** Room for what can't leave, and for hardly anything else. */
const LITTLE_MEMORY_BYTES = 300_000;

/** Some rows each: a snapshot of a small state is a journey too. */
const SNAPSHOT_CHUNK_ROWS = 4;
/** As small. */
const SCRUB_STEP_BYTES = 1500;

/** What a seed's cluster is like where the test does not say. Half of them keep hardly any log, some of those send snapshots slowly. */
export function clusterOptionsOf(seed: number): ClusterOptions {
  const random = new SeededRandom(seed ^ 0x5eed);
  const { logRetainBytes, snapshotBytesPerSecond, nodeDownAfterMs, uncommittedEntries } = defaultClusterOptions;
  const { scrubEveryMs } = defaultClusterOptions;
  return {
    ...defaultClusterOptions,
    logRetainBytes: random.pick([logRetainBytes, 1000]),
    snapshotBytesPerSecond: random.pick([snapshotBytesPerSecond, 20_000]),
    spares: random.pick([0, 0, 1, 2]),
    nodeDownAfterMs: random.pick([nodeDownAfterMs, 3000]),
    uncommittedEntries: random.pick([uncommittedEntries, 12]),
    fsync: random.pick(["always", "always", "everysec", "no"]),
    memoryBytes: random.pick([0, 0, LITTLE_MEMORY_BYTES]),
    scrubEveryMs: random.pick([scrubEveryMs, 2000]),
  };
}

const digest: Digest = {
  hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
};

/** What the program logs when it, or one of its replicas, stops taking part. */
const BROKEN_EVENTS = ["node_broken", "replica_failed", "wal_poisoned"];

/** One machine: its disk outlives the processes that run on it. */
export class Machine {
  readonly index: number;
  readonly name: string;
  readonly disk: SimMachineDisk = new SimMachineDisk();
  node: Node | null = null;
  life: Life | null = null;
  peers: SimPeerNetwork | null = null;
  clock: SimClock | null = null;
  /** Kept over restarts: a clock that runs wrong goes on doing so. */
  skewMs = 0;
  /** Why the program says that it can't go on; null: it has not. */
  broken: string | null = null;
  restartIsDue = false;
  isStopping = false;
  /** How often its disk was replaced by an empty one. */
  wipes = 0;

  constructor(index: number) {
    this.index = index;
    this.name = `node-${index + 1}`;
  }

  get isUp(): boolean {
    return this.node !== null;
  }

  /** Part of the cluster and not on its way out: founding does not have to survive a bad disk. */
  get isServing(): boolean {
    const member = this.node === null ? null : this.node.member;
    return member !== null && this.broken === null && !this.isStopping;
  }

  /** The design allows it to stand aside: its disk failed, or holds changed bits. */
  get mayBeOut(): boolean {
    return this.disk.faults.hasErred || this.disk.faults.flips > 0;
  }
}

export class SimulatedCluster {
  readonly loop: EventLoop;
  readonly network: SimNetwork;
  readonly machines: readonly Machine[];
  readonly gatewayAddresses: readonly string[];
  readonly #random: SeededRandom;
  readonly #options: ClusterOptions;
  readonly #directory: PeerDirectory = new PeerDirectory();
  readonly #gateways: Map<number, { readonly gateway: Gateway; readonly life: Life }> = new Map();
  readonly #onLog: (line: string) => void;

  constructor(loop: EventLoop, random: SeededRandom, options: ClusterOptions, onLog: (line: string) => void) {
    this.loop = loop;
    this.#random = random;
    this.#options = options;
    this.#onLog = onLog;
    this.network = new SimNetwork(loop, random.fork());
    this.machines = Array.from({ length: options.nodes + options.spares }, (_, index) => new Machine(index));
    this.gatewayAddresses = Array.from({ length: options.gateways }, (_, index) => `gateway-${index + 1}:6379`);
    for (const machine of this.machines) this.startNode(machine);
    for (let index = 0; index < options.gateways; index++) this.startGateway(index);
  }

  get uncommittedEntries(): number {
    return this.#options.uncommittedEntries;
  }

  get memoryBytes(): number {
    return this.#options.memoryBytes;
  }

  /** How long the node that stores most needs at its snapshot rate to send all of that. */
  get sendingMs(): number {
    const stored = this.machines.map(({ disk }) => disk.storedBytes);
    return (Math.max(...stored) / this.#options.snapshotBytesPerSecond) * 1000;
  }

  /** For who asks nodes as an operator's command does. */
  metaClient(life: Life): SimMetaClient {
    return new SimMetaClient(this.network, this.#directory, life);
  }

  get seeds(): readonly string[] {
    return this.machines.slice(0, this.#options.nodes).map((machine) => `${machine.name}:7401`);
  }

  startNode(machine: Machine): void {
    const { loop } = this;
    const life = new Life(machine.name);
    const random = this.#random.fork();
    const clock = new SimClock(loop, this.#options.wallMs);
    clock.skewMs = machine.skewMs;
    const peers = new SimPeerNetwork(this.network, this.#directory, life, `${machine.name}:7401`);
    const options = this.#options;
    const node = new Node(
      {
        ...defaultNodeConfig,
        addresses: {
          peerAddress: `${machine.name}:7401`,
          dataAddress: `${machine.name}:7400`,
          httpAddress: `${machine.name}:8379`,
          announceHost: machine.name,
          announcePort: 7400,
        },
        dataBindAddress: `${machine.name}:7400`,
        seeds: this.seeds,
        bootstrapExpect: options.nodes,
        shards: options.backup === null ? options.shards : null,
        replicas: Math.min(3, options.nodes),
        electionTimeoutMs: options.electionTimeoutMs,
        heartbeatMs: options.heartbeatMs,
        walSegmentBytes: options.walSegmentBytes,
        fsync: options.fsync,
        snapshotBytesPerSecond: options.snapshotBytesPerSecond,
        scrubEveryMs: options.scrubEveryMs,
        scrubStepBytes: SCRUB_STEP_BYTES,
        nodeDownAfterMs: options.nodeDownAfterMs,
        memoryBytes: options.memoryBytes,
        shardLimits: {
          ...defaultNodeConfig.shardLimits,
          checkpointIntervalMs: options.checkpointIntervalMs,
          logRetainBytes: options.logRetainBytes,
          uncommittedEntries: options.uncommittedEntries,
          snapshotChunkRows: SNAPSHOT_CHUNK_ROWS,
        },
      },
      {
        clock,
        scheduler: new SimScheduler(loop, life),
        random: random.fork(),
        digest,
        segmentDisk: new SimSegmentDisk(loop, life, machine.disk, random.fork()),
        kvStore: new SimKvStore(loop, life, machine.disk, random.fork()),
        recordStore: new SimRecordStore(loop, life, machine.disk, random.fork()),
        spaceProbe: new SimSpaceProbe(loop, life, machine.disk),
        peerNetwork: peers,
        logger: this.#logger(machine.name, (message) => this.#broke(machine, life, message)),
        network: new SimByteNetwork(this.network, life),
        ...(options.backup === null ? {} : { backup: options.backup.readerOf(loop, life, random.fork()) }),
      },
    );
    machine.life = life;
    machine.node = node;
    machine.peers = peers;
    machine.clock = clock;
    machine.broken = null;
    machine.isStopping = false;
    loop.count("node started");
    loop.after(0, "soon", life, "start", () =>
      node.start((failure) => {
        if (failure === null) return;
        this.#broke(machine, life, `cannot start: ${failure.message}`);
        this.crashNode(machine, false);
      }),
    );
  }

  /** Whoever gives up must have a reason: a disk that failed or lied. A full one is none. */
  #broke(machine: Machine, life: Life, message: string): void {
    if (machine.life !== life) return;
    if (!machine.mayBeOut) throw new Error(`${machine.name} gave up without need: ${message}`);
    machine.broken = message;
    this.loop.count(machine.disk.faults.flips > 0 ? "damage noticed" : "node gave up its disk");
  }

  /** Asks the process to end in good order; it is gone some time later. */
  stopNode(machine: Machine): void {
    const { node, life } = machine;
    if (node === null) return;
    machine.isStopping = true;
    node.stop(() => {
      if (machine.life !== life) return;
      this.crashNode(machine, false);
      this.loop.count("node stopped in good order");
    });
  }

  *gateways(): Iterable<{ readonly gateway: Gateway; readonly life: Life }> {
    for (const running of this.#gateways.values()) yield running;
  }

  startGateway(index: number): void {
    const { loop } = this;
    const name = `gateway-${index + 1}`;
    const life = new Life(name);
    const random = this.#random.fork();
    const address = this.gatewayAddresses[index]!;
    const gateway = new Gateway(
      {
        policy: "proxy",
        listenAddress: address,
        announceHost: name,
        announcePort: 6379,
        localNodeId: 0,
        gatewayId: `${name}-${random.u32()}`,
        incarnation: Math.floor(loop.nowMs) + 1,
        seedAddresses: this.seeds,
        secret: null,
        processId: index + 1,
        runId: "0".repeat(40),
        headraceVersion: "0.0.0-sim",
        processNumbers: () => noProcessNumbers,
        extraSettings: [],
        limits: { ...defaultLimits, holdMs: 2000, replyTimeoutMs: 4000 },
      },
      {
        clock: new SimClock(loop, this.#options.wallMs),
        scheduler: new SimScheduler(loop, life),
        random: random.fork(),
        digest,
        network: new SimByteNetwork(this.network, life),
        metaClient: this.metaClient(life),
        logger: this.#logger(name),
      },
    );
    this.#gateways.set(index, { gateway, life });
    loop.after(0, "soon", life, "start", () =>
      gateway.start((started) => {
        if (!started.ok) throw new Error(`${name} cannot start: ${started.message}`);
      }),
    );
  }

  /** `powerCut`: the machine loses what was not synced; else the process alone dies. */
  crashNode(machine: Machine, powerCut: boolean): void {
    const { life, peers } = machine;
    if (life === null) return;
    this.#countMemory(machine);
    const shards = [...(machine.node?.member?.shards() ?? [])];
    if (shards.some(({ isLeader }) => isLeader)) this.loop.count("leader went down");
    life.alive = false;
    machine.node = null;
    machine.life = null;
    machine.disk.faults.crashIn = 0;
    peers?.died();
    this.network.processDied(life);
    if (powerCut) machine.disk.powerCut(this.#random);
    else machine.disk.kill(this.#random);
    this.loop.count(powerCut ? "power cut" : "node killed");
  }

  restartGateway(index: number): void {
    const running = this.#gateways.get(index);
    if (running !== undefined) {
      running.life.alive = false;
      this.network.processDied(running.life);
    }
    this.loop.count("gateway restarted");
    this.startGateway(index);
  }

  /** The newest state of the cluster that any node knows. */
  get state(): ClusterState | null {
    let newest: ClusterState | null = null;
    for (const { node } of this.machines) {
      const state = node === null ? null : node.clusterState;
      if (state !== null && (newest === null || state.version > newest.version)) newest = state;
    }
    return newest;
  }

  /** Every copy of everything that is placed is where it should be, and none is far behind: a disk may be lost. */
  get isWhole(): boolean {
    const { state } = this;
    if (state === null || state.groupIds().some((groupId) => state.membersOf(groupId)!.change !== null)) return false;
    return state.shards.every(({ id, replicas }) => {
      const last = [...this.replicas()].filter(({ shard }) => shard.groupId === id && shard.isHealthy);
      const found = replicas.filter(({ replicaId }) => last.some(({ shard }) => shard.replicaId === replicaId));
      const ends = last.map(({ shard }) => shard.status().durableIndex);
      return found.length === replicas.length && Math.max(...ends) === Math.min(...ends);
    });
  }

  /** What the processes that still run have counted; once, at the end. */
  countMemory(): void {
    for (const machine of this.machines) this.#countMemory(machine);
  }

  /** Of one process, when it ends. */
  #countMemory({ node }: Machine): void {
    const member = node === null ? null : node.member;
    if (member === null || member === undefined) return;
    for (const shard of member.shards()) {
      const { packedStreams, unpackings } = shard.status();
      this.#countWork(shard.status());
      this.loop.countMany("a packed stream was asked for", unpackings);
      this.loop.countMany("a stream was packed at the end", packedStreams);
    }
    const { memory } = member;
    const { waits, readsNow, blocksAhead } = memory.traffic;
    this.loop.countMany("a command waited for cold blocks", waits);
    this.loop.countMany("a cold block was read at once", readsNow);
    this.loop.countMany("a cold block was read ahead", blocksAhead);
    this.loop.countMany("bytes gave way to the memory budget", memory.evictedBytes);
  }

  #countWork(status: ShardStatus): void {
    const { trimmedByRetention, expiredConsumers, outboxTaken, outboxDelivered, writesHeld, releasedDelayed } = status;
    this.loop.countMany("items taken from another shard's outbox", outboxTaken);
    this.loop.countMany("items that left an outbox", outboxDelivered);
    this.loop.countMany("writes were held", writesHeld);
    this.loop.countMany("entries trimmed by retention", trimmedByRetention);
    this.loop.countMany("consumers that went because they were idle", expiredConsumers);
    this.loop.countMany("delayed entries were let in", releasedDelayed);
  }

  /** Asks a node for what an operator asks for. */
  ask(machine: Machine, kind: string, body: Record<string, unknown>): void {
    machine.node?.onMetaRequest({ kind, body }, (response) => {
      this.loop.count(response.ok ? `${kind} done` : `${kind} refused`);
    });
  }

  /** Every shard replica that is there, with its machine. */
  *replicas(): Iterable<{
    readonly machine: Machine;
    readonly shard: ShardReplica;
  }> {
    for (const machine of this.machines) {
      const member = machine.node?.member;
      if (member === null || member === undefined) continue;
      for (const shard of member.shards()) yield { machine, shard };
    }
  }

  /** Who only looks through a store finds what is damaged, and nothing else. */
  #checkDamage(name: string, message: string): void {
    if (!message.includes("found by scrubbing")) return;
    const machine = this.machines.find((each) => each.name === name)!;
    if (machine.disk.faults.flips === 0) throw new Error(`${name} has damage where there is none: ${message}`);
    this.loop.count("damage found by scrubbing");
  }

  #checkRollback(name: string, group: unknown): void {
    for (const { machine, shard } of this.replicas()) {
      if (machine.name === name && shard.groupId === group) checkRollback(name, machine.disk, shard);
    }
  }

  /** What the program logs also tells which states a run has reached. */
  #logger(name: string, onBroken: (message: string) => void = () => undefined): Logger {
    const write = (level: string, event: string, fields?: Record<string, unknown>): void => {
      if (level !== "debug") this.loop.count(`log ${event}`);
      if (event === "members_step") this.loop.count(`members step ${String(fields?.["step"]).replaceAll(/\d+/g, "N")}`);
      if (event === "rollback_finished" || event === "rollback_loaded_all")
        this.#checkRollback(name, fields?.["group"]);
      if (event === "damage_found") this.#checkDamage(name, String(fields?.["message"]));
      if (Number(fields?.["tornBytes"] ?? 0) > 0) this.loop.count("torn tail");
      this.#onLog(
        `${this.loop.nowMs.toFixed(1)} ${name} ${level} ${event} ${fields === undefined ? "" : JSON.stringify(fields)}`,
      );
      if (BROKEN_EVENTS.includes(event)) onBroken(`${event} ${String(fields?.["message"])}`);
    };
    const logger: Logger = {
      debug: (event, fields) => write("debug", event, fields),
      info: (event, fields) => write("info", event, fields),
      warn: (event, fields) => write("warn", event, fields),
      error: (event, fields) => write("error", event, fields),
      child: () => logger,
    };
    return logger;
  }
}
