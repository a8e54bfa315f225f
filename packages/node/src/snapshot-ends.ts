/**
 * Both ends of one group's snapshots, and where they meet Raft: what Raft may announce, which announcements are held back until the snapshot is here,
 * and what the log has to keep. The same for shards and the metadata group.
 */
import type { Clock, Logger, Random, Scheduler } from "@headrace/ports";
import { MessageType, Role } from "@headrace/raft-ts";
import type { Message, RaftNodeApi, Snapshot, SnapshotMeta } from "@headrace/raft-ts";
import type { RaftLog } from "./raft-log.ts";
import { SnapshotFrameKind } from "./snapshot-codec.ts";
import type { SnapshotFrame } from "./snapshot-codec.ts";
import { SnapshotSink } from "./snapshot-sink.ts";
import type { SnapshotPlace } from "./snapshot-sink.ts";
import { SnapshotSource } from "./snapshot-source.ts";
import type { SnapshotContent } from "./snapshot-source.ts";
import type { SnapshotTraffic } from "./snapshot-traffic.ts";

export interface SnapshotEndsHost {
  sendSnapshot(frame: Uint8Array, toReplicaId: number, groupId: number): boolean;
  requestTurn(groupId: number): void;
}

export interface SnapshotEndsOptions {
  readonly groupId: number;
  readonly raft: RaftNodeApi;
  readonly raftLog: RaftLog;
  /** Log that is kept for every follower. */
  readonly retainBytes: number;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly logger: Logger;
  readonly traffic: SnapshotTraffic;
  readonly host: SnapshotEndsHost;
  readonly place: SnapshotPlace;
  readonly open: (done: (content: SnapshotContent | null) => void) => void;
  /** A snapshot would not name a member that was added since: a newer one is wanted. */
  readonly onUnnamed: () => void;
  readonly onFailed: (message: string) => void;
}

export class SnapshotEnds {
  readonly #options: SnapshotEndsOptions;
  readonly #source: SnapshotSource;
  readonly #sink: SnapshotSink;

  constructor(options: SnapshotEndsOptions) {
    const { groupId, raft, raftLog, clock, scheduler, random, logger, traffic, host, place, open, onFailed } = options;
    const replicaId = raft.id;
    const send = (to: number, frame: Uint8Array): boolean => host.sendSnapshot(frame, to, groupId);
    const wake = (): void => host.requestTurn(groupId);
    this.#options = options;
    this.#source = new SnapshotSource({
      groupId,
      clock,
      scheduler,
      random,
      logger,
      traffic,
      open,
      isUsable: (meta) => this.#isUsable(meta),
      isLeader: () => raft.role === Role.leader,
      matchOf: (replica) => matchOf(raft, replica),
      retainedFrom: () => raftLog.indexWithTail(options.retainBytes),
      send,
      report: (replica, succeeded) => {
        raft.reportSnapshot(replica, succeeded);
        wake();
      },
    });
    this.#sink = new SnapshotSink({ groupId, replicaId, scheduler, logger, traffic, place, send, wake, onFailed });
  }

  /** What Raft may announce to a follower. */
  offer(): Snapshot | "unavailable" {
    return this.#source.offer();
  }

  /** Raft's message leaves for a peer. */
  onSend(message: Message): void {
    if (message.type === MessageType.Snap) this.#source.announced(message.to);
  }

  /** False: Raft hears of the message later, when the snapshot is here. */
  isForRaftNow(message: Message): boolean {
    const { snapshot } = message;
    if (message.type !== MessageType.Snap || snapshot === null) return true;
    const { raft, raftLog } = this.#options;
    const { index, term } = snapshot.meta;
    // Raft wants nothing of it, and answers what there is to answer.
    if (message.term < raft.term || index <= raft.commit || raftLog.has(term, index)) return true;
    if (raft.role === Role.leader && message.term === raft.term) return true;
    this.#sink.announce(message, snapshot);
    return false;
  }

  /** At the beginning of a turn: the announcement of a snapshot that is here now. */
  takeComplete(): Message | null {
    return this.#sink.takeComplete();
  }

  /** Behind that, when Raft's messages have been carried: did it take it? */
  letGoIfUnused(): void {
    this.#sink.letGoIfUnused();
  }

  onInstalling(): void {
    this.#sink.installing();
  }

  onInstalled(): void {
    this.#sink.installed();
  }

  onFrame(frame: SnapshotFrame): void {
    switch (frame.kind) {
      case SnapshotFrameKind.ask:
        return this.#source.onAsk(frame);
      case SnapshotFrameKind.settled:
        return this.#source.onSettled(frame);
      case SnapshotFrameKind.chunk:
        return this.#sink.onChunk(frame);
      case SnapshotFrameKind.gone:
        return this.#sink.onGone(frame);
    }
  }

  /** The replica that chunks are awaited from, 0 if from none. */
  get awaitedFrom(): number {
    return this.#sink.source;
  }

  /** A frame from that replica's node was damaged on its way. */
  onDamaged(): void {
    this.#sink.onDamaged();
  }

  holdIndex(): number {
    return this.#source.holdIndex();
  }

  giveUp(reason: string): void {
    this.#source.giveUp(reason);
  }

  stop(): void {
    this.#source.stop();
    this.#sink.stop();
  }

  /** The log goes on behind it, and everyone who is a member today is named in it. */
  #isUsable(meta: SnapshotMeta): boolean {
    const { raft, raftLog, onUnnamed } = this.#options;
    const { voters, votersOutgoing, learners } = meta.confState;
    const named = new Set([...voters, ...votersOutgoing, ...learners]);
    let areNamed = true;
    raft.visitProgress((replica) => {
      if (!named.has(replica)) areNamed = false;
    });
    if (!areNamed) onUnnamed();
    return areNamed && meta.index >= raftLog.firstIndex() - 1;
  }
}

function matchOf(raft: RaftNodeApi, replica: number): number {
  let found = 0;
  raft.visitProgress((id, match) => {
    if (id === replica) found = match;
  });
  return found;
}
