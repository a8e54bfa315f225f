/**
 * Real nodes and gateways under load while their network and processes fail; after each round everything is healed, a quiet reader looks at what is
 * there, and the simulator's checkers compare it with what the clients saw. Rounds have streams of their own, so that histories stay small.
 */
import { setTimeout as pause } from "node:timers/promises";
import {
  ClientWork,
  ErrorReply,
  GROUP,
  GroupNames,
  History,
  judgedStreams,
  preparations,
  SeededRandom,
  workStreams,
} from "@headrace/sim";
import type { AckLevel, Entry, FinalView, PendingRow, ReplyValue, WorkStreams } from "@headrace/sim";
import { groupsOf, ProxiedCluster } from "@headrace/testkit";
import { RealFaults, type RealFaultKind } from "./real-faults.ts";
import { EventCounter, RecordingClient } from "./recording-client.ts";

export interface NetworkFaultsOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly roundMs: number;
  readonly meanGapMs: number;
}

export interface NetworkFaultsResult {
  readonly faults: ReadonlyMap<RealFaultKind, number>;
  /** `XADD answered`, `XADD -UNCERTAIN`, … → how often. */
  readonly replies: ReadonlyMap<string, number>;
  readonly operations: number;
  readonly connections: number;
  /** Terms begun beyond the first, over all groups. */
  readonly elections: number;
}

const CLIENTS = 8;
const CLIENT_PAUSE_MAX_MS = 60;
/** After healing everything must be served within this time, on a machine that is busy with other things. */
const SERVED_WITHIN_MS = 60_000;
const SHARDS = 4;

/** Throws on the first contradiction, with the seed, the round and what was done. */
export async function runNetworkFaults(options: NetworkFaultsOptions): Promise<NetworkFaultsResult> {
  const random = new SeededRandom(options.seed);
  const cluster = await ProxiedCluster.start({
    nodes: 3,
    gateways: 2,
    shards: SHARDS,
    chance: () => random.u32() / 0x1_0000_0000,
  });
  const faults = new Map<RealFaultKind, number>();
  const replies = new Map<string, number>();
  let operations = 0;
  let failed = true;
  try {
    const before = await cluster.leaders();
    for (let round = 1; round <= options.rounds; round++) {
      const run = new Round(cluster, random.fork(), options, round);
      const history = await run.run();
      operations += run.operations;
      for (const [kind, times] of run.faults.counts) faults.set(kind, (faults.get(kind) ?? 0) + times);
      for (const [kind, times] of history.classes) replies.set(kind, (replies.get(kind) ?? 0) + times);
    }
    const after = await cluster.leaders();
    let elections = 0;
    for (const [group, term] of after.terms) elections += term - (before.terms.get(group) ?? term);
    failed = false;
    return { faults, replies, operations, connections: cluster.network.connectionsMade, elections };
  } finally {
    await cluster.destroy(failed);
  }
}

class Round {
  readonly faults: RealFaults;
  operations = 0;
  readonly #cluster: ProxiedCluster;
  readonly #random: SeededRandom;
  readonly #options: NetworkFaultsOptions;
  readonly #round: number;
  readonly #streams: WorkStreams;
  readonly #history: History = new History();
  readonly #counter: EventCounter = new EventCounter();
  readonly #clients: RecordingClient[] = [];
  readonly #ports: readonly number[];
  #working = true;

  constructor(cluster: ProxiedCluster, random: SeededRandom, options: NetworkFaultsOptions, round: number) {
    this.#cluster = cluster;
    this.#random = random;
    this.#options = options;
    this.#round = round;
    this.#streams = workStreams(String(round));
    this.#ports = cluster.gateways.map(({ port }) => port);
    this.faults = new RealFaults(random.fork(), cluster, options.meanGapMs);
  }

  async run(): Promise<History> {
    const quiet = this.#client("admin", 0, "ALL", () => undefined);
    try {
      for (const request of preparations(this.#streams)) {
        await this.#insist(
          quiet,
          request,
          (reply) => reply === "OK" || (reply instanceof ErrorReply && reply.code === "BUSYGROUP"),
        );
      }
      this.#startClients();
      this.faults.start();
      await pause(this.#options.roundMs);
      this.#working = false;
      await this.faults.heal();
      this.#history.check(await this.#look(quiet));
      return this.#history;
    } catch (error) {
      await this.faults.heal();
      throw new Error(
        [
          (error as Error).message,
          `seed ${this.#options.seed}, round ${this.#round}; logs and data in ${this.#cluster.directory}`,
          "HEADRACE_FAULT_SEED=<seed> draws the same faults again; when they meet what is chance. What was done, in ms:",
          ...this.faults.schedule,
        ].join("\n"),
        { cause: error },
      );
    } finally {
      this.#working = false;
      quiet.close();
      for (const client of this.#clients) client.close();
    }
  }

  #client(
    name: string,
    firstPort: number,
    ack: AckLevel,
    onReply: ConstructorParameters<typeof RecordingClient>[1],
  ): RecordingClient {
    return new RecordingClient({ name, ports: this.#ports, firstPort, ack, counter: this.#counter }, onReply);
  }

  #startClients(): void {
    const readersOfTen = this.#random.pick([0, 2, 5]);
    const names = new GroupNames();
    for (let i = 0; i < CLIENTS; i++) {
      const name = `r${this.#round}c${i}`;
      const random = this.#random.fork();
      const work = new ClientWork(name, random.fork(), {
        streams: this.#streams,
        names,
        isReader: random.chance(readersOfTen, 10),
      });
      const depth = random.pick([1, 1, 4, 8]);
      const ack = random.pick<AckLevel>(["ALL", "ALL", "1", "0"]);
      const client = this.#client(name, i, ack, (operation) => {
        this.operations++;
        try {
          this.#history.add(operation);
        } catch (error) {
          client.failure ??= error as Error;
        }
        work.heard(operation);
      });
      this.#clients.push(client);
      const turn = (): void => {
        if (!this.#working) return;
        setTimeout(turn, random.below(CLIENT_PAUSE_MAX_MS));
        if (random.chance(1, 400)) client.drop();
        for (let n = random.between(1, depth); n > 0 && client.openRequests < 32; n--) {
          if (!client.send(work.next()).open) break;
        }
      };
      turn();
    }
  }

  /** Asks until the answer is one that it accepts. */
  async #insist(
    client: RecordingClient,
    args: readonly string[],
    accept: (reply: ReplyValue) => boolean,
  ): Promise<ReplyValue> {
    const giveUpMs = performance.now() + SERVED_WITHIN_MS;
    for (;;) {
      const operation = client.send(args);
      while (operation.open) await pause(5);
      const { reply } = operation;
      if (reply !== undefined && accept(reply)) return reply;
      if (performance.now() > giveUpMs) {
        throw new Error(
          `not served within ${SERVED_WITHIN_MS} ms: ${args.join(" ")}, last answer ${JSON.stringify(reply)}`,
        );
      }
      await pause(20);
    }
  }

  /** Every request gets its fate: only then is what the reader finds the last word. */
  async #settle(): Promise<void> {
    const giveUpMs = performance.now() + SERVED_WITHIN_MS;
    while (this.#clients.some((client) => client.openRequests > 0)) {
      if (performance.now() > giveUpMs) throw new Error(`requests still open ${SERVED_WITHIN_MS} ms after healing`);
      await pause(10);
    }
    for (const { failure } of this.#clients) if (failure !== null) throw failure;
  }

  async #look(client: RecordingClient): Promise<FinalView> {
    await this.#settle();
    const entries = new Map<string, readonly Entry[]>();
    const pending = new Map<string, readonly PendingRow[]>();
    const drained = new Map<string, readonly string[]>();
    const { grouped, idempotent, unacked } = this.#streams;
    for (const stream of idempotent) {
      entries.set(stream, (await this.#insist(client, ["XRANGE", stream, "-", "+"], Array.isArray)) as never);
    }
    for (const stream of judgedStreams(this.#streams)) {
      await this.#insist(client, ["XADD", `${stream}end`, "*", "p", "end"], (reply) => typeof reply === "string");
      entries.set(stream, (await this.#insist(client, ["XRANGE", stream, "-", "+"], Array.isArray)) as never);
    }
    for (const stream of [...grouped, ...unacked]) {
      const listed = await this.#insist(client, ["XPENDING", stream, GROUP, "-", "+", "1000000"], Array.isArray);
      const rows = (listed as unknown as [string, string, number, number][]).map(([id, consumer, , deliveries]) => ({
        id,
        consumer,
        deliveries,
      }));
      pending.set(stream, rows);
      drained.set(stream, await this.#drain(client, stream));
    }
    await this.#awaitEqualReplicas();
    return { entries, pending, drained };
  }

  /** What the group had not handed out. Nothing is asked twice: with everything healed no answer may be lost. */
  async #drain(client: RecordingClient, stream: string): Promise<readonly string[]> {
    const ids: string[] = [];
    for (;;) {
      const operation = client.send(["XREADGROUP", "GROUP", GROUP, "drain", "COUNT", "100", "STREAMS", stream, ">"]);
      while (operation.open) await pause(5);
      const { reply } = operation;
      if (reply === null) return ids;
      if (!Array.isArray(reply))
        throw new Error(`with everything healed, ${stream} was answered ${JSON.stringify(reply)}`);
      const [[, found]] = reply as unknown as [[string, Entry[]]];
      for (const [id] of found) ids.push(id);
    }
  }

  async #awaitEqualReplicas(): Promise<void> {
    const giveUpMs = performance.now() + SERVED_WITHIN_MS;
    for (;;) {
      const answers = await Promise.all(this.#cluster.nodes.map(groupsOf));
      const applied = new Map<number, Set<number>>();
      for (const groups of answers) {
        for (const { groupId, applied: index } of groups ?? []) {
          applied.set(groupId, (applied.get(groupId) ?? new Set()).add(index));
        }
      }
      const isWhole = answers.every((groups) => groups?.length === SHARDS + 1);
      if (isWhole && [...applied.values()].every((indexes) => indexes.size === 1)) return;
      if (performance.now() > giveUpMs) throw new Error("the replicas did not come to the same index after healing");
      await pause(50);
    }
  }
}

/** From the environment, to try again; else fresh. */
export function faultSeed(): number {
  const given = process.env["HEADRACE_FAULT_SEED"];
  return given === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(given);
}

/** One line for the log of the test run. */
export function told(seed: number, result: NetworkFaultsResult): string {
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, times]) => `${name} ${times}`)
      .join(", ");
  const { operations, elections, connections } = result;
  return `seed ${seed}: ${operations} operations, ${elections} elections, ${connections} connections\n  ${list(result.faults)}\n  ${list(result.replies)}`;
}
