/** What session commands may ask of a gateway: CLIENT LIST, CONFIG, INFO, CLUSTER. Cold path. */
import { settingFailed, unknownSetting } from "@headrace/commands";
import type { InfoNumbers, NodeView, Session, SessionServices, ShardView } from "@headrace/commands";
import { isClusterSetting, nodeName, parseSetting, settingPairs } from "@headrace/meta";
import type { GatewayWorld } from "@headrace/ports";
import type { CommandEntries } from "./command-entry.ts";
import type { GatewayConfig } from "./config.ts";
import { GatewayErrors } from "./errors.ts";
import type { KeyCount } from "./key-count.ts";
import type { Router } from "./router.ts";
import type { Statistics } from "./statistics.ts";

const ASK_TIMEOUT_MS = 2_000;
const ASK_ROUNDS = 3;
const SHOWN_MS = 5;

/** What clients and tools ask for and what is always so here: everything is logged, nothing is evicted, there is one database. */
const FIXED_SETTINGS: readonly (readonly [name: string, value: string])[] = [
  ["appendonly", "yes"],
  ["databases", "1"],
  ["maxmemory", "0"],
  ["maxmemory-policy", "noeviction"],
  ["save", ""],
  ["timeout", "0"],
];

/**
 * A larger request would be refused by a node, together with the link that all clients share; with arguments smaller than the least nobody could
 * take that back. Milliseconds otherwise.
 */
const LOCAL_BOUNDS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  "client-query-buffer-limit": [64 * 1024, 64 * 1024 * 1024],
  maxclients: [1, 1_000_000],
  "max-transaction-bytes": [1024, 32 * 1024 * 1024],
  "proto-max-bulk-len": [1024, 512 * 1024 * 1024],
};

/** Limits that CONFIG SET may change while running. */
export interface AdjustableLimits {
  maxClients: number;
  holdMs: number;
  replyTimeoutMs: number;
  transactionBytes: number;
  readonly decoder: { maxBulkBytes: number; maxRequestBytes: number };
}

export interface ServicesRooms {
  readonly config: GatewayConfig;
  readonly limits: AdjustableLimits;
  readonly world: GatewayWorld;
  readonly router: Router;
  readonly statistics: Statistics;
  readonly entries: CommandEntries;
  readonly keyCount: KeyCount;
  readonly startedAtMs: number;
  sessions(): Iterable<Session>;
  metaAddresses(): readonly string[];
  unblock(clientId: number, withError: boolean, done: (wasBlocked: boolean) => void): void;
}

export class GatewayServices implements SessionServices {
  readonly #rooms: ServicesRooms;

  constructor(rooms: ServicesRooms) {
    this.#rooms = rooms;
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
      return [{ shardId: 1, slotRanges: [{ from: 0, to: 16383 }], nodes: [self], leaderNodeId: self.nodeId }];
    }
    return state.shards.map((shard) => ({
      shardId: shard.id,
      slotRanges: shard.slotRanges,
      nodes: shard.replicas.map(({ nodeId }) => {
        const node = state.node(nodeId)!;
        return { nodeId, name: nodeName(state.clusterId, nodeId), host: node.announceHost, port: node.announcePort };
      }),
      leaderNodeId: router.route(shard.id).leaderNodeId,
    }));
  }

  sessions(): Iterable<Session> {
    return this.#rooms.sessions();
  }

  /** Each name once: what this process can change comes first, then the cluster's, then what the launcher was told, then what is fixed. */
  settings(): Iterable<readonly [name: string, value: string]> {
    const { router, config } = this.#rooms;
    const found = new Map<string, string>();
    const cluster = router.state === null ? [] : settingPairs(router.state.settings);
    for (const [name, value] of [...this.#localSettings(), ...cluster, ...config.extraSettings, ...FIXED_SETTINGS]) {
      if (!found.has(name)) found.set(name, value);
    }
    return found;
  }

  setSetting(name: string, value: string, done: (error: string | null) => void): void {
    const known = name.toLowerCase();
    if (isClusterSetting(known)) {
      this.#setClusterSetting(known, value, done);
      return;
    }
    for (const [local] of this.#localSettings()) {
      if (local !== known) continue;
      done(this.#setLocal(known, value));
      return;
    }
    const fixed = [...this.#rooms.config.extraSettings, ...FIXED_SETTINGS].find(([one]) => one === known);
    if (fixed === undefined) done(unknownSetting(name));
    else done(fixed[1] === value ? null : settingFailed(name, "can't set immutable config"));
  }

  unblock(clientId: number, withError: boolean, done: (wasBlocked: boolean) => void): void {
    this.#rooms.unblock(clientId, withError, done);
  }

  resetStatistics(): void {
    this.#rooms.statistics.reset();
  }

  info(): InfoNumbers {
    const { config, limits, statistics, entries, keyCount, router, startedAtMs } = this.#rooms;
    const sessions = [...this.#rooms.sessions()];
    const { usedMemoryBytes, usedMemoryRssBytes } = config.processNumbers();
    const replicas = (router.state?.shards ?? []).map((shard) => shard.replicas.length - 1);
    return {
      processId: config.processId,
      runId: config.runId,
      port: config.announcePort,
      uptimeMs: this.monotonicMs - startedAtMs,
      connectedClients: sessions.length,
      blockedClients: sessions.filter((session) => session.blocked).length,
      maxClients: limits.maxClients,
      usedMemoryBytes,
      usedMemoryRssBytes,
      maxMemoryBytes: Number(config.extraSettings.find(([name]) => name === "maxmemory")?.[1] ?? 0),
      totalConnections: statistics.totalConnections,
      totalCommands: statistics.totalCommands,
      totalErrorReplies: statistics.totalErrorReplies,
      rejectedConnections: statistics.rejectedConnections,
      keys: keyCount.keys,
      connectedReplicas: replicas.length === 0 ? 0 : Math.min(...replicas),
      headraceVersion: config.headraceVersion,
      commandStats: entries.all
        .filter(({ index }) => statistics.calls[index]! + statistics.rejected[index]! > 0)
        .map(({ record, index }) => ({
          name: record.name,
          calls: statistics.calls[index]!,
          rejected: statistics.rejected[index]!,
          failed: statistics.failed[index]!,
          usec: 0,
        })),
      errorStats: [...statistics.errorsByCode].map(([code, count]) => ({ code, count })),
    };
  }

  *#localSettings(): Iterable<readonly [name: string, value: string]> {
    const { limits } = this.#rooms;
    yield ["client-query-buffer-limit", String(limits.decoder.maxRequestBytes)];
    yield ["hold-ms", String(limits.holdMs)];
    yield ["maxclients", String(limits.maxClients)];
    yield ["max-transaction-bytes", String(limits.transactionBytes)];
    yield ["proto-max-bulk-len", String(limits.decoder.maxBulkBytes)];
    yield ["reply-timeout-ms", String(limits.replyTimeoutMs)];
  }

  #setLocal(name: string, value: string): string | null {
    if (!/^[1-9]\d{0,9}$/.test(value)) return settingFailed(name, "argument couldn't be parsed into an integer");
    const number = Number(value);
    const [least, most] = LOCAL_BOUNDS[name] ?? [1, 3_600_000];
    if (number < least || number > most) {
      return settingFailed(name, `argument must be between ${least} and ${most} inclusive`);
    }
    const { limits } = this.#rooms;
    switch (name) {
      case "client-query-buffer-limit":
        limits.decoder.maxRequestBytes = number;
        break;
      case "hold-ms":
        limits.holdMs = number;
        break;
      case "maxclients":
        limits.maxClients = number;
        break;
      case "max-transaction-bytes":
        limits.transactionBytes = number;
        break;
      case "proto-max-bulk-len":
        limits.decoder.maxBulkBytes = number;
        break;
      default:
        limits.replyTimeoutMs = number;
    }
    return null;
  }

  #setClusterSetting(name: string, value: string, done: (error: string | null) => void): void {
    const { router } = this.#rooms;
    if (router.state !== null) {
      const checked = parseSetting(router.state.settings, name, value);
      if (!checked.ok) {
        done(settingFailed(name, checked.error));
        return;
      }
    }
    const addresses = this.#rooms.metaAddresses();
    this.#ask(addresses, 0, { name, value }, done);
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
