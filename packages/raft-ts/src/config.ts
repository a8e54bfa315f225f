/** Everything Raft has to be told. Times are in ticks; the owner decides how long a tick is. */
export interface RaftConfig {
  /** This replica. Never reused after removal (I19). */
  readonly id: number;
  /** Ticks without a leader before a campaign; each round draws from [electionTicks, 2·electionTicks). */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Entries up to here are already in the state machine at start. */
  readonly applied: number;
  /** Bytes of entry data in one append message. */
  readonly maxBytesPerMessage: number;
  /** Bytes of committed entries in one StorageApply. */
  readonly maxBytesPerApply: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  /** Bytes proposed and not yet committed before proposals are refused. */
  readonly maxUncommittedBytes: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly stepDownOnRemoval: boolean;
  /**
   * A commit index that moved is not worth a message by itself: followers that keep up hear of it with the next append or heartbeat. At once all
   * the same while a change of members is under way: who it removes must hear of it before nobody speaks to them any more.
   */
  readonly commitRidesAlong: boolean;
  /** Uniform integer in 0 … n−1, from the owner's port: elections stay reproducible. */
  readonly randomBelow: (n: number) => number;
}
