/**
 * Seeded storms over three replicas: commands at all levels from many lanes while links are cut, disks and stores held, replicas crash and
 * leadership moves, each in the middle of anything. Afterwards: all replicas equal, nothing acknowledged by all is missing, nothing that a
 * reader saw has vanished, every request had exactly one fate, replies in order.
 */
import { expect, test } from "vitest";
import { assert } from "@headrace/bytes";
import { Ack } from "@headrace/commands";
import { ConfChangeType, encodeConfChangeV1 } from "@headrace/raft-ts";
import { SeededRandom } from "../testing/manual-world.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

const STREAMS = 3;

class Client {
  readonly lane: TestLane;
  readonly replica: TestReplica;
  /** The incarnation of the replica that the lane belongs to. */
  readonly shard: unknown;
  readonly sent: string[] = [];

  constructor(replica: TestReplica, ack: Ack | null) {
    this.replica = replica;
    this.shard = replica.shard;
    this.lane = replica.lane();
    this.lane.ack = ack;
  }

  get isUsable(): boolean {
    return this.replica.shard === this.shard && !this.lane.events.some((event) => /refused|lost/.test(event));
  }
}

class Storm {
  readonly random: SeededRandom;
  readonly cluster: ShardCluster;
  readonly clients: Client[] = [];
  /** Snapshots that replicas have installed, over all their lives. */
  installed = 0;
  resumed = 0;
  #value = 0;
  /** Replica 4, empty at first, is added in the middle of it. */
  readonly #hasLearner: boolean;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    for (let i = 0; i < 10; i++) this.random.u32();
    const small = this.random.below(2) === 0;
    this.#hasLearner = this.random.below(2) === 0;
    this.cluster = new ShardCluster({
      replicas: this.#hasLearner ? 4 : 3,
      members: 3,
      fsync: (["always", "everysec", "no"] as const)[this.random.below(3)]!,
      limits: {
        batchBytes: small ? 150 : 4096,
        turnRequests: small ? 3 : 1000,
        uncommittedEntries: small ? 5 : 500,
        checkpointKeys: 1 + this.random.below(3),
        checkpointQueue: 1 + this.random.below(3),
        logCacheBytes: small ? 500 : 1_000_000,
        logFetchBytes: 2000,
        loadRows: 3,
        logRetainBytes: this.random.below(2) === 0 ? 500 : 64 * 1024 * 1024,
        snapshotChunkRows: 1 + this.random.below(4),
      },
    });
    this.cluster.onSnapshotFrame = (frame) => {
      const luck = this.random.below(20);
      if (luck === 0) return null;
      if (luck === 1) frame[this.random.below(frame.length)]! ^= 1 << this.random.below(8);
      return frame;
    };
  }

  client(): Client {
    const replica = this.cluster.replica(1 + this.random.below(3));
    const usable = this.clients.filter((client) => client.isUsable);
    if (usable.length > 0 && this.random.below(4) > 0) return usable[this.random.below(usable.length)]!;
    if (replica.shard === null) return this.clients[0] ?? this.client();
    const ack = [null, Ack.executed, Ack.persisted, Ack.committed][this.random.below(4)]!;
    const client = new Client(replica, ack);
    this.clients.push(client);
    return client;
  }

  command(): string {
    const key = `s${this.random.below(STREAMS)}`;
    const value = ++this.#value;
    switch (this.random.below(12)) {
      case 0:
        return `XRANGE ${key} - +`;
      case 1:
        return `XGROUP CREATE ${key} g 0 MKSTREAM`;
      case 2:
        return `XREADGROUP GROUP g c${this.random.below(3)} COUNT 2 STREAMS ${key} >`;
      case 3:
        return `XREADGROUP GROUP g c${this.random.below(3)} COUNT 2 BLOCK 200 STREAMS ${key} >`;
      case 4:
        return `XREAD BLOCK 100 STREAMS ${key} $`;
      case 5:
        return `XAUTOCLAIM ${key} g c0 0 0 COUNT 3`;
      case 6:
        return `XADD scratch MAXLEN 5 * v ${value}`;
      case 7:
        return ["DEL scratch", "XTRIM scratch MAXLEN 2", "XGROUP DESTROY s0 g", "DBSIZE"][this.random.below(4)]!;
      default:
        return `XADD ${key} * v ${value}`;
    }
  }

  step(): void {
    const { random, cluster } = this;
    const replica = cluster.replica(1 + random.below(cluster.replicas.length));
    switch (random.below(40)) {
      case 0:
        cluster.isolate(replica.id);
        break;
      case 1:
      case 2:
        cluster.heal();
        break;
      case 3:
        if (replica.shard !== null) this.#crash(replica);
        break;
      case 4:
      case 5:
        if (replica.shard === null && replica.openFailure === null) replica.open();
        break;
      case 6:
        replica.log.holdDisk = true;
        break;
      case 7:
      case 8:
        replica.log.releaseDisk();
        break;
      case 9:
        replica.kv.hold = true;
        break;
      case 10:
      case 11:
        replica.kv.releaseHeld();
        break;
      case 12:
        replica.shard?.handOver(null, () => {});
        break;
      case 13:
        replica.shard?.campaign();
        break;
      case 14:
      case 15:
      case 16:
        cluster.pass(10 * (1 + random.below(30)));
        break;
      case 17:
        cluster.time.pass(10);
        break;
      case 18:
      case 19:
        cluster.settle();
        break;
      case 20:
      case 21:
      case 22:
        cluster.run(random.below(40));
        break;
      case 23:
        this.#addLearner();
        break;
      default:
        this.#send();
    }
  }

  #addLearner(): void {
    const leader = this.cluster.replicas.find((replica) => replica.shard?.isReady === true);
    if (!this.#hasLearner || leader === undefined || leader.up.status().members.learners.length > 0) return;
    const change = encodeConfChangeV1({ type: ConfChangeType.addLearnerNode, replica: 4 });
    leader.up.proposeMembers(change, false);
  }

  #crash(replica: TestReplica): void {
    this.installed += replica.traffic.installed;
    this.resumed += replica.traffic.resumed;
    replica.crash();
  }

  #send(): void {
    const client = this.client();
    if (!client.isUsable) return;
    const commands = Array.from({ length: 1 + this.random.below(4) }, () => this.command());
    client.sent.push(...commands);
    client.lane.queue(...commands);
  }

  finish(): void {
    const { cluster } = this;
    cluster.heal();
    for (const replica of cluster.replicas) {
      replica.log.releaseDisk();
      replica.kv.releaseHeld();
      cluster.settle();
      if (replica.shard === null) replica.open();
    }
    cluster.pass(3000);
    cluster.awaitLeader([1, 2, 3]);
    for (let round = 0; round < 100 && !this.#isLearnerIn(); round++) {
      this.#addLearner();
      cluster.pass(100);
    }
    // A snapshot that has to be taken up again waits for somebody's patience to end.
    for (let round = 0; round < 100 && !this.#isSame(); round++) cluster.pass(300);
  }

  #isLearnerIn(): boolean {
    return !this.#hasLearner || this.cluster.awaitLeader([1, 2, 3]).up.status().members.learners.length > 0;
  }

  #isSame(): boolean {
    const states = this.cluster.replicas.map((replica) => replica.up.status());
    return states.every((state) => state.stateIndex === states[0]!.lastIndex && !state.reloading);
  }

  /** Everything anew from the disks. */
  crashAll(): void {
    for (const replica of this.cluster.replicas) this.#crash(replica);
  }

  check(): void {
    const { cluster } = this;
    for (const replica of cluster.replicas) {
      assert(replica.failure === null && replica.openFailure === null, `${replica.failure} ${replica.openFailure}`);
      replica.up.verify();
    }
    cluster.assertSame();
    const leader = cluster.awaitLeader([1, 2, 3]);
    const final = new Map<string, string>();
    for (let i = 0; i < STREAMS; i++) final.set(`s${i}`, leader.lane().send(`XRANGE s${i} - +`)[0] ?? "");
    for (const client of this.clients) this.#checkClient(client, final);
  }

  #checkClient(client: Client, final: ReadonlyMap<string, string>): void {
    const { lane, sent } = client;
    const fates = new Map<number, string>();
    let lastReply = 0;
    let refusedFrom = Infinity;
    for (const event of lane.events) {
      const [numbers, ...words] = event.split(" ");
      const [first, last] = numbers!.split("-").map(Number);
      const text = words.join(" ");
      if (text.startsWith("refused")) {
        refusedFrom = Math.min(refusedFrom, first!);
        continue;
      }
      for (let number = first!; number <= (last ?? first!); number++) {
        assert(!fates.has(number), `request ${number} has two fates`);
        assert(number > lastReply, `reply ${number} came after ${lastReply}`);
        lastReply = number;
        fates.set(number, text);
      }
    }
    for (let number = 1; number <= sent.length; number++) {
      const fate = fates.get(number);
      if (fate === undefined) {
        const isGone = client.replica.shard !== client.shard;
        assert(number >= refusedFrom || isGone, `request ${number} (${sent[number - 1]}) has no fate`);
        continue;
      }
      assert(number < refusedFrom, `request ${number} was refused and has a fate`);
      if (fate !== "lost") this.#checkReply(sent[number - 1]!, fate, lane.ack, final);
    }
  }

  #checkReply(command: string, reply: string, ack: Ack | null, final: ReadonlyMap<string, string>): void {
    const [name, key] = command.split(" ");
    const kept = final.get(key!);
    if (kept === undefined) return;
    if (name === "XADD" && (ack === null || ack === Ack.committed)) {
      assert(kept.includes(`[${reply} `), `${command} was acknowledged as ${reply} and is gone`);
    }
    if (name === "XRANGE") {
      for (const [entry] of reply.matchAll(/\[\d+-\d+ \[v \d+\]\]/g)) {
        assert(kept.includes(entry), `${entry} of ${key} was read and is gone`);
      }
    }
  }
}

function weather(seed: number, steps: number): Storm {
  const storm = new Storm(seed);
  try {
    for (let step = 0; step < steps; step++) storm.step();
    storm.finish();
    storm.check();
    // Once more from the disks alone.
    storm.crashAll();
    storm.finish();
    storm.check();
    return storm;
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

const freshSeed = Number(process.env["SHARD_SEED"] ?? Date.now() % 1_000_000);
const runs = Number(process.env["SHARD_RUNS"] ?? 5);

test("storms from fixed seeds leave all promises kept", () => {
  let installed = 0;
  let resumed = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const storm = weather(seed, 400);
    installed += storm.installed;
    resumed += storm.resumed;
  }
  // Or they would not test what they are for.
  expect(installed).toBeGreaterThan(5);
  expect(resumed).toBeGreaterThan(0);
});

test(`storms from fresh seeds (${freshSeed} …) leave all promises kept`, () => {
  for (let seed = freshSeed; seed < freshSeed + runs; seed++) weather(seed, 400);
  expect(runs).toBeGreaterThan(0);
});
