/**
 * What a leader believes of one replica.
 *
 *            ┌──────────── snapshot needed ────────────┐
 *   probe ───┤                                         ├──► snapshot ── done / failed ──► probe
 *     │ ▲    └─── (from replicate too) ────────────────┘
 *     ▼ │ refused / unreachable
 *   replicate
 *
 * probe: one message at a time until the common prefix is found. replicate: optimistic stream within the inflight window. snapshot: nothing
 * is sent until it is settled. Invariant: match < next. Source: etcd tracker/progress.go.
 */
import type { Inflights } from "./inflights.ts";
import { assert } from "./invariants.ts";

export const ProgressState = { probe: 0, replicate: 1, snapshot: 2 } as const;
export type ProgressState = (typeof ProgressState)[keyof typeof ProgressState];

export class Progress {
  readonly id: number;
  isLearner: boolean;
  /** Highest index known to be durable there. */
  match = 0;
  next: number;
  state: ProgressState = ProgressState.probe;
  /** Highest commit index that it was told or will be, lost messages aside. */
  sentCommit = 0;
  /** Index of the snapshot under way; 0 when none is. */
  pendingSnapshot = 0;
  /** Heard of since the last check of the quorum. */
  recentActive = false;
  /** A probe is out or the window is full: nothing more until an answer. */
  isFlowPaused = false;
  /** Highest read number that was sent to it, and that it echoed, in this term. */
  readSent = 0;
  readEcho = 0;
  readonly inflights: Inflights;

  constructor(id: number, next: number, isLearner: boolean, inflights: Inflights) {
    this.id = id;
    this.next = next;
    this.isLearner = isLearner;
    this.inflights = inflights;
  }

  /** As at the beginning of a term. */
  reset(match: number, next: number): void {
    this.match = match;
    this.next = next;
    this.sentCommit = 0;
    this.recentActive = false;
    this.readSent = 0;
    this.readEcho = 0;
    this.#enter(ProgressState.probe);
  }

  becomeProbe(): void {
    // A finished snapshot is taken on trust: probe behind it, a refusal will tell.
    const snapshotIndex = this.state === ProgressState.snapshot ? this.pendingSnapshot : 0;
    this.#enter(ProgressState.probe);
    this.next = Math.max(this.match, snapshotIndex) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter(ProgressState.replicate);
    this.next = this.match + 1;
  }

  becomeSnapshot(snapshotIndex: number): void {
    this.#enter(ProgressState.snapshot);
    this.pendingSnapshot = snapshotIndex;
    this.next = snapshotIndex + 1;
    this.sentCommit = snapshotIndex;
  }

  isPaused(): boolean {
    return this.state === ProgressState.snapshot || this.isFlowPaused;
  }

  /** An append with `count` entries left. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === ProgressState.replicate) {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.isFlowPaused = this.inflights.isFull();
      return;
    }
    assert(this.state === ProgressState.probe, "append sent to a follower that waits for a snapshot");
    if (count > 0) this.isFlowPaused = true;
  }

  /** Whether telling the commit index again can move what the follower knows. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** An acknowledgement up to `index`. False when it told nothing new. */
  acknowledge(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isFlowPaused = false;
    return true;
  }

  /** A refusal of the append behind `refused`. False when it is out of date. `hint`: where to try. */
  refuse(refused: number, hint: number): boolean {
    if (this.state === ProgressState.replicate) {
      if (refused <= this.match) return false;
      this.next = this.match + 1;
      this.sentCommit = Math.min(this.sentCommit, this.next - 1);
      return true;
    }
    if (this.next - 1 !== refused) return false;
    this.next = Math.max(Math.min(refused, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.isFlowPaused = false;
    return true;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.isFlowPaused = false;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }
}
