/** Which bad things happen in a run, and when. Each seed draws its own subset, so that faults also meet alone. */
import type { SeededRandom } from "./seeded-random.ts";
import type { Machine, SimulatedCluster } from "./simulated-cluster.ts";

const kinds = [
  "kill",
  "powerCut",
  "allDown",
  "partition",
  "oneWay",
  "split",
  "loss",
  "reorder",
  "pause",
  "skew",
  "gateway",
  "slowDisk",
  "blackout",
] as const;
export type FaultKind = (typeof kinds)[number];

/** Mean times between two faults, simulated milliseconds: one is drawn for a run. In a storm nothing is ever elected, in a calm nothing is lost. */
const MEAN_GAPS_MS = [150, 300, 800];

const USUAL_DISK_TIMES = { writeMinMs: 0.05, writeMaxMs: 0.6 };

export class Faults {
  readonly enabled: readonly FaultKind[];
  readonly #random: SeededRandom;
  readonly #cluster: SimulatedCluster;
  readonly #meanGapMs: number;
  #active = true;
  #openCuts = 0;

  constructor(random: SeededRandom, cluster: SimulatedCluster) {
    this.#random = random;
    this.#cluster = cluster;
    const chosen = kinds.filter(() => random.chance(1, 2));
    this.#meanGapMs = random.pick(MEAN_GAPS_MS);
    this.enabled = chosen.length === 0 ? ["kill"] : chosen;
  }

  start(): void {
    this.#schedule();
  }

  /** Ends all faults: what is cut is joined, what is down comes up. */
  heal(): void {
    this.#active = false;
    const { network, machines, loop } = this.#cluster;
    network.heal();
    Object.assign(network.faults, {
      lossPerMille: 0,
      duplicatePerMille: 0,
      reorderMaxMs: 0,
      minDelayMs: 0.05,
      maxDelayMs: 0.5,
    });
    for (const machine of machines) {
      machine.disk.times = USUAL_DISK_TIMES;
      if (machine.life !== null) machine.life.timerFactor = 1;
      if (machine.life?.paused === true) loop.resume(machine.life);
      if (!machine.isUp) this.#cluster.startNode(machine);
    }
  }

  #schedule(): void {
    const { loop } = this.#cluster;
    loop.after(this.#random.between(50, 2 * this.#meanGapMs), "fault", null, "", () => {
      if (!this.#active) return;
      this.#inject(this.#random.pick(this.enabled));
      this.#schedule();
    });
  }

  #inject(kind: FaultKind): void {
    const { network, machines, loop } = this.#cluster;
    const random = this.#random;
    // Cuts upon cuts leave no majority anywhere.
    const isCut = kind === "partition" || kind === "oneWay" || kind === "split";
    if (isCut && this.#openCuts > 0 && !random.chance(1, 10)) return;
    const machine = this.#target(kind === "split");
    loop.count(`fault ${kind}`);
    loop.note(`fault ${kind} ${machine.name}`);
    const later = (run: () => void, minMs: number, maxMs: number): void => {
      loop.after(random.between(minMs, maxMs), "fault", null, `end of ${kind}`, () => {
        if (this.#active) run();
      });
    };
    switch (kind) {
      case "kill":
      case "powerCut":
        if (!machine.isUp) return;
        this.#cluster.crashNode(machine, kind === "powerCut");
        later(() => this.#restart(machine), 20, 1500);
        return;
      case "allDown":
        this.#allDown(() => random.chance(1, 2));
        return;
      case "blackout":
        // What was shown or acknowledged meanwhile and is on no disk is gone for good.
        for (const each of machines) each.disk.times = { writeMinMs: 30, writeMaxMs: 300 };
        later(
          () => {
            for (const each of machines) each.disk.times = USUAL_DISK_TIMES;
            this.#allDown(() => true);
          },
          20,
          400,
        );
        return;
      case "partition":
      case "oneWay":
        later(this.#cut(this.#pathsAround(machine.name, kind === "partition")), 100, 2500);
        return;
      case "split": {
        const life = machine.life;
        const join = this.#cut(this.#pathsBetweenSides(machine.name));
        // A slow one finds out late that it is alone.
        if (life !== null && random.chance(1, 2)) life.timerFactor = random.between(2, 5);
        later(
          () => {
            join();
            if (life !== null) life.timerFactor = 1;
          },
          300,
          4000,
        );
        return;
      }
      case "loss":
        network.faults.lossPerMille = random.between(10, 250);
        network.faults.duplicatePerMille = random.between(0, 100);
        later(() => Object.assign(network.faults, { lossPerMille: 0, duplicatePerMille: 0 }), 200, 2000);
        return;
      case "reorder":
        network.faults.reorderMaxMs = random.between(1, 60);
        network.faults.maxDelayMs = random.between(1, 20);
        later(() => Object.assign(network.faults, { reorderMaxMs: 0, maxDelayMs: 0.5 }), 200, 2000);
        return;
      case "pause": {
        const life = machine.life;
        if (life === null || life.paused) return;
        life.paused = true;
        later(() => loop.resume(life), 50, 2500);
        return;
      }
      case "skew":
        machine.skewMs = random.between(-180_000, 180_000);
        if (machine.clock !== null) machine.clock.skewMs = machine.skewMs;
        return;
      case "gateway":
        this.#cluster.restartGateway(random.below(this.#cluster.gatewayAddresses.length));
        return;
      case "slowDisk":
        machine.disk.times = { writeMinMs: 2, writeMaxMs: random.between(10, 400) };
        later(() => (machine.disk.times = USUAL_DISK_TIMES), 200, 2000);
        return;
      default:
        kind satisfies never;
    }
  }

  #allDown(losesPower: () => boolean): void {
    for (const machine of this.#cluster.machines) {
      if (machine.isUp) this.#cluster.crashNode(machine, losesPower());
      this.#cluster.loop.after(this.#random.between(20, 600), "fault", null, "restart", () => {
        if (this.#active) this.#restart(machine);
      });
    }
  }

  /** Leaders are where it hurts. */
  #target(mustLead: boolean): Machine {
    const random = this.#random;
    const leaders = [...this.#cluster.replicas()].filter(({ shard }) => shard.isLeader);
    if (leaders.length > 0 && (mustLead || random.chance(1, 2))) return random.pick(leaders).machine;
    return random.pick(this.#cluster.machines);
  }

  #cut(paths: readonly (readonly [string, string])[]): () => void {
    const join = this.#cluster.network.cut(paths);
    this.#openCuts++;
    return () => {
      this.#openCuts--;
      join();
    };
  }

  /** Its ways to the other nodes, or also theirs to it; gateways may be on either side. */
  #pathsAround(name: string, bothWays: boolean): [string, string][] {
    const { machines, gatewayAddresses } = this.#cluster;
    const paths: [string, string][] = [];
    for (const other of machines) {
      if (other.name === name) continue;
      paths.push([name, other.name]);
      if (bothWays) paths.push([other.name, name]);
    }
    if (this.#random.chance(1, 2)) {
      for (let i = 1; i <= gatewayAddresses.length; i++) paths.push([name, `gateway-${i}`], [`gateway-${i}`, name]);
    }
    return paths;
  }

  /** Two sides with gateways on each: clients of one side go on talking to a leader that the other side has replaced. */
  #pathsBetweenSides(alone: string): [string, string][] {
    const { machines, gatewayAddresses } = this.#cluster;
    const withIt = this.#random.below(gatewayAddresses.length);
    const names = [...machines.map(({ name }) => name), ...gatewayAddresses.map((_, index) => `gateway-${index + 1}`)];
    const inside = new Set([alone, `gateway-${withIt + 1}`]);
    return names.flatMap((from) =>
      names.filter((to) => inside.has(from) !== inside.has(to)).map((to): [string, string] => [from, to]),
    );
  }

  #restart(machine: Machine): void {
    if (!machine.isUp) this.#cluster.startNode(machine);
  }
}
