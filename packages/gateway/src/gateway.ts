/**
 * The process' centre: accepts clients, follows the placement, keeps one link per node, and runs turns (what several events of one moment
 * wrote leaves in one write per link and client). It only connects the parts; each of them has its own file.
 */
import { ByteWriter } from "@headrace/bytes";
import { Flag, ShardExec, findCommand, isShardExec } from "@headrace/commands";
import type { Session } from "@headrace/commands";
import type { ChannelMessage, LaneOpen, Lost, Offer, Parked, Refuse, ReplyPayload } from "@headrace/link";
import type { WaitAnswerPayload } from "@headrace/link";
import { MetaFormatError, clusterStateFromJson } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import type { ByteConnection, ByteListener, Done, GatewayWorld, Timer } from "@headrace/ports";
import { ReplyWriter } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import { ClientConnection } from "./client-connection.ts";
import type { CommandEntries } from "./command-entry.ts";
import type { ClientHost } from "./client-host.ts";
import type { GatewayConfig } from "./config.ts";
import { Dispatcher, tableEntries } from "./dispatcher.ts";
import { GatewayErrors } from "./errors.ts";
import { Monitors } from "./monitors.ts";
import { NodeLink } from "./node-link.ts";
import type { NodeLinkEvents } from "./node-link.ts";
import { Pause } from "./pause.ts";
import { splitRequests } from "./request-run.ts";
import type { RequestRun } from "./request-run.ts";
import { Router } from "./router.ts";
import { GatewayServices } from "./session-services.ts";
import { SpreadCalls } from "./spread-calls.ts";
import { ShardNumbersQuery } from "./shard-numbers.ts";
import { Statistics } from "./statistics.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Timings } from "./timings.ts";
import { Waits } from "./waits.ts";

const SWEEP_MS = 50;
const DRAIN_MS = 1_000;

/** Numbers for metrics, beside those of `statistics`. */
export interface GatewayGauges {
  readonly clients: number;
  readonly blockedClients: number;
  readonly links: number;
  readonly readyLinks: number;
  readonly shardsWithoutLeader: number;
  /** Of all clients: sent by them and not answered, and not taken by them. */
  readonly clientInputBytes: number;
  readonly clientOutputBytes: number;
}

export class Gateway implements ClientHost, NodeLinkEvents {
  readonly limits;
  readonly router: Router;
  readonly statistics: Statistics;
  readonly subscriptions: Subscriptions;
  readonly #config: GatewayConfig;
  readonly #world: GatewayWorld;
  readonly #dispatcher: Dispatcher;
  readonly #entries: CommandEntries;
  readonly #waits: Waits;
  readonly #spread: SpreadCalls;
  readonly #monitors: Monitors;
  readonly #pause: Pause;
  readonly #timings: Timings;
  readonly #clients: Map<number, ClientConnection> = new Map();
  readonly #incarnation: readonly [number, number];
  #nextClientId: number = 1;
  #listener: ByteListener | null = null;
  #watch: { close(): void } | null = null;
  #sweepTimer: Timer | null = null;
  #isStopping: boolean = false;
  /** While stopping: to be called when the last client has gone. */
  #onDrained: (() => void) | null = null;
  #turnRequested: boolean = false;
  /** Links lead to every node. A node's own port needs them only for channels, which are the whole cluster's. */
  #reachesAll: boolean;
  #nowMs: number = -1;
  #dirty: ClientConnection[] = [];
  #woken: ClientConnection[] = [];

  constructor(config: GatewayConfig, world: GatewayWorld) {
    this.#config = config;
    this.#world = world;
    // Own, changeable copies: CONFIG SET moves some of them.
    this.limits = { ...config.limits, decoder: { ...config.limits.decoder } };
    this.router = new Router(world.clock, world.scheduler);
    this.#incarnation = [world.random.u32(), world.random.u32()];
    this.#reachesAll = config.policy === "proxy";
    const entries = tableEntries();
    this.#entries = entries;
    this.statistics = new Statistics(entries.all.length);
    this.subscriptions = new Subscriptions(this);
    this.#timings = new Timings(this.statistics, entries);
    const shardNumbers = new ShardNumbersQuery(world.scheduler);
    this.#monitors = new Monitors(() => this.wallMs);
    this.#pause = new Pause(world.scheduler, (client, bytes) => {
      this.#dispatcher.withRequest(bytes, (request) => this.#dispatcher.dispatch(client, request));
      client.closeRun();
      client.wake();
    });
    this.#waits = new Waits(this, world, {
      bytes: (write, version) => this.#dispatcher.replyBytes(write, version),
      shardIds: () => this.#dispatcher.localShardIds(),
    });
    this.#spread = new SpreadCalls(this, world.scheduler);
    const services = new GatewayServices({
      config,
      limits: this.limits,
      world,
      router: this.router,
      statistics: this.statistics,
      entries,
      shardNumbers,
      timings: this.#timings,
      pause: this.#pause,
      subscriptions: this.subscriptions,
      startedAtMs: world.clock.monotonicMs(),
      sessions: () => this.#sessions(),
      client: (id) => this.#clients.get(id) ?? null,
      metaAddresses: () => this.#metaAddresses(),
      unblock: (clientId, withError, done) => this.#unblock(clientId, withError, done),
    });
    this.#dispatcher = new Dispatcher(entries, {
      core: this,
      services,
      waits: this.#waits,
      spread: this.#spread,
      shardNumbers,
      monitors: this.#monitors,
      pause: this.#pause,
      noteAnsweredHere: (client, entry, request, durationMs) => {
        this.statistics.observe(entry.index, durationMs, 1);
        this.#timings.noteOne(entry.record, request, durationMs, client.session, this.wallMs);
      },
      random: world.random,
      sessionChanged: (client) => {
        for (const link of this.router.links.values()) link.updateLane(client.laneId, client.laneOpen());
      },
      localNodeId: config.policy === "moved" ? config.localNodeId : 0,
      reachAllNodes: () => this.#reachAllNodes(),
    });
  }

  /** `done` when clients can connect (or could not be listened for). */
  start(done: Done<void>): void {
    this.#watch = this.#world.metaClient.watch(
      () => this.#metaAddresses(),
      (state) => this.#onState(state),
    );
    this.#sweep();
    const { listenAddress } = this.#config;
    if (listenAddress === null) {
      this.#world.scheduler.soon(() => done({ ok: true, value: undefined }));
      return;
    }
    this.#listener = this.#world.network.accept(
      listenAddress,
      (connection) => this.attach(connection),
      (failure) => {
        if (failure === null) done({ ok: true, value: undefined });
        else done({ ok: false, reason: "io", message: failure });
      },
    );
  }

  /** Accepts no more clients; each is closed when what it has asked is answered, after `DRAIN_MS` at the latest. Then the links go. */
  stop(done: () => void): void {
    this.#isStopping = true;
    // What CLIENT PAUSE holds is asked for: it is answered before the client is closed.
    this.#pause.end();
    this.#watch?.close();
    const finish = (): void => {
      if (this.#onDrained === null) return;
      this.#onDrained = null;
      patience.cancel();
      this.#sweepTimer?.cancel();
      for (const client of Array.from(this.#clients.values())) client.close();
      for (const link of this.router.links.values()) link.close();
      this.router.links.clear();
      if (this.#listener === null) this.#world.scheduler.soon(done);
      else this.#listener.close(done);
    };
    this.#onDrained = finish;
    const patience = this.#world.scheduler.after(DRAIN_MS, finish);
    for (const client of Array.from(this.#clients.values())) client.closeWhenAnswered();
    if (this.#clients.size === 0) finish();
  }

  /** True when placement is known and every shard's leader can be reached. */
  get isReady(): boolean {
    const ids = this.router.shardIds();
    return ids.length > 0 && ids.every((id) => this.router.linkFor(id) !== null);
  }

  gauges(): GatewayGauges {
    const links = [...this.router.links.values()];
    const clients = [...this.#clients.values()];
    return {
      clients: clients.length,
      blockedClients: clients.filter((client) => client.session.blocked).length,
      clientInputBytes: clients.reduce((sum, client) => sum + client.queryBufferBytes, 0),
      clientOutputBytes: clients.reduce((sum, client) => sum + client.outputBytes, 0),
      links: links.length,
      readyLinks: links.filter((link) => link.isReady).length,
      shardsWithoutLeader: this.router.shardIds().filter((id) => this.router.linkFor(id) === null).length,
    };
  }

  /** Requests so far by command, for metrics. */
  *commandCounts(): Iterable<{ name: string; calls: number; rejected: number; failed: number }> {
    const { calls, rejected, failed } = this.statistics;
    for (const { record, index } of this.#entries.all) {
      if (calls[index]! + rejected[index]! === 0) continue;
      yield { name: record.name, calls: calls[index]!, rejected: rejected[index]!, failed: failed[index]! };
    }
  }

  /** A client's connection, just accepted. */
  attach(connection: ByteConnection): void {
    if (this.#isStopping || this.#clients.size >= this.limits.maxClients) {
      this.statistics.rejectedConnections++;
      connection.listen({ onData: () => {}, onDrain: () => {}, onClose: () => {} });
      connection.write(this.errorReplies(GatewayErrors.maxClients, 1));
      connection.end();
      return;
    }
    this.statistics.totalConnections++;
    const id = this.#nextClientId;
    this.#nextClientId = (id % 0xffffffff) + 1;
    const sessionId = new ByteWriter(16);
    sessionId.u32(this.#incarnation[0]);
    sessionId.u32(this.#incarnation[1]);
    sessionId.f64(id);
    this.#clients.set(id, new ClientConnection(this, connection, id, sessionId.take(0)));
  }

  // ── ClientHost, LaneCore ───────────────────────────────────────────────────────────────────────────────────────────────────────

  get nowMs(): number {
    if (this.#nowMs < 0) {
      this.#nowMs = this.#world.clock.monotonicMs();
      // The next turn forgets it.
      this.requestTurn();
    }
    return this.#nowMs;
  }

  get wallMs(): number {
    return this.#world.clock.wallMs();
  }

  dispatch(client: ClientConnection, request: Request): void {
    this.#dispatcher.dispatch(client, request);
  }

  protocolError(client: ClientConnection, text: string): void {
    this.statistics.protocolErrors++;
    this.#dispatcher.error(client, text);
    client.session.closing = true;
  }

  wake(client: ClientConnection): void {
    this.#woken.push(client);
    this.requestTurn();
  }

  dirty(client: ClientConnection): void {
    this.#dirty.push(client);
    this.requestTurn();
  }

  clientGone(client: ClientConnection): void {
    if (!this.#clients.delete(client.laneId)) return;
    this.#waits.clientGone(client);
    this.#spread.clientGone(client);
    this.#monitors.forget(client);
    for (const link of this.router.links.values()) link.closeLane(client.laneId);
    if (this.#clients.size === 0) this.#onDrained?.();
  }

  laneOpen(laneId: number): LaneOpen | null {
    return this.#clients.get(laneId)?.laneOpen() ?? null;
  }

  isWrite(request: Request): boolean {
    if (isShardExec(request)) return ShardExec.mayWrite(request);
    const record = findCommand(request);
    // A message that is published again would be heard twice.
    return record === null || (record.flags & (Flag.write | Flag.pubsub)) !== 0;
  }

  errorReplies(text: string, count: number): Uint8Array {
    const reply = new ReplyWriter(new ByteWriter(128), 2);
    for (let i = 0; i < count; i++) reply.error(text);
    if (text === GatewayErrors.uncertain) this.statistics.uncertainReplies += count;
    this.statistics.countErrors(reply.writer.bytes, 0, reply.writer.length, count);
    return reply.writer.take(0);
  }

  nullReply(laneId: number): Uint8Array {
    return this.#dispatcher.replyBytes((reply) => reply.nullArray(), this.laneOpen(laneId)?.respVersion ?? 2);
  }

  noteFailures(run: RequestRun, first: number, positions: readonly number[]): void {
    let at = 0;
    let next = 0;
    splitRequests(run, (request) => {
      if (at++ !== first + positions[next]!) return;
      next++;
      const record = findCommand(request);
      if (record !== null) this.statistics.failed[this.#dispatcher.entries.of(record).index]!++;
    });
  }

  noteAnswered(run: RequestRun, durationMs: number, laneId: number): void {
    this.#timings.noteRun(run, durationMs, this.#clients.get(laneId)?.session ?? null, this.#world.clock);
  }

  get keepsBlocked(): boolean {
    return this.#config.policy === "proxy";
  }

  redirects(shardId: number, run: RequestRun): Uint8Array | null {
    if (this.#config.policy !== "moved" || this.#dispatcher.redirect(0, shardId) === null) return null;
    const reply = new ReplyWriter(new ByteWriter(64), 2);
    splitRequests(run, (request) => {
      reply.error(this.#dispatcher.redirect(this.#dispatcher.slotOfFirstKey(request), shardId)!);
    });
    return reply.writer.take(0);
  }

  requestTurn(): void {
    if (this.#turnRequested) return;
    this.#turnRequested = true;
    this.#world.scheduler.soon(() => this.#turn());
  }

  // ── NodeLinkEvents ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  onLinkUp(link: NodeLink): void {
    link.placementEpoch = this.router.state?.epoch ?? 0;
    this.subscriptions.onLinkUp(link);
    this.router.onLinkUp(link.nodeId);
  }

  onLinkDown(link: NodeLink): void {
    for (const client of this.#clients.values()) {
      for (const lane of client.lanes.values()) lane.onLinkDown(link);
    }
    this.#waits.onLinkDown(link);
    this.subscriptions.judge();
  }

  onSubscriptionsTaken(): void {
    this.subscriptions.judge();
  }

  onMessage(shardId: number, message: ChannelMessage, bytes: Uint8Array): void {
    this.subscriptions.onMessage(shardId, message, bytes);
  }

  subscriptionLinks(): Iterable<NodeLink> {
    return this.router.links.values();
  }

  onLinkLeft(link: NodeLink): void {
    for (const client of this.#clients.values()) {
      for (const lane of client.lanes.values()) lane.onLinkLeft(link);
    }
    this.#waits.onLinkDown(link);
  }

  onReply(link: NodeLink, laneId: number, shardId: number, reply: ReplyPayload, bytes: Uint8Array): boolean {
    const lane = this.#clients.get(laneId)?.lanes.get(shardId);
    // Without a lane: of a client that has gone.
    return lane === undefined || lane.onReply(link, reply, bytes);
  }

  onRefuse(link: NodeLink, laneId: number, shardId: number, refuse: Refuse): boolean {
    this.router.onRefused(shardId, refuse, link.nodeId);
    return this.#clients.get(laneId)?.lanes.get(shardId)?.onRefuse(link, refuse) ?? true;
  }

  onLost(link: NodeLink, laneId: number, shardId: number, lost: Lost): boolean {
    return this.#clients.get(laneId)?.lanes.get(shardId)?.onLost(link, lost) ?? true;
  }

  onParked(link: NodeLink, laneId: number, shardId: number, parked: Parked): boolean {
    return this.#clients.get(laneId)?.lanes.get(shardId)?.onParked(link, parked) ?? true;
  }

  onOffer(link: NodeLink, laneId: number, shardId: number, offer: Offer, isVoid: boolean): void {
    this.#clients.get(laneId)?.lanes.get(shardId)?.onOffer(link, offer, isVoid);
  }

  onPush(laneId: number, bytes: Uint8Array, start: number, end: number): void {
    this.#clients.get(laneId)?.append(bytes, start, end);
  }

  onLeader(link: NodeLink, shardId: number, nodeId: number, term: number): void {
    this.router.onLeader(shardId, nodeId, term, link.nodeId);
  }

  onWaitAnswer(answer: WaitAnswerPayload): void {
    this.#waits.onAnswer(answer);
  }

  clusterId(): string {
    return this.router.state?.clusterId ?? "";
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the events of this moment have left to do: parse on where something came free, then one write per link and per client. */
  #turn(): void {
    this.#turnRequested = false;
    this.#nowMs = -1;
    if (this.#woken.length > 0) {
      const woken = this.#woken;
      this.#woken = [];
      for (const client of woken) client.pump();
    }
    this.subscriptions.flush();
    for (const link of this.router.links.values()) link.flush();
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    for (const client of dirty) client.flushTurn();
  }

  #sweep(): void {
    const nowMs = this.#world.clock.monotonicMs();
    this.#timings.sample(nowMs);
    for (const client of Array.from(this.#clients.values())) client.sweep(nowMs);
    this.#waits.sweep(nowMs);
    this.#dispatcher.sweep(nowMs);
    this.subscriptions.judge();
    for (const link of this.router.links.values()) link.sweep(nowMs);
    this.#sweepTimer = this.#world.scheduler.after(SWEEP_MS, () => this.#sweep());
  }

  #onState(json: Record<string, unknown>): void {
    if (this.#isStopping) return;
    let state: ClusterState;
    try {
      state = clusterStateFromJson(json);
    } catch (error) {
      // From a peer: it is refused, and the last good placement stays.
      if (!(error instanceof MetaFormatError)) throw error;
      this.#world.logger.error("placement_refused", { message: error.message });
      return;
    }
    if (this.router.state !== null && state.version <= this.router.state.version) return;
    this.router.setState(state);
    this.#followNodes(state);
    this.#dispatcher.sweep(this.nowMs);
  }

  #reachAllNodes(): void {
    if (this.#reachesAll) return;
    this.#reachesAll = true;
    if (this.router.state !== null) this.#followNodes(this.router.state);
  }

  #followNodes(state: ClusterState): void {
    const { links } = this.router;
    const wanted = state.nodes.filter((node) => this.#reachesAll || node.id === this.#config.localNodeId);
    for (const [nodeId, link] of Array.from(links)) {
      if (wanted.some((node) => node.id === nodeId && node.dataAddress === link.address)) continue;
      links.delete(nodeId);
      link.close();
    }
    for (const node of wanted) {
      const known = links.get(node.id);
      if (known !== undefined) {
        known.placementEpoch = state.epoch;
        continue;
      }
      const { gatewayId, incarnation, secret } = this.#config;
      const address = node.dataAddress;
      const link = new NodeLink({ nodeId: node.id, address, gatewayId, incarnation, secret }, this.#world, this, this);
      links.set(node.id, link);
      link.connect();
    }
  }

  #unblock(clientId: number, withError: boolean, done: (wasBlocked: boolean) => void): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return done(false);
    const isEnded =
      client.session.blocked && (this.#spread.unblock(client, withError) || this.#waits.unblock(client, withError));
    if (isEnded) done(true);
    else client.unblock(withError, done);
  }

  #metaAddresses(): readonly string[] {
    const known = this.router.state?.nodes.map((node) => node.peerAddress) ?? [];
    return [...new Set([...known, ...this.#config.seedAddresses])];
  }

  *#sessions(): Iterable<Session> {
    for (const client of this.#clients.values()) {
      client.session.queryBufferBytes = client.queryBufferBytes;
      client.session.outputBufferBytes = client.outputBytes;
      yield client.session;
    }
  }
}
