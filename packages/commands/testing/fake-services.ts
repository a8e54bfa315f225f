/** What session commands may ask of their process, with fixed answers: one node with one shard that owns all slots. */
import { SLOT_COUNT } from "@headrace/bytes";
import { settingFailed, unknownSetting } from "../src/index.ts";
import type {
  InfoNumbers,
  LatencyView,
  NodeView,
  Session,
  SessionServices,
  ShardView,
  SlowLogView,
} from "../src/index.ts";

export class FakeServices implements SessionServices {
  readonly mode = "standalone";
  readonly epoch = 1;
  readonly self: NodeView = { nodeId: 1, name: "a".repeat(40), host: "127.0.0.1", port: 6379 };
  /** Nothing is measured here. */
  readonly slowLog: SlowLogView = { length: 0, entries: () => [], reset: () => {} };
  readonly latency: LatencyView = { thresholdMs: 0, events: () => [], reset: () => 0, commands: () => [] };
  readonly #sessions: () => readonly Session[];
  readonly #nowMs: () => number;
  readonly #keys: () => number;
  readonly #onSetting: (name: string, value: string) => void;
  readonly #settings: Map<string, string>;

  constructor(
    sessions: () => readonly Session[],
    nowMs: () => number,
    keys: () => number,
    onSetting: (name: string, value: string) => void,
  ) {
    this.#sessions = sessions;
    this.#nowMs = nowMs;
    this.#keys = keys;
    this.#onSetting = onSetting;
    this.#settings = new Map([
      ["maxmemory", "0"],
      ["stream-delayed-max-entries", "100000"],
      ["stream-outbox-max-bytes", "8388608"],
      ["stream-idmp-duration", "100"],
      ["stream-idmp-maxsize", "100"],
      ["stream-node-max-bytes", "4096"],
      ["stream-node-max-entries", "100"],
    ]);
  }

  get wallMs(): number {
    return this.#nowMs();
  }

  get monotonicMs(): number {
    return this.#nowMs();
  }

  shards(): readonly ShardView[] {
    return [
      {
        shardId: 1,
        slotRanges: [{ from: 0, to: SLOT_COUNT - 1 }],
        nodes: [this.self],
        leaderNodeId: 1,
        servedSlots: SLOT_COUNT,
      },
    ];
  }

  sessions(): readonly Session[] {
    return this.#sessions();
  }

  settings(): Iterable<readonly [string, string]> {
    return this.#settings;
  }

  setSettings(pairs: readonly (readonly [string, string])[], done: (error: string | null) => void): void {
    const seen = new Set<string>();
    for (const [name] of pairs) {
      const known = name.toLowerCase();
      if (!this.#settings.has(known)) return done(unknownSetting(name));
      if (seen.has(known)) return done(settingFailed(name, "duplicate parameter"));
      seen.add(known);
    }
    for (const [name, value] of pairs) {
      this.#settings.set(name.toLowerCase(), value);
      this.#onSetting(name.toLowerCase(), value);
    }
    done(null);
  }

  unblock(_clientId: number, _withError: boolean, done: (wasBlocked: boolean) => void): void {
    done(false);
  }

  resetStatistics(): void {
    // Nothing is counted here.
  }

  killSession(session: Session): void {
    session.closing = true;
  }

  pauseClients(): void {
    // One command runs at a time here: nobody is left to wait.
  }

  unpauseClients(): void {
    // See pauseClients.
  }

  randomHex(digits: number): string {
    return "c".repeat(digits);
  }

  info(): InfoNumbers {
    return {
      headraceVersion: "0.1.0",
      processId: 1,
      runId: "b".repeat(40),
      port: 6379,
      operatingSystem: "Linux x64",
      executable: "node",
      uptimeMs: 1000,
      connectedClients: this.#sessions().length,
      blockedClients: 0,
      pubsubClients: 0,
      watchingClients: 0,
      watchedKeys: 0,
      maxClients: 10_000,
      maxInputBufferBytes: 0,
      maxOutputBufferBytes: 0,
      clientBufferBytes: 0,
      usedMemoryBytes: 1024,
      usedMemoryRssBytes: 2048,
      peakMemoryBytes: 1024,
      systemMemoryBytes: 4096,
      maxMemoryBytes: 0,
      cpuUserSeconds: 0,
      cpuSystemSeconds: 0,
      channels: 0,
      patterns: 0,
      shardChannels: 0,
      totalConnections: 1,
      rejectedConnections: 0,
      totalCommands: 1,
      totalErrorReplies: 0,
      inputBytes: 0,
      outputBytes: 0,
      readsProcessed: 0,
      writesProcessed: 0,
      queryBufferLimitClosed: 0,
      outputLimitClosed: 0,
      commandsPerSecond: 0,
      inputKilobytesPerSecond: 0,
      outputKilobytesPerSecond: 0,
      connectedReplicas: 0,
      clusterEnabled: false,
      shards: {
        keys: this.#keys(),
        expiringKeys: 0,
        expiredKeys: 0,
        changes: 0,
        blockingKeys: 0,
        blockingKeysOnNoKey: 0,
        keyspaceHits: 0,
        keyspaceMisses: 0,
        logIndex: 0,
        blockBytes: 300,
        fixedBytes: 100,
      },
      commandStats: [],
      errorStats: [],
      latencyPercentiles: [50, 99, 99.9],
    };
  }
}
