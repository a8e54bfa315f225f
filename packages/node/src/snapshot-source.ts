/**
 * The sending end of a group's snapshots: keeps one open while somebody may want it, answers questions for its chunks, and tells Raft what became
 * of it. What a snapshot is made of is the business of its content: a view of the store for a shard, one record for the metadata group.
 *
 *   Raft asks for a snapshot ──► opened (one at a time on the node) ──► announced to a follower ──► asked for chunk by chunk ──► settled
 *                                   ▲ kept while it is asked for, so that a broken stream goes on where it was
 *
 * It follows a receiver on until that has taken up the log: the log behind the snapshot must not be cut before (`holdIndex`).
 * Only committed state is ever opened (I11). Must not know: where the content comes from, how the log is cut.
 */
import { assert, compareBytes } from "@headrace/bytes";
import type { Clock, Done, Logger, Random, Scheduler, Timer } from "@headrace/ports";
import type { Snapshot, SnapshotMeta } from "@headrace/raft-ts";
import { chunkFrame, goneFrame, NO_BYTES } from "./snapshot-codec.ts";
import type { SnapshotFrame, SnapshotRow } from "./snapshot-codec.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

/** Without a question for so long a receiver is believed lost, and Raft tries again as soon as it hears of it. */
const RECEIVER_PATIENCE_MS = 5000;
/** A snapshot that nobody asks for is kept so long. */
const IDLE_MS = 20_000;
/** No snapshot is kept longer: what the store has to keep for its sake grows. */
const OPEN_MAX_MS = 3_600_000;
const LOOK_MS = 500;
/** What can't be read now is not tried again at once. */
const FAILURE_PAUSE_MS = 5000;

export interface SnapshotContent {
  readonly meta: SnapshotMeta;
  /** Goes with the first chunk. */
  readonly head: Uint8Array;
  /** The rows behind this one, about one chunk full; `isLast`: there are no more behind these. */
  chunk(after: Uint8Array, done: Done<{ readonly rows: readonly SnapshotRow[]; readonly isLast: boolean }>): void;
  close(): void;
}

export interface SnapshotSourceOptions {
  readonly groupId: number;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly logger: Logger;
  readonly traffic: SnapshotTraffic;
  /** Cuts a snapshot of committed state; null: not now. In a later event. */
  readonly open: (done: (content: SnapshotContent | null) => void) => void;
  /** Whether the log still follows on this snapshot and its members are those of today. */
  readonly isUsable: (meta: SnapshotMeta) => boolean;
  readonly isLeader: () => boolean;
  /** Highest index known to be durable at the replica. */
  readonly matchOf: (replica: number) => number;
  /** From here on the log is kept for every follower anyway. */
  readonly retainedFrom: () => number;
  readonly send: (toReplica: number, frame: Uint8Array) => boolean;
  readonly report: (replica: number, succeeded: boolean) => void;
}

interface OpenSnapshot {
  readonly id: number;
  readonly content: SnapshotContent;
  readonly openedMs: number;
  lastWantedMs: number;
}

class Receiver {
  readonly replica: number;
  lastHeardMs: number;
  /** Of the question that was answered last, or is being answered. */
  number: number = 0;
  after: Uint8Array = NO_BYTES;
  /** A chunk for it is being read or waits for its time. */
  isBusy: boolean = false;
  /** The question that came meanwhile. */
  next: SnapshotFrame | null = null;

  constructor(replica: number, nowMs: number) {
    this.replica = replica;
    this.lastHeardMs = nowMs;
  }
}

/** Has the snapshot, and is to take up the log behind it. */
interface Follower {
  match: number;
  lastMoveMs: number;
}

export class SnapshotSource {
  readonly #options: SnapshotSourceOptions;
  #open: OpenSnapshot | null;
  #isOpening: boolean;
  #notBeforeMs: number;
  readonly #receivers: Map<number, Receiver>;
  readonly #followers: Map<number, Follower>;
  #timer: Timer | null;
  #stopped: boolean;

  constructor(options: SnapshotSourceOptions) {
    this.#options = options;
    this.#open = null;
    this.#isOpening = false;
    this.#notBeforeMs = 0;
    this.#receivers = new Map();
    this.#followers = new Map();
    this.#timer = null;
    this.#stopped = false;
  }

  /** What Raft may announce now. Cheap: it is asked for again and again while none is ready. */
  offer(): Snapshot | "unavailable" {
    const open = this.#open;
    if (open !== null && this.#options.isUsable(open.content.meta)) {
      open.lastWantedMs = this.#options.clock.monotonicMs();
      return { meta: open.content.meta, handle: open.id };
    }
    if (open !== null && this.#receivers.size === 0) this.#close();
    if (this.#open === null) this.#begin();
    return "unavailable";
  }

  /** Raft announces the snapshot to this replica. */
  announced(replica: number): void {
    this.#receivers.set(replica, new Receiver(replica, this.#options.clock.monotonicMs()));
    this.#followers.delete(replica);
  }

  onAsk(ask: SnapshotFrame): void {
    const open = this.#open;
    if (open === null || open.id !== ask.snapshotId) {
      this.#options.send(ask.from, goneFrame(this.#addressOf(ask), "this snapshot is not kept here any more"));
      return;
    }
    const nowMs = this.#options.clock.monotonicMs();
    const receiver = this.#receivers.get(ask.from) ?? new Receiver(ask.from, nowMs);
    this.#receivers.set(ask.from, receiver);
    // The network may repeat a question.
    if (ask.number === receiver.number) return;
    receiver.lastHeardMs = nowMs;
    open.lastWantedMs = nowMs;
    if (!receiver.isBusy) this.#answer(open, receiver, ask);
    // Asked once more for what is under way.
    else if (compareBytes(ask.after, receiver.after) !== 0) receiver.next = ask;
  }

  onSettled(frame: SnapshotFrame): void {
    const open = this.#open;
    if (open === null || open.id !== frame.snapshotId || !this.#receivers.has(frame.from)) return;
    if (frame.succeeded) {
      this.#sent(open, frame.from);
      return;
    }
    const { groupId, logger, traffic } = this.#options;
    const { index } = open.content.meta;
    traffic.failed++;
    logger.warn("snapshot_not_taken", { group: groupId, replica: frame.from, index, reason: frame.reason });
    // Raft hears of it when patience with the receiver ends: what has just failed would fail again.
    this.#receivers.get(frame.from)!.lastHeardMs = this.#options.clock.monotonicMs();
  }

  /** The log must not be cut behind this index while a receiver is still to take it up; Infinity: nobody is. */
  holdIndex(): number {
    let lowest = Infinity;
    if (!this.#options.isLeader()) return lowest;
    if (this.#open !== null) lowest = this.#open.content.meta.index;
    for (const { match } of this.#followers.values()) lowest = Math.min(lowest, match);
    return lowest;
  }

  /** The log behind the snapshot has become too long: whoever has not caught up needs a newer one. */
  giveUp(reason: string): void {
    const { groupId, logger, traffic } = this.#options;
    const waiting = [...this.#receivers.keys()];
    const replicas = [...waiting, ...this.#followers.keys()];
    logger.warn("snapshot_given_up", { group: groupId, replicas, reason });
    traffic.failed++;
    this.#followers.clear();
    this.#receivers.clear();
    this.#close();
    for (const replica of waiting) this.#options.report(replica, false);
  }

  stop(): void {
    this.#stopped = true;
    this.#receivers.clear();
    this.#followers.clear();
    this.#close();
    // One that is being opened may never be answered.
    this.#options.traffic.release(this);
    this.#timer?.cancel();
  }

  #begin(): void {
    const { traffic, random, clock, groupId, logger } = this.#options;
    if (this.#isOpening || this.#stopped || clock.monotonicMs() < this.#notBeforeMs || !traffic.claim(this)) return;
    this.#isOpening = true;
    this.#options.open((content) => {
      this.#isOpening = false;
      if (content === null || this.#stopped) {
        this.#notBeforeMs = clock.monotonicMs() + FAILURE_PAUSE_MS;
        content?.close();
        traffic.release(this);
        return;
      }
      const nowMs = clock.monotonicMs();
      // Never 0, and not to be met again after a restart.
      const id = random.u32() * 0x10_0000 + random.below(0x10_0000) + 1;
      this.#open = { id, content, openedMs: nowMs, lastWantedMs: nowMs };
      logger.info("snapshot_opened", { group: groupId, index: content.meta.index, term: content.meta.term });
      this.#look();
    });
  }

  #answer(open: OpenSnapshot, receiver: Receiver, ask: SnapshotFrame): void {
    receiver.isBusy = true;
    receiver.number = ask.number;
    receiver.after = ask.after;
    open.content.chunk(ask.after, (result) => {
      if (this.#open !== open) return;
      if (!result.ok) {
        this.#notBeforeMs = this.#options.clock.monotonicMs() + FAILURE_PAUSE_MS;
        this.giveUp(`it cannot be read: ${result.message}`);
        return;
      }
      const { after } = ask;
      const head = after.length === 0 ? open.content.head : NO_BYTES;
      const frame = chunkFrame(this.#addressOf(ask), { after, head, ...result.value });
      const waitMs = this.#options.traffic.waitMs();
      if (waitMs <= 0) this.#sendChunk(open, receiver, frame);
      else this.#options.scheduler.after(waitMs, () => this.#sendChunk(open, receiver, frame));
    });
  }

  #sendChunk(open: OpenSnapshot, receiver: Receiver, frame: Uint8Array): void {
    if (this.#open !== open || this.#stopped) return;
    receiver.isBusy = false;
    receiver.lastHeardMs = this.#options.clock.monotonicMs();
    this.#options.traffic.spend(frame.length);
    // One that is not taken is lost: it will be asked for again.
    this.#options.send(receiver.replica, frame);
    const { next } = receiver;
    receiver.next = null;
    if (next !== null) this.#answer(open, receiver, next);
  }

  #sent(open: OpenSnapshot, replica: number): void {
    const { groupId, logger, traffic, clock } = this.#options;
    const { index } = open.content.meta;
    const nowMs = clock.monotonicMs();
    traffic.sent++;
    logger.info("snapshot_sent", { group: groupId, replica, index, tookMs: Math.round(nowMs - open.openedMs) });
    this.#receivers.delete(replica);
    this.#followers.set(replica, { match: index, lastMoveMs: nowMs });
    this.#options.report(replica, true);
    if (this.#receivers.size === 0) this.#close();
  }

  /** Now and then, while there is something to look after. */
  #look(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#stopped) return;
    const nowMs = this.#options.clock.monotonicMs();
    for (const receiver of this.#receivers.values()) {
      const open = this.#open;
      if (open !== null && this.#options.matchOf(receiver.replica) >= open.content.meta.index) {
        // Its acknowledgement was heard, its word was not.
        this.#sent(open, receiver.replica);
        continue;
      }
      if (receiver.isBusy || nowMs - receiver.lastHeardMs < RECEIVER_PATIENCE_MS) continue;
      this.#receivers.delete(receiver.replica);
      this.#options.logger.info("snapshot_receiver_silent", {
        group: this.#options.groupId,
        replica: receiver.replica,
      });
      this.#options.report(receiver.replica, false);
    }
    this.#lookAfterFollowers(nowMs);
    const open = this.#open;
    // One that no longer leads announces it to nobody: the other groups of this node need not wait for their turn.
    const isIdle = nowMs - (open?.lastWantedMs ?? 0) >= IDLE_MS || !this.#options.isLeader();
    if (open !== null && this.#receivers.size === 0 && isIdle) this.#close();
    else if (open !== null && nowMs - open.openedMs >= OPEN_MAX_MS) this.giveUp("it has been open for an hour");
    if (this.#open === null && this.#followers.size === 0) return;
    this.#timer = this.#options.scheduler.after(LOOK_MS, () => this.#look());
  }

  #lookAfterFollowers(nowMs: number): void {
    const { isLeader, matchOf, retainedFrom } = this.#options;
    for (const [replica, follower] of this.#followers) {
      const match = matchOf(replica);
      if (match > follower.match) {
        follower.match = match;
        follower.lastMoveMs = nowMs;
      }
      const isLost = nowMs - follower.lastMoveMs >= IDLE_MS;
      if (isLost || !isLeader() || follower.match >= retainedFrom()) this.#followers.delete(replica);
    }
  }

  #close(): void {
    const open = this.#open;
    if (open === null) return;
    assert(this.#receivers.size === 0, "a snapshot is closed when nobody receives it");
    this.#open = null;
    open.content.close();
    this.#options.traffic.release(this);
  }

  #addressOf(ask: SnapshotFrame): {
    readonly groupId: number;
    readonly to: number;
    readonly from: number;
    readonly snapshotId: number;
    readonly number: number;
  } {
    const { groupId, from, to, snapshotId, number } = ask;
    return { groupId, to: from, from: to, snapshotId, number };
  }
}
