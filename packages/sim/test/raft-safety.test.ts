/** Raft's invariants as the simulator looks at them: replicas that do as they are told here, right and wrong. */
import { describe, expect, test } from "vitest";
import { RaftSafety } from "../src/checkers/raft-safety.ts";
import type { Machine } from "../src/simulated-cluster.ts";

const FOLLOWER = 0;
const LEADER = 3;

/** One replica of shard 1 with voters 1, 2, 3; `terms` is its log, from index 1 on. */
class FakeReplica {
  readonly isHealthy = true;
  readonly replicaId: number;
  role = FOLLOWER;
  term = 1;
  terms: number[] = [1];
  commit = 1;
  durable: number | null = null;
  members = { voters: [1, 2, 3], votersOutgoing: [] as number[] };

  constructor(replicaId: number) {
    this.replicaId = replicaId;
  }

  readonly log = {
    term: (index: number): number | "compacted" => this.terms[index - 1] ?? "compacted",
  };

  status(): Record<string, unknown> {
    return {
      groupId: 1,
      replicaId: this.replicaId,
      role: this.role,
      term: this.term,
      lastIndex: this.terms.length,
      stateIndex: this.commit,
      checkpointIndex: 1,
      durableIndex: this.durable ?? this.terms.length,
      commitIndex: this.commit,
      reloading: false,
      members: this.members,
    };
  }
}

class Story {
  readonly safety: RaftSafety = new RaftSafety();
  readonly replicas = [1, 2, 3].map((id) => new FakeReplica(id));

  /** The replica has changed, and the checker looks. */
  moves(id: number, change: Partial<FakeReplica>): this {
    const replica = Object.assign(this.replicas[id - 1]!, change);
    const member = { shards: () => [replica] };
    this.safety.check({ name: `node-${id}`, node: { member } } as unknown as Machine);
    return this;
  }

  /** Replica 1 leads term 2 with an entry that it and replica 2 have, and commits it. */
  committed(): this {
    this.moves(2, {}).moves(3, {});
    this.moves(1, { role: LEADER, term: 2, terms: [1, 2] });
    this.moves(2, { term: 2, terms: [1, 2] });
    return this.moves(1, { commit: 2 });
  }
}

test("an entry on two of three, committed, then everywhere, is as it should be", () => {
  const story = new Story()
    .committed()
    .moves(2, { commit: 2 })
    .moves(3, { term: 2, terms: [1, 2], commit: 2 });
  story.moves(1, { role: FOLLOWER, term: 3 }).moves(2, { role: LEADER, term: 3, terms: [1, 2, 3] });
  expect(story.safety.commitsProven).toBe(1);
});

describe("is noticed:", () => {
  test.each<[string, RegExp, (story: Story) => void]>([
    [
      "two leaders in a term",
      /two leaders in term 2/,
      (story) => story.committed().moves(3, { role: LEADER, term: 2, terms: [1, 2] }),
    ],
    [
      "a leader without a committed entry",
      /up to 1; 2 was committed/,
      (story) => story.committed().moves(3, { role: LEADER, term: 3 }),
    ],
    [
      "a leader with another entry in its place",
      /without the committed entry 2/,
      (story) => story.committed().moves(3, { role: LEADER, term: 3, terms: [1, 1, 3] }),
    ],
    [
      "a leader that shortens its log",
      /cut its log/,
      (story) => story.moves(1, { role: LEADER, term: 2, terms: [1, 2] }).moves(1, { terms: [1] }),
    ],
    [
      "entries of a term that its leader never had",
      /whose leader came to 2/,
      (story) => story.committed().moves(3, { term: 2, terms: [1, 2, 2] }),
    ],
    [
      "another entry committed in the same place",
      /had been committed with term 2/,
      (story) => story.committed().moves(3, { term: 3, terms: [1, 1], commit: 2 }),
    ],
    [
      "a commit that one of three has",
      /durable on 1 of 3/,
      (story) =>
        story
          .moves(2, {})
          .moves(3, {})
          .moves(1, { role: LEADER, term: 2, terms: [1, 2], commit: 2 }),
    ],
    [
      "a commit that is durable on one of three",
      /durable on 1 of 3/,
      (story) =>
        story
          .moves(3, {})
          .moves(1, { role: LEADER, term: 2, terms: [1, 2] })
          .moves(2, { term: 2, terms: [1, 2], durable: 1 })
          .moves(1, { commit: 2 }),
    ],
    [
      "a commit without the majority of the outgoing voters",
      /durable on 1 of 3/,
      (story) => {
        const members = { voters: [1, 2], votersOutgoing: [1, 3, 4] };
        story
          .moves(2, { members })
          .moves(3, { members })
          .moves(1, { members, role: LEADER, term: 2, terms: [1, 2] });
        story.moves(2, { term: 2, terms: [1, 2] }).moves(1, { commit: 2 });
      },
    ],
    ["a commit index that goes back", /went back from commit 2/, (story) => story.committed().moves(1, { commit: 1 })],
    [
      "a term that goes back",
      /went back from term 2/,
      (story) => story.committed().moves(1, { role: FOLLOWER, term: 1 }),
    ],
    ["a commit behind the log's end", /commit 5/, (story) => story.moves(1, { commit: 5 })],
  ])("%s", (_what, complaint, tell) => {
    expect(() => tell(new Story())).toThrow(complaint);
  });
});
