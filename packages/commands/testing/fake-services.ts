/** What session commands may ask of their process, with fixed answers: one node with one shard that owns all slots. */
import { SLOT_COUNT } from "@headrace/bytes";
import { unknownSetting } from "../src/index.ts";
import type { InfoNumbers, NodeView, Session, SessionServices, ShardView } from "../src/index.ts";

export class FakeServices implements SessionServices {
  readonly mode = "standalone";
  readonly epoch = 1;
  readonly self: NodeView = { nodeId: 1, name: "a".repeat(40), host: "127.0.0.1", port: 6379 };
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
    return [{ shardId: 1, slotRanges: [{ from: 0, to: SLOT_COUNT - 1 }], nodes: [this.self], leaderNodeId: 1 }];
  }

  sessions(): readonly Session[] {
    return this.#sessions();
  }

  settings(): Iterable<readonly [string, string]> {
    return this.#settings;
  }

  setSetting(name: string, value: string, done: (error: string | null) => void): void {
    if (!this.#settings.has(name)) return done(unknownSetting(name));
    this.#settings.set(name, value);
    this.#onSetting(name, value);
    done(null);
  }

  unblock(_clientId: number, _withError: boolean, done: (wasBlocked: boolean) => void): void {
    done(false);
  }

  resetStatistics(): void {
    // Nothing is counted here.
  }

  info(): InfoNumbers {
    return {
      processId: 1,
      runId: "b".repeat(40),
      port: 6379,
      uptimeMs: 1000,
      connectedClients: this.#sessions().length,
      blockedClients: 0,
      maxClients: 10_000,
      usedMemoryBytes: 1024,
      usedMemoryRssBytes: 2048,
      maxMemoryBytes: 0,
      totalConnections: 1,
      totalCommands: 1,
      totalErrorReplies: 0,
      rejectedConnections: 0,
      keys: this.#keys(),
      connectedReplicas: 0,
      headraceVersion: "0.1.0",
      commandStats: [],
      errorStats: [],
    };
  }
}
