/**
 * The same requests at the same log times, once in peace on one replica and once with failovers, restarts, rollbacks and snapshots between them, give
 * the same replies. Whatever a leader keeps beside the replicated state would show. The seed stands in the test's name.
 */
import { describe, expect, test } from "vitest";
import { Ack } from "@headrace/commands";
import { SeededRandom } from "../testing/manual-world.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";
import { lastLook, StreamSequences } from "../testing/stream-sequences.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);
const ROUNDS = Number(process.env["HEADRACE_METAMORPHIC_ROUNDS"] ?? 30);
const REQUESTS = 90;
/** The wall clock is ahead of every stamp, so that the limit of stamps alone is the time. */
const FIRST_STAMP_MS = 100_000;

interface Request {
  readonly text: string;
  /** Log time at which it is executed. */
  readonly atMs: number;
}

/** A checkpoint at every turn, and hardly any log behind it: who is away for a while needs a snapshot. */
const SHORT_LOG = {
  checkpointKeys: 1,
  checkpointBytes: 1,
  logRetainBytes: 1000,
  logCacheBytes: 500,
  snapshotChunkRows: 3,
  loadRows: 3,
};

/** Types requests into whichever replica leads. */
class Typist {
  readonly cluster: ShardCluster;
  leader: TestReplica;
  #lane: TestLane;
  readonly #ids: string[] = [];

  constructor(replicas: number, limits: Partial<ShardCluster["limits"]>) {
    this.cluster = new ShardCluster({ replicas, limits });
    this.cluster.stampLimitMs = FIRST_STAMP_MS;
    // Small: how full the last node is, a new leader works out anew.
    this.cluster.settings.nodeBounds = { maxEntries: 5, maxBytes: 150 };
    this.cluster.settings.idempotenceWindow = { durationSeconds: 20, maxSize: 5 };
    this.leader = this.cluster.elect();
    this.#lane = this.leader.lane();
  }

  type({ text, atMs }: Request): string {
    this.cluster.stampLimitMs = atMs;
    const request = text.replaceAll(/@(\d+)/g, (_, back: string) => this.#ids.at(-1 - Number(back)) ?? "7-7");
    this.#lane.send(request);
    for (let waited = 0; this.#lane.events.length === 0 && waited < 100; waited++) this.cluster.pass(10);
    const replies = this.#lane.take();
    expect(replies.length, request).toBe(1);
    const reply = replies[0]!.slice(replies[0]!.indexOf(" ") + 1);
    if (request.startsWith("XADD") && /^\d+-\d+$/.test(reply)) this.#ids.push(reply);
    return `${request} → ${reply}`;
  }

  lead(replica: TestReplica): void {
    this.leader = replica;
    this.#lane = replica.lane();
  }
}

type Disturbance = (typist: Typist, random: SeededRandom) => void;

function others({ cluster, leader }: Typist): number[] {
  return cluster.replicas.map(({ id }) => id).filter((id) => id !== leader.id);
}

/** Writes that nobody will ever have: the leader is cut off, and made to follow again later. */
function divergentWrites(typist: Typist, random: SeededRandom, requests: readonly string[]): void {
  const { cluster, leader } = typist;
  cluster.isolate(leader.id);
  const doomed = leader.lane();
  doomed.ack = Ack.executed;
  doomed.send(...requests);
  expect(leader.up.status().stateIndex).toBeGreaterThan(leader.up.status().commitIndex);
  typist.lead(cluster.awaitLeader(others(typist)));
  cluster.heal();
  cluster.pass(400);
  if (random.below(2) === 0) handOverTo(typist, leader.id);
}

function handOverTo(typist: Typist, to: number): void {
  const { cluster } = typist;
  typist.leader.up.handOver(to, () => undefined);
  typist.lead(cluster.awaitLeader(cluster.replicas.map(({ id }) => id).filter((id) => id === to)));
}

const disturbances: Readonly<Record<string, Disturbance>> = {
  handOver: (typist, random) => handOverTo(typist, others(typist)[random.below(2)]!),
  crashLeader: (typist) => {
    const { cluster, leader } = typist;
    leader.crash();
    typist.lead(cluster.awaitLeader(others(typist)));
    leader.open();
    cluster.pass(300);
  },
  restartAll: (typist) => {
    const { cluster } = typist;
    for (const replica of cluster.replicas) replica.crash();
    for (const replica of cluster.replicas) replica.open();
    cluster.settle();
    typist.lead(cluster.awaitLeader([1, 2, 3]));
    cluster.pass(300);
  },
  rollback: (typist, random) => {
    const draw = new StreamSequences(random);
    const writes = Array.from({ length: 12 }, () => draw.next().replaceAll(/@\d+/g, "100000-0"));
    divergentWrites(typist, random, ["XADD s IDMP p i1 * doomed 1", "XCFGSET s IDMP-MAXSIZE 9", ...writes]);
  },
  rollbackOfAll: (typist, random) =>
    divergentWrites(typist, random, ["XADD s * doomed 1", "FLUSHALL", "XADD s IDMP p i1 * doomed 2"]),
};

function sequenceOf(random: SeededRandom): readonly Request[] {
  const draw = new StreamSequences(random);
  let atMs = FIRST_STAMP_MS;
  return Array.from({ length: REQUESTS }, () => {
    atMs += [0, 0, 1, 1, 700, 2500][random.below(6)]!;
    return { text: draw.next(), atMs };
  });
}

function inPeace(sequence: readonly Request[], atMs: number): readonly string[] {
  const typist = new Typist(1, {});
  return [...sequence, ...lastLook.map((text) => ({ text, atMs }))].map((request) => typist.type(request));
}

describe(`a shard's replies do not depend on what happens to it (seed ${SEED})`, () => {
  const seen = new Map<string, number>();
  const commands = new Map<string, number>();
  let snapshots = 0;
  let rollbacks = 0;

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))("round %i", (round) => {
    const random = new SeededRandom(SEED + round * 7919);
    const sequence = sequenceOf(random);
    const endMs = sequence.at(-1)!.atMs + 1000;
    const peaceful = inPeace(sequence, endMs);
    const typist = new Typist(3, SHORT_LOG);
    const { cluster } = typist;
    let away = 0;
    const told: string[] = [];
    for (const [at, request] of [...sequence, ...lastLook.map((text) => ({ text, atMs: endMs }))].entries()) {
      if (away === 0 && random.below(12) === 0) {
        const kind = Object.keys(disturbances)[random.below(Object.keys(disturbances).length)]!;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        told.push(`${at}: ${kind}`);
        disturbances[kind]!(typist, random);
      } else if (away === 0 && random.below(20) === 0) {
        away = others(typist)[random.below(2)]!;
        cluster.isolate(away);
        told.push(`${at}: ${away} goes`);
      } else if (away !== 0 && random.below(20) === 0) {
        cluster.heal();
        cluster.pass(800);
        handOverTo(typist, away);
        told.push(`${at}: ${away} is back and leads`);
        away = 0;
      }
      const reply = typist.type(request);
      const name = request.text.split(" ", 2).join(" ");
      const verb = name.startsWith("XGROUP") || name.startsWith("XINFO") ? name : name.split(" ")[0]!;
      if (!reply.includes("→ -")) commands.set(verb, (commands.get(verb) ?? 0) + 1);
      expect(reply, `request ${at} of round ${round}, seed ${SEED}; ${told.join(", ")}`).toBe(peaceful[at]);
    }
    cluster.heal();
    cluster.pass(1500);
    cluster.assertSame();
    for (const { traffic, up, rollbacks: ended } of cluster.replicas) {
      up.verify();
      snapshots += traffic.installed;
      rollbacks += ended.length;
    }
  });

  test("everything happened, and most requests did something", () => {
    for (const kind of Object.keys(disturbances)) expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(0);
    expect(snapshots).toBeGreaterThan(0);
    expect(rollbacks).toBeGreaterThan(0);
    for (const verb of [
      "XADD",
      "XDELEX",
      "XACKDEL",
      "XNACK",
      "XREADGROUP",
      "XCFGSET",
      "XIDMPRECORD",
      "XCLAIM",
      "XAUTOCLAIM",
    ])
      expect(commands.get(verb) ?? 0, verb).toBeGreaterThan(ROUNDS / 5);
  });
});
