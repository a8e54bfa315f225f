/**
 * The bad things that can happen, one row each: add a fault here and nowhere else. A row does its harm to a machine and says how it ends; it answers
 * whether anything was done at all.
 */
import { dataSlot } from "@headrace/engine";
import { MetaAsk } from "@headrace/meta";
import type { DiskTimes } from "./sim-disk.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Machine, SimulatedCluster } from "./simulated-cluster.ts";

export const usualDiskTimes: DiskTimes = { writeMinMs: 0.05, writeMaxMs: 0.6 };

export interface FaultWorld {
  readonly cluster: SimulatedCluster;
  /** Of this fault alone. */
  readonly random: SeededRandom;
  /** Whom it meets. */
  readonly machine: Machine;
  /** Runs something later, unless everything was healed before. */
  readonly later: (run: () => void, minMs: number, maxMs: number) => void;
  /** Cuts directed paths; the answer joins them again. */
  readonly cut: (paths: readonly (readonly [from: string, to: string])[]) => () => void;
  readonly restart: (machine: Machine) => void;
}

export interface FaultRow {
  readonly kind: string;
  /** In how many of ten runs it can happen. */
  readonly chanceOf10: number;
  readonly isCut?: true;
  readonly mustLead?: true;
  readonly inject: (world: FaultWorld) => boolean;
}

const FLIP_TRIES = 300;

/** By the key of a row in the store: generation, slot (node/checkpoint-row.ts). */
function isRowOfEntries(key: string): boolean {
  return ((key.charCodeAt(4) << 8) | key.charCodeAt(5)) >= dataSlot(0);
}

export const faultTable: readonly FaultRow[] = [
  {
    kind: "kill",
    chanceOf10: 5,
    inject: ({ cluster, machine, later, restart }) => {
      if (!machine.isUp) return false;
      cluster.crashNode(machine, false);
      later(() => restart(machine), 20, 1500);
      return true;
    },
  },
  {
    kind: "powerCut",
    chanceOf10: 5,
    inject: ({ cluster, machine, later, restart }) => {
      if (!machine.isUp) return false;
      cluster.crashNode(machine, true);
      later(() => restart(machine), 20, 1500);
      return true;
    },
  },
  {
    kind: "allDown",
    chanceOf10: 5,
    inject: (world) => allDown(world, () => world.random.chance(1, 2)),
  },
  {
    // What was shown or acknowledged meanwhile and is on no disk is gone for good.
    kind: "blackout",
    chanceOf10: 5,
    inject: (world) => {
      const { machines } = world.cluster;
      for (const each of machines) each.disk.times = { writeMinMs: 30, writeMaxMs: 300 };
      world.later(
        () => {
          for (const each of machines) each.disk.times = usualDiskTimes;
          allDown(world, () => true);
        },
        20,
        400,
      );
      return true;
    },
  },
  {
    // The process or the machine stops exactly at one of the next operations of its disk: under way, or done and nobody told.
    kind: "crashAtDisk",
    chanceOf10: 5,
    inject: ({ cluster, machine, random, later, restart }) => {
      if (!machine.isUp) return false;
      const { faults } = machine.disk;
      const losesPower = random.chance(1, 2);
      faults.crashIn = random.between(1, random.pick([2, 12, 60]));
      faults.crashAfterOperation = random.chance(1, 2);
      faults.onCrash = () => {
        if (!machine.isUp) return;
        cluster.crashNode(machine, losesPower);
        later(() => restart(machine), 20, 1500);
      };
      return true;
    },
  },
  {
    // SIGTERM: leadership is handed over, what is held gets its fate, then the process ends.
    kind: "stop",
    chanceOf10: 4,
    inject: ({ cluster, machine, later, restart }) => {
      if (!machine.isServing) return false;
      cluster.stopNode(machine);
      later(() => restart(machine), 1500, 3000);
      return true;
    },
  },
  {
    kind: "handOver",
    chanceOf10: 5,
    inject: ({ cluster, random }) => {
      const leaders = [...cluster.replicas()].filter(({ shard }) => shard.isReady);
      if (leaders.length === 0) return false;
      const { shard } = random.pick(leaders);
      const to = random.pick([null, ...shard.status().matches.map(({ replica }) => replica)]);
      shard.handOver(to, (moved) => cluster.loop.count(moved ? "leadership handed over" : "hand-over given up"));
      return true;
    },
  },
  {
    kind: "partition",
    chanceOf10: 5,
    isCut: true,
    inject: (world) => {
      world.later(world.cut(pathsAround(world, true, true)), 100, 2500);
      return true;
    },
  },
  {
    // It hears and is not heard, or the other way round.
    kind: "oneWay",
    chanceOf10: 5,
    isCut: true,
    inject: (world) => {
      const outward = world.random.chance(1, 2);
      world.later(world.cut(pathsAround(world, outward, !outward)), 100, 2500);
      return true;
    },
  },
  {
    // Two nodes that don't see each other, while the third sees both.
    kind: "pair",
    chanceOf10: 4,
    isCut: true,
    inject: ({ cluster, machine, random, later, cut }) => {
      const other = random.pick(cluster.machines.filter((each) => each !== machine));
      const there: [string, string] = [machine.name, other.name];
      const back: [string, string] = [other.name, machine.name];
      later(cut(random.chance(1, 3) ? [there] : [there, back]), 100, 2500);
      return true;
    },
  },
  {
    kind: "split",
    chanceOf10: 5,
    isCut: true,
    mustLead: true,
    inject: (world) => {
      const { life } = world.machine;
      const join = world.cut(pathsBetweenSides(world));
      // A slow one finds out late that it is alone.
      if (life !== null && world.random.chance(1, 2)) life.timerFactor = world.random.between(2, 5);
      world.later(
        () => {
          join();
          if (life !== null) life.timerFactor = 1;
        },
        300,
        4000,
      );
      return true;
    },
  },
  {
    kind: "loss",
    chanceOf10: 5,
    inject: ({ cluster, random, later }) => {
      const { faults } = cluster.network;
      faults.lossPerMille = random.between(10, 250);
      faults.duplicatePerMille = random.between(0, 100);
      later(() => Object.assign(faults, { lossPerMille: 0, duplicatePerMille: 0 }), 200, 2000);
      return true;
    },
  },
  {
    kind: "reorder",
    chanceOf10: 5,
    inject: ({ cluster, random, later }) => {
      const { faults } = cluster.network;
      faults.duplicatePerMille = random.between(0, 300);
      faults.reorderMaxMs = random.between(1, random.pick([60, 600]));
      faults.maxDelayMs = random.between(1, 20);
      later(() => Object.assign(faults, { duplicatePerMille: 0, reorderMaxMs: 0, maxDelayMs: 0.5 }), 200, 2000);
      return true;
    },
  },
  {
    // SIGSTOP: the clock goes on, nothing runs, connections stay.
    kind: "pause",
    chanceOf10: 5,
    inject: ({ cluster, machine, later }) => {
      const { life } = machine;
      if (life === null || life.paused) return false;
      life.paused = true;
      later(() => cluster.loop.resume(life), 50, 2500);
      return true;
    },
  },
  {
    kind: "skew",
    chanceOf10: 5,
    inject: ({ machine, random }) => {
      machine.skewMs = random.between(-180_000, 180_000);
      if (machine.clock !== null) machine.clock.skewMs = machine.skewMs;
      return true;
    },
  },
  {
    // A clock that runs too fast or too slow: timers are off by up to a third.
    kind: "drift",
    chanceOf10: 3,
    inject: ({ machine, random, later }) => {
      const { life } = machine;
      if (life === null || life.timerFactor !== 1) return false;
      life.timerFactor = random.between(70, 130) / 100;
      later(() => (life.timerFactor = 1), 500, 5000);
      return true;
    },
  },
  {
    kind: "gateway",
    chanceOf10: 4,
    inject: ({ cluster, random }) => {
      cluster.restartGateway(random.below(cluster.gatewayAddresses.length));
      return true;
    },
  },
  {
    kind: "gatewayPause",
    chanceOf10: 3,
    inject: ({ cluster, random, later }) => {
      const { life } = random.pick([...cluster.gateways()]);
      if (life.paused) return false;
      life.paused = true;
      later(() => cluster.loop.resume(life), 50, 1500);
      return true;
    },
  },
  {
    kind: "slowDisk",
    chanceOf10: 5,
    inject: ({ machine, random, later }) => {
      machine.disk.times = { writeMinMs: 2, writeMaxMs: random.between(10, random.pick([400, 1000])) };
      later(() => (machine.disk.times = usualDiskTimes), 200, 2000);
      return true;
    },
  },
  {
    kind: "diskError",
    chanceOf10: 4,
    inject: ({ machine, random }) => {
      const { faults } = machine.disk;
      if (!machine.isServing || faults.hasErred) return false;
      faults.errorIn = random.between(1, random.pick([2, 12, 60]));
      faults.errorStays = random.chance(1, 2);
      return true;
    },
  },
  {
    // One disk, or all of them: then nothing can be written, and afterwards everything again, without a restart.
    kind: "diskFull",
    chanceOf10: 4,
    inject: ({ cluster, machine, random, later }) => {
      const met = random.chance(1, 4) ? cluster.machines : [machine];
      for (const each of met) each.disk.faults.isFull = true;
      later(
        () => {
          for (const each of met) each.disk.faults.isFull = false;
        },
        300,
        4000,
      );
      return true;
    },
  },
  {
    // For a while everything leaves memory as soon as it may.
    kind: "evict",
    chanceOf10: 5,
    inject: ({ cluster, machine, random, later }) => {
      const met = random.chance(1, 2) ? cluster.machines : [machine];
      const endMs = cluster.loop.nowMs + random.between(0, 3000);
      const evict = (): void => {
        for (const { node } of met) {
          const freedBytes = node?.member?.memory.evict(Number.MAX_SAFE_INTEGER) ?? 0;
          cluster.loop.countMany("bytes evicted by a fault", freedBytes);
        }
        if (cluster.loop.nowMs < endMs) later(evict, 1, 10);
      };
      evict();
      return true;
    },
  },
  {
    // A budget that what can't leave memory alone fills, or nearly so: growing writes are refused, and nothing else stays in memory.
    kind: "tightMemory",
    chanceOf10: 4,
    inject: ({ cluster, machine, random, later }) => {
      const member = machine.node === null ? null : machine.node.member;
      if (member === null || member.memory.fixedBytes === 0) return false;
      const { memory } = member;
      memory.budgetBytes = Math.ceil((memory.fixedBytes * random.between(80, 200)) / 100);
      later(() => (memory.budgetBytes = cluster.memoryBytes), 100, 3000);
      return true;
    },
  },
  {
    // One machine at most in a run: a second could take the last good copy, and no program can give that back.
    kind: "bitFlip",
    chanceOf10: 6,
    inject: ({ cluster, machine, random, later }) => {
      const isTaken = (): boolean => cluster.machines.some(({ disk, wipes }) => wipes > 0 || disk.faults.flips > 0);
      const isLog = random.chance(1, 3);
      // Rows that are read again when a process starts are found by that; of entries nobody may ask for.
      const isMeant = random.chance(1, 2) ? isRowOfEntries : (): boolean => true;
      const flip = (triesLeft: number): void => {
        if (isTaken()) return;
        // Moments at which all copies are whole are few: it waits for one.
        const isDone =
          machine.isServing &&
          cluster.isWhole &&
          (isLog ? machine.disk.flipLogBit(random) : machine.disk.flipRowBit(random, isMeant));
        if (isDone) cluster.loop.count(isLog ? "bit of the log flipped" : "bit of the store flipped");
        else if (triesLeft > 0) later(() => flip(triesLeft - 1), 10, 60);
      };
      if (isTaken()) return false;
      flip(FLIP_TRIES);
      return true;
    },
  },
  {
    // `headrace cluster add`, `drain`: replicas move while everything else goes on. Without spares it is refused.
    kind: "duty",
    chanceOf10: 6,
    inject: ({ cluster, machine, random }) => {
      const { state } = cluster;
      if (state === null || cluster.machines.length === state.shards[0]!.replicas.length) return false;
      const nodeId = random.pick(state.nodes).id;
      const asked = machine.isServing ? machine : cluster.machines.find(({ isServing }) => isServing);
      if (asked === undefined) return false;
      cluster.ask(asked, MetaAsk.setDuty, { nodeId, duty: random.pick(["active", "active", "draining"]) });
      return true;
    },
  },
  {
    // An empty disk in the machine, once in a run and when nothing else is missing: it comes back as another node.
    kind: "wipe",
    chanceOf10: 2,
    inject: ({ cluster, machine, later, restart }) => {
      const isTaken = cluster.machines.some(({ disk, wipes }) => wipes > 0 || disk.faults.flips > 0);
      if (isTaken || !machine.isServing || !cluster.isWhole) return false;
      machine.wipes++;
      cluster.crashNode(machine, false);
      machine.disk.wipe();
      later(() => restart(machine), 20, 3000);
      return true;
    },
  },
];

function allDown({ cluster, random, later, restart }: FaultWorld, losesPower: () => boolean): boolean {
  for (const machine of cluster.machines) {
    if (machine.isUp) cluster.crashNode(machine, losesPower());
    later(() => restart(machine), 20, random.between(21, 600));
  }
  return true;
}

/** Its ways to the other nodes, theirs to it, or both; gateways may be on either side. */
function pathsAround({ cluster, machine, random }: FaultWorld, outward: boolean, inward: boolean): [string, string][] {
  const { name } = machine;
  const paths: [string, string][] = [];
  for (const other of cluster.machines) {
    if (other.name === name) continue;
    if (outward) paths.push([name, other.name]);
    if (inward) paths.push([other.name, name]);
  }
  if (random.chance(1, 2)) {
    for (let i = 1; i <= cluster.gatewayAddresses.length; i++)
      paths.push([name, `gateway-${i}`], [`gateway-${i}`, name]);
  }
  return paths;
}

/** Two sides with gateways on each: clients of one side go on talking to a leader that the other side has replaced. */
function pathsBetweenSides({ cluster, machine, random }: FaultWorld): [string, string][] {
  const { machines, gatewayAddresses } = cluster;
  const withIt = random.below(gatewayAddresses.length);
  const names = [...machines.map(({ name }) => name), ...gatewayAddresses.map((_, index) => `gateway-${index + 1}`)];
  const inside = new Set([machine.name, `gateway-${withIt + 1}`]);
  return names.flatMap((from) =>
    names.filter((to) => inside.has(from) !== inside.has(to)).map((to): [string, string] => [from, to]),
  );
}
