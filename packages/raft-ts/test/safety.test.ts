import { expect, test } from "vitest";
import { ConfChangeTransition, ConfChangeType } from "../src/index.ts";
import { Cluster, emptyConfState, Role } from "../testing/cluster.ts";
import { SafetyChecker } from "../testing/safety.ts";
import { SeededRandom } from "../testing/seeded-random.ts";

interface Run {
  readonly cluster: Cluster;
  readonly checker: SafetyChecker;
  readonly random: SeededRandom;
  /** Highest number confirmed so far and what was asked, per leadership. */
  reads: { id: number; term: number; number: number; commitAtRequest: number }[];
  proposed: number;
  confirmedReads: number;
}

function start(seed: number, withMembership: boolean): Run {
  const random = new SeededRandom(seed);
  const cluster = new Cluster(3 + 2 * random.below(2), {
    index: 10,
    electionTicks: 5,
    preVote: random.oneIn(2),
    checkQuorum: random.oneIn(2),
    stepDownOnRemoval: true,
    commitRidesAlong: random.oneIn(2),
    maxBytesPerMessage: 1 + random.below(60),
    maxBytesPerApply: 1 + random.below(60),
    maxInflightMessages: 1 + random.below(8),
    maxInflightBytes: 1 + random.below(200),
    maxUncommittedBytes: 200,
    randomBelow: (n) => random.below(n),
  });
  if (withMembership) {
    for (let id = cluster.members.size + 1; id <= 7; id++) cluster.add(id, emptyConfState, 0);
  }
  return { cluster, checker: new SafetyChecker(cluster), random, reads: [], proposed: 0, confirmedReads: 0 };
}

/** One thing that can happen to a replica. */
function stepOne(run: Run, withMembership: boolean): void {
  const { cluster, random } = run;
  const ids = [...cluster.members.keys()];
  const id = ids[random.below(ids.length)]!;
  const member = cluster.get(id);
  if (!member.isRunning) {
    if (random.oneIn(30)) cluster.restart(id);
    return;
  }
  const node = member.node;
  switch (random.below(12)) {
    case 0:
    case 1:
      if (random.oneIn(3)) node.tick();
      break;
    case 2:
    case 3:
    case 4:
      if (node.hasMessages()) cluster.take(id);
      break;
    case 5:
    case 6:
      cluster.write(id);
      break;
    case 7:
      cluster.apply(id);
      break;
    case 8:
      if (cluster.propose(id, `${run.proposed}`.padEnd(random.below(20), "x")).ok) run.proposed++;
      break;
    case 9:
      if (node.hasCommittedInTerm) {
        run.reads.push({ id, term: node.term, number: node.requestRead(), commitAtRequest: highestCommit(cluster) });
      }
      break;
    case 10:
      rareEvent(run, id, withMembership);
      break;
    default:
      checkReads(run);
  }
}

function rareEvent(run: Run, id: number, withMembership: boolean): void {
  const { cluster, random } = run;
  const node = cluster.node(id);
  const other = 1 + random.below(cluster.members.size);
  switch (random.below(10)) {
    case 0:
      if (random.oneIn(3)) cluster.crash(id);
      break;
    case 1:
      if (random.oneIn(4)) node.campaign();
      break;
    case 2:
      node.transferLeadership(other);
      break;
    case 3:
      if (cluster.get(id).applied > 10 && cluster.get(id).applies.length === 0) cluster.compact(id);
      break;
    case 4:
      node.reportUnreachable(other);
      break;
    case 5:
      node.reportSnapshot(other, random.oneIn(2));
      break;
    case 6:
      if (random.oneIn(4)) node.forgetLeader();
      break;
    case 7:
      if (random.oneIn(3)) cluster.partition([1 + random.below(7), 1 + random.below(7)]);
      break;
    case 8:
      cluster.heal();
      break;
    default:
      if (withMembership && node.role === Role.leader) changeMembers(run, id);
  }
}

function changeMembers(run: Run, id: number): void {
  const { cluster, random } = run;
  const { addNode, addLearnerNode, removeNode } = ConfChangeType;
  const kinds = [addNode, addNode, addLearnerNode, removeNode] as const;
  const changes = Array.from({ length: 1 + random.below(3) }, () => ({
    type: kinds[random.below(4)]!,
    replica: 1 + random.below(7),
  }));
  const joint = cluster.node(id).status().confState;
  if (joint.votersOutgoing.length > 0 && random.oneIn(2)) {
    cluster.changeV2(id, { transition: ConfChangeTransition.auto, changes: [] });
  } else if (changes.length === 1 && random.oneIn(2)) {
    cluster.changeV1(id, changes[0]!);
  } else {
    const transition = random.oneIn(2) ? ConfChangeTransition.jointExplicit : ConfChangeTransition.auto;
    cluster.changeV2(id, { transition, changes });
  }
}

/** The network delivers, loses, repeats or overtakes. */
function stepNetwork(run: Run): void {
  const { cluster, random } = run;
  const network = cluster.network;
  if (network.length === 0) return;
  const at = random.oneIn(3) ? random.below(network.length) : 0;
  const fate = random.below(20);
  if (fate === 0) network.splice(at, 1);
  else if (fate === 1 && network.length < 200) network.push(structuredClone(network[at]!));
  else cluster.deliver(at);
}

function highestCommit(cluster: Cluster): number {
  let highest = 0;
  for (const member of cluster.members.values()) {
    if (member.isRunning) highest = Math.max(highest, member.node.commit);
  }
  return highest;
}

/** A confirmed read's leader has, at that moment, everything that anybody had committed when it was asked. */
function checkReads(run: Run): void {
  run.reads = run.reads.filter((read) => {
    const member = run.cluster.get(read.id);
    if (!member.isRunning || member.node.role !== Role.leader || member.node.term !== read.term) return false;
    if (member.node.confirmedRead < read.number) return true;
    run.confirmedReads++;
    if (member.node.commit < read.commitAtRequest) {
      throw new Error(
        `stale read: commit ${member.node.commit} confirmed, ${read.commitAtRequest} was committed before`,
      );
    }
    return false;
  });
}

function heal(run: Run): void {
  const { cluster } = run;
  cluster.heal();
  for (const member of cluster.members.values()) if (!member.isRunning) cluster.restart(member.id);
  // Whoever waits for a snapshot that was lost is told so, as the transport would.
  for (let round = 0; round < 8; round++) {
    cluster.tickAll(15);
    run.checker.check(false);
    for (const member of cluster.members.values()) {
      for (const other of cluster.members.keys()) member.node.reportSnapshot(other, false);
    }
    // Removed replicas are told that they are gone; without pre-vote they would disturb every leader for ever.
    const current = cluster.leader()?.status();
    if (current === undefined || current.commit < current.lastIndex) continue;
    const { voters, votersOutgoing, learners } = current.confState;
    for (const id of cluster.members.keys()) {
      if (![...voters, ...votersOutgoing, ...learners].includes(id)) cluster.crash(id);
    }
  }
}

function execute(seed: number, steps: number, withMembership: boolean): Run {
  const run = start(seed, withMembership);
  try {
    for (let step = 0; step < steps; step++) {
      stepOne(run, withMembership);
      stepNetwork(run);
      run.checker.check();
      if (step % 50 === 0) run.checker.checkLogs();
    }
    heal(run);
    run.checker.checkLogs();
    const leader = run.cluster.leader();
    expect(leader, "nobody leads after healing").toBeDefined();
    if (leader === undefined) return run;
    // Alive: a new entry reaches every member.
    if (leader.transferee !== 0) run.cluster.tickAll(10);
    expect(leader.propose(new TextEncoder().encode("last")).ok).toBe(true);
    run.cluster.tickAll(5);
    const { voters, learners } = leader.status().confState;
    const expected = run.cluster.texts(leader.id);
    expect(expected.at(-1)).toBe("last");
    for (const id of [...voters, ...learners]) expect(run.cluster.texts(id)).toEqual(expected);
  } catch (error) {
    throw new Error(`seed ${seed}${withMembership ? " with changes of membership" : ""}: ${String(error)}`, {
      cause: error,
    });
  }
  return run;
}

const fixedSeeds = Array.from({ length: 60 }, (_, i) => i + 1);
const fresh = Math.floor(Math.random() * 2 ** 31);

for (const withMembership of [false, true]) {
  const what = withMembership ? ", and while its members change" : "";
  test(`a cluster stays safe under loss, repetition, overtaking, partitions and crashes${what}`, () => {
    console.log(`fresh seeds from ${fresh}`);
    const seeds = [...fixedSeeds, ...Array.from({ length: 20 }, (_, i) => fresh + i)];
    let elections = 0;
    let applied = 0;
    let reads = 0;
    for (const seed of seeds) {
      const run = execute(seed, 4000, withMembership);
      elections += run.checker.elections;
      applied += run.checker.appliedCount;
      reads += run.confirmedReads;
    }
    // The runs did something: otherwise they would prove nothing.
    expect(elections).toBeGreaterThan(seeds.length * 2);
    expect(applied).toBeGreaterThan(seeds.length * 20);
    expect(reads).toBeGreaterThan(seeds.length);
    console.log(`${seeds.length} runs: ${elections} elections, ${applied} entries applied, ${reads} reads confirmed`);
  });
}

test("the same seed gives the same run", () => {
  const trace = (seed: number): string => {
    const run = execute(seed, 1500, true);
    return JSON.stringify([...run.cluster.members.values()].map((m) => [m.node.status(), m.state]));
  };
  expect(trace(7)).toBe(trace(7));
});
