/**
 * The receiving end of a group's snapshots. Raft's announcement is held back until everything is here and on disk, beside what the replica has; only then
 * Raft hears of it.
 *
 *   announced ──► place prepared ──► ask ──► chunk ──► stored ──► … ──► complete: the announcement goes to Raft ──► installed, or let go
 *                                     ▲        │
 *                                     └────────┘ again when nothing comes, or what came is damaged: from the last row that is here
 *
 * One chunk is being stored while the next is on its way; there is never more. What is interrupted for good is removed by the place itself. Must not
 * know: Raft's log, what is in the rows, where they go.
 */
import { compareBytes, copyOf } from "@headrace/bytes";
import type { Done, Logger, Scheduler, Timer } from "@headrace/ports";
import type { Message, Snapshot, SnapshotMeta } from "@headrace/raft-ts";
import { askFrame, NO_BYTES, settledFrame } from "./snapshot-codec.ts";
import type { SnapshotFrame, SnapshotRow } from "./snapshot-codec.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

const ASK_AGAIN_MS = 1500;
/** Questions in a row without a good answer; then the source is believed gone, or its disk bad. */
const ATTEMPTS_MAX = 20;

/** Where a snapshot goes until it counts. One at a time. */
export interface SnapshotPlace {
  prepare(done: Done<void>): void;
  /** Null, or why this can't be the snapshot that was announced. */
  takeHead(head: Uint8Array, meta: SnapshotMeta): string | null;
  /** Null, or what is wrong with the rows as the source has them. */
  objectionTo(rows: readonly SnapshotRow[]): string | null;
  /** Durable when done; the rows are views into a frame that nobody else keeps. */
  store(rows: readonly SnapshotRow[], done: Done<void>): void;
  /** Everything since `prepare` is to go. */
  abandon(): void;
}

export interface SnapshotSinkOptions {
  readonly groupId: number;
  readonly replicaId: number;
  readonly scheduler: Scheduler;
  readonly logger: Logger;
  readonly traffic: SnapshotTraffic;
  readonly place: SnapshotPlace;
  readonly send: (toReplica: number, frame: Uint8Array) => boolean;
  /** There is something for `takeComplete`. */
  readonly wake: () => void;
  readonly onFailed: (message: string) => void;
}

type State = "preparing" | "receiving" | "complete" | "handedOver" | "installing";

class Incoming {
  announcement: Message;
  readonly snapshot: Snapshot;
  state: State = "preparing";
  /** Key of the last row that is here. */
  after: Uint8Array = NO_BYTES;
  /** Questions for what is behind it. */
  attempts: number = 0;
  isAsking: boolean = false;
  isStoring: boolean = false;
  hasAll: boolean = false;
  waiting: readonly SnapshotRow[] | null = null;

  constructor(announcement: Message, snapshot: Snapshot) {
    this.announcement = announcement;
    this.snapshot = snapshot;
  }
}

export class SnapshotSink {
  readonly #options: SnapshotSinkOptions;
  #incoming: Incoming | null;
  #timer: Timer | null;
  /** Of the last question: each has its own. */
  #number: number;

  constructor(options: SnapshotSinkOptions) {
    this.#options = options;
    this.#incoming = null;
    this.#timer = null;
    this.#number = 0;
  }

  /** The replica that a snapshot is coming from; 0: none is. */
  get source(): number {
    const incoming = this.#incoming;
    return incoming !== null && incoming.state === "receiving" ? incoming.announcement.from : 0;
  }

  /** Raft's message with a snapshot. It is answered to by `takeComplete`, if ever. */
  announce(announcement: Message, snapshot: Snapshot): void {
    const known = this.#incoming;
    if (known !== null && (known.state === "handedOver" || known.state === "installing")) return;
    if (known !== null && known.snapshot.handle === snapshot.handle) {
      // Announced once more: the leader believed it lost, or leads in a new term.
      known.announcement = announcement;
      if (known.state === "receiving") this.#askAgain(known);
      return;
    }
    if (known !== null) this.#drop("another one was announced");
    const incoming = new Incoming(announcement, snapshot);
    this.#incoming = incoming;
    const { groupId, logger, place } = this.#options;
    const { index } = snapshot.meta;
    logger.info("snapshot_announced", { group: groupId, from: announcement.from, index });
    place.prepare((result) => {
      if (this.#incoming !== incoming) return;
      if (!result.ok) return this.#refuse(incoming, result.message);
      incoming.state = "receiving";
      this.#ask(incoming);
    });
  }

  /** The announcement of a snapshot that is here completely, once. */
  takeComplete(): Message | null {
    const incoming = this.#incoming;
    if (incoming === null || incoming.state !== "complete") return null;
    incoming.state = "handedOver";
    return incoming.announcement;
  }

  /** Raft did not want it: of an old term, or behind what is committed here by now. */
  letGoIfUnused(): void {
    if (this.#incoming?.state === "handedOver") this.#drop("Raft has no use for it any more");
  }

  /** Raft took it: it takes the place of the state now. */
  installing(): void {
    if (this.#incoming !== null) this.#incoming.state = "installing";
  }

  /** It counts; whatever is announced next is another one. */
  installed(): void {
    this.#incoming = null;
  }

  onChunk(frame: SnapshotFrame): void {
    const incoming = this.#incoming;
    const isAwaited =
      incoming !== null &&
      incoming.state === "receiving" &&
      incoming.isAsking &&
      incoming.snapshot.handle === frame.snapshotId &&
      compareBytes(incoming.after, frame.after) === 0;
    // An answer to a question of before, or a repeated one.
    if (!isAwaited) return;
    const { place, traffic, logger, groupId } = this.#options;
    const { meta } = incoming.snapshot;
    const isFirst = incoming.after.length === 0;
    const objection =
      (isFirst ? place.takeHead(frame.head, meta) : null) ??
      objectionToOrder(incoming.after, frame.rows) ??
      place.objectionTo(frame.rows);
    if (objection !== null) return this.#refuse(incoming, objection);
    if (incoming.attempts > 1 && !isFirst) {
      traffic.resumed++;
      logger.info("snapshot_resumed", { group: groupId, index: meta.index, from: incoming.announcement.from });
    }
    incoming.isAsking = false;
    incoming.attempts = 0;
    incoming.hasAll = frame.isLast;
    incoming.after = keyOfLast(frame.rows) ?? incoming.after;
    incoming.waiting = frame.rows;
    this.#timer?.cancel();
    this.#store(incoming);
  }

  /** A frame of the source did not match its checksum: probably the awaited chunk. */
  onDamaged(): void {
    const incoming = this.#incoming;
    if (incoming !== null && incoming.state === "receiving" && incoming.isAsking) this.#askAgain(incoming);
  }

  onGone(frame: SnapshotFrame): void {
    const incoming = this.#incoming;
    if (incoming === null || incoming.state !== "receiving" || incoming.snapshot.handle !== frame.snapshotId) return;
    this.#drop(`the source says: ${frame.reason}`);
  }

  stop(): void {
    this.#incoming = null;
    this.#timer?.cancel();
  }

  #store(incoming: Incoming): void {
    const rows = incoming.waiting;
    if (rows === null || incoming.isStoring) return;
    incoming.waiting = null;
    incoming.isStoring = true;
    // The next chunk travels meanwhile.
    if (!incoming.hasAll) this.#ask(incoming);
    this.#options.place.store(rows, (result) => {
      if (this.#incoming !== incoming) return;
      incoming.isStoring = false;
      if (!result.ok) return this.#notStored(incoming, result.reason === "space", result.message);
      if (incoming.waiting !== null) return this.#store(incoming);
      if (incoming.hasAll) this.#complete(incoming);
    });
  }

  #notStored(incoming: Incoming, isForSpace: boolean, message: string): void {
    this.#refuse(incoming, `it cannot be stored: ${message}`);
    if (!isForSpace) this.#options.onFailed(`a snapshot cannot be stored: ${message}`);
  }

  #complete(incoming: Incoming): void {
    incoming.state = "complete";
    this.#settle(incoming, true, "");
    this.#options.wake();
  }

  #ask(incoming: Incoming): void {
    incoming.isAsking = true;
    this.#number++;
    incoming.attempts++;
    if (incoming.attempts > ATTEMPTS_MAX) return this.#refuse(incoming, "too many questions without a good answer");
    this.#options.send(incoming.announcement.from, askFrame(this.#addressOf(incoming), incoming.after));
    this.#timer?.cancel();
    this.#timer = this.#options.scheduler.after(ASK_AGAIN_MS, () => {
      if (this.#incoming === incoming && incoming.isAsking) this.#askAgain(incoming);
    });
  }

  #askAgain(incoming: Incoming): void {
    if (incoming.isAsking) this.#ask(incoming);
  }

  #refuse(incoming: Incoming, reason: string): void {
    this.#settle(incoming, false, reason);
    this.#drop(reason);
  }

  #settle(incoming: Incoming, succeeded: boolean, reason: string): void {
    this.#options.send(incoming.announcement.from, settledFrame(this.#addressOf(incoming), succeeded, reason));
  }

  #drop(reason: string): void {
    const incoming = this.#incoming;
    if (incoming === null) return;
    const { groupId, logger, traffic, place } = this.#options;
    this.#incoming = null;
    this.#timer?.cancel();
    traffic.failed++;
    logger.warn("snapshot_dropped", { group: groupId, index: incoming.snapshot.meta.index, reason });
    place.abandon();
  }

  #addressOf(incoming: Incoming): {
    readonly groupId: number;
    readonly to: number;
    readonly from: number;
    readonly snapshotId: number;
    readonly number: number;
  } {
    const { groupId, replicaId } = this.#options;
    const { announcement, snapshot } = incoming;
    const number = this.#number;
    return { groupId, to: announcement.from, from: replicaId, snapshotId: snapshot.handle, number };
  }
}

/** A chunk goes on behind what is here, row by row. */
function objectionToOrder(after: Uint8Array, rows: readonly SnapshotRow[]): string | null {
  let last = after;
  for (const { key } of rows) {
    if (compareBytes(key, last) <= 0) return "rows are not in order";
    last = key;
  }
  return null;
}

/** A copy: the frame is not kept for it. */
function keyOfLast(rows: readonly SnapshotRow[]): Uint8Array | null {
  const last = rows[rows.length - 1];
  return last === undefined ? null : copyOf(last.key, 0, last.key.length);
}
