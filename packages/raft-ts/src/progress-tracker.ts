/**
 * The configuration together with what is believed of each of its replicas, and the questions that need both: what is committed, how a vote
 * stands, whether a quorum is alive, which reads are confirmed. Lists are kept flat and ascending, so that the per-append questions
 * allocate nothing and messages leave in a reproducible order.
 */
import { Inflights } from "./inflights.ts";
import { confStateOf, membershipOf, replicasOf } from "./membership.ts";
import type { Membership } from "./membership.ts";
import type { ConfState } from "./message.ts";
import { Progress } from "./progress.ts";
import { jointVote, majorityReached, majorityVote } from "./quorum.ts";
import type { VoteResult } from "./quorum.ts";

export class ProgressTracker {
  readonly #maxInflightMessages: number;
  readonly #maxInflightBytes: number;
  readonly #byId: Map<number, Progress> = new Map();
  readonly #votes: Map<number, boolean> = new Map();
  readonly #scratch: number[] = [];
  membership: Membership;
  /** Everyone, ascending by id. */
  all: readonly Progress[] = [];
  /** Incoming and outgoing voters; a replica may be in both. */
  incoming: readonly Progress[] = [];
  outgoing: readonly Progress[] = [];

  constructor(maxInflightMessages: number, maxInflightBytes: number) {
    this.#maxInflightMessages = maxInflightMessages;
    this.#maxInflightBytes = maxInflightBytes;
    this.membership = membershipOf({
      voters: [],
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    });
  }

  get(id: number): Progress | undefined {
    return this.#byId.get(id);
  }

  isVoter(id: number): boolean {
    return this.membership.voters.has(id) || this.membership.votersOutgoing.has(id);
  }

  confState(): ConfState {
    return confStateOf(this.membership);
  }

  /** Voters of both halves, ascending, each once. */
  voterIds(): number[] {
    const ids: number[] = [];
    for (const progress of this.all) if (this.isVoter(progress.id)) ids.push(progress.id);
    return ids;
  }

  /** Takes a configuration over. Known replicas keep their progress; new ones are probed from `lastIndex`. */
  adopt(membership: Membership, lastIndex: number): void {
    this.membership = membership;
    const all: Progress[] = [];
    for (const id of replicasOf(membership)) {
      let progress = this.#byId.get(id);
      if (progress === undefined) {
        const inflights = new Inflights(this.#maxInflightMessages, this.#maxInflightBytes);
        progress = new Progress(id, Math.max(lastIndex, 1), false, inflights);
        // Not yet heard of, but neither silent: a check of the quorum right now must not count it as dead.
        progress.recentActive = true;
      }
      progress.isLearner = membership.learners.has(id);
      all.push(progress);
    }
    this.#byId.clear();
    for (const progress of all) this.#byId.set(progress.id, progress);
    this.all = all;
    this.incoming = all.filter((progress) => membership.voters.has(progress.id));
    this.outgoing = all.filter((progress) => membership.votersOutgoing.has(progress.id));
  }

  /** The highest index that a quorum of both halves has made durable; Infinity without voters. */
  committedIndex(): number {
    return Math.min(this.#matched(this.incoming), this.#matched(this.outgoing));
  }

  /** The highest index that every replica has made durable, learners included; 0 without any. */
  lowestMatch(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const progress of this.all) if (progress.match < lowest) lowest = progress.match;
    return lowest === Number.POSITIVE_INFINITY ? 0 : lowest;
  }

  /** The highest read number echoed by a quorum of both halves. `self` echoes whatever is asked. */
  confirmedRead(self: number, asked: number): number {
    return Math.min(this.#echoed(this.incoming, self, asked), this.#echoed(this.outgoing, self, asked));
  }

  isQuorumActive(): boolean {
    return majorityActive(this.incoming) && majorityActive(this.outgoing);
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** The first answer of a voter counts. */
  recordVote(id: number, isGranted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, isGranted);
  }

  voteResult(): VoteResult {
    return jointVote(this.#tally(this.incoming), this.#tally(this.outgoing));
  }

  #matched(voters: readonly Progress[]): number {
    const count = voters.length;
    for (let i = 0; i < count; i++) this.#scratch[i] = voters[i]!.match;
    return majorityReached(this.#scratch, count);
  }

  #echoed(voters: readonly Progress[], self: number, asked: number): number {
    const count = voters.length;
    for (let i = 0; i < count; i++) {
      const voter = voters[i]!;
      this.#scratch[i] = voter.id === self ? asked : voter.readEcho;
    }
    return majorityReached(this.#scratch, count);
  }

  #tally(voters: readonly Progress[]): VoteResult {
    let granted = 0;
    let refused = 0;
    for (const voter of voters) {
      const vote = this.#votes.get(voter.id);
      if (vote === true) granted++;
      else if (vote === false) refused++;
    }
    return majorityVote(granted, refused, voters.length);
  }
}

function majorityActive(voters: readonly Progress[]): boolean {
  let active = 0;
  for (const voter of voters) if (voter.recentActive) active++;
  return active * 2 > voters.length || voters.length === 0;
}
