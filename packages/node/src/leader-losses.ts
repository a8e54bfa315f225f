/**
 * How the groups of this node react together to the loss of a node that leads some of them, faster than each election timeout by itself, and only by
 * asking for votes: whether there is a majority without that leader is for pre-vote to say.
 *
 *   reset or refused      the process is gone: its groups forget it and campaign
 *   one group elected     a node that another leader has replaced in one group is SUSPECT until something comes from it; each of its other groups that has
 *   somebody else         heard nothing of it for a whole election timeout campaigns too, instead of drawing up to another timeout
 *
 * The replicas left of a group go one after another, in an order that all of them know and that differs from group to group: two at once would split
 * the vote and cost a whole timeout, and one node alone should not inherit everything. The first can be refused (a shorter log, or the other has not
 * noticed the loss yet); then the next comes, and a few rounds are tried before it is left to the timeout.
 */
import type { ClusterState } from "@headrace/meta";
import type { Random } from "@headrace/ports";

const FIRST_MS = 10;
/** An election needs two hops and two syncs; the next in the row should find it done. */
const NEXT_MS = 60;
const SPREAD_MS = 10;

/** How often a replica asks before it leaves the rest to its election timeout. */
export const CAMPAIGN_ATTEMPTS = 4;
/** So many of them leave an election alone that is under way. */
export const PATIENT_ATTEMPTS = 2;

export class LeaderLosses {
  readonly #random: Random;
  /** group → its members as (replica, node), in the placement's order. */
  readonly #members: Map<number, readonly { readonly replicaId: number; readonly nodeId: number }[]> = new Map();
  /** group → the node that led it last. */
  readonly #ledBy: Map<number, number> = new Map();
  readonly #suspects: Set<number> = new Set();

  constructor(random: Random) {
    this.#random = random;
  }

  get hasSuspects(): boolean {
    return this.#suspects.size > 0;
  }

  place(metaGroupId: number, state: ClusterState): void {
    this.#members.clear();
    this.#members.set(metaGroupId, state.metaReplicas);
    for (const shard of state.shards) this.#members.set(shard.id, shard.replicas);
  }

  /** Somebody leads the group. */
  onLeader(groupId: number, nodeId: number): void {
    const before = this.#ledBy.get(groupId) ?? nodeId;
    this.#ledBy.set(groupId, nodeId);
    if (before !== nodeId) this.#suspects.add(before);
  }

  /** A sign of life. */
  onHeard(nodeId: number): void {
    if (this.#suspects.size > 0) this.#suspects.delete(nodeId);
  }

  isSuspect(nodeId: number): boolean {
    return this.#suspects.has(nodeId);
  }

  /**
   * How long the replica waits before it asks for votes, when its group's leader on `lostNodeId` is gone. 0: nobody led yet, and the placement's order
   * counts.
   */
  delayMs(groupId: number, replicaId: number, lostNodeId: number): number {
    return FIRST_MS + this.#turn(groupId, replicaId, lostNodeId) * NEXT_MS + this.#random.below(SPREAD_MS);
  }

  /** From one try to the next: the others have had their turns meanwhile. */
  againAfterMs(groupId: number): number {
    return (this.#members.get(groupId)?.length ?? 1) * NEXT_MS + this.#random.below(SPREAD_MS);
  }

  #turn(groupId: number, replicaId: number, lostNodeId: number): number {
    const left = (this.#members.get(groupId) ?? []).filter(({ nodeId }) => nodeId !== lostNodeId);
    const at = left.findIndex((member) => member.replicaId === replicaId);
    const first = lostNodeId === 0 ? 0 : groupId;
    return at < 0 ? left.length : (at + first) % left.length;
  }
}
