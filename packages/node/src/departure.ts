/**
 * A node that is about to stop lets go of all that it leads first: to whoever is furthest of those in contact, to another one if that does not take over,
 * for a bounded time. Then what it has goes to the store, so that its next start replays nothing; again for a bounded time.
 *
 * Must not know: why the node stops, how leadership moves.
 */
import type { Clock, Scheduler } from "@headrace/ports";
import type { NodeConfig } from "./node-config.ts";
import type { RaftGroups } from "./raft-groups.ts";
import type { ShardReplica } from "./shard.ts";

const LOOK_EVERY_MS = 5;

interface Time {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
}

type Limits = Pick<NodeConfig, "handOverMs" | "lastCheckpointMs">;

export interface Departing {
  readonly groups: RaftGroups;
  /** Of the node, healthy. */
  shards(): readonly ShardReplica[];
  /** Null: no healthy replica of the shard here, or the node is gone. */
  shard(shardId: number): ShardReplica | null;
  isUp(nodeId: number): boolean;
  /** Nobody else is in contact. */
  isAlone(): boolean;
  /** Nobody knows the group's next leader yet; this node is not asked any more. */
  onLetGo(groupId: number, term: number): void;
}

/** `done` in a later event, when others lead and the store has all that is here, or the time for it is over. */
export function depart(time: Time, limits: Limits, departing: Departing, done: () => void): void {
  letGoOfAll(time, limits.handOverMs, departing, () =>
    checkpointAll(time.scheduler, limits.lastCheckpointMs, departing.shards(), done),
  );
}

function letGoOfAll({ clock, scheduler }: Time, withinMs: number, departing: Departing, done: () => void): void {
  const { groups } = departing;
  const deadlineMs = clock.monotonicMs() + withinMs;
  const led = [...groups.all()].filter((group) => {
    return group.isHealthy && groups.leaderOf(group.groupId).replicaId === group.replicaId;
  });
  for (const { groupId } of led) {
    departing.onLetGo(groupId, groups.leaderOf(groupId).term);
    handOver(scheduler, departing, groupId);
  }
  const look = (): void => {
    const isMoved = led.every((group) => {
      const { replicaId } = groups.leaderOf(group.groupId);
      return replicaId !== 0 && replicaId !== group.replicaId;
    });
    // Alone nobody can take over, and waiting for it would only cost time.
    if (isMoved || departing.isAlone() || clock.monotonicMs() >= deadlineMs) done();
    else scheduler.after(LOOK_EVERY_MS, look);
  };
  scheduler.soon(look);
}

function handOver(scheduler: Scheduler, departing: Departing, groupId: number): void {
  const shard = departing.shard(groupId);
  if (shard === null || !shard.isLeader) return;
  let target = 0;
  let targetMatch = -1;
  for (const { replica, match, isLearner } of shard.status().matches) {
    const isUp = departing.isUp(departing.groups.nodeOfReplica(groupId, replica));
    if (!isUp || isLearner || match <= targetMatch) continue;
    target = replica;
    targetMatch = match;
  }
  if (target === 0) return;
  shard.handOver(target, (moved) => {
    if (!moved) scheduler.after(LOOK_EVERY_MS, () => handOver(scheduler, departing, groupId));
  });
}

function checkpointAll(
  scheduler: Scheduler,
  withinMs: number,
  shards: readonly ShardReplica[],
  done: () => void,
): void {
  let left = shards.length;
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    done();
  };
  const timer = scheduler.after(left === 0 ? 0 : withinMs, end);
  // One that fails meanwhile has said so itself.
  for (const shard of shards) shard.checkpoint(() => (--left === 0 ? end() : undefined));
}
