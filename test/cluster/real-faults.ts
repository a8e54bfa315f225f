/**
 * Which bad things happen to real processes, and when: the draws come from a seed, the leaders that they hit from the cluster. Everything done is
 * written down with its time, for whoever has to understand a failure.
 */
import type { SeededRandom } from "@headrace/sim";
import type { Place, ProxiedCluster } from "@headrace/testkit";

const kinds = [
  "kill",
  "killAll",
  "pause",
  "partition",
  "oneWay",
  "split",
  "delay",
  "stalls",
  "reset",
  "gateway",
] as const;
export type RealFaultKind = (typeof kinds)[number];

const cuts: readonly RealFaultKind[] = ["partition", "oneWay", "split"];
const LOOK_EVERY_MS = 250;

export class RealFaults {
  readonly counts: Map<RealFaultKind, number> = new Map();
  /** `ms what`, in order. */
  readonly schedule: string[] = [];
  readonly #random: SeededRandom;
  readonly #cluster: ProxiedCluster;
  readonly #meanGapMs: number;
  readonly #startedAtMs: number = performance.now();
  readonly #timers: Set<NodeJS.Timeout> = new Set();
  /** Nodes that lead something, as of the last look. */
  #leading: ReadonlySet<number> = new Set();
  readonly #dying: Set<Promise<void>> = new Set();
  #active = false;
  #openCuts = 0;
  #deck: RealFaultKind[] = [];

  constructor(random: SeededRandom, cluster: ProxiedCluster, meanGapMs: number) {
    this.#random = random;
    this.#cluster = cluster;
    this.#meanGapMs = meanGapMs;
  }

  start(): void {
    this.#active = true;
    this.#look();
    this.#next();
  }

  /** Ends all faults: what is cut is joined, what is down comes up. */
  async heal(): Promise<void> {
    this.#active = false;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#openCuts = 0;
    // One that is still dying would be taken for running, and never started again.
    await Promise.all(this.#dying);
    this.#note("healed");
    this.#cluster.heal();
  }

  #note(text: string): void {
    this.schedule.push(`${Math.round(performance.now() - this.#startedAtMs)} ${text}`);
  }

  #later(lowMs: number, highMs: number, run: () => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (this.#active) run();
      },
      this.#random.between(lowMs, highMs),
    );
    this.#timers.add(timer);
  }

  #look(): void {
    void this.#cluster.leaders().then(({ nodes }) => {
      this.#leading = new Set(nodes.values());
      if (this.#active) this.#later(LOOK_EVERY_MS, LOOK_EVERY_MS, () => this.#look());
    });
  }

  #next(): void {
    this.#later(this.#meanGapMs / 4, (this.#meanGapMs * 7) / 4, () => {
      this.#inject(this.#draw());
      this.#next();
    });
  }

  /** Each kind once before any comes again, in an order of chance: short runs see them all. Cuts upon cuts would leave no majority anywhere. */
  #draw(): RealFaultKind {
    if (this.#deck.length === 0) this.#deck = shuffled(kinds, this.#random);
    const at = this.#deck.findIndex((kind) => this.#openCuts === 0 || !cuts.includes(kind));
    return this.#deck.splice(Math.max(0, at), 1)[0]!;
  }

  #inject(kind: RealFaultKind): void {
    const random = this.#random;
    const cluster = this.#cluster;
    const node = this.#target();
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#note(`${kind} ${node.name}${this.#leading.has(node.id) ? " (leader)" : ""}`);
    switch (kind) {
      case "kill":
        this.#kill(node, 20, 1500);
        return;
      case "killAll":
        for (const each of cluster.nodes) this.#kill(each, 20, 600);
        return;
      case "gateway":
        this.#kill(random.pick(cluster.gateways), 20, 300);
        return;
      case "pause":
        cluster.pause(node);
        this.#end(kind, node, 50, 3000, () => cluster.resume(node));
        return;
      case "partition":
        this.#cut(kind, node, this.#waysAround(node, true));
        return;
      case "oneWay":
        this.#cut(kind, node, this.#waysAround(node, false));
        return;
      case "split":
        this.#cut(kind, node, this.#waysBetweenSides(node));
        return;
      case "delay": {
        const delayMs = random.between(2, 120);
        for (const [from, to] of this.#waysAround(node, true))
          cluster.network.delay(from, to, delayMs, random.between(0, 60));
        this.#end(kind, node, 300, 3000, () => {
          for (const [from, to] of this.#allWays(node)) cluster.network.delay(from, to, 0, 0);
        });
        return;
      }
      case "stalls":
        // What lost packets are to TCP: pieces come late, by a retransmission timeout.
        this.#stalls(node, random.between(3, 10));
        return;
      case "reset":
        for (const other of cluster.places()) cluster.network.reset(node.name, other.name);
        return;
      default:
        kind satisfies never;
    }
  }

  #kill(place: Place, lowMs: number, highMs: number): void {
    const dying = this.#cluster.kill(place).then(() => {
      this.#dying.delete(dying);
      this.#later(lowMs, highMs, () => {
        this.#note(`started ${place.name}`);
        this.#cluster.run(place);
      });
    });
    this.#dying.add(dying);
  }

  #end(kind: RealFaultKind, node: Place, lowMs: number, highMs: number, run: () => void): void {
    this.#later(lowMs, highMs, () => {
      this.#note(`end of ${kind} ${node.name}`);
      run();
    });
  }

  #cut(kind: RealFaultKind, node: Place, ways: readonly (readonly [string, string])[]): void {
    for (const [from, to] of ways) this.#cluster.network.cut(from, to);
    this.#openCuts++;
    this.#end(kind, node, 300, 3000, () => {
      this.#openCuts--;
      for (const [from, to] of ways) this.#cluster.network.join(from, to);
    });
  }

  #stalls(node: Place, left: number): void {
    if (left === 0) return;
    const ways = this.#allWays(node).filter(() => this.#random.chance(1, 2));
    for (const [from, to] of ways) this.#cluster.network.cut(from, to);
    this.#later(20, 200, () => {
      for (const [from, to] of ways) this.#cluster.network.join(from, to);
      this.#later(10, 200, () => this.#stalls(node, left - 1));
    });
  }

  /** Leaders are where it hurts. */
  #target(): Place {
    const leading = this.#cluster.nodes.filter((node) => this.#leading.has(node.id));
    if (leading.length > 0 && this.#random.chance(2, 3)) return this.#random.pick(leading);
    return this.#random.pick(this.#cluster.nodes);
  }

  #allWays(node: Place): [string, string][] {
    const ways: [string, string][] = [];
    for (const { name } of this.#cluster.places())
      if (name !== node.name) ways.push([node.name, name], [name, node.name]);
    return ways;
  }

  /** Between the node and the other nodes, or only from it; gateways may be on either side. */
  #waysAround(node: Place, bothWays: boolean): [string, string][] {
    const withGateways = this.#random.chance(1, 2);
    return this.#allWays(node).filter(([from, to]) => {
      const isOfGateway = from.startsWith("gateway") || to.startsWith("gateway");
      return isOfGateway ? withGateways : bothWays || from === node.name;
    });
  }

  /** Two sides with a gateway on each: clients of one side go on talking to a leader that the other side has replaced. */
  #waysBetweenSides(node: Place): [string, string][] {
    const inside = new Set([node.name, this.#random.pick(this.#cluster.gateways).name]);
    const names = [...this.#cluster.places()].map(({ name }) => name);
    return names.flatMap((from) =>
      names.filter((to) => inside.has(from) !== inside.has(to)).map((to): [string, string] => [from, to]),
    );
  }
}

function shuffled<T>(items: readonly T[], random: SeededRandom): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0]!);
}
