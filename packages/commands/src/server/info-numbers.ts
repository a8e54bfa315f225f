/** What INFO prints, as numbers: from the process that is asked, and from the shards' leaders. Texts are INFO's business. */
export interface InfoNumbers {
  readonly headraceVersion: string;
  readonly processId: number;
  readonly runId: string;
  readonly port: number;
  readonly operatingSystem: string;
  readonly executable: string;
  readonly uptimeMs: number;
  readonly connectedClients: number;
  readonly blockedClients: number;
  readonly pubsubClients: number;
  readonly watchingClients: number;
  readonly watchedKeys: number;
  readonly maxClients: number;
  readonly maxInputBufferBytes: number;
  readonly maxOutputBufferBytes: number;
  /** Of all clients. */
  readonly clientBufferBytes: number;
  readonly usedMemoryBytes: number;
  readonly usedMemoryRssBytes: number;
  readonly peakMemoryBytes: number;
  readonly systemMemoryBytes: number;
  readonly maxMemoryBytes: number;
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
  /** Names that clients of this process have subscribed to. */
  readonly channels: number;
  readonly patterns: number;
  readonly shardChannels: number;
  readonly totalConnections: number;
  readonly rejectedConnections: number;
  readonly totalCommands: number;
  readonly totalErrorReplies: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly readsProcessed: number;
  readonly writesProcessed: number;
  readonly queryBufferLimitClosed: number;
  readonly outputLimitClosed: number;
  readonly commandsPerSecond: number;
  readonly inputKilobytesPerSecond: number;
  readonly outputKilobytesPerSecond: number;
  readonly connectedReplicas: number;
  /** Whether a client that looks here first is to be told that CLUSTER answers. */
  readonly clusterEnabled: boolean;
  readonly shards: ShardNumbers;
  readonly commandStats: Iterable<CommandNumbers>;
  readonly errorStats: Iterable<{ readonly code: string; readonly count: number }>;
  /** Percentiles that latencystats shows, as they were set. */
  readonly latencyPercentiles: readonly number[];
}

/** One command's counters. */
export interface CommandNumbers {
  readonly name: string;
  readonly calls: number;
  readonly rejected: number;
  readonly failed: number;
  /** From a request to its reply, summed up. */
  readonly microseconds: number;
  readonly latency: LatencyDistribution | null;
}

/** How long calls took. */
export interface LatencyDistribution {
  readonly count: number;
  /** The value in microseconds that this share of calls (0 … 100) does not exceed. */
  percentile(percent: number): number;
  /** Calls that took at most so many microseconds, at powers of two up to the greatest that was seen. */
  powersOfTwo(): readonly { readonly microseconds: number; readonly calls: number }[];
}

/** Added up over the shards, as their leaders count them since they lead. */
export interface ShardNumbers {
  readonly keys: number;
  /** Keys that expire. */
  readonly expiringKeys: number;
  /** Keys that have expired, since each leader's process began. */
  readonly expiredKeys: number;
  /** Redis' `dirty`: changes by commands. */
  readonly changes: number;
  readonly blockingKeys: number;
  /** Of them those whose callers are told when the key goes away (XREADGROUP). */
  readonly blockingKeysOnNoKey: number;
  readonly keyspaceHits: number;
  readonly keyspaceMisses: number;
  /** Of the leaders' memory: entries, and what can't leave it. */
  readonly blockBytes: number;
  readonly fixedBytes: number;
  /** Log positions, added up: what Redis calls the replication offset. */
  readonly logIndex: number;
}
