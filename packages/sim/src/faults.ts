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
] as const;
export type FaultKind = (typeof kinds)[number];

/** Mean time between two faults, simulated milliseconds. */
const MEAN_GAP_MS = 250;

export class Faults {
  readonly enabled: readonly FaultKind[];
  readonly #random: SeededRandom;
  readonly #cluster: SimulatedCluster;
  #active = true;

  constructor(random: SeededRandom, cluster: SimulatedCluster) {
    this.#random = random;
    this.#cluster = cluster;
    const chosen = kinds.filter(() => random.chance(1, 2));
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
      machine.disk.times = { writeMinMs: 0.05, writeMaxMs: 0.6 };
      if (machine.life?.paused === true) loop.resume(machine.life);
      if (!machine.isUp) this.#cluster.startNode(machine);
    }
  }

  #schedule(): void {
    const { loop } = this.#cluster;
    loop.after(this.#random.between(50, 2 * MEAN_GAP_MS), "fault", null, "", () => {
      if (!this.#active) return;
      this.#inject(this.#random.pick(this.enabled));
      this.#schedule();
    });
  }

  #inject(kind: FaultKind): void {
    const { network, machines, loop } = this.#cluster;
    const random = this.#random;
    const machine = this.#target();
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
        for (const each of machines) {
          if (each.isUp) this.#cluster.crashNode(each, random.chance(1, 2));
          later(() => this.#restart(each), 20, 600);
        }
        return;
      case "partition":
      case "oneWay":
        for (const other of machines) {
          if (other === machine) continue;
          network.cut(machine.name, other.name);
          if (kind === "partition") network.cut(other.name, machine.name);
        }
        // Gateways may be on either side.
        if (random.chance(1, 2)) {
          for (let i = 1; i <= this.#cluster.gatewayAddresses.length; i++) {
            network.cut(machine.name, `gateway-${i}`);
            network.cut(`gateway-${i}`, machine.name);
          }
        }
        later(() => network.heal(), 100, 2500);
        return;
      case "split":
        this.#split(machine.name);
        later(() => network.heal(), 300, 2500);
        return;
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
        later(() => (machine.disk.times = { writeMinMs: 0.05, writeMaxMs: 0.6 }), 200, 2000);
        return;
      default:
        kind satisfies never;
    }
  }

  /** Leaders are where it hurts. */
  #target(): Machine {
    const random = this.#random;
    const leaders = [...this.#cluster.replicas()].filter(({ shard }) => shard.isLeader);
    if (leaders.length > 0 && random.chance(1, 2)) return random.pick(leaders).machine;
    return random.pick(this.#cluster.machines);
  }

  /** Two sides with gateways on each: clients of one side go on talking to a leader that the other side has replaced. */
  #split(alone: string): void {
    const { network, machines, gatewayAddresses } = this.#cluster;
    const withIt = this.#random.below(gatewayAddresses.length);
    const names = [...machines.map(({ name }) => name), ...gatewayAddresses.map((_, index) => `gateway-${index + 1}`)];
    const inside = new Set([alone, `gateway-${withIt + 1}`]);
    for (const from of names) {
      for (const to of names) if (inside.has(from) !== inside.has(to)) network.cut(from, to);
    }
  }

  #restart(machine: Machine): void {
    if (!machine.isUp) this.#cluster.startNode(machine);
  }
}
