/** What session commands may ask of a gateway: CLIENT LIST, CONFIG, INFO, CLUSTER. Cold path. */
import { SLOT_COUNT } from "@headrace/bytes";
import { ChannelKind, isSubscriber, settingFailed, unknownSetting } from "@headrace/commands";
import type {
  InfoNumbers,
  LatencyView,
  NodeView,
  Session,
  SessionServices,
  ShardView,
  SlowLogView,
} from "@headrace/commands";
import { defaultSettings, isClusterSetting, nodeName, parseSetting, settingPairs } from "@headrace/meta";
import type { GatewayWorld } from "@headrace/ports";
import type { ClientConnection } from "./client-connection.ts";
import type { CommandEntries } from "./command-entry.ts";
import type { GatewayConfig } from "./config.ts";
import { GatewayErrors } from "./errors.ts";
import { localSettings } from "./gateway-settings.ts";
import type { AdjustableLimits, LocalSetting } from "./gateway-settings.ts";
import type { Pause } from "./pause.ts";
import { FIXED_SETTINGS } from "./redis-settings.ts";
import type { Router } from "./router.ts";
import type { ShardNumbersQuery } from "./shard-numbers.ts";
import type { Statistics } from "./statistics.ts";
import type { Subscriptions } from "./subscriptions.ts";
import type { Timings } from "./timings.ts";

const ASK_TIMEOUT_MS = 2_000;
const ASK_ROUNDS = 3;
const SHOWN_MS = 5;

/** CONFIG SET, checked. */
interface SettingPlan {
  readonly local: [setting: LocalSetting, value: string][];
  readonly cluster: [name: string, value: string][];
}

export interface ServicesRooms {
  readonly config: GatewayConfig;
  readonly limits: AdjustableLimits;
  readonly world: GatewayWorld;
  readonly router: Router;
  readonly statistics: Statistics;
  readonly entries: CommandEntries;
  readonly shardNumbers: ShardNumbersQuery;
  readonly timings: Timings;
  readonly pause: Pause;
  readonly subscriptions: Subscriptions;
  readonly startedAtMs: number;
  sessions(): Iterable<Session>;
  client(id: number): ClientConnection | null;
  metaAddresses(): readonly string[];
  unblock(clientId: number, withError: boolean, done: (wasBlocked: boolean) => void): void;
}

export class GatewayServices implements SessionServices {
  readonly #rooms: ServicesRooms;

  readonly #local: ReadonlyMap<string, LocalSetting>;
  /** Greatest memory that was seen when somebody asked. */
  #peakMemoryBytes: number = 0;

  constructor(rooms: ServicesRooms) {
    this.#rooms = rooms;
    const { limits, statistics, timings } = rooms;
    this.#local = localSettings({ limits, statistics, slowLog: timings.slowLog, latency: timings.latency });
  }

  get slowLog(): SlowLogView {
    return this.#rooms.timings.slowLog;
  }

  get latency(): LatencyView {
    return this.#rooms.timings.latency;
  }

  killSession(session: Session, isAsking: boolean): void {
    if (isAsking) session.closing = true;
    else this.#rooms.client(session.id)?.close();
  }

  pauseClients(untilMs: number, writesOnly: boolean): void {
    this.#rooms.pause.begin(this.monotonicMs, untilMs, writesOnly);
  }

  unpauseClients(): void {
    this.#rooms.pause.end();
  }

  randomHex(digits: number): string {
    let text = "";
    while (text.length < digits) text += this.#rooms.world.random.u32().toString(16).padStart(8, "0");
    return text.slice(0, digits);
  }

  get wallMs(): number {
    return this.#rooms.world.clock.wallMs();
  }

  get monotonicMs(): number {
    return this.#rooms.world.clock.monotonicMs();
  }

  get mode(): "standalone" | "cluster" {
    return this.#rooms.config.policy === "moved" ? "cluster" : "standalone";
  }

  get epoch(): number {
    return this.#rooms.router.state?.epoch ?? 0;
  }

  get self(): NodeView {
    const { config, router } = this.#rooms;
    const { state } = router;
    return {
      nodeId: config.localNodeId,
      // A gateway calls itself the cluster's node 0.
      name: state === null ? config.runId : nodeName(state.clusterId, config.localNodeId),
      host: config.announceHost,
      port: config.announcePort,
    };
  }

  /** A gateway is all shards to its clients; a node shows who really leads. */
  shards(): readonly ShardView[] {
    const { router, config } = this.#rooms;
    const { state } = router;
    if (state === null) return [];
    const { self } = this;
    if (config.policy === "proxy") {
      let servedSlots = 0;
      for (const shard of state.shards) if (router.route(shard.id).leaderNodeId !== 0) servedSlots += slotCount(shard);
      const slotRanges = [{ from: 0, to: SLOT_COUNT - 1 }];
      return [{ shardId: 1, slotRanges, nodes: [self], leaderNodeId: self.nodeId, servedSlots }];
    }
    return state.shards.map((shard) => ({
      shardId: shard.id,
      slotRanges: shard.slotRanges,
      nodes: shard.replicas.map(({ nodeId }) => {
        const node = state.node(nodeId)!;
        return { nodeId, name: nodeName(state.clusterId, nodeId), host: node.announceHost, port: node.announcePort };
      }),
      leaderNodeId: router.route(shard.id).leaderNodeId,
      servedSlots: router.route(shard.id).leaderNodeId === 0 ? 0 : slotCount(shard),
    }));
  }

  sessions(): Iterable<Session> {
    return this.#rooms.sessions();
  }

  /** Each name once: what this process can change comes first, then the cluster's, then what the launcher was told, then what is fixed. */
  settings(): Iterable<readonly [name: string, value: string]> {
    const { router, config } = this.#rooms;
    const found = new Map<string, string>();
    const cluster = settingPairs(router.state?.settings ?? defaultSettings);
    for (const [name, setting] of this.#local) found.set(name, setting.show());
    for (const [name, value] of [...cluster, ...config.extraSettings, ...FIXED_SETTINGS]) {
      if (!found.has(name)) found.set(name, value);
    }
    return found;
  }

  setSettings(pairs: readonly (readonly [name: string, value: string])[], done: (error: string | null) => void): void {
    const plan = this.#plan(pairs);
    if (typeof plan === "string") {
      done(plan);
      return;
    }
    this.#setClusterSettings(plan.cluster, 0, (error) => {
      if (error === null) for (const [setting, value] of plan.local) setting.take(value);
      done(error);
    });
  }

  /** What is to be done once every pair has been found good; or the error text of the first that is not. */
  #plan(pairs: readonly (readonly [name: string, value: string])[]): SettingPlan | string {
    const plan: SettingPlan = { local: [], cluster: [] };
    const seen = new Set<string>();
    const current = new Map(this.settings());
    for (const [name] of pairs) {
      const known = name.toLowerCase();
      if (!current.has(known)) return unknownSetting(name);
      if (seen.has(known)) return settingFailed(name, "duplicate parameter");
      seen.add(known);
    }
    for (const [name, text] of pairs) {
      const known = name.toLowerCase();
      const local = this.#local.get(known);
      if (isClusterSetting(known)) {
        const checked = parseSetting(this.#rooms.router.state?.settings ?? defaultSettings, known, text);
        if (!checked.ok) return settingFailed(name, checked.error);
        plan.cluster.push([known, text]);
      } else if (local !== undefined) {
        const read = local.read(text);
        if (!read.ok) return settingFailed(name, read.reason);
        plan.local.push([local, read.value]);
      } else if (current.get(known) !== text) {
        return settingFailed(name, "can't set immutable config");
      }
    }
    return plan;
  }

  unblock(clientId: number, withError: boolean, done: (wasBlocked: boolean) => void): void {
    this.#rooms.unblock(clientId, withError, done);
  }

  resetStatistics(): void {
    this.#rooms.statistics.reset();
  }

  info(): InfoNumbers {
    const { config, limits, statistics, timings, shardNumbers, router, startedAtMs } = this.#rooms;
    const sessions = [...this.#rooms.sessions()];
    const ofProcess = config.processNumbers();
    this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, ofProcess.usedMemoryBytes);
    const replicas = (router.state?.shards ?? []).map((shard) => shard.replicas.length - 1);
    return {
      ...ofProcess,
      headraceVersion: config.headraceVersion,
      processId: config.processId,
      runId: config.runId,
      port: config.announcePort,
      uptimeMs: this.monotonicMs - startedAtMs,
      connectedClients: sessions.length,
      blockedClients: sessions.filter((session) => session.blocked).length,
      pubsubClients: sessions.filter((session) => isSubscriber(session.subscriptions)).length,
      watchingClients: sessions.filter((session) => session.transaction.watchedCount > 0).length,
      watchedKeys: sessions.reduce((sum, session) => sum + session.transaction.watchedCount, 0),
      maxClients: limits.maxClients,
      maxInputBufferBytes: Math.max(0, ...sessions.map((session) => session.queryBufferBytes)),
      maxOutputBufferBytes: Math.max(0, ...sessions.map((session) => session.outputBufferBytes)),
      peakMemoryBytes: this.#peakMemoryBytes,
      clientBufferBytes: sessions.reduce((sum, each) => sum + each.queryBufferBytes + each.outputBufferBytes, 0),
      maxMemoryBytes: Number(new Map(this.settings()).get("maxmemory") ?? 0),
      channels: this.#rooms.subscriptions.count(ChannelKind.channel),
      patterns: this.#rooms.subscriptions.count(ChannelKind.pattern),
      shardChannels: this.#rooms.subscriptions.count(ChannelKind.shardChannel),
      totalConnections: statistics.totalConnections,
      rejectedConnections: statistics.rejectedConnections,
      totalCommands: statistics.totalCommands,
      totalErrorReplies: statistics.totalErrorReplies,
      inputBytes: statistics.inputBytes,
      outputBytes: statistics.outputBytes,
      readsProcessed: statistics.readsProcessed,
      writesProcessed: statistics.writesProcessed,
      queryBufferLimitClosed: statistics.protocolErrors,
      outputLimitClosed: statistics.outputLimitClosed,
      commandsPerSecond: timings.commandRate.perSecond,
      inputKilobytesPerSecond: timings.inputRate.perSecond / 1024,
      outputKilobytesPerSecond: timings.outputRate.perSecond / 1024,
      connectedReplicas: replicas.length === 0 ? 0 : Math.min(...replicas),
      clusterEnabled: config.policy === "moved" || limits.clusterEnabled,
      shards: shardNumbers.last,
      commandStats: timings.commandNumbers(),
      errorStats: [...statistics.errorsByCode].map(([code, count]) => ({ code, count })),
      latencyPercentiles: statistics.latencyPercentiles,
    };
  }

  /** One after the other: each is a command of the metadata group. */
  #setClusterSettings(
    pairs: readonly (readonly [name: string, value: string])[],
    from: number,
    done: (error: string | null) => void,
  ): void {
    const pair = pairs[from];
    if (pair === undefined) {
      done(null);
      return;
    }
    this.#ask(this.#rooms.metaAddresses(), 0, { name: pair[0], value: pair[1] }, (error) => {
      if (error === null) this.#setClusterSettings(pairs, from + 1, done);
      else done(error);
    });
  }

  /** One address after another, a few rounds: only the metadata group's leader can say yes, and it may be electing. */
  #ask(
    addresses: readonly string[],
    attempt: number,
    body: { readonly name: string; readonly value: string },
    done: (error: string | null) => void,
  ): void {
    if (addresses.length === 0 || attempt >= addresses.length * ASK_ROUNDS) {
      done(GatewayErrors.settingNotReached);
      return;
    }
    const address = addresses[attempt % addresses.length]!;
    this.#rooms.world.metaClient.ask(address, { kind: "setSetting", body }, ASK_TIMEOUT_MS, (result) => {
      if (result.ok && result.value.ok) this.#whenShown(body, ASK_TIMEOUT_MS, done);
      else this.#ask(addresses, attempt + 1, body, done);
    });
  }

  /** The setting has changed; the client is told when this gateway has heard of it, so that its next CONFIG GET shows it. */
  #whenShown(
    setting: { readonly name: string; readonly value: string },
    patienceMs: number,
    done: (error: string | null) => void,
  ): void {
    const { router, world } = this.#rooms;
    const settings = router.state?.settings ?? null;
    const changed = settings === null ? null : parseSetting(settings, setting.name, setting.value);
    const isShown = changed?.ok === true && String(settingPairs(changed.settings)) === String(settingPairs(settings!));
    if (isShown || patienceMs <= 0) done(null);
    else world.scheduler.after(SHOWN_MS, () => this.#whenShown(setting, patienceMs - SHOWN_MS, done));
  }
}

function slotCount({ slotRanges }: Pick<ShardView, "slotRanges">): number {
  let count = 0;
  for (const { from, to } of slotRanges) count += to - from + 1;
  return count;
}
