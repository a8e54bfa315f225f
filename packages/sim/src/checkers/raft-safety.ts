/**
 * Raft's promises, looked at after every step on the machine that has just moved (reference §3.2: the invariants of etcd's TLA+ specification). What is
 * known is kept outside of the program: it survives crashes that the program may not survive.
 *
 *   one leader a term · a leader has the longest log of its term · committed entries agree everywhere and are never replaced · a new leader has all that
 *   was committed · what is committed is durable on a majority of the voters · terms and commit never go back · state and checkpoint within the log
 *
 * That logs match is checked where whole logs are walked (replicas.ts).
 */
import { assert } from "@headrace/bytes";
import type { ShardReplica, ShardStatus } from "@headrace/node";
import type { Machine } from "../simulated-cluster.ts";

/** How far back a new leader's log is compared. */
const COMPARED_ENTRIES = 200;
const LEADER = 3;

type Members = ShardStatus["members"];

/** What was last seen of one replica; kept when its process is gone. */
interface Seen {
  /** Its life: a new one may begin with less. */
  replica: ShardReplica;
  term: number;
  commit: number;
  durable: number;
  members: Members;
}

class GroupFacts {
  /** term → replica that led it. */
  readonly leaders: Map<number, number> = new Map();
  /** term → how long its leader's log has been. */
  readonly longest: Map<number, number> = new Map();
  /** index → term, of what some replica knew to be committed. */
  readonly committed: Map<number, number> = new Map();
  readonly seen: Map<number, Seen> = new Map();
  /** Groups are founded with a first entry that nobody wrote. */
  highest = 1;
}

export class RaftSafety {
  readonly #groups: Map<number, GroupFacts> = new Map();
  /** Commit indexes that were found to be durable on a majority. */
  commitsProven = 0;

  /** After a step in which this machine's process did something. */
  check(machine: Machine): void {
    const member = machine.node === null ? null : machine.node.member;
    if (member === null) return;
    for (const shard of member.shards()) if (shard.isHealthy) this.#checkReplica(machine.name, shard);
  }

  #checkReplica(name: string, shard: ShardReplica): void {
    const status = shard.status();
    const { groupId, replicaId, term, commitIndex } = status;
    const group = this.#group(groupId);
    const where = `replica ${replicaId} of shard ${groupId} on ${name}`;
    const seen = group.seen.get(replicaId);
    const isSameLife = seen !== undefined && seen.replica === shard;
    if (isSameLife && term < seen.term) throw new Error(`${where} went back from term ${seen.term} to ${term}`);
    if (isSameLife && commitIndex < seen.commit)
      throw new Error(`${where} went back from commit ${seen.commit} to ${commitIndex}`);
    // A change of members is committed by those who were members before it.
    const before = isSameLife ? seen : { commit: 0, members: status.members };
    const { commit, members } = before;
    group.seen.set(replicaId, {
      replica: shard,
      term,
      commit: commitIndex,
      durable: status.durableIndex,
      members: status.members,
    });
    // While a snapshot is being installed Raft counts from it already; what the log still holds is void.
    if (status.reloading) return;
    checkCursors(where, status);
    if (status.role === LEADER) this.#checkLeader(where, group, status, shard);
    else this.#checkLength(where, group, status, shard);
    if (commitIndex > commit) this.#checkCommitted(where, group, status, { commit, members }, shard);
  }

  #group(groupId: number): GroupFacts {
    let group = this.#groups.get(groupId);
    if (group === undefined) this.#groups.set(groupId, (group = new GroupFacts()));
    return group;
  }

  #checkLeader(where: string, group: GroupFacts, status: ShardStatus, shard: ShardReplica): void {
    const { term, replicaId, lastIndex } = status;
    const known = group.leaders.get(term);
    if (known === replicaId) {
      const longest = group.longest.get(term)!;
      if (lastIndex < longest)
        throw new Error(`${where} leads term ${term} and cut its log from ${longest} to ${lastIndex}`);
      group.longest.set(term, lastIndex);
      return;
    }
    if (known !== undefined) throw new Error(`two leaders in term ${term}: replica ${known} and ${where}`);
    group.leaders.set(term, replicaId);
    group.longest.set(term, lastIndex);
    // What a later leader has committed need not be known to one of an earlier term that is late.
    if ([...group.leaders.keys()].some((other) => other > term)) return;
    if (lastIndex < group.highest)
      throw new Error(`${where} leads term ${term} with a log up to ${lastIndex}; ${group.highest} was committed`);
    for (let index = group.highest; index > group.highest - COMPARED_ENTRIES; index--) {
      const committed = group.committed.get(index);
      const own = termAt(shard, index);
      if (committed !== undefined && own !== null && own !== committed)
        throw new Error(`${where} leads term ${term} without the committed entry ${index} of term ${committed}`);
    }
  }

  /** Entries of a term come from its leader. */
  #checkLength(where: string, group: GroupFacts, { lastIndex }: ShardStatus, shard: ShardReplica): void {
    const lastTerm = termAt(shard, lastIndex);
    const longest = lastTerm === null ? undefined : group.longest.get(lastTerm);
    if (longest !== undefined && lastIndex > longest)
      throw new Error(`${where} has entry ${lastIndex} of term ${lastTerm}, whose leader came to ${longest}`);
  }

  #checkCommitted(
    where: string,
    group: GroupFacts,
    status: ShardStatus,
    before: { readonly commit: number; readonly members: Members },
    shard: ShardReplica,
  ): void {
    const { commitIndex } = status;
    for (let index = Math.max(before.commit, commitIndex - COMPARED_ENTRIES) + 1; index <= commitIndex; index++) {
      const term = termAt(shard, index);
      if (term === null) continue;
      const known = group.committed.get(index);
      if (known !== undefined && known !== term)
        throw new Error(`${where} committed entry ${index} of term ${term}; it had been committed with term ${known}`);
      group.committed.set(index, term);
    }
    if (commitIndex <= group.highest) return;
    group.highest = commitIndex;
    const missing = lacks(group, before.members, commitIndex);
    if (missing !== null && lacks(group, status.members, commitIndex) !== null)
      throw new Error(`${where} committed ${commitIndex}, ${missing}`);
    this.commitsProven++;
  }
}

/** Null: a majority of the voters has it durable, in a joint configuration one of each side. */
function lacks(group: GroupFacts, { voters, votersOutgoing }: Members, index: number): string | null {
  for (const members of [voters, votersOutgoing]) {
    if (members.length === 0) continue;
    const holders = members.filter((id) => (group.seen.get(id)?.durable ?? 0) >= index).length;
    if (holders * 2 <= members.length) return `durable on ${holders} of ${members.length} voters`;
  }
  return null;
}

function checkCursors(where: string, status: ShardStatus): void {
  const { commitIndex, lastIndex, stateIndex, checkpointIndex, durableIndex } = status;
  const isOrdered =
    commitIndex <= lastIndex && stateIndex <= lastIndex && checkpointIndex <= commitIndex && durableIndex <= lastIndex;
  assert(
    isOrdered,
    `${where}: commit ${commitIndex}, state ${stateIndex}, checkpoint ${checkpointIndex}, durable ${durableIndex}, last ${lastIndex}`,
  );
}

/** Null: the log does not reach there, or memory does not hold it. */
function termAt(shard: ShardReplica, index: number): number | null {
  const term = shard.log.term(index);
  return typeof term === "number" ? term : null;
}
