/**
 * Raft's promises, checked from outside over a running cluster: one leader per term, logs that match, leaders that have all that was
 * committed, commits that a quorum of disks really holds, state machines that agree. Knows nothing of how the replicas do it.
 */
import { Role } from "../src/index.ts";
import type { Cluster, Member } from "./cluster.ts";

export class SafetyChecker {
  readonly #cluster: Cluster;
  readonly #leaderOfTerm: Map<number, number> = new Map();
  /** Index → term and content, as the first state machine applied it. */
  readonly #applied: Map<number, { term: number; content: string }> = new Map();
  readonly #commitSeen: Map<number, { term: number; commit: number }> = new Map();
  readonly #completenessSeen: Set<string> = new Set();
  maxTerm = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    cluster.onApply = (member, entry) => {
      const content = `${entry.type}:${entry.data.join(",")}`;
      const known = this.#applied.get(entry.index);
      if (known === undefined) {
        this.#applied.set(entry.index, { term: entry.term, content });
      } else if (known.term !== entry.term || known.content !== content) {
        fail(`replica ${member.id} applied another entry at ${entry.index}: term ${entry.term}, not ${known.term}`);
      }
    };
  }

  get appliedCount(): number {
    return this.#applied.size;
  }

  get elections(): number {
    return this.#leaderOfTerm.size;
  }

  /**
   * Cheap; after every step. `everyStepSeen` false: several steps went by since the last check, so a commit may have moved under a configuration that has
   * been replaced since; who held it then can't be judged by the one that holds now.
   */
  check(everyStepSeen: boolean = true): void {
    for (const member of this.#cluster.members.values()) {
      if (!member.isRunning) continue;
      this.#checkMember(member, everyStepSeen);
    }
  }

  #checkMember(member: Member, everyStepSeen: boolean): void {
    const node = member.node;
    const disk = member.disk;
    this.maxTerm = Math.max(this.maxTerm, node.term);
    const seen = this.#commitSeen.get(member.id);
    if (node.role === Role.leader) {
      const known = this.#leaderOfTerm.get(node.term);
      if (known !== undefined && known !== member.id) fail(`term ${node.term} has leaders ${known} and ${member.id}`);
      this.#leaderOfTerm.set(node.term, member.id);
      if (disk.hardState.term !== node.term || disk.hardState.vote !== member.id) {
        fail(`replica ${member.id} leads term ${node.term} that its disk does not know`);
      }
      this.#checkCompleteness(member);
      const moved = seen === undefined || seen.term !== node.term || seen.commit !== node.commit;
      if (moved && everyStepSeen) this.#checkQuorumHolds(member);
    }
    this.#commitSeen.set(member.id, { term: node.term, commit: node.commit });
  }

  /** Once per leadership: everything that any state machine has applied is in the new leader's log. */
  #checkCompleteness(member: Member): void {
    const key = `${member.id}/${member.node.term}`;
    if (this.#completenessSeen.has(key)) return;
    this.#completenessSeen.add(key);
    for (const [index, { term }] of this.#applied) {
      if (index > member.disk.base.index && !member.node.hasEntry(term, index)) {
        fail(`leader ${member.id} of term ${member.node.term} lacks committed (${term}, ${index})`);
      }
    }
  }

  /** What a leader calls committed in its own term is on the disks of a majority of each half. */
  #checkQuorumHolds(member: Member): void {
    const { commit, term } = member.node;
    if (!member.node.hasCommittedInTerm) return;
    const { voters, votersOutgoing } = member.node.status().confState;
    for (const half of [voters, votersOutgoing]) {
      if (half.length === 0) continue;
      const holding = half.filter((id) => this.#cluster.members.get(id)?.disk.holds(term, commit)).length;
      if (holding * 2 <= half.length)
        fail(`(${term}, ${commit}) is called committed but only ${holding} disks hold it`);
    }
  }

  /** Log matching over all pairs of disks; now and then. */
  checkLogs(): void {
    const disks = [...this.#cluster.members.values()].map((member) => member.disk);
    for (const a of disks) {
      for (const b of disks) {
        if (a === b) continue;
        let mustMatch = false;
        for (let index = Math.min(a.lastIndex(), b.lastIndex()); ; index--) {
          const left = a.entriesStored[index - a.base.index - 1];
          const right = b.entriesStored[index - b.base.index - 1];
          if (left === undefined || right === undefined) break;
          if (left.term === right.term) {
            mustMatch = true;
            if (left.data.join() !== right.data.join() || left.type !== right.type) {
              fail(`(${left.term}, ${index}) has two contents`);
            }
          } else if (mustMatch) fail(`logs agree above ${index} but not there`);
        }
      }
    }
  }
}

function fail(message: string): never {
  throw new Error(`safety: ${message}`);
}
