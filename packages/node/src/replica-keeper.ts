/**
 * Makes this node hold the replicas that the metadata places on it, and no others: opens new ones, empty, and deletes those that have ended. One
 * thing at a time, each step durable before the next, so that a crash anywhere is continued from the record "replicas".
 *
 *   placed here, never here before   record opening ─► clear what may be left ─► mark in the log ─► open ─► record open ─► takes part
 *   ended in the metadata            record removing ─► stop it ─► forget its log ─► delete its rows ─► record gone
 *
 * An id that was deleted here is never opened again, whatever an old view of the metadata says (I19).
 *
 * Must not know: Raft, who leads, why something is placed where it is.
 */
import { META_GROUP_ID } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import type { SharedLogApi } from "@headrace/log";
import type { KvStore, Logger, RecordStore, Result, Scheduler } from "@headrace/ports";
import { storeMetaPosition, votersOnly } from "./meta-position.ts";
import { storeReplicas } from "./replica-record.ts";
import type { OwnReplica, ReplicaStage } from "./replica-record.ts";
import { removeGroupRows } from "./row-removal.ts";
import type { SweepPace } from "./sweep-pace.ts";

/** After something that others have to help with did not work. */
const RETRY_MS = 500;

export interface ReplicaKeeperWorld {
  readonly scheduler: Scheduler;
  readonly recordStore: RecordStore;
  readonly kvStore: KvStore;
  readonly sweeps: SweepPace;
  readonly log: SharedLogApi;
  readonly logger: Logger;
}

export interface ReplicaKeeperHost {
  /** Makes an empty replica, which must not take part yet. Null: done; else why not. */
  prepare(groupId: number, replicaId: number, done: (failure: string | null) => void): void;
  /** It is in the record: it takes part from here on. */
  admit(groupId: number): void;
  /** Stops the replica, if there is one. `done` when nothing of it writes any more. */
  retire(groupId: number, done: () => void): void;
  /** A record or the store can't be written. */
  onFailed(message: string): void;
}

export class ReplicaKeeper {
  readonly #nodeId: number;
  readonly #world: ReplicaKeeperWorld;
  readonly #host: ReplicaKeeperHost;
  readonly #own: Map<number, OwnReplica>;
  #state: ClusterState | null;
  #isBusy: boolean;
  #stopped: boolean;

  constructor(nodeId: number, world: ReplicaKeeperWorld, host: ReplicaKeeperHost, own: readonly OwnReplica[]) {
    this.#nodeId = nodeId;
    this.#world = world;
    this.#host = host;
    this.#own = new Map(own.map((replica) => [replica.groupId, replica]));
    this.#state = null;
    this.#isBusy = false;
    this.#stopped = false;
  }

  /** The metadata as it is known now; read until the next call. */
  follow(state: ClusterState): void {
    this.#state = state;
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
  }

  #next(): void {
    const state = this.#state;
    if (state === null || this.#isBusy || this.#stopped) return;
    for (const replica of this.#own.values()) {
      if (replica.stage === "gone") continue;
      const hasEnded = state.hasEnded(replica.groupId, replica.replicaId);
      if (replica.stage === "removing" || hasEnded) return this.#remove(replica.groupId, replica.replicaId);
    }
    for (const { groupId, replicaId } of state.groupsOn(this.#nodeId)) {
      const own = this.#own.get(groupId);
      const isNew = own === undefined || (own.stage === "gone" && own.replicaId < replicaId);
      // The view may be older than the record: then it names a predecessor, whose end the record no longer tells.
      const isInterrupted = own?.stage === "opening" && own.replicaId === replicaId;
      if (isNew || isInterrupted) return this.#open(groupId, replicaId);
    }
  }

  #open(groupId: number, replicaId: number): void {
    this.#isBusy = true;
    this.#record(groupId, replicaId, "opening", () =>
      this.#clear(groupId, () => {
        this.#forgetMetadata(groupId, () => this.#mark(groupId, replicaId));
      }),
    );
  }

  /** From then on a log that holds nothing of the group has been lost. */
  #mark(groupId: number, replicaId: number): void {
    this.#world.log.append({
      groupId,
      hardState: { term: 0, vote: 0, commit: 0 },
      entries: [],
      mustSync: true,
      onWritten: null,
      onDurable: () => {
        if (this.#stopped) return;
        this.#host.prepare(groupId, replicaId, (failure) => {
          if (this.#stopped) return;
          if (failure !== null) {
            this.#world.logger.warn("replica_not_opened", { group: groupId, replica: replicaId, message: failure });
            return this.#retryLater();
          }
          this.#record(groupId, replicaId, "open", () => {
            this.#world.logger.info("replica_opened", { group: groupId, replica: replicaId });
            this.#host.admit(groupId);
            this.#done();
          });
        });
      },
    });
  }

  #remove(groupId: number, replicaId: number): void {
    this.#isBusy = true;
    this.#record(groupId, replicaId, "removing", () =>
      this.#host.retire(groupId, () => {
        if (this.#stopped) return;
        this.#clear(groupId, () => this.#forgetMetadata(groupId, () => this.#removed(groupId, replicaId)));
      }),
    );
  }

  #removed(groupId: number, replicaId: number): void {
    this.#record(groupId, replicaId, "gone", () => {
      this.#world.logger.info("replica_removed", { group: groupId, replica: replicaId });
      this.#done();
    });
  }

  /** Without a replica of the metadata group, or with an empty one, the record holds what was heard, at no position. */
  #forgetMetadata(groupId: number, then: () => void): void {
    if (groupId !== META_GROUP_ID) return then();
    const position = { index: 0, term: 0, confState: votersOnly([]) };
    storeMetaPosition(this.#world.recordStore, { position, state: this.#state!, isPut: true }, (stored) => {
      if (this.#survives(stored, "record metadata")) then();
    });
  }

  #clear(groupId: number, then: () => void): void {
    this.#world.log.forget(groupId);
    if (groupId === META_GROUP_ID) return then();
    this.#removeRows(groupId, then);
  }

  /** A full disk delays it, and nothing else. */
  #removeRows(groupId: number, then: () => void): void {
    removeGroupRows(this.#world.kvStore, groupId, this.#world.sweeps, (removed) => {
      if (!removed.ok && removed.reason === "space" && !this.#stopped) {
        this.#world.logger.warn("rows_not_removed", { group: groupId, message: removed.message });
        this.#world.scheduler.after(RETRY_MS, () => {
          if (!this.#stopped) this.#removeRows(groupId, then);
        });
      } else if (this.#survives(removed, `rows of group ${groupId}`)) then();
    });
  }

  #record(groupId: number, replicaId: number, stage: ReplicaStage, then: () => void): void {
    this.#own.set(groupId, { groupId, replicaId, stage });
    storeReplicas(this.#world.recordStore, [...this.#own.values()], (stored) => {
      if (this.#survives(stored, "record replicas")) then();
    });
  }

  #survives(result: Result<void>, what: string): boolean {
    if (this.#stopped) return false;
    if (result.ok) return true;
    this.#stopped = true;
    this.#host.onFailed(`${what} can't be written: ${result.message}`);
    return false;
  }

  #retryLater(): void {
    this.#world.scheduler.after(RETRY_MS, () => this.#done());
  }

  #done(): void {
    this.#isBusy = false;
    this.#next();
  }
}
