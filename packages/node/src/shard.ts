/**
 * One replica of one shard: a Raft group with its state (signatures; the parts follow).
 */
import { assert } from "@headrace/bytes";
import type { Done } from "@headrace/ports";
import type { ConfState, Message } from "@headrace/raft-ts";
import type { CancelHow, Lane, RequestBatch, ShardOpening, ShardStatus, WaitQuery } from "./shard-api.ts";

export class ShardReplica {
  readonly groupId: number;
  readonly replicaId: number;

  private constructor(opening: ShardOpening) {
    this.groupId = opening.config.groupId;
    this.replicaId = opening.config.replicaId;
  }

  /** Loads the checkpoint, replays the log up to the known commit, then answers. Nothing is served before. */
  static open(opening: ShardOpening, done: Done<ShardReplica>): void {
    opening.world.scheduler.soon(() => done({ ok: true, value: new ShardReplica(opening) }));
  }

  /** Not failed: takes part in Raft. */
  get isHealthy(): boolean {
    return true;
  }
  /** Leader, own-term entry committed, X = L, not handing over: executes at once. */
  get isReady(): boolean {
    return false;
  }
  get isLeader(): boolean {
    return false;
  }
  /** One tick of Raft's clock; the node calls it for all groups alike. */
  tick(): void {}
  /** A Raft message from a peer; stepped in the next turn. */
  receive(message: Message): void {
    assert(message.to === this.replicaId, "message for another replica");
  }
  /** Frames to the peer were lost. */
  reportUnreachable(replicaId: number): void {
    assert(replicaId > 0, "replica ids are positive");
  }
  /** One turn. */
  drive(): void {}
  /** Requests of a lane, in the order in which they arrived. May refuse at once. */
  enqueue(batch: RequestBatch): void {
    assert(batch.count > 0, "an empty frame");
  }
  /** Ends a blocked call; ignored when the request is not blocked. */
  cancel(lane: Lane, number: number, how: CancelHow): void {
    assert(number > 0 && how >= 0 && lane.id >= 0, "a numbered request");
  }
  /** The client or the link is gone: blocked calls are dropped, writes that have arrived go on, replies go nowhere. */
  laneClosed(lane: Lane): void {
    assert(lane.closed, "marked before");
  }
  /** WAIT, WAITAOF on this shard. Answered in a turn, exactly once, unless cancelled. */
  wait(query: WaitQuery): void {
    assert(query.index >= 0, "an index");
  }
  cancelWait(query: WaitQuery): void {
    assert(query.index >= 0, "an index");
  }
  /** Hands leadership to the replica (null: the one that is furthest). False: not leader, or nobody took over in time; then it goes on serving. */
  handOver(toReplica: number | null, done: (moved: boolean) => void): void {
    assert(toReplica !== 0, "a replica id or null");
    done(false);
  }
  /** Campaigns now (founding: the first replica need not wait for its timeout). */
  campaign(): void {}
  /** Refuses everything from now on with `stopping`, resolves what is held, keeps taking part in Raft. */
  stopServing(): void {}
  /** Writes a checkpoint of everything committed; then a restart replays little. */
  checkpoint(done: Done<void>): void {
    assert(done !== null, "a callback");
  }
  /** The log is poisoned or the node stops: nothing is served, stepped or written any more. */
  fail(message: string): void {
    assert(message !== "", "a reason");
  }
  status(): ShardStatus {
    throw new Error("not yet");
  }
  members(): ConfState {
    return this.status().members;
  }
  /** Hex digest of the state, and the index it is of: equal on all replicas at equal indexes. */
  stateHash(): { readonly index: number; readonly hash: string } {
    return { index: 0, hash: "" };
  }
}
