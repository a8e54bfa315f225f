/** An example under kills: which programs, which input, and what must be there at the end, by a count that is not the example's own. */
import { setTimeout as pause } from "node:timers/promises";
import type { LocalCluster } from "@headrace/testkit";
import { Stage, type FaultKind, type Program } from "./stage.ts";

export interface Scenario {
  readonly name: string;
  readonly promise: "exactly once" | "exactly once; one variant at least once";
  /** Leaders of these keys' shards are killed, in turn. */
  readonly keys: readonly string[];
  /** Starts the producers (`stage.feed`) and the services, which it gives back. */
  begin(stage: Stage): readonly Service[];
  /** Everything fed is in the streams: waits until all is done with. */
  settle(stage: Stage): Promise<void>;
  /** After the services have ended. What is not as promised, in words; and how many effects were counted. */
  check(stage: Stage): Promise<Findings>;
}

export interface Service {
  program: Program;
  /** In the place of one that was killed. */
  readonly again: (generation: number) => Program;
}

export interface Findings {
  readonly expected: number;
  readonly counted: number;
  readonly wrong: readonly string[];
}

export interface Outcome extends Findings {
  readonly name: string;
  readonly promise: string;
  readonly kills: number;
  readonly gatewayKills: number;
  readonly programKills: number;
  readonly seconds: number;
  /** What the programs counted: answers that did not come (`repeated`, `begunAgain`) … */
  readonly programs: Readonly<Record<string, number>>;
}

/** N leaders, and between them now and then the gateway, and a program of the example. */
export function planOf(kills: number): readonly FaultKind[] {
  return Array.from({ length: kills }, (_, at): readonly FaultKind[] => {
    if (at % 5 === 1) return ["leader", "gateway"];
    return at % 5 === 3 ? ["leader", "service"] : ["leader"];
  }).flat();
}

export async function play(
  scenario: Scenario,
  { cluster, shards }: { readonly cluster: LocalCluster; readonly shards: number },
  faults: { readonly plan: readonly FaultKind[]; readonly withinMs: number },
  progress: (text: string) => void = () => undefined,
): Promise<Outcome> {
  const fromMs = performance.now();
  const stage = new Stage(cluster, shards);
  try {
    await stage.until("an empty cluster", () => stage.redis.flushall());
    const services = scenario.begin(stage);
    await stage.until("the first entries", async () =>
      (await stage.redis.exists(...scenario.keys)) > 0 ? true : null,
    );
    const struck: Record<FaultKind, number> = { leader: 0, gateway: 0, service: 0 };
    let generation = 1;
    const plan = faults.plan.filter((kind) => kind !== "service" || services.length > 0);
    for (const [at, kind] of plan.entries()) {
      if (performance.now() - fromMs > faults.withinMs) break;
      const key = scenario.keys[struck.leader % scenario.keys.length]!;
      struck[kind]++;
      const what = await stage.strike(kind, key, async () => {
        const service = services[generation % services.length]!;
        await service.program.kill();
        service.program = service.again(++generation);
      });
      progress(
        `${scenario.name}: kill ${at + 1} of ${plan.length}, ${what}; ${stage.given} lines so far, ${Math.round((performance.now() - fromMs) / 1000)} s`,
      );
      await pause(100);
    }
    await stage.endInput();
    await scenario.settle(stage);
    for (const { program } of services) await stage.finish(program);
    const findings = await scenario.check(stage);
    return {
      name: scenario.name,
      promise: scenario.promise,
      kills: struck.leader,
      gatewayKills: struck.gateway,
      programKills: struck.service,
      seconds: Math.round((performance.now() - fromMs) / 100) / 10,
      programs: stage.counts,
      ...findings,
    };
  } finally {
    await stage.close();
  }
}

/** Says so when two lists differ, and where. */
export function difference(what: string, found: readonly unknown[], expected: readonly unknown[]): readonly string[] {
  const length = Math.max(found.length, expected.length);
  for (let at = 0; at < length; at++) {
    if (found[at] === expected[at]) continue;
    return [
      `${what}: ${found.length} instead of ${expected.length}, at ${at} ${JSON.stringify(found.slice(at, at + 3))} instead of ${JSON.stringify(expected.slice(at, at + 3))}`,
    ];
  }
  return [];
}
