/**
 * Raft's vocabulary on the wire and towards the local disk, with etcd's names and meanings.
 *
 * Two of the addressees are not replicas: `LocalAppendThread` (the log writer) and `LocalApplyThread` (the state machine). What they
 * have to answer travels inside the request as `responses`, to be delivered when the work is done: a storage acknowledgement for this
 * node, a vote, a request for votes or an append acknowledgement for others. That a promise leaves only after the disk is thereby visible in the type.
 *
 * Indexes, terms and replica ids are safe integers; 0 means none.
 */

export const MessageType = {
  Hup: 0,
  Beat: 1,
  Prop: 2,
  App: 3,
  AppResp: 4,
  Vote: 5,
  VoteResp: 6,
  Snap: 7,
  Heartbeat: 8,
  HeartbeatResp: 9,
  Unreachable: 10,
  SnapStatus: 11,
  CheckQuorum: 12,
  TransferLeader: 13,
  TimeoutNow: 14,
  ReadIndex: 15,
  ReadIndexResp: 16,
  PreVote: 17,
  PreVoteResp: 18,
  StorageAppend: 19,
  StorageAppendResp: 20,
  StorageApply: 21,
  StorageApplyResp: 22,
  ForgetLeader: 23,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** `to` of messages for this node's own log writer and state machine. Never a replica id. */
export const LocalAppendThread = -1;
export const LocalApplyThread = -2;

export const EntryType = { Normal: 0, ConfChange: 1, ConfChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** One log entry. `data` is opaque; an empty one of type Normal is a new leader's no-op. Never changed after creation. */
export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** Durable before any message of the term leaves, except `commit`, which may ride along unsynced. */
export interface HardState {
  readonly term: number;
  readonly vote: number;
  readonly commit: number;
}

export interface ConfState {
  readonly voters: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  readonly learnersNext: readonly number[];
  readonly autoLeave: boolean;
}

export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

/** A snapshot as Raft sees it: where it stands. Its content travels outside, named by `handle` (opaque to Raft, 0 = none). */
export interface Snapshot {
  readonly meta: SnapshotMeta;
  readonly handle: number;
}

/**
 * One shape for every message, all fields always present (0, false, empty or null when unused), so that the hot sites stay monomorphic.
 * Build with `message()`.
 */
export interface Message {
  type: MessageType;
  to: number;
  from: number;
  term: number;
  /** App: term of the entry before `entries`. Vote, PreVote: term of the last entry. AppResp rejecting: hint term. VoteResp, PreVoteResp rejecting: term at `commit`. */
  logTerm: number;
  /**
   * App: index before `entries`. AppResp: last index that now matches, or the refused one. Vote: last index. Heartbeat: `heldByAll`, as the leader
   * knows it; our addition, 0 from a leader that does not tell.
   */
  index: number;
  entries: readonly Entry[];
  /** App, Heartbeat, StorageAppend: commit index. VoteResp, PreVoteResp rejecting: the voter's, so that a candidate learns of it. */
  commit: number;
  vote: number;
  snapshot: Snapshot | null;
  reject: boolean;
  rejectHint: number;
  /** Campaign kind of Vote: true when a transfer forces it through the lease of a live leader. */
  force: boolean;
  /** App, Heartbeat: the highest read number asked for; their responses echo it. Our addition: appends carry it too (design §7). */
  readNumber: number;
  /** StorageAppend, StorageApply: to be delivered once done. */
  responses: readonly Message[];
}

export const noEntries: readonly Entry[] = Object.freeze([]);
export const noMessages: readonly Message[] = Object.freeze([]);

/** A message with every field at its empty value. */
export function message(type: MessageType, to: number, from: number): Message {
  return {
    type,
    to,
    from,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: noEntries,
    commit: 0,
    vote: 0,
    snapshot: null,
    reject: false,
    rejectHint: 0,
    force: false,
    readNumber: 0,
    responses: noMessages,
  };
}
