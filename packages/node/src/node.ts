/**
 * A storage node: one process' worth of replicas. This file is its life: who am I, is the log whole, found or join or resume, serve, stop.
 *
 *   identity ─► log recovery ─► peers and data port ─► founding or joining, if empty ─► groups ─► serving
 *           └► a backup to found from, if empty: checked                └► its rows put into the store ┘
 *
 * What is done in between is the business of the parts that it puts together. Must not know: Raft, RESP, how anything is stored.
 */
import { settingsFromJson } from "@headrace/meta";
import type { ClusterState, MetaCommand } from "@headrace/meta";
import type { HandshakeSecurity, NodeIdentity } from "@headrace/link";
import { SharedLog } from "@headrace/log";
import type { RecoveredGroup, RecoveryOutcome } from "@headrace/log";
import type {
  BackupContent,
  BackupReader,
  ByteConnection,
  ByteNetwork,
  MetaRequest,
  MetaResponse,
  NodeWorld,
  PeerChannel,
  PeerLoss,
  PeerNetworkEvents,
  PeerObjection,
  Result,
} from "@headrace/ports";
import { FOUNDING_INDEX, FOUNDING_TERM } from "./checkpoint-row.ts";
import { DamageReports } from "./damage.ts";
import { unknownLevel } from "./feature-level.ts";
import { disposeOfLog } from "./log-disposal.ts";
import { Founding, randomHex } from "./founding.ts";
import type { FoundingBackup, Membership } from "./founding.ts";
import { contradiction, loadIdentity, storeIdentity } from "./identity.ts";
import type { FoundedWith, Identity, StartFailure } from "./identity.ts";
import { LaneFront } from "./lane-front.ts";
import { MessageRefusals } from "./message-refusals.ts";
import { MemberNode } from "./member-node.ts";
import { loadMetaPosition, storeMetaPosition, votersOnly } from "./meta-position.ts";
import type { MetaPosition } from "./meta-position.ts";
import { MetaService } from "./meta-service.ts";
import { PatientRecords } from "./patient-records.ts";
import { Quarantine } from "./quarantine.ts";
import { loadReplicas } from "./replica-record.ts";
import type { OwnReplica } from "./replica-record.ts";
import { defaultReplicas, defaultShards } from "./node-config.ts";
import type { NodeConfig } from "./node-config.ts";
import { checkBackup, positionsOf, Restoration } from "./restoration.ts";
import { readCoveredIndexes } from "./state-loading.ts";

export interface NodeOuterWorld extends NodeWorld {
  /** The data port and the links. */
  readonly network: ByteNetwork;
  /** A client that speaks RESP to the data port; the connection delivers from its first byte on. Without it such clients are closed. */
  readonly onRespConnection?: (connection: ByteConnection) => void;
  /** What the cluster is to be founded from; of no meaning to a node that is a member. */
  readonly backup?: BackupReader;
}

/** What `/readyz` says. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export class Node implements PeerNetworkEvents {
  readonly #config: NodeConfig;
  readonly #world: NodeOuterWorld;
  #log: SharedLog;
  readonly #front: LaneFront;
  readonly #founding: Founding;
  readonly #service: MetaService;
  #recovered: ReadonlyMap<number, RecoveredGroup>;
  #identity: Identity | null;
  #member: MemberNode | null;
  /** Why this node can't serve although its process runs: a damaged log, a disk that failed. */
  #broken: string | null;
  /** Of a node that serves nothing: what it knows of its cluster, for those who ask and for itself. */
  #lastState: ClusterState | null;
  /** Where there is no record of its replicas yet: those that it was founded with. */
  #firstReplicas: readonly { readonly groupId: number; readonly replicaId: number }[];
  /** While its log is damaged: its replicas are being replaced. */
  #quarantine: Quarantine | null;
  readonly #damage: DamageReports;
  readonly #refusals: MessageRefusals;
  readonly #records: PatientRecords;
  /** Checked; null: none was given, or it is not needed any more. */
  #backup: BackupContent | null;
  #restoration: Restoration | null;
  #restorationFailure: string | null;
  #stopping: boolean;

  constructor(config: NodeConfig, world: NodeOuterWorld) {
    const { scheduler, logger } = world;
    this.#config = config;
    // A full disk stops nothing that can wait.
    this.#records = new PatientRecords(world.recordStore, scheduler, logger);
    this.#world = { ...world, recordStore: this.#records };
    this.#damage = new DamageReports(logger);
    this.#refusals = new MessageRefusals(logger);
    this.#log = this.#newLog();
    const onRespConnection = world.onRespConnection ?? ((connection: ByteConnection) => connection.destroy());
    this.#front = new LaneFront(
      config.laneLimits,
      { network: world.network, scheduler, logger, onRespConnection },
      {
        shard: (shardId) => this.#member?.shard(shardId) ?? null,
        identity: () => this.#linkIdentity(),
        security: () => this.#linkSecurity(),
        onLinkRefused: () => this.#refusals.refuseLink(),
        requestTurn: () => this.#requestTurn(),
      },
    );
    this.#founding = new Founding(
      {
        addresses: config.addresses,
        seeds: config.seeds,
        bootstrapExpect: config.bootstrapExpect,
        shards: config.shards ?? defaultShards,
        replicas: config.replicas ?? defaultReplicas,
        settings: config.settings,
      },
      this.#world,
      {
        onMember: (membership, stored) => this.#onMember(membership, stored),
        onFailed: (message) => this.#break(message),
      },
    );
    this.#service = new MetaService(config.addresses, world, {
      metaGroup: () => this.#member?.metaGroup ?? null,
      state: () => this.#member?.state ?? this.#lastState,
      adopt: (state) => {
        if (this.#member === null) this.#lastState = state;
        else this.#member.adopt(state);
      },
      status: () => this.status(),
      objection: (command) => this.#member?.objection(command) ?? null,
    });
    this.#recovered = new Map();
    this.#identity = null;
    this.#member = null;
    this.#broken = null;
    this.#quarantine = null;
    this.#lastState = null;
    this.#firstReplicas = [];
    this.#backup = null;
    this.#restoration = null;
    this.#restorationFailure = null;
    this.#stopping = false;
  }

  /**
   * Starts listening and then finds its place by itself. `done` gets null when the ports are open, or why the node can't start; the node is
   * not ready yet then (see `readiness`).
   */
  start(done: (failure: StartFailure | null) => void): void {
    loadIdentity(this.#world.recordStore, (loaded) => {
      if (!loaded.ok) return done(loaded.failure);
      const identity = loaded.value;
      const contradicts = identity === null ? null : contradiction(identity, this.#config);
      if (contradicts !== null) return done(contradicts);
      this.#checkBackup(identity, (unusable) => {
        if (unusable !== null) return done(unusable);
        this.#recoverLog(identity, (failure) => {
          if (failure !== null) return done(failure);
          this.#listen((notListening) => {
            done(notListening);
            if (notListening === null) this.#findPlace(identity);
          });
        });
      });
    });
  }

  /**
   * Hands leadership over, gives every held request its fate, flushes and closes everything. Bounded in time. May be called once, after
   * `start` has answered.
   */
  stop(done: () => void): void {
    this.#stopping = true;
    this.#front.stopping = true;
    this.#founding.close();
    this.#quarantine?.stop();
    this.#restoration?.stop();
    this.#service.close();
    const member = this.#member;
    if (member === null) return this.#close(done);
    member.handOverAll(() => {
      member.stop();
      this.#close(done);
    });
  }

  /** A link that does not come through the data port: a gateway in this process. */
  acceptLink(connection: ByteConnection): void {
    this.#front.acceptLink(connection);
  }

  readiness(): Readiness {
    const reasons: string[] = [];
    if (this.#stopping) reasons.push("stopping");
    if (this.#broken !== null) reasons.push(this.#broken);
    if (this.#quarantine !== null) reasons.push(`waits for ${this.#quarantine.waitsFor}`);
    if (this.#broken !== null) return { ready: false, reasons };
    if (this.#records.lackSpace) reasons.push("the disk is full: records wait for space");
    else if (this.#restoration !== null) reasons.push(restoringReason(this.#restoration));
    else if (this.#member === null) reasons.push(`not part of a cluster: waiting for ${this.#founding.waitingFor}`);
    else reasons.push(...this.#member.unreadyReasons());
    return { ready: reasons.length === 0, reasons };
  }

  /** Nobody waits for it to be ready: it was removed, is a spare, or is being emptied. */
  get isSetAside(): boolean {
    const state = this.#member?.state;
    return state !== undefined && state.node(this.nodeId)?.duty !== "active";
  }

  /** Why it can't be founded from its backup; only a new start can go on. Null: nothing is wrong. */
  get restorationFailure(): string | null {
    return this.#restorationFailure;
  }

  /** The state of the cluster as this node knows it; null before membership. To be read, not kept. */
  get clusterState(): ClusterState | null {
    return this.#member?.state ?? null;
  }

  /** What this node knows about who leads the shard, 0: nothing. For redirects. */
  leaderNodeOf(shardId: number): number {
    return this.#member?.groups.leaderOf(shardId).nodeId ?? 0;
  }

  get nodeId(): number {
    return this.#identity?.nodeId ?? 0;
  }

  /** The store has found damage by itself. What it means is decided when the row is read. */
  storeIsDamaged(message: string): void {
    this.#damage.report("state", message);
  }

  /** For people, metrics and the `status` request; plain JSON. */
  status(): Record<string, unknown> {
    return {
      nodeId: this.nodeId,
      clusterId: this.#identity?.clusterId ?? "",
      incarnation: this.#identity?.incarnation ?? 0,
      ...this.readiness(),
      ...this.#member?.status(),
      ...(this.#restoration === null ? {} : { restoring: this.#restoration.progress }),
      wal: { ...this.#log.stats },
      damage: this.#damage.counts,
      refused: this.#refusals.counts,
      lanes: this.#front.status(),
    };
  }

  /** Replicas on this node, for the simulator's checkers. */
  get member(): MemberNode | null {
    return this.#member;
  }

  // ── what the peers do ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  onFrame(fromNodeId: number, channel: PeerChannel, frame: Uint8Array): void {
    this.#member?.onFrame(fromNodeId, channel, frame);
  }

  onPeerUp(nodeId: number): void {
    this.#world.logger.info("peer_up", { node: nodeId });
    this.#member?.onPeerUp(nodeId);
  }

  onPeerDown(nodeId: number, loss: PeerLoss): void {
    this.#world.logger.info("peer_down", { node: nodeId, loss });
    this.#member?.onPeerDown(nodeId, loss);
  }

  onPeerRefused(objection: PeerObjection): void {
    this.#refusals.refusePeer(objection);
  }

  onWritable(): void {
    // Raft was told of what was lost and probes by itself; a snapshot's receiver asks again.
  }

  onMetaRequest(request: MetaRequest, answer: (response: MetaResponse) => void): void {
    const { kind, body } = request;
    if (this.#founding.answer(kind, body, answer) || this.#service.answer(kind, body, answer)) return;
    if (this.#member?.backups.answer(kind, body, answer) === true) return;
    answer({ ok: false, body: { error: `unknown request ${kind}`, retry: false } });
  }

  // ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** All of it is read before anything is founded from it. */
  #checkBackup(identity: Identity | null, done: (failure: StartFailure | null) => void): void {
    const { backup } = this.#world;
    if (backup === undefined || identity?.opened === true) return done(null);
    checkBackup(backup, this.#config.featureLevel, (checked) => {
      if (!checked.ok) return done({ reason: "backup", message: checked.message });
      const { shards } = checked.value;
      const asked = this.#config.shards;
      if (asked !== null && asked !== shards.length) {
        const message = `the backup has ${shards.length} shards, not ${asked}: a cluster that is founded from it has the same`;
        return done({ reason: "contradiction", message });
      }
      this.#backup = checked.value;
      done(null);
    });
  }

  #recoverLog(identity: Identity | null, done: (failure: StartFailure | null) => void): void {
    // What checkpoints cover stays on disk: all segments together may be more than there is memory for.
    readCoveredIndexes(this.#world.kvStore, (covered) => {
      this.#log.recover((result) => this.#logIsRecovered(identity, result, done), covered);
    });
  }

  #logIsRecovered(
    identity: Identity | null,
    result: Result<RecoveryOutcome>,
    done: (failure: StartFailure | null) => void,
  ): void {
    if (!result.ok) return done({ reason: "io", message: `the log can't be read: ${result.message}` });
    const outcome = result.value;
    if (outcome.kind === "unknown") {
      const message = `the log was written by a newer headrace: ${outcome.message}`;
      return done({ reason: "newer", message });
    }
    if (outcome.kind === "damaged") {
      // The process stays up and says so: a restart would not help (I23).
      this.#logIsDamaged(outcome.message);
      return done(null);
    }
    if (identity === null && outcome.groups.size > 0) {
      const message = "the data directory holds a log but no identity: it is not whole, the node can't know its id";
      return done({ reason: "foreign", message });
    }
    if (outcome.tornBytes > 0) this.#world.logger.info("log_tail_torn", { bytes: outcome.tornBytes });
    this.#recovered = outcome.groups;
    done(null);
  }

  #listen(done: (failure: StartFailure | null) => void): void {
    this.#world.peerNetwork.start(this, (started) => {
      if (!started.ok) return done({ reason: "bind", message: started.message });
      this.#front.accept(this.#config.dataBindAddress, (failure) => {
        done(failure === null ? null : { reason: "bind", message: failure });
      });
    });
  }

  #findPlace(identity: Identity | null): void {
    if (this.#stopping) return;
    if (identity !== null) {
      this.#founding.alreadyMember(identity.clusterId);
      if (this.#broken === null) this.#resume(identity);
      else this.#stayOut(identity);
    } else if (this.#broken === null) {
      this.#founding.start(this.#foundingBackup());
    }
  }

  #foundingBackup(): FoundingBackup | null {
    if (this.#backup === null) return null;
    const { id: backupId, featureLevel, shards, settings, replicas } = this.#backup;
    return {
      origin: { backupId, featureLevel, shards },
      replicas: this.#config.replicas ?? replicas,
      settings: settingsFromJson(settings),
    };
  }

  /** The data directory says who this node is. Every start is a new incarnation, and durable before anyone hears of it. */
  #resume(identity: Identity): void {
    loadMetaPosition(this.#world.recordStore, (loaded) => {
      if (!loaded.ok || loaded.value === null) {
        const message = loaded.ok
          ? "the data directory has an identity but no metadata: it is not whole"
          : loaded.failure.message;
        if (loaded.ok || loaded.failure.reason === "damaged") this.#damage.report("records", message);
        this.#break(message);
        return this.#stayOut(identity);
      }
      const meta = loaded.value;
      loadReplicas(this.#world.recordStore, (own) => {
        if (!own.ok) return this.#break(own.failure.message);
        const next = { ...identity, incarnation: identity.incarnation + 1 };
        this.#storeIdentity(next, () => this.#openMember(next, meta, own.value));
      });
    });
  }

  /** Takes part in nothing, but says who it is and why, and follows what becomes of the cluster. */
  #stayOut(identity: Identity): void {
    this.#identity = identity;
    loadMetaPosition(this.#world.recordStore, (loaded) => {
      if (this.#stopping) return;
      if (!loaded.ok) this.#world.logger.error("metadata_unknown", { message: loaded.failure.message });
      this.#lastState = loaded.ok ? (loaded.value?.state ?? null) : null;
      this.#firstReplicas = this.#lastState?.groupsOn(identity.nodeId) ?? [];
      this.#service.start(identity.nodeId);
      this.#quarantine?.start();
    });
  }

  /** First the state, then the identity: who has an identity has a state. */
  #onMember(membership: Membership, stored: () => void): void {
    const { state, nodeId, founded } = membership;
    const voters = state.metaReplicas.map((replica) => replica.replicaId);
    const position = founded
      ? { index: FOUNDING_INDEX, term: FOUNDING_TERM, confState: votersOnly(voters) }
      : { index: 0, term: 0, confState: votersOnly([]) };
    const identity: Identity = {
      clusterId: state.clusterId,
      nodeId,
      incarnation: 1,
      opened: !founded,
      foundedWith: founded ? foundedWithOf(state) : null,
    };
    storeMetaPosition(this.#world.recordStore, { position, state, isPut: true }, (result) => {
      if (!result.ok) return this.#break(`the metadata can't be written: ${result.message}`);
      this.#storeIdentity(identity, () => {
        this.#world.logger.info(founded ? "cluster_founded" : "cluster_joined", {
          cluster: identity.clusterId,
          node: nodeId,
        });
        stored();
        this.#openMember(identity, { position, state, isPut: true }, null);
      });
    });
  }

  #openMember(identity: Identity, meta: MetaPosition, own: readonly OwnReplica[] | null): void {
    if (this.#stopping) return;
    const unknown = unknownLevel(meta.state, this.#config.featureLevel);
    if (unknown !== null) {
      this.#break(unknown);
      return this.#stayOut(identity);
    }
    if (!identity.opened && meta.state.restoredFrom !== "" && this.#restoration === null) {
      return this.#restore(identity, meta, own);
    }
    this.#restoration = null;
    const { clusterId, nodeId, incarnation } = identity;
    this.#identity = identity;
    this.#world.peerNetwork.identify({ clusterId, nodeId, incarnation });
    const cluster = {
      propose: (command: MetaCommand, done: (error: string | null) => void) =>
        this.#service.proposeAndAdopt(command, done),
      onBroken: (message: string) => this.#break(message),
    };
    const member = new MemberNode(
      {
        nodeId,
        config: this.#config,
        world: this.#world,
        log: this.#log,
        front: this.#front,
        damage: this.#damage,
        cluster,
        refusals: this.#refusals,
      },
      meta.state,
    );
    this.#member = member;
    const run = (): void => {
      if (this.#stopping || this.#broken !== null) return;
      member.run();
      this.#service.start(nodeId);
    };
    const isFounder = identity.foundedWith !== null;
    const beginnings = this.#backup === null ? new Map() : positionsOf(this.#backup);
    const start = { meta, recovered: this.#recovered, own, isFounder, founding: !identity.opened, beginnings };
    member.open(start, () => {
      this.#recovered = new Map();
      if (identity.opened) return run();
      const opened = { ...identity, opened: true };
      this.#storeIdentity(opened, run);
    });
  }

  /** Its replicas' first state is the backup's: none of them is opened before all of it is in the store. */
  #restore(identity: Identity, meta: MetaPosition, own: readonly OwnReplica[] | null): void {
    const { backup: reader, kvStore, scheduler, logger } = this.#world;
    const { state } = meta;
    const content = this.#backup;
    const fail = (message: string): void => {
      this.#restorationFailure = message;
      this.#break(message);
      this.#stayOut(identity);
    };
    if (reader === undefined || content === null || content.id !== state.restoredFrom) {
      return fail(`restoring was not finished: start it with --restore and backup ${state.restoredFrom}`);
    }
    const { nodeId } = identity;
    const restoration = new Restoration({ reader, content, state, nodeId, kvStore, scheduler, logger });
    this.#restoration = restoration;
    restoration.run((result) => {
      if (result.ok) this.#openMember(identity, meta, own);
      else fail(`the backup can't be restored: ${result.message}`);
    });
  }

  #storeIdentity(identity: Identity, then: () => void): void {
    storeIdentity(this.#world.recordStore, identity, (result) => {
      if (!result.ok) return this.#break(`the identity can't be written: ${result.message}`);
      this.#identity = identity;
      then();
    });
  }

  #newLog(): SharedLog {
    const { segmentDisk, clock, scheduler, logger } = this.#world;
    const { walSegmentBytes: segmentBytes, fsync } = this.#config;
    const walConfig = { segmentBytes, maxWriteBytes: 1024 * 1024, sealAfterMs: 10, fsync };
    const log = new SharedLog(walConfig, segmentDisk, clock, scheduler, logger);
    log.onPoisoned = (message) => this.#break(`the log's disk failed: ${message}`);
    log.onDamage = (message) => this.#logIsDamaged(message);
    return log;
  }

  /** A log that is damaged anywhere can't be believed anywhere: no replica that lives in it may serve or vote (I23). */
  #logIsDamaged(message: string): void {
    this.#damage.report("wal", message);
    if (this.#quarantine !== null) return;
    this.#break(`the log is damaged: ${message}`);
    this.#log.abandon();
    this.#quarantine = new Quarantine(this.#world, {
      nodeId: () => this.nodeId,
      state: () => this.#member?.state ?? this.#lastState,
      propose: (command, done) => this.#service.proposeAndAdopt(command, done),
      onReleased: () => this.#beginAnew(),
    });
    if (this.#identity !== null) this.#quarantine.start();
  }

  /** Nothing is placed here any more: without its log this node is an empty member. */
  #beginAnew(): void {
    const identity = this.#identity!;
    const state = this.#member?.state ?? this.#lastState!;
    const failed = (message: string): void => this.#world.logger.error("log_not_discarded", { message });
    loadReplicas(this.#world.recordStore, (own) => {
      if (!own.ok) return failed(own.failure.message);
      const founded = this.#firstReplicas.map((group): OwnReplica => ({ ...group, stage: "open" }));
      disposeOfLog(this.#world, state, own.value ?? founded, (disposed) => {
        if (this.#stopping) return;
        if (!disposed.ok) return failed(disposed.message);
        this.#world.logger.warn("log_discarded", { node: identity.nodeId });
        this.#member?.stop();
        this.#member = null;
        this.#broken = null;
        this.#quarantine = null;
        this.#lastState = state;
        this.#log = this.#newLog();
        this.#recoverLog(identity, (failure) => {
          if (failure !== null) this.#break(failure.message);
          if (!this.#stopping) this.#findPlace({ ...identity, opened: true });
        });
      });
    });
  }

  // ── the rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #break(message: string): void {
    if (this.#broken !== null) return;
    this.#broken = message;
    this.#world.logger.error("node_broken", { message });
    this.#member?.failAll(message);
  }

  #close(done: () => void): void {
    this.#front.stopAccepting(() => {
      this.#front.close();
      this.#log.close(() => {
        this.#world.peerNetwork.close(() => {
          this.#world.kvStore.close(() => done());
        });
      });
    });
  }

  /** Answers of links that are not part of a group's turn still leave in one write. */
  #requestTurn(): void {
    if (this.#member === null) this.#world.scheduler.soon(() => this.#front.flush());
    else this.#member.groups.requestTurnEnd();
  }

  #linkIdentity(): NodeIdentity | null {
    const identity = this.#identity;
    if (identity === null) return null;
    const { clusterId, nodeId, incarnation } = identity;
    return { clusterId, nodeId, incarnation, featureLevel: this.#config.featureLevel };
  }

  #linkSecurity(): HandshakeSecurity {
    const { digest, random } = this.#world;
    return {
      secret: this.#config.secret,
      hmacSha256: (key, data) => digest.hmacSha256(key, data),
      nonce: randomHex(random, 4),
    };
  }
}

function restoringReason(restoration: Restoration): string {
  const { shardsDone, shards } = restoration.progress;
  return `restoring shard ${Math.min(shardsDone + 1, shards)} of ${shards}`;
}

function foundedWithOf(state: ClusterState): FoundedWith {
  return { nodes: state.nodes.length, shards: state.shards.length, replicas: state.shards[0]!.replicas.length };
}
