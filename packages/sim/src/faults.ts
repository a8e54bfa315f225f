/**
 * When bad things happen in a run, and how they end. What they are is the table in fault-table.ts; each seed draws its own subset of it, so that faults
 * also meet alone. Each single fault has a number and draws from a source of its own: leaving one out changes nothing in the others, which is what makes
 * a failure small enough to read.
 */
import type { SeededRandom } from "./seeded-random.ts";
import { SeededRandom as Seeded } from "./seeded-random.ts";
import { faultTable, usualDiskTimes, type FaultRow, type FaultWorld } from "./fault-table.ts";
import type { Machine, SimulatedCluster } from "./simulated-cluster.ts";

/** Mean times between two faults, simulated milliseconds: one is drawn for a run. In a storm nothing is ever elected, in a calm nothing is lost. */
const MEAN_GAPS_MS = [150, 300, 800];
/** What a supervisor of processes does: looks, and starts again what has stopped for a reason. */
const SUPERVISOR_MS = 100;

/** Which faults of a run to leave out: nothing else changes. */
export interface FaultChoice {
  /** Kinds that never happen. */
  readonly without?: readonly string[];
  /** Only the faults with these numbers happen. */
  readonly only?: readonly number[];
  /** Exactly these kinds, whatever the seed draws. */
  readonly kinds?: readonly string[];
  /** A fault begins only when every machine serves and every shard has a leader: one after another. */
  readonly whenWhole?: boolean;
  /** Mean time between two faults at that moment of simulated time, instead of the one that the seed draws. */
  readonly meanGapMs?: (nowMs: number) => number;
}

export class Faults {
  readonly enabled: readonly FaultRow[];
  /** Numbers of the faults that happened. */
  readonly happened: number[] = [];
  /** When paths to these gateways were cut or joined. */
  readonly gatewayCuts: { readonly atMs: number; readonly gateways: ReadonlySet<string> }[] = [];
  readonly #random: SeededRandom;
  readonly #seed: number;
  readonly #cluster: SimulatedCluster;
  readonly #choice: FaultChoice;
  readonly #only: ReadonlySet<number> | null;
  readonly #meanGapMs: number;
  #active = true;
  readonly #openCuts: Set<ReadonlySet<string>> = new Set();
  #number = 0;

  constructor(random: SeededRandom, cluster: SimulatedCluster, choice: FaultChoice) {
    this.#random = random;
    this.#seed = random.u32();
    this.#cluster = cluster;
    this.#choice = choice;
    this.#only = choice.only === undefined ? null : new Set(choice.only);
    const { kinds } = choice;
    const chosen = faultTable.filter((row) => random.chance(row.chanceOf10, 10) && kinds === undefined);
    if (kinds !== undefined) chosen.push(...faultTable.filter((row) => kinds.includes(row.kind)));
    this.#meanGapMs = random.pick(MEAN_GAPS_MS);
    this.enabled = chosen.length === 0 ? [faultTable[0]!] : chosen;
  }

  get kinds(): readonly string[] {
    return this.enabled.map(({ kind }) => kind).filter((kind) => this.#choice.without?.includes(kind) !== true);
  }

  start(): void {
    this.#schedule();
    this.#supervise();
  }

  /** Ends all faults: what is cut is joined, what is down comes up. Changed bits stay changed: that machine is out. */
  heal(): void {
    this.#active = false;
    const { network, machines, loop } = this.#cluster;
    network.heal();
    for (const gateways of this.#openCuts) this.gatewayCuts.push({ atMs: loop.nowMs, gateways });
    Object.assign(network.faults, {
      lossPerMille: 0,
      snapshotFlipPerMille: 0,
      duplicatePerMille: 0,
      reorderMaxMs: 0,
      minDelayMs: 0.05,
      maxDelayMs: 0.5,
    });
    for (const { life } of this.#cluster.gateways()) if (life.paused) loop.resume(life);
    for (const machine of machines) {
      machine.disk.times = usualDiskTimes;
      if (machine.life !== null) machine.life.timerFactor = 1;
      if (machine.life?.paused === true) loop.resume(machine.life);
      const isGoing = machine.isStopping || machine.disk.faults.hasErred;
      if (isGoing && machine.isUp) this.#cluster.crashNode(machine, false);
      machine.disk.faults.heal();
      const member = machine.node === null ? null : machine.node.member;
      if (member !== null) member.memory.budgetBytes = this.#cluster.memoryBytes;
      if (!machine.isUp) this.#cluster.startNode(machine);
    }
  }

  #schedule(): void {
    const { loop } = this.#cluster;
    const random = this.#random;
    const meanGapMs = this.#choice.meanGapMs?.(loop.nowMs) ?? this.#meanGapMs;
    loop.after(random.between(50, 2 * meanGapMs), "fault", null, "", () => {
      if (!this.#active) return;
      const row = random.pick(this.enabled);
      const number = this.#number++;
      const isLeftOut =
        this.#choice.without?.includes(row.kind) === true || (this.#only !== null && !this.#only.has(number));
      if (!isLeftOut) this.#inject(row, number);
      this.#schedule();
    });
  }

  #inject(row: FaultRow, number: number): void {
    const { loop } = this.#cluster;
    // Cuts upon cuts leave no majority anywhere.
    const random = new Seeded(this.#seed ^ Math.imul(number + 1, 0x9e3779b1));
    if (this.#choice.whenWhole === true && !this.#isWhole()) return;
    if (row.isCut === true && this.#openCuts.size > 0 && !random.chance(1, 10)) return;
    const machine = this.#target(random, row.mustLead === true);
    this.happened.push(number);
    loop.note(`fault ${number} ${row.kind} ${machine.name}`);
    const world: FaultWorld = {
      cluster: this.#cluster,
      random,
      machine,
      later: (run, minMs, maxMs) => {
        loop.after(random.between(minMs, maxMs), "fault", null, `end of ${row.kind}`, () => {
          if (this.#active) run();
        });
      },
      cut: (paths) => this.#cut(paths),
      restart: (down) => {
        if (!down.isUp) this.#cluster.startNode(down);
      },
    };
    if (row.inject(world)) loop.count(`fault ${row.kind}`);
  }

  /** A process that stopped itself because its disk failed is started again on a good disk, sooner or later. */
  #supervise(): void {
    const { loop, machines } = this.#cluster;
    loop.after(SUPERVISOR_MS, "fault", null, "supervisor", () => {
      if (!this.#active) return;
      for (const machine of machines) {
        if (machine.broken === null || !machine.disk.faults.hasErred || machine.restartIsDue) continue;
        machine.restartIsDue = true;
        loop.after(this.#random.between(10, 1500), "fault", null, "restart after a disk error", () => {
          machine.restartIsDue = false;
          if (!this.#active || (machine.isUp && machine.broken === null)) return;
          if (machine.isUp) this.#cluster.crashNode(machine, false);
          machine.disk.faults.heal();
          this.#cluster.startNode(machine);
        });
      }
      this.#supervise();
    });
  }

  #isWhole(): boolean {
    const { machines } = this.#cluster;
    const replicas = [...this.#cluster.replicas()];
    const groups = new Set(replicas.map(({ shard }) => shard.groupId));
    const led = replicas.filter(({ shard }) => shard.isReady).length;
    return machines.every((machine) => machine.isServing) && groups.size > 0 && led === groups.size;
  }

  /** Leaders are where it hurts. */
  #target(random: SeededRandom, mustLead: boolean): Machine {
    const leaders = [...this.#cluster.replicas()].filter(({ shard }) => shard.isLeader);
    if (leaders.length > 0 && (mustLead || random.chance(1, 2))) return random.pick(leaders).machine;
    return random.pick(this.#cluster.machines);
  }

  #cut(paths: readonly (readonly [string, string])[]): () => void {
    const { loop, network } = this.#cluster;
    const gateways = new Set(paths.flat().filter((name) => name.startsWith("gateway-")));
    const join = network.cut(paths);
    this.#openCuts.add(gateways);
    this.gatewayCuts.push({ atMs: loop.nowMs, gateways });
    return () => {
      this.#openCuts.delete(gateways);
      this.gatewayCuts.push({ atMs: loop.nowMs, gateways });
      join();
    };
  }
}
