/**
 * What a command is. One file per command exports one record; `table.ts` lists them; arity, routing, COMMAND, docs, metrics labels and the
 * gate (I6) all come from the record.
 *
 * WHERE A COMMAND RUNS (`scope`):
 *   session   in the gateway, against the session and the gateway's own views (PING, HELLO, CLIENT, COMMAND, CLUSTER …)
 *   shard     on the leader of the key's shard. With `fanOut` the gateway splits it over shards and merges the replies.
 *   gateway   orchestrated by the gateway (WAIT and WAITAOF over several shards, WATCH and EXEC with one); no handler here
 */
import type { Effects, Keyspace, NodeBounds, StreamId } from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import type { Channels, SessionSubscriptions } from "./pubsub/channel-kind.ts";
import type { InfoNumbers } from "./server/info-numbers.ts";
import type { LatencyView, SlowLogView } from "./server/slow-views.ts";
import type { ArgumentType } from "./server/syntax-tree.ts";
import type { Transaction } from "./transaction/transaction.ts";

/** When a write's reply may leave. The wire words are 0, 1 and ALL. */
export const Ack = { executed: 0, persisted: 1, committed: 2 } as const;
export type Ack = (typeof Ack)[keyof typeof Ack];

export const Flag = {
  write: 1,
  readonly: 2,
  denyoom: 4,
  admin: 8,
  pubsub: 16,
  noscript: 32,
  blocking: 64,
  loading: 128,
  stale: 256,
  fast: 512,
  noAuth: 1024,
  movablekeys: 2048,
  /** The reply depends on the whole keyspace of the shard: gated on X instead of on its keys. */
  wholeKeyspace: 4096,
  /** Runs while a script is too long: COMMAND shows it. */
  allowBusy: 8192,
  /** Refused inside MULTI. */
  noMulti: 16_384,
  skipSlowlog: 32_768,
  noAsyncLoading: 131_072,
  /** MONITOR does not show it: it holds secrets, or is shown in another way. Admin commands are left out too. */
  skipMonitor: 65_536,
} as const;

/** CLIENT REPLY: whether a connection gets replies. */
export const ReplyMode = { on: 0, off: 1, skipNext: 2 } as const;
export type ReplyMode = (typeof ReplyMode)[keyof typeof ReplyMode];

/** Positions of the keys: COMMAND's first, last, step, and a function where the grammar moves them (XREAD, XREADGROUP). */
export interface KeySpec {
  readonly first: number;
  /** Negative: counted from the end, as in Redis. */
  readonly last: number;
  readonly step: number;
  /** COMMAND's key specification flags, in its order: `RW`, `insert` … */
  readonly access: readonly string[];
  /** The flags of the last key, or of all behind the first, when these have a specification of their own (RENAME, BITOP); empty for most. */
  readonly targetAccess: readonly string[];
  /** A remark in COMMAND's key specification; empty for most. */
  readonly notes: string;
  /** Where COMMAND says the keys begin when a word marks them (XREAD). */
  readonly keyword: { readonly word: string; readonly startFrom: number } | null;
  /** Position of the argument that says how many keys follow it (SINTERCARD); 0: there is none. */
  readonly countAt: number;
  /** Writes argument positions of the keys into `into`, returns how many, or −1 when the syntax does not show them. */
  readonly find: ((request: Request, into: number[]) => number) | null;
}

/** How the gateway spreads a command over shards, and makes one reply of many. */
export type FanOut =
  /** `inOrder`: one element for each key, in the order of the call (MGET). */
  | { readonly by: "keys"; readonly merge: "sum" | "inOrder" }
  | {
      readonly by: "allShards";
      readonly merge: "sum" | "concat" | "allOk";
    }
  /** RANDOMKEY: one shard, drawn by how many keys each has. */
  | { readonly by: "anyShard" }
  /** SCAN: the cursor names the slot, the slot names the shard. */
  | { readonly by: "cursor" }
  /** XREAD, XREADGROUP: each shard reads its streams, and the call may wait on all of them. */
  | { readonly by: "streams" }
  /** PUBLISH: the first argument's slot names the shard although it is no key; a node's own port takes it too. */
  | { readonly by: "channel" };

export interface CommandRecord {
  /** Lower case; subcommands as `xgroup|create`. */
  readonly name: string;
  /** Redis' arity: the name counts; negative = at least. */
  readonly arity: number;
  readonly flags: number;
  readonly since: string;
  readonly group: string;
  readonly summary: string;
  readonly complexity: string;
  /** Argument grammar for COMMAND DOCS, in Redis' syntax notation. */
  readonly syntax: string;
  /** Types of its words where they are not what they mostly are. */
  readonly argumentTypes: Readonly<Record<string, ArgumentType>>;
  readonly keys: KeySpec | null;
  /** ACL categories beside those that follow from the flags, without `@`. */
  readonly categories: readonly string[];
  /** COMMAND's tips for clients and proxies. */
  readonly tips: readonly string[];
  readonly scope: "session" | "shard" | "gateway";
  readonly fanOut: FanOut | null;
  readonly subcommands: readonly CommandRecord[] | null;
  /** Set when scope is shard. */
  readonly execute: ((context: ShardContext) => void) | null;
  /** Set when scope is session. */
  readonly answer: ((context: SessionContext) => void) | null;
  /**
   * The reply hands out data that the effect assigned (XREADGROUP, XCLAIM, XAUTOCLAIM): at every ack level it waits for commit.
   */
  readonly handsOutData: boolean;
  /** What a blocked call gets when its time is over. */
  readonly timeOut: ((reply: ReplyWriterApi) => void) | null;
  /** Which argument says in seconds how long the call waits, negative: counted from the end (BLPOP); 0: an option says it (XREAD's BLOCK), or none. */
  readonly timeoutAt: number;
}

/** How long and for what a command waits. Kept by the node while blocked; handed back when the command runs again. */
export interface BlockedCall {
  readonly keys: readonly string[];
  /** 0 = for ever. Counted by the node from the first run; survives re-runs. */
  readonly timeoutMs: number;
  /**
   * XREADGROUP is unblocked with an error when key or group goes away: it is run again on any touch. XREAD only on new entries. A held XADD on any touch too,
   * and when its time is over once more, where it may not wait. Those that take elements of a `list` (BLPOP) or a `zset` (BZPOPMIN) leave
   * nothing for those behind them, and stand in queues of their own.
   */
  readonly kind: "read" | "group" | "write" | "list" | "zset";
  /** `$` as it was resolved at the first run, per key; null for `>`. */
  readonly resolvedIds: readonly (StreamId | null)[];
  /** Some of them came from the state: what `$` and `+` stand for. */
  readonly readsFromState: boolean;
  /** XREADGROUP's CLAIM; −1: not given. Calls of a group with the same one wait for the same. */
  readonly claimMinIdleMs: number;
  /** An XREADGROUP that gets what its group hands out again by itself, whether the group does so now or not. */
  readonly takesDue: boolean;
  /** Log time at which there is something for it although nothing is touched: a pending entry is old enough. Infinity: at no time. */
  readonly wakeAtMs: number;
}

/** What an XREAD or XREADGROUP is to its call; the numbers are the link's (RequestMode), where they are explained. */
export const ReadMode = { whole: 0, part: 1, check: 2, partBehind: 3, offered: 4 } as const;
export type ReadMode = (typeof ReadMode)[keyof typeof ReadMode];
/** What a leader counts since it leads; for INFO. */
export interface ShardCounters {
  /** Commands that changed something. */
  readonly changes: number;
  readonly blockingKeys: number;
  readonly blockingKeysOnNoKey: number;
  /** Keys that reads looked for, by whether they were there. */
  readonly keyspaceHits: number;
  readonly keyspaceMisses: number;
  /** Bytes of entries in its memory, and of what can't leave it. */
  readonly blockBytes: number;
  readonly fixedBytes: number;
}

/** How long and how many idempotent ids a stream keeps: settings of the cluster, resolved by the leader. */
export interface IdempotenceWindow {
  readonly durationSeconds: number;
  readonly maxSize: number;
}

/** What a handler on the leader sees. It must not keep any of it. */
export interface ShardContext {
  readonly request: Request;
  readonly reply: ReplyWriterApi;
  readonly keyspace: Keyspace;
  readonly effects: Effects;
  /** The log time of the open batch: the only clock. */
  readonly nowMs: number;
  readonly nodeBounds: NodeBounds;
  /** What streams get that are made now. */
  readonly idempotenceWindow: IdempotenceWindow;
  /** How many delayed entries a stream may have; 0: no bound. */
  readonly delayedMaxEntries: number;
  /** Bytes of what a shard has to hand on; 0: no bound. */
  readonly outboxMaxBytes: number;
  /** Chance: 0 … n−1. An effect names what was drawn (SPOP), so that every replica does the same. */
  readonly randomBelow: (n: number) => number;
  /**
   * Bytes that the effects of this command may take: it never spans two log entries, and an entry has a bound. The request itself fits. A handler
   * whose effects repeat names or list ids out of the state stops in time, or refuses before its first effect.
   */
  readonly effectRoomBytes: number;
  /** The command's own level (XADD's `ACK`); null: that of connection, stream or cluster counts (ack.ts). */
  ack: Ack | null;
  readonly counters: ShardCounters;
  /** Set by a handler whose effects Redis does not count as a change: XREADGROUP of what the consumer has already got. */
  isUncounted: boolean;
  /** Set by a handler that answers what must be no one else's for ever, a handle: at every ack level the reply waits for commit. */
  handsOut: boolean;
  /** Not null when the call was woken from a block and runs again. */
  readonly resumed: BlockedCall | null;
  /** The key that woke it: what takes elements takes them there, as Redis 7.0; null where any key may. */
  readonly readyKey: string | null;
  /** True where blocking is not allowed (inside MULTI, or a held write's time is over): behave as timed out. */
  readonly denyBlocking: boolean;
  readonly readMode: ReadMode;
  /** Of MAXCOUNT and MAXSIZE, by earlier parts of the call. */
  readonly used: { readonly entries: number; readonly bytes: number };
  /** A waiting XREADGROUP is asked whether it would be served: it answers by `offer`, `block` or an error, and changes nothing. */
  readonly looksOnly: boolean;
  /** Parks the call. The handler must have written no reply and must return at once. */
  block(call: BlockedCall): void;
  /** The command has met this stream's limits of lag, whatever they said. */
  noteLimits(key: string): void;
  /** A limit of lag has refused the command. */
  noteRefusedForLag(): void;
  /** Says that there is something for the call. */
  offer(): void;
  /** Whether what this group has not handed out of the key may be for a call that has waited for it before this one. */
  isHeldUp(key: string, group: string): boolean;
  readonly channels: Channels;
}

/** One client connection as the gateway (or a node's direct port) keeps it. */
export interface Session {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: number;
  respVersion: 2 | 3;
  name: string;
  libraryName: string;
  libraryVersion: string;
  /** CLIENT ACK; null = DEFAULT. */
  ack: Ack | null;
  readonly subscriptions: SessionSubscriptions;
  lastCommand: string;
  lastActiveAtMs: number;
  /** After QUIT: closed when the reply has left. */
  closing: boolean;
  blocked: boolean;
  queryBufferBytes: number;
  outputBufferBytes: number;
  /** MULTI, WATCH. */
  readonly transaction: Transaction;
  /** CLIENT REPLY. */
  replyMode: ReplyMode;
  /** MONITOR: gets a line for each command of this process. */
  monitors: boolean;
  /** CLIENT NO-EVICT, CLIENT NO-TOUCH: shown in CLIENT LIST, nothing else. */
  noEvict: boolean;
  noTouch: boolean;
  /** CLIENT BACKPRESSURE. */
  hearsPressure: boolean;
  inputBytes: number;
  outputBytes: number;
  commandCount: number;
}

/** One shard as clients may know it. */
export interface ShardView {
  readonly shardId: number;
  readonly slotRanges: readonly {
    readonly from: number;
    readonly to: number;
  }[];
  readonly nodes: readonly NodeView[];
  /** Node id of the leader, 0 when unknown; a gateway's own id is 0 too. */
  readonly leaderNodeId: number;
  /** Slots that somebody is known to serve now. */
  readonly servedSlots: number;
}

export interface NodeView {
  readonly nodeId: number;
  /** 40 hex characters, Redis' form of a node name. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** What session commands may ask of the process they run in. */
export interface SessionServices {
  readonly wallMs: number;
  readonly monotonicMs: number;
  /** standalone at the gateway, cluster at a node. */
  readonly mode: "standalone" | "cluster";
  readonly self: NodeView;
  readonly epoch: number;
  shards(): readonly ShardView[];
  sessions(): Iterable<Session>;
  /** Names and values for CONFIG GET, Redis' names. */
  settings(): Iterable<readonly [name: string, value: string]>;
  /**
   * CONFIG SET: all pairs or none. `done` may be called at once or, when a setting must be replicated first, in a later event: with null, or with
   * the whole error text (`unknownSetting`, `settingFailed` of errors.ts).
   */
  setSettings(pairs: readonly (readonly [name: string, value: string])[], done: (error: string | null) => void): void;
  /**
   * CLIENT UNBLOCK: ends what the client waits for, as if its time were over or with an error. `done` is called once, possibly before it returns: whether
   * the client was blocked, and this is why it is not any more.
   */
  unblock(clientId: number, withError: boolean, done: (wasBlocked: boolean) => void): void;
  /** CONFIG RESETSTAT: counters of INFO begin anew. */
  resetStatistics(): void;
  /** INFO's raw numbers. Those of the shards were asked for before the handler runs. */
  info(): InfoNumbers;
  readonly slowLog: SlowLogView;
  readonly latency: LatencyView;
  /** CLIENT KILL. The asking connection is closed when its replies have left. */
  killSession(session: Session, isAsking: boolean): void;
  /** CLIENT PAUSE: requests wait until then, writes only or all. A running pause is only made longer and stricter. */
  pauseClients(untilMs: number, writesOnly: boolean): void;
  unpauseClients(): void;
  /** Hexadecimal digits that nobody can guess: ACL GENPASS. */
  randomHex(digits: number): string;
}

export interface SessionContext {
  readonly request: Request;
  readonly reply: ReplyWriterApi;
  readonly session: Session;
  readonly services: SessionServices;
  /** The reply comes later: the handler writes it through `resume` in a later event; later replies of the session wait. */
  defer(): { resume(write: (reply: ReplyWriterApi) => void): void };
}
