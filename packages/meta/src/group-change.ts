/**
 * One change of the members of one Raft group, from the decision to the end, as the metadata group holds it. Pure functions over the group's
 * record; nobody's clock, nobody's opinion who is alive.
 *
 *   begin ─► adding ──────────► swapping ──────────────► done: new replicas stay, old ones are gone for ever
 *            new replicas are   only forward: promoted
 *            learners           and demoted at once
 *               │                    │
 *               └────► cancelling ◄──┘ ─► undone: new replicas are gone for ever (or done, if the swap had happened)
 *
 * Each arrow is a command. The group's own leader does the work and says when a stage is over; because a stage is in the metadata before it is
 * acted on, a leader with an old view can be wrong about nothing that counts: an id that has ended here never comes back (I19).
 *
 * That a change was cancelled shows in the group's own log by its newcomers, who are out again: whoever still takes the change for one that may swap
 * finds none of them and does nothing. A change that only removes has none, so it gets a mark: a replica id that stands for no replica, is a learner
 * while the change lasts, and lives nowhere.
 */

/** `joining`: a learner, or not even that yet. All others vote, or are being made to leave by the change in flight. */
export interface ReplicaRecord {
  /** From one counter for the whole cluster, never used again. */
  readonly replicaId: number;
  readonly nodeId: number;
  readonly isJoining: boolean;
}

export type ChangeStage = "adding" | "swapping" | "cancelling";

/** At most one for a group at a time. */
export interface GroupChange {
  /** From a counter: an answer about an old change cannot be taken for one about this. */
  readonly id: number;
  readonly adds: readonly number[];
  readonly removes: readonly number[];
  readonly stage: ChangeStage;
  /** Of one that only removes: the id that stands in the log for it; 0: it has none, and can't be cancelled when it may swap. */
  readonly mark: number;
}

/** What a change is about: a shard, or the metadata group itself. */
export interface GroupMembers {
  readonly replicas: readonly ReplicaRecord[];
  readonly change: GroupChange | null;
}

export type ChangedMembers = { readonly members: GroupMembers } | { readonly error: string };

/** `replicas`: the new ones, ids already drawn. */
export function beginChange(
  group: GroupMembers,
  id: number,
  added: readonly ReplicaRecord[],
  removes: readonly number[],
  mark: number = 0,
): ChangedMembers {
  if (group.change !== null) return { error: `change ${group.change.id} of this group is still in flight` };
  if (added.length === 0 && removes.length === 0) return { error: "nothing to change" };
  if (new Set(removes).size !== removes.length) return { error: "a replica is named twice" };
  for (const replicaId of removes) {
    if (!group.replicas.some((replica) => replica.replicaId === replicaId)) return { error: `no replica ${replicaId}` };
  }
  const hosts = new Set(group.replicas.map((replica) => replica.nodeId));
  for (const replica of added) {
    if (hosts.has(replica.nodeId)) return { error: `node ${replica.nodeId} has a replica of this group already` };
    hosts.add(replica.nodeId);
  }
  if (group.replicas.length + added.length <= removes.length) return { error: "nobody would be left" };
  const change: GroupChange = { id, adds: added.map(({ replicaId }) => replicaId), removes, stage: "adding", mark };
  return { members: { replicas: [...group.replicas, ...added], change } };
}

/** The new replicas have caught up: from here on the group may swap. */
export function advanceChange(group: GroupMembers, id: number): ChangedMembers {
  const { change } = group;
  if (change === null || change.id !== id) return { error: `no change ${id} in flight` };
  if (change.stage === "cancelling") return { error: `change ${id} is being cancelled` };
  if (change.stage === "swapping") return { members: group };
  return { members: { replicas: group.replicas, change: { ...change, stage: "swapping" } } };
}

export function cancelChange(group: GroupMembers, id: number): ChangedMembers {
  const { change } = group;
  if (change === null || change.id !== id) return { error: `no change ${id} in flight` };
  if (change.stage === "cancelling") return { members: group };
  // Nothing in the group's log would show a leader with an old view that the change is over.
  if (change.stage === "swapping" && change.adds.length === 0 && change.mark === 0)
    return { error: `change ${id} can only go on` };
  return { members: { replicas: group.replicas, change: { ...change, stage: "cancelling" } } };
}

/** The group's own log says how it ended. */
export function finishChange(group: GroupMembers, id: number, isDone: boolean): ChangedMembers {
  const { change } = group;
  if (change === null || change.id !== id) return { error: `no change ${id} in flight` };
  if (isDone && change.stage === "adding") return { error: `change ${id} was not allowed to swap yet` };
  if (!isDone && change.stage !== "cancelling") return { error: `change ${id} is not being cancelled` };
  const gone = isDone ? change.removes : change.adds;
  const replicas = group.replicas
    .filter((replica) => !gone.includes(replica.replicaId))
    .map((replica) => ({ ...replica, isJoining: false }));
  return { members: { replicas, change: null } };
}
