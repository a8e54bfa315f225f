/**
 * One run from one seed: a cluster, clients, faults; then everything is healed, a quiet reader looks at what is there, and the checkers compare it with
 * what the clients saw. Any contradiction throws. The same seed and number of steps give the same trace hash.
 */
import { slotOfKey } from "@headrace/bytes";
import { Placement } from "@headrace/meta";
import { EventLoop, Life } from "./event-loop.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimByteNetwork } from "./sim-network.ts";
import { SimClient, type AckLevel, type Operation } from "./sim-client.ts";
import { clusterOptionsOf, SimulatedCluster, type ClusterOptions } from "./simulated-cluster.ts";
import { Faults, type FaultChoice } from "./faults.ts";
import { lookAtLists } from "./list-work.ts";
import { MessageWork } from "./message-work.ts";
import { SimSubscriber } from "./sim-subscriber.ts";
import { lookAtOwned } from "./owned-work.ts";
import { checkReaders, checkTakers, type QuietCluster, WAITERS_PARK_MS } from "./quiet-waiters.ts";
import { CHAIN, PAIR, TransactionWork } from "./transaction-work.ts";
import { lookAtHashes } from "./hash-work.ts";
import { MOVED, TICKETS } from "./set-work.ts";
import { COUNTERS, LOOK_AT_GROWING, ValueWork } from "./value-work.ts";
import {
  ClientWork,
  GroupNames,
  GROUP,
  judgedStreams,
  lengthBelow,
  preparations,
  UNACKED_LENGTH,
  workStreams,
  type WorkName,
} from "./workload.ts";
import { lookAtZsets } from "./zset-work.ts";
import { ClockChecker } from "./checkers/clocks.ts";
import { History } from "./checkers/history.ts";
import type { Entry, FinalView, PendingRow } from "./checkers/reading.ts";
import type { TransactionView } from "./checkers/transactions.ts";
import type { ValueView } from "./checkers/values.ts";
import { checkArrivals, checkOrder, keysOfEvents, type Disturbance } from "./checkers/messages.ts";
import { MetadataChecker } from "./checkers/metadata.ts";
import { drainDeadLetters } from "./dead-letter-work.ts";
import { lookAtDelayed } from "./delay-work.ts";
import { lookAtPressed, PRESSED } from "./pressure-work.ts";
import { drainRedelivered } from "./redelivery-work.ts";
import { RaftSafety } from "./checkers/raft-safety.ts";
import { ReplicaChecker } from "./checkers/replicas.ts";
import { ErrorReply, type ReplyValue } from "./reply-value.ts";
import { judgedRun } from "./violation.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** Steps with faults; healing and the final look come on top. */
  readonly steps: number;
  readonly clients?: number;
  /** What all clients do; null: everything. */
  readonly only?: WorkName | null;
  /** Leaves faults out, to find those that matter. */
  readonly choice?: FaultChoice;
  readonly cluster?: Partial<ClusterOptions>;
  readonly onTrace?: (line: string) => void;
  readonly onLog?: (line: string) => void;
  /** After every step, inside the simulation: nothing ambient works there. */
  readonly onStep?: (steps: number) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly traceHash: string;
  readonly faults: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly replies: ReadonlyMap<string, number>;
  readonly statesCompared: number;
  readonly entriesCompared: number;
}

const STREAMS = workStreams();
const CHECK_STATES_EVERY_STEPS = 400;
/** After healing everything must be served within this simulated time. */
const LIVENESS_MS = 30_000;
/** Beyond what any clock was ahead (fault-table.ts); and until all have heard of it, and those lead that will. */
const AHEAD_MS = 400_000;
const CLOCKS_SETTLE_MS = 2000;
const CLIENT_PAUSE_MAX_MS = 120;
/** What the program logs when messages may be lost on their way. */
const DISTURBING = /^\S+ (\S+) \w+ (link_up|link_down|link_left|leader) (.*)$/;

export function simulate(options: SimulationOptions): SimulationResult {
  const loop = new EventLoop();
  if (options.onTrace !== undefined) loop.onTrace = options.onTrace;
  return judgedRun(options.seed, loop, () => new Run(loop, options));
}

class Run {
  readonly #loop: EventLoop;
  readonly #options: SimulationOptions;
  readonly #random: SeededRandom;
  readonly #cluster: SimulatedCluster;
  readonly #replicas: ReplicaChecker;
  readonly #clocks: ClockChecker;
  readonly #safety: RaftSafety = new RaftSafety();
  readonly #metadata: MetadataChecker;
  readonly #history: History = new History();
  readonly faults: Faults;
  readonly #clientLife: Life = new Life("clients");
  readonly #clients: SimClient[] = [];
  readonly #works: ClientWork[] = [];
  readonly #onStep: ((steps: number) => void) | null;
  #messages: MessageWork | null = null;
  /** When something happened to a link or a leader. */
  readonly #disturbances: Disturbance[] = [];
  #working = true;

  constructor(loop: EventLoop, options: SimulationOptions) {
    this.#loop = loop;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#cluster = new SimulatedCluster(
      loop,
      this.#random.fork(),
      { ...clusterOptionsOf(options.seed), ...options.cluster },
      (line) => {
        this.#noteDisturbance(line);
        options.onLog?.(line);
      },
    );
    this.#replicas = new ReplicaChecker(this.#cluster);
    this.#clocks = new ClockChecker(this.#cluster);
    this.#metadata = new MetadataChecker(this.#cluster);
    this.faults = new Faults(this.#random.fork(), this.#cluster, options.choice ?? {});
    this.#onStep = options.onStep ?? null;
  }

  run(): SimulationResult {
    const quiet = this.#client("admin", 0);
    this.#prepare(quiet);
    this.#startClients();
    this.#startMessages();
    this.faults.start();
    const end = this.#loop.steps + this.#options.steps;
    while (this.#loop.steps < end) if (!this.#step()) break;
    this.#working = false;
    this.#messages?.stop();
    this.faults.heal();
    this.#loop.note("healed");
    const final = this.#look(quiet);
    this.#countRetention(final);
    this.#checkWaiters(quiet);
    this.#checkMessages(quiet);
    this.#replicas.checkStates();
    this.#cluster.countMemory();
    this.#history.check(final, this.#replicas.placements, this.faults.happened.length === 0);
    return {
      seed: this.#options.seed,
      steps: this.#loop.steps,
      simulatedMs: this.#loop.nowMs,
      traceHash: this.#loop.traceHash,
      faults: this.faults.kinds,
      counts: this.#loop.counts,
      replies: this.#history.classes,
      statesCompared: this.#replicas.compared,
      entriesCompared: this.#replicas.entriesCompared,
    };
  }

  #countRetention({ entries }: FinalView): void {
    const held = STREAMS.unacked.filter((stream) => entries.get(stream)!.length >= UNACKED_LENGTH);
    this.#loop.countMany("retention kept what is not acknowledged", held.length);
  }

  #step(): boolean {
    const more = this.#loop.step();
    this.#onStep?.(this.#loop.steps);
    this.#checkMoved();
    this.#replicas.checkLeaders();
    this.#clocks.look();
    if (this.#loop.steps % CHECK_STATES_EVERY_STEPS !== 0) return more;
    this.#replicas.checkStates();
    this.#clocks.check();
    this.#metadata.check();
    return more;
  }

  #checkMoved(): void {
    const life = this.#loop.lastLife;
    if (life === null) return;
    for (const machine of this.#cluster.machines) if (machine.life === life) this.#safety.check(machine);
  }

  #client(
    name: string,
    firstGateway: number,
    ack: AckLevel = "ALL",
    onReply: (operation: Operation) => void = () => undefined,
  ): SimClient {
    return new SimClient(
      {
        name,
        loop: this.#loop,
        life: this.#clientLife,
        network: new SimByteNetwork(this.#cluster.network, this.#clientLife),
        gateways: this.#cluster.gatewayAddresses,
        firstGateway,
        ack,
      },
      onReply,
    );
  }

  /** Runs the request until it has an answer that is no error. */
  #insist(client: SimClient, args: readonly string[], accept: (reply: ReplyValue) => boolean): ReplyValue {
    const deadline = this.#loop.nowMs + LIVENESS_MS;
    for (;;) {
      const operation = client.send(args);
      while (operation.open && this.#loop.nowMs < deadline) if (!this.#step()) break;
      const { reply } = operation;
      if (reply !== undefined && accept(reply)) return reply;
      if (this.#loop.nowMs >= deadline || this.#loop.pending === 0) {
        throw new Error(
          `not served within ${LIVENESS_MS} simulated ms after healing: ${args.join(" ")}, last answer ${JSON.stringify(reply)}`,
        );
      }
      const resumeAt = this.#loop.nowMs + 50;
      this.#loop.at(resumeAt, "client", this.#clientLife, "pause", () => undefined);
      while (this.#loop.nowMs < resumeAt) if (!this.#step()) break;
    }
  }

  #prepare(client: SimClient): void {
    for (const request of preparations(STREAMS)) {
      this.#insist(
        client,
        request,
        (reply) => reply === "OK" || (reply instanceof ErrorReply && reply.code === "BUSYGROUP"),
      );
    }
    this.#insist(client, ["CONFIG", "SET", "notify-keyspace-events", "Kt"], (reply) => reply === "OK");
  }

  #startClients(): void {
    const count = this.#options.clients ?? 6;
    const readersOfTen = this.#random.pick([0, 0, 5, 8]);
    const names = new GroupNames();
    for (let i = 0; i < count; i++) {
      const name = `c${i}`;
      const random = this.#random.fork();
      const work = new ClientWork(name, random.fork(), {
        streams: STREAMS,
        names,
        isReader: random.chance(readersOfTen, 10),
        only: this.#options.only ?? null,
      });
      this.#works.push(work);
      const depth = random.pick([1, 1, 4, 16]);
      const ack = random.pick<AckLevel>(["ALL", "ALL", "1", "0"]);
      work.mayOwn = ack === "ALL";
      let transactions: TransactionWork | null = null;
      const client = this.#client(name, i, ack, (operation) => {
        this.#history.add(operation);
        work.heard(operation);
        if (this.#working) transactions?.heard(operation);
      });
      transactions = new TransactionWork(client, random.fork());
      const values = new ValueWork(client, random.fork());
      this.#clients.push(client);
      const turn = (): void => {
        if (this.#working)
          this.#loop.after(random.below(CLIENT_PAUSE_MAX_MS * 10) / 10, "client", this.#clientLife, name, turn);
        if (!this.#working) return;
        if (random.chance(1, 400)) client.drop();
        if (client.openRequests < 64) transactions.turn();
        if (client.openRequests < 64) values.turn(!transactions.isWatching);
        for (let n = random.between(1, depth); n > 0 && client.openRequests < 64; n--) {
          const operation = client.send(work.next());
          if (!operation.open) break;
        }
      };
      turn();
    }
  }

  #noteDisturbance(line: string): void {
    const [, name, event, fields] = DISTURBING.exec(line) ?? [];
    if (event === undefined) return;
    const atMs = this.#loop.nowMs;
    if (event !== "leader") this.#disturbances.push({ atMs, gateway: name!, shardId: 0 });
    else this.#disturbances.push({ atMs, gateway: null, shardId: (JSON.parse(fields!) as { group: number }).group });
  }

  #startMessages(): void {
    this.#messages = new MessageWork({
      loop: this.#loop,
      life: this.#clientLife,
      network: new SimByteNetwork(this.#cluster.network, this.#clientLife),
      gateways: this.#cluster.gatewayAddresses,
      random: new SeededRandom(this.#options.seed ^ 0x3e55a6e),
      client: (name, firstGateway, onReply) => this.#client(name, firstGateway, "ALL", onReply),
    });
  }

  /** A gateway answers SUBSCRIBE without a node that it has not heard for a moment, and that learns of it when the network lets it. */
  #cutsAsDisturbances(): readonly Disturbance[] {
    return this.faults.gatewayCuts.flatMap(({ atMs, gateways }) =>
      [...gateways].map((gateway) => ({ atMs, gateway, shardId: 0 })),
    );
  }

  /** What was heard under faults; then, with everything healed, that each subscriber hears each message once, and is counted. */
  #checkMessages(client: SimClient): void {
    const { subscribers, published } = this.#messages!;
    const listenings = subscribers.flatMap((subscriber) => subscriber.listenings);
    const answered = new Set(published.map(({ message }) => message));
    for (const listening of listenings) checkOrder(listening, answered);
    const placement = new Placement(this.#cluster.state!);
    const shardOf = (channel: string): number => placement.shardOf(slotOfKey(channel));
    this.#loop.countMany(
      "messages that had to arrive",
      checkArrivals(published, listenings, [...this.#disturbances, ...this.#cutsAsDisturbances()], shardOf),
    );
    const keys = keysOfEvents(listenings);
    this.#loop.countMany("events of keys heard", keys.size);
    for (const key of keys) {
      const length = this.#insist(client, ["XLEN", key], (reply) => typeof reply === "number");
      if (length !== 1)
        throw new Error(`an entry's event was heard, and ${key} holds ${JSON.stringify(length)} entries`);
    }
    const loop = this.#loop;
    const network = new SimByteNetwork(this.#cluster.network, this.#clientLife);
    const gateways = this.#cluster.gatewayAddresses;
    const last = gateways.map(
      (_, firstGateway) =>
        new SimSubscriber({
          loop,
          life: this.#clientLife,
          network,
          gateways,
          firstGateway,
          channels: ["last-a", "last-b"],
          patterns: ["last-*"],
        }),
    );
    this.#pass(WAITERS_PARK_MS);
    for (const channel of ["last-a", "last-b", "last-c"]) {
      const wanted = gateways.length * (channel === "last-c" ? 1 : 2);
      const { length } = last[0]!.current.heard;
      const receivers = this.#insist(client, ["PUBLISH", channel, "x"], (reply) => typeof reply === "number");
      if (receivers !== wanted)
        throw new Error(`PUBLISH ${channel} counts ${JSON.stringify(receivers)} subscribers, there are ${wanted}`);
      this.#pass(WAITERS_PARK_MS);
      for (const { current } of last) {
        const heard = current.heard.slice(length).map(({ by }) => by);
        const expected = channel === "last-c" ? ["pmessage last-*"] : [`message ${channel}`, "pmessage last-*"];
        if (JSON.stringify(heard) !== JSON.stringify(expected))
          throw new Error(
            `with everything healed, a subscriber at ${current.gateway} heard ${JSON.stringify(heard)} of ${channel}`,
          );
      }
    }
  }

  /** Every request gets its fate: only then is what the reader finds the last word. */
  #settleClients(): void {
    const deadline = this.#loop.nowMs + LIVENESS_MS;
    const clients = [...this.#clients, ...this.#messages!.publishers];
    while (clients.some((client) => client.openRequests > 0)) {
      if (this.#loop.nowMs > deadline || !this.#step()) {
        throw new Error(`requests still open ${LIVENESS_MS} simulated ms after healing`);
      }
    }
  }

  #look(client: SimClient): FinalView {
    this.#settleClients();
    // What a long run has piled up may fill a small budget for good: no fault that heals by itself, an operator has to give more.
    const { memoryBytes } = this.#cluster;
    if (memoryBytes > 0)
      this.#insist(client, ["CONFIG", "SET", "maxmemory", String(memoryBytes * 10)], (reply) => reply === "OK");
    const entries = new Map<string, readonly Entry[]>();
    const pending = new Map<string, readonly PendingRow[]>();
    const drained = new Map<string, readonly string[]>();
    for (const stream of STREAMS.idempotent) {
      entries.set(stream, this.#insist(client, ["XRANGE", stream, "-", "+"], Array.isArray) as never);
    }
    for (const stream of judgedStreams(STREAMS)) {
      this.#insist(client, ["XADD", `${stream}end`, "*", "p", `end ${stream}`], (reply) => typeof reply === "string");
      const isShort = (reply: ReplyValue): boolean =>
        Array.isArray(reply) && reply.length < lengthBelow(stream, STREAMS);
      entries.set(stream, this.#insist(client, ["XRANGE", stream, "-", "+"], isShort) as never);
    }
    for (const stream of [...STREAMS.grouped, ...STREAMS.unacked]) {
      const rows = this.#insist(client, ["XPENDING", stream, GROUP, "-", "+", "1000000"], Array.isArray);
      pending.set(
        stream,
        (rows as unknown as [string, string, number, number][]).map(([id, consumer, , deliveries]) => ({
          id,
          consumer,
          deliveries,
        })),
      );
      drained.set(stream, this.#drain(client, stream));
    }
    const whole = (stream: string): readonly Entry[] =>
      this.#insist(client, ["XRANGE", stream, "-", "+"], Array.isArray) as never;
    const transactions: TransactionView = { pair: [whole(PAIR[0]), whole(PAIR[1])], chain: whole(CHAIN) };
    const numberOf = (request: readonly string[]): number =>
      Number(this.#insist(client, request, (reply) => !(reply instanceof ErrorReply) && reply !== undefined) ?? 0);
    const values: ValueView = {
      counters: new Map(COUNTERS.map((counter) => [counter, numberOf(["GET", counter])])),
      growing: LOOK_AT_GROWING.map(numberOf),
      sets: [TICKETS, MOVED].map((set) => this.#insist(client, ["SMEMBERS", set], Array.isArray) as never),
      hashes: lookAtHashes((args) => this.#insist(client, args, Array.isArray)),
    };
    const insist = (args: readonly string[], accept: (reply: ReplyValue) => boolean): ReplyValue =>
      this.#insist(client, args, accept);
    const lists = lookAtLists(insist);
    const zsets = lookAtZsets(insist);
    const owned = lookAtOwned(
      insist,
      this.#works.map((work) => work.owned),
    );
    this.#setClocksAhead();
    const delays = lookAtDelayed(insist);
    const redeliveries = drainRedelivered((args) => this.#once(client, args), client.name);
    const deadLetters = drainDeadLetters(
      (args) => this.#once(client, args),
      () => this.#awaitEmptyOutboxes(),
      client.name,
    );
    const pressed = this.#lookAtPressed(client);
    this.#awaitEqualReplicas();
    return {
      entries,
      pending,
      drained,
      transactions,
      values,
      redeliveries,
      delays,
      deadLetters,
      pressed,
      lists,
      zsets,
      owned,
    };
  }

  /** What shards hand to each other has come to where it was to go. */
  #awaitEmptyOutboxes(): void {
    const deadline = this.#loop.nowMs + LIVENESS_MS;
    for (;;) {
      const waiting = [...this.#cluster.replicas()].filter(
        ({ shard }) => shard.isReady && shard.status().outboxItems > 0,
      );
      const leaders = [...this.#cluster.replicas()].filter(({ shard }) => shard.isReady);
      if (waiting.length === 0 && leaders.length === this.#cluster.state?.shards.length) return;
      if (this.#loop.nowMs > deadline) {
        const what = waiting.map(({ shard }) => JSON.stringify(shard.outbox.relay.refusal)).join(", ");
        throw new Error(`an outbox is not empty ${LIVENESS_MS} simulated ms after healing: ${what}`);
      }
      this.#pass(100);
    }
  }

  #lookAtPressed(client: SimClient): ReturnType<typeof lookAtPressed> {
    const other = this.#client("held", 0);
    for (const { name } of PRESSED) this.#insist(other, ["XLEN", name], (reply) => typeof reply === "number");
    return lookAtPressed({
      ask: (args) => this.#once(client, args),
      send: (args) => {
        const operation = other.send(args);
        return () => operation.reply;
      },
      pass: (ms) => this.#pass(ms),
    });
  }

  /** Log time never goes back: a leader whose clock was ahead may have left it standing for minutes. From here on it moves, so that what rests comes to be due. */
  #setClocksAhead(): void {
    for (const machine of this.#cluster.machines) {
      machine.skewMs = AHEAD_MS;
      if (machine.clock !== null) machine.clock.skewMs = AHEAD_MS;
    }
    this.#pass(CLOCKS_SETTLE_MS);
  }

  #checkWaiters(asker: SimClient): void {
    const host: QuietCluster = {
      asker,
      client: (name, firstGateway) => this.#client(name, firstGateway),
      insist: (client, args, accept) => this.#insist(client, args, accept),
      once: (client, args) => this.#once(client, args),
      pass: (ms) => this.#pass(ms),
      terms: () => this.#terms(),
    };
    checkReaders(
      host,
      STREAMS.grouped.map((stream) => `wait${stream}`),
    );
    checkTakers(host);
  }

  #terms(): string {
    return [...this.#cluster.replicas()].map(({ shard }) => `${shard.groupId}:${shard.status().term}`).join(" ");
  }

  #pass(ms: number): void {
    const until = this.#loop.nowMs + ms;
    this.#loop.at(until, "client", this.#clientLife, "pause", () => undefined);
    while (this.#loop.nowMs < until) if (!this.#step()) break;
  }

  /** Nothing is asked twice: with everything healed no answer may be lost. */
  #once(client: SimClient, args: readonly string[]): ReplyValue {
    const operation = client.send(args);
    const deadline = this.#loop.nowMs + LIVENESS_MS;
    while (operation.open && this.#loop.nowMs < deadline) if (!this.#step()) break;
    const { reply } = operation;
    if (reply !== undefined && !(reply instanceof ErrorReply)) return reply;
    throw new Error(`with everything healed, ${args.join(" ")} got ${JSON.stringify(reply)}`);
  }

  /** What the group had not handed out. */
  #drain(client: SimClient, stream: string): readonly string[] {
    const ids: string[] = [];
    for (;;) {
      const args = ["XREADGROUP", "GROUP", GROUP, client.name, "COUNT", "100", "STREAMS", stream, ">"];
      const reply = this.#once(client, args);
      if (reply === null) return ids;
      const [[, entries]] = reply as unknown as [[string, Entry[]]];
      for (const [id] of entries) ids.push(id);
    }
  }

  #whereReplicasAre(): string {
    const lines = [...this.#cluster.replicas()].map(({ machine, shard }) => {
      const {
        role,
        term,
        lastIndex,
        stateIndex,
        durableIndex,
        commitIndex,
        checkpointIndex,
        dirty,
        reloading,
        failed,
      } = shard.status();
      const place = `${machine.name} shard ${shard.groupId}`;
      return `${place} ${JSON.stringify({ role, term, lastIndex, stateIndex, durableIndex, commitIndex, checkpointIndex, dirty, reloading, failed })}`;
    });
    return lines.join(", ");
  }

  /** As they are placed, but for those on nodes that may be out; −1: not settled. */
  #expectedReplicas(): number {
    const { state, machines } = this.#cluster;
    if (state === null) return -1;
    const whole = new Set(machines.map(({ node, broken }) => (node === null || broken !== null ? 0 : node.nodeId)));
    let expected = 0;
    for (const { replicas } of state.shards) {
      const there = replicas.filter(({ nodeId }) => whole.has(nodeId));
      if (there.length * 2 <= replicas.length) return -1;
      expected += there.length;
    }
    return expected;
  }

  #awaitEqualReplicas(): void {
    // One node may have to send all it has to two others, no faster than it is told.
    const deadline = this.#loop.nowMs + LIVENESS_MS + 2 * this.#cluster.sendingMs;
    for (;;) {
      const byGroup = new Map<number, Set<number>>();
      let replicas = 0;
      for (const { machine, shard } of this.#cluster.replicas()) {
        if (machine.broken !== null) continue;
        const { stateIndex, dirty, reloading } = shard.status();
        const indexes = byGroup.get(shard.groupId) ?? new Set();
        indexes.add(dirty || reloading ? -1 : stateIndex);
        byGroup.set(shard.groupId, indexes);
        replicas++;
      }
      const equal = [...byGroup.values()].every((indexes) => indexes.size === 1 && !indexes.has(-1));
      if (equal && replicas === this.#expectedReplicas()) return;
      if (this.#loop.nowMs > deadline)
        throw new Error(`the replicas did not come to the same index after healing: ${this.#whereReplicasAre()}`);
      if (!this.#step()) throw new Error("nothing happens any more, and the replicas differ");
    }
  }
}
