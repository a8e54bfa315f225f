/**
 * Hours of simulated time in which producers are faster than consumers, a tenth of all entries is poison, consumers are slow or die, and nodes, links and disks fail:
 * without anybody who looks after what others have left. Then everything is healed and drained, and each entry must have been acknowledged once or be in the
 * dead-letter stream once (checkers/ledger.ts); while there were producers no node may have held more than its budget (checkers/memory.ts).
 */
import { Ledger, type LedgerView, type Outcome } from "./checkers/ledger.ts";
import { MemoryChecker } from "./checkers/memory.ts";
import type { Entry } from "./checkers/reading.ts";
import { RaftSafety } from "./checkers/raft-safety.ts";
import {
  CONSUMED,
  CONSUMING_GROUP,
  consumptionPreparations,
  DEAD_STREAMS,
  DELIVERIES_MAX,
  isPoison,
  RETRY_MAX_MS,
} from "./consumption-plan.ts";
import {
  Consumer,
  type ConsumerKind,
  numberIn,
  Operator,
  Producer,
  Watcher,
  type WorkWorld,
} from "./consumption-work.ts";
import { EventLoop } from "./event-loop.ts";
import { Faults, type FaultChoice } from "./faults.ts";
import { ErrorReply, type ReplyValue } from "./reply-value.ts";
import { Scene } from "./scene.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { SimClient } from "./sim-client.ts";
import { defaultClusterOptions, type ClusterOptions } from "./simulated-cluster.ts";
import { judgedRun } from "./violation.ts";

export interface ConsumptionOptions {
  readonly seed: number;
  /** With faults; healing and draining come on top. */
  readonly simulatedMs: number;
  readonly cluster?: Partial<ClusterOptions>;
  readonly choice?: FaultChoice;
  /** After each simulated minute. */
  readonly onMinute?: (minute: number, steps: number) => void;
  readonly onLog?: (line: string) => void;
}

export interface ConsumptionResult extends Outcome {
  readonly seed: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly traceHash: string;
  readonly deliveries: number;
  readonly redeliveries: number;
  readonly refused: number;
  readonly budgetBytes: number;
  readonly highestBytes: number;
  /** The most that a node held before everything was healed and drained: while producers were there. */
  readonly highestUnderLoadBytes: number;
  /** Where and when a node held most, and what that was. */
  readonly highest: string;
  /** The first time that a node held more than its budget while there were producers; null: none did. */
  readonly memoryExcess: string | null;
  readonly highestLag: ReadonlyMap<string, number>;
  readonly counts: ReadonlyMap<string, number>;
  readonly statesCompared: number;
}

const BUDGET_BYTES = 4 * 1024 * 1024;
/** All but clocks that jump, behind which log time would stand for minutes; disks that lose what was synced; and budgets that change, since they are judged. */
const KINDS: readonly string[] = [
  "kill powerCut allDown blackout crashAtDisk stop handOver partition oneWay pair split",
  "loss reorder pause drift gateway gatewayPause slowDisk diskError diskFull evict",
].flatMap((names) => names.split(" "));
/** Most of the time work goes on between two faults; for a minute of ten it hardly does. */
const MEAN_GAP_MS = 6000;
const STORM_GAP_MS = 500;
const MINUTE_MS = 60_000;
const STORM_EVERY_MINUTES = 10;
const PRODUCERS = 4;
const CHECK_STATES_EVERY_STEPS = 10_000;
/** With everything healed each request is answered within. */
const ANSWER_MS = 30_000;
/** Everything that was delayed is due by then, and everything is handed on. */
const SETTLE_MS = 300_000;
/** Beyond the longest rest: nothing is pending that nobody is given. */
const DRAIN_MS = RETRY_MAX_MS + 4000;
/** Of the final look: small enough for a small budget. */
const PAGE = 100;

const ALL = CONSUMED.map(({ name }) => name);
const CONSUMERS: readonly ConsumerKind[] = [
  { streams: ALL, workMs: [20, 250] },
  { streams: ALL, workMs: [20, 250] },
  { streams: [ALL[0]!, ALL[1]!], workMs: [20, 400] },
  { streams: [ALL[2]!, ALL[3]!], workMs: [20, 400] },
  // So slow that others are given what it works on.
  { streams: ALL, workMs: [200, 2500] },
  { streams: [ALL[0]!, ALL[3]!], workMs: [100, 4000] },
];

/** Throws a `Violation` when a rule is broken; but what memory nodes held is in the result (`memoryExcess`). */
export function simulateConsumption(options: ConsumptionOptions): ConsumptionResult {
  const loop = new EventLoop();
  return judgedRun(options.seed, loop, () => new Run(loop, options));
}

class Run {
  readonly faults: Faults;
  readonly #loop: EventLoop;
  readonly #options: ConsumptionOptions;
  readonly #random: SeededRandom;
  readonly #scene: Scene;
  readonly #world: WorkWorld;
  readonly #ledger: Ledger;
  readonly #memory: MemoryChecker;
  readonly #safety: RaftSafety = new RaftSafety();
  readonly #quiet: SimClient;

  constructor(loop: EventLoop, options: ConsumptionOptions) {
    this.#loop = loop;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    const random = this.#random;
    const cluster: ClusterOptions = {
      ...defaultClusterOptions,
      checkpointIntervalMs: 500,
      electionTimeoutMs: 1000,
      heartbeatMs: 100,
      // Half of them send snapshots to who was away for a moment.
      logRetainBytes: random.pick([20_000, 1_000_000]),
      memoryBytes: BUDGET_BYTES,
      ...options.cluster,
    };
    this.#scene = new Scene(
      random.fork(),
      cluster,
      {
        checkStatesEverySteps: CHECK_STATES_EVERY_STEPS,
        onStep: () => this.#look(),
        ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
      },
      loop,
    );
    this.#memory = new MemoryChecker(cluster.memoryBytes);
    this.#ledger = new Ledger(CONSUMED, { group: CONSUMING_GROUP, deliveriesMax: DELIVERIES_MAX, isPoison });
    this.#world = { scene: this.#scene, ledger: this.#ledger, shift: { isProducing: true, isConsuming: true } };
    this.faults = new Faults(random.fork(), this.#scene.cluster, {
      kinds: KINDS,
      meanGapMs: (nowMs) => (isStormy(nowMs) ? STORM_GAP_MS : MEAN_GAP_MS),
      ...options.choice,
    });
    this.#quiet = this.#scene.client("admin", 0, (operation) => this.#ledger.heard(operation));
  }

  run(): ConsumptionResult {
    const { shift } = this.#world;
    for (const request of consumptionPreparations) this.#insist(request);
    const random = this.#random;
    const producers = Array.from({ length: PRODUCERS }, (_, i) => new Producer(this.#world, `p${i}`, i, random.fork()));
    const consumers = CONSUMERS.map(
      (kind, i) => new Consumer(this.#world, `k${i}`, kind, { firstGateway: i, random: random.fork() }),
    );
    const operator = new Operator(this.#world, random.fork());
    const watcher = new Watcher(this.#world);
    this.faults.start();
    const endMs = this.#loop.nowMs + this.#options.simulatedMs;
    for (let minute = 1; this.#loop.nowMs < endMs; minute++) {
      this.#scene.runFor(Math.min(MINUTE_MS, endMs - this.#loop.nowMs));
      this.#options.onMinute?.(minute, this.#loop.steps);
    }
    shift.isProducing = false;
    const highestUnderLoadBytes = this.#memory.highestBytes;
    // Of what producers do. A command that reads old entries may hold more for a turn (node/shard-limits.ts, `coldCallBytes`), and here at least 16 MiB.
    const { excess } = this.#memory;
    this.faults.heal();
    this.#loop.note("healed");
    shift.isConsuming = false;
    const clients = [...producers, ...consumers, operator, watcher].map(({ client }) => client);
    this.#scene.runUntil(
      () => clients.every(({ openRequests }) => openRequests === 0),
      () => "an answer to what was open when everything was healed",
    );
    this.#drain();
    const outcome = this.#ledger.judge(this.#views(), this.#letters());
    this.#awaitEqualReplicas();
    this.#scene.replicas.checkStates();
    this.#scene.cluster.countMemory();
    const { deliveries, redeliveries, refused } = this.#ledger;
    return {
      ...outcome,
      deliveries,
      redeliveries,
      refused,
      seed: this.#options.seed,
      steps: this.#loop.steps,
      simulatedMs: this.#loop.nowMs,
      traceHash: this.#loop.traceHash,
      budgetBytes: this.#scene.cluster.memoryBytes,
      highestBytes: this.#memory.highestBytes,
      highestUnderLoadBytes,
      highest: this.#memory.highest,
      memoryExcess: excess,
      highestLag: watcher.highestLag,
      counts: this.#loop.counts,
      statesCompared: this.#scene.replicas.compared,
    };
  }

  /** After every step. */
  #look(): void {
    const life = this.#loop.lastLife;
    if (life === null) return;
    for (const machine of this.#scene.cluster.machines) {
      if (machine.life !== life) continue;
      this.#safety.check(machine);
      this.#memory.check(machine, this.#loop.nowMs);
    }
  }

  /** Until it has an answer that is no error. */
  #insist(args: readonly string[]): void {
    const endMs = this.#loop.nowMs + ANSWER_MS;
    for (;;) {
      const operation = this.#quiet.send(args);
      this.#scene.runFor(ANSWER_MS, () => !operation.open);
      const { reply } = operation;
      const isDone = reply instanceof ErrorReply ? reply.code === "BUSYGROUP" : reply !== undefined;
      if (isDone) return;
      if (this.#loop.nowMs > endMs) throw new Error(`${args.join(" ")} got ${JSON.stringify(reply)}`);
      this.#scene.runFor(100);
    }
  }

  /** With everything healed no answer may be lost. */
  #ask(args: readonly string[]): ReplyValue {
    const operation = this.#quiet.send(args);
    this.#scene.runFor(ANSWER_MS, () => !operation.open);
    const { reply } = operation;
    if (reply !== undefined && !(reply instanceof ErrorReply)) return reply;
    throw new Error(`with everything healed, ${args.join(" ")} got ${JSON.stringify(reply)}`);
  }

  /** Everything appears, is handed on and handed out, until nothing is left. */
  #drain(): void {
    this.#settle();
    const read = ["XREADGROUP", "GROUP", CONSUMING_GROUP, "end", "COUNT", "100", "BLOCK", String(DRAIN_MS), "STREAMS"];
    for (;;) {
      const reply = this.#ask([...read, ...ALL, ...ALL.map(() => ">")]);
      if (reply === null) break;
      for (const [stream, entries] of reply as unknown as readonly (readonly [string, readonly Entry[]])[])
        for (const [id, fields] of entries) {
          if (isPoison(fields[1]!)) continue;
          const count = this.#ask(["XACK", stream, CONSUMING_GROUP, id]);
          if (count !== 1) throw new Error(`${stream} ${id} was handed out at the end and is not pending`);
        }
    }
    this.#settle();
  }

  #settle(): void {
    const leaders = () => [...this.#scene.cluster.replicas()].filter(({ shard }) => shard.isReady);
    const left = () => leaders().map(({ shard }) => shard.status());
    this.#scene.runUntil(
      () => {
        if (leaders().length !== this.#scene.cluster.state?.shards.length) return false;
        return left().every(({ outboxItems, delayedEntries }) => outboxItems === 0 && delayedEntries === 0);
      },
      () =>
        `outboxes and delays are empty: ${JSON.stringify(left().map(({ outboxItems, delayedEntries }) => ({ outboxItems, delayedEntries })))}`,
      SETTLE_MS,
    );
  }

  #views(): ReadonlyMap<string, LedgerView> {
    return new Map(
      ALL.map((stream) => {
        const [pendingCount] = this.#ask(["XPENDING", stream, CONSUMING_GROUP]) as unknown as [number];
        const entriesAdded = numberIn(this.#ask(["XINFO", "STREAM", stream]), "entries-added");
        const [group] = this.#ask(["XINFO", "LAG", stream]) as readonly ReplyValue[];
        const deadLetterCount = numberIn(group!, "dead-letters");
        return [stream, { entries: this.#all(stream), pendingCount, entriesAdded, deadLetterCount }];
      }),
    );
  }

  #letters(): ReadonlyMap<string, readonly Entry[]> {
    return new Map(DEAD_STREAMS.map((stream) => [stream, this.#all(stream)]));
  }

  #all(stream: string): readonly Entry[] {
    const entries: Entry[] = [];
    for (let from = "-"; ; from = `(${entries.at(-1)![0]}`) {
      const page = this.#ask(["XRANGE", stream, from, "+", "COUNT", String(PAGE)]) as unknown as readonly Entry[];
      entries.push(...page);
      if (page.length < PAGE) return entries;
    }
  }

  #awaitEqualReplicas(): void {
    const places = () =>
      [...this.#scene.cluster.replicas()].map(({ machine, shard }) => {
        const { stateIndex, dirty, reloading } = shard.status();
        return { name: machine.name, group: shard.groupId, stateIndex, isSettled: !dirty && !reloading };
      });
    this.#scene.runUntil(
      () => {
        const all = places();
        const kinds = new Set(all.map(({ group, stateIndex }) => `${group}/${stateIndex}`));
        const groups = new Set(all.map(({ group }) => group));
        return groups.size > 0 && kinds.size === groups.size && all.every(({ isSettled }) => isSettled);
      },
      () => `equal replicas: ${JSON.stringify(places())}`,
    );
  }
}

function isStormy(nowMs: number): boolean {
  return Math.floor(nowMs / MINUTE_MS) % STORM_EVERY_MINUTES === 1;
}
