/** What the gateway keeps per command record: how it is routed, decided once, and the index of its counters. */
import { exec, Flag, isQueuedInMulti, runsWhileSubscribed, watch } from "@headrace/commands";
import type { CommandRecord } from "@headrace/commands";

export const Path = {
  oneKey: 0,
  keys: 1,
  session: 2,
  wait: 3,
  fanOutKeys: 4,
  allShards: 5,
  scan: 6,
  exec: 7,
  watch: 8,
  /** As `keys`; but where keys are of several shards, each reads its own. */
  streams: 9,
  channel: 10,
  anyShard: 11,
} as const;
export type Path = (typeof Path)[keyof typeof Path];

/**
 * Protocol version and ack level are the lane's at a node, where a new value counts at once, also for requests that still wait there. What MONITOR
 * shows comes between replies: its own comes first. INFO and ROLE tell what all earlier requests have changed. What is done to other connections, and
 * settings, would count for earlier requests that a shard has not executed yet.
 */
const ANSWERED_FIRST: ReadonlySet<string> = new Set([
  "client|ack",
  "client|kill",
  "client|pause",
  "client|unblock",
  "config|set",
  "hello",
  "info",
  "monitor",
  "reset",
  "role",
]);
/** They tell numbers of the shards. */
const SHARD_READERS: ReadonlySet<string> = new Set(["info", "memory|stats", "role"]);

/** They tell where slots are: a process that has just begun to ask for the placement waits for it rather than show a cluster without slots. */
const PLACEMENT_READERS: ReadonlySet<string> = new Set([
  "cluster|info",
  "cluster|myid",
  "cluster|nodes",
  "cluster|shards",
  "cluster|slots",
]);

const SUBSCRIBERS: ReadonlySet<string> = new Set(["subscribe", "psubscribe", "ssubscribe"]);

export class CommandEntry {
  readonly record: CommandRecord;
  readonly index: number;
  readonly path: Path;
  readonly keyPosition: number;
  readonly isWrite: boolean;
  readonly mayBlock: boolean;
  /** Requests before it are answered first. */
  readonly waitsForEarlier: boolean;
  /** Whether the connection gets replies may be different behind it. */
  readonly setsReplyMode: boolean;
  /** The shards' numbers are asked for before it is answered. */
  readonly readsShardNumbers: boolean;
  /** It waits a while until the placement is known. */
  readonly tellsPlacement: boolean;
  readonly isQueued: boolean;
  /** A RESP2 connection with subscriptions may call it. */
  readonly whileSubscribed: boolean;
  /** Adds subscriptions. */
  readonly subscribes: boolean;
  /** Adds or takes away subscriptions: answered by pushes. */
  readonly pushes: boolean;

  constructor(record: CommandRecord, index: number) {
    this.record = record;
    this.index = index;
    this.path = pathOf(record);
    this.keyPosition = record.keys === null ? 0 : record.keys.first;
    this.isWrite = (record.flags & Flag.write) !== 0;
    this.mayBlock = (record.flags & Flag.blocking) !== 0;
    this.waitsForEarlier = ANSWERED_FIRST.has(record.name);
    this.setsReplyMode = record.name === "client|reply" || record.name === "reset";
    this.readsShardNumbers = SHARD_READERS.has(record.name);
    this.tellsPlacement = PLACEMENT_READERS.has(record.name);
    this.isQueued = isQueuedInMulti(record);
    this.whileSubscribed = runsWhileSubscribed(record);
    this.subscribes = SUBSCRIBERS.has(record.name);
    this.pushes = record.scope === "session" && (record.flags & Flag.pubsub) !== 0;
  }
}

/** All records, subcommands too, each with its entry. */
export class CommandEntries {
  readonly all: readonly CommandEntry[];
  readonly #byRecord: Map<CommandRecord, CommandEntry> = new Map();
  #lastRecord: CommandRecord | null = null;
  #lastEntry: CommandEntry | null = null;

  constructor(table: readonly CommandRecord[]) {
    const all: CommandEntry[] = [];
    for (const record of table) {
      for (const one of [record, ...(record.subcommands ?? [])]) {
        const entry = new CommandEntry(one, all.length);
        all.push(entry);
        this.#byRecord.set(one, entry);
      }
    }
    this.all = all;
  }

  of(record: CommandRecord): CommandEntry {
    if (record === this.#lastRecord) return this.#lastEntry!;
    const entry = this.#byRecord.get(record)!;
    this.#lastRecord = record;
    this.#lastEntry = entry;
    return entry;
  }
}

function pathOf(record: CommandRecord): Path {
  if (record.scope === "session") return Path.session;
  if (record === exec) return Path.exec;
  if (record === watch) return Path.watch;
  if (record.scope === "gateway") return Path.wait;
  if (record.fanOut !== null) {
    if (record.fanOut.by === "keys") return Path.fanOutKeys;
    if (record.fanOut.by === "streams") return Path.streams;
    if (record.fanOut.by === "channel") return Path.channel;
    if (record.fanOut.by === "anyShard") return Path.anyShard;
    return record.fanOut.by === "cursor" ? Path.scan : Path.allShards;
  }
  if ((record.flags & Flag.pubsub) !== 0 && record.keys === null) return Path.channel;
  const keys = record.keys;
  if (keys !== null && keys.find === null && keys.first === keys.last && keys.first > 0) return Path.oneKey;
  return Path.keys;
}
