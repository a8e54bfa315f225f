/**
 * What must hold between replicas at every moment: one leader per term, commit never goes back in a replica's life, equal state at equal committed
 * index on every replica, and equal log entries where index and term are equal.
 */
import { crc32, latin1 } from "@headrace/bytes";
import type { ShardReplica } from "@headrace/node";
import type { RaftStatus } from "@headrace/raft-ts";
import type { Placement } from "./history.ts";
import type { SimulatedCluster } from "../simulated-cluster.ts";

/** As the workload makes them, in the client's own bytes. */
const PAYLOADS = /(?<=\n)c\d+\.\d+(?=\r)/g;
const VERIFY_EVERY_STEPS = 2000;
/** One change of members at a time, and the one by which a joint configuration is left. */
const CHANGES_OF_MEMBERS = 2;

export class ReplicaChecker {
  readonly #cluster: SimulatedCluster;
  /** group/term → replica that led it. */
  readonly #leaders: Map<string, number> = new Map();
  /** group/index → hash of the committed state there. */
  readonly #states: Map<string, string> = new Map();
  /** group/index/term → checksum of the log entry there, and the term before it. */
  readonly #entries: Map<string, string> = new Map();
  /** group → highest index known committed, with its term: never to be replaced. */
  readonly #committed: Map<string, number> = new Map();
  /** Replicas met before: each life of a node makes new ones. */
  readonly #met: WeakSet<ShardReplica> = new WeakSet();
  /** Of this moment: group → term of a leader. */
  readonly #leading: Map<number, number> = new Map();
  readonly #led: Set<number> = new Set();
  /** Payloads as they were met in logs. */
  readonly placements: Map<string, Placement> = new Map();
  compared = 0;
  entriesCompared = 0;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  /** Cheap: after every step. */
  checkLeaders(): void {
    this.#leading.clear();
    for (const { shard } of this.#cluster.replicas()) {
      if (!shard.isLeader) continue;
      const { groupId, replicaId } = shard;
      const raft = shard.raftStatus();
      const { term } = raft;
      this.#checkBound(shard, raft.commit, raft.lastIndex);
      if (raft.transferee !== 0) this.#checkTransfer(shard, raft);
      const other = this.#leading.get(groupId);
      if (other === undefined) this.#leading.set(groupId, term);
      else if (shard.isReady) this.#cluster.loop.count("a deposed leader that does not know it");
      const key = `${groupId}/${term}`;
      const known = this.#leaders.get(key);
      if (known === undefined) {
        this.#leaders.set(key, replicaId);
        // The first of a group is nothing to speak of.
        const isFirst = !this.#led.has(groupId);
        this.#led.add(groupId);
        this.#cluster.loop.count(isFirst ? "leader elected" : "leader elected again");
      } else if (known !== replicaId) {
        throw new Error(`two leaders of shard ${groupId} in term ${term}: replicas ${known} and ${replicaId}`);
      }
    }
  }

  /**
   * What is not committed is bounded for every level of acknowledgement (I17). Each term begins with an empty entry: leaders that follow one another
   * without committing anything leave any number of those.
   */
  #checkBound(shard: ShardReplica, commitIndex: number, lastIndex: number): void {
    if (lastIndex - commitIndex < this.#cluster.uncommittedEntries) return;
    this.#cluster.loop.count("as much uncommitted as is allowed");
    let uncommitted = 0;
    shard.log.visit((index, _term, data) => {
      if (index > commitIndex && data.length > 0) uncommitted++;
    });
    if (uncommitted <= this.#cluster.uncommittedEntries + CHANGES_OF_MEMBERS) return;
    throw new Error(
      `shard ${shard.groupId} has ${uncommitted} uncommitted entries; its bound is ${this.#cluster.uncommittedEntries}`,
    );
  }

  /** Who lets go of leadership has answered for everything that it executed, and the next one has it all (I18). */
  #checkTransfer(shard: ShardReplica, { transferee, commit, lastIndex, progress }: RaftStatus): void {
    const { heldReplies } = shard.status();
    const match = progress.find(({ id }) => id === transferee)?.match ?? 0;
    if (heldReplies === 0 && commit === lastIndex && match === lastIndex) return;
    throw new Error(
      `shard ${shard.groupId} hands over to ${transferee} with ${heldReplies} replies held, at ${lastIndex} with ${commit} committed; it has ${match}`,
    );
  }

  /** Walks states and logs: now and then. */
  checkStates(): void {
    for (const { machine, shard } of this.#cluster.replicas()) {
      if (!shard.isHealthy) continue;
      const status = shard.status();
      const { groupId } = shard;
      if (!this.#met.has(shard)) {
        this.#met.add(shard);
        if (status.checkpointIndex > 0) this.#cluster.loop.count("opened at a checkpoint");
      }
      if (status.ready && status.heldReplies > 0 && status.stateIndex > status.commitIndex) {
        this.#cluster.loop.count("leader holds replies of uncommitted state");
      }
      if (status.dirty) this.#cluster.loop.count("dirty follower");
      // Walking a whole state is dear: not at every look.
      if (this.#cluster.loop.steps % VERIFY_EVERY_STEPS === 0) shard.verify();
      this.#checkLog(machine.name, shard);
      // A leader's memory may be ahead of what is committed, and a dirty follower's is of no meaning until its fate is known.
      if (status.dirty || status.reloading || status.stateIndex > status.commitIndex) continue;
      const { index, hash } = shard.stateHash();
      const key = `${groupId}/${index}`;
      const known = this.#states.get(key);
      if (known === undefined) this.#states.set(key, hash);
      else {
        this.compared++;
        if (known !== hash)
          throw new Error(
            `replicas of shard ${groupId} differ at index ${index}: ${machine.name} has ${hash}, another had ${known}`,
          );
      }
    }
  }

  #checkLog(name: string, shard: ShardReplica): void {
    // While a snapshot is being installed Raft counts from it already; what the log still holds is void.
    const { commitIndex, reloading } = shard.status();
    const { groupId } = shard;
    let before = -1;
    shard.log.visit((index, term, data) => {
      const key = `${groupId}/${index}/${term}`;
      const content = `${crc32(data)}/${before}`;
      const known = this.#entries.get(key);
      if (known === undefined) {
        this.#entries.set(key, content);
        for (const [payload] of latin1(data, 0, data.length).matchAll(PAYLOADS)) {
          if (!this.placements.has(payload)) this.placements.set(payload, { group: groupId, term, index });
        }
      } else if (before >= 0 && !known.endsWith("/-1") && known !== content) {
        throw new Error(
          `logs of shard ${groupId} differ at index ${index}, term ${term}: ${name} has ${content}, another had ${known}`,
        );
      } else this.entriesCompared++;
      if (index <= commitIndex && !reloading) {
        const position = `${groupId}/${index}`;
        const committedTerm = this.#committed.get(position);
        if (committedTerm !== undefined && committedTerm !== term) {
          throw new Error(
            `a committed entry of shard ${groupId} was replaced at index ${index}: term ${committedTerm}, then ${term} on ${name}`,
          );
        }
        this.#committed.set(position, term);
      }
      before = term;
    });
  }
}
