/**
 * Where an example is run: its programs as processes against a real cluster, input that goes on while leaders are killed, and somebody who waits and
 * counts. Knows nothing of what any example does.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { groupOfKey, killGateway, killLeader, wholeAgain, type LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LOOK_EVERY_MS = 20;
const WITHIN_MS = 60_000;
/** So many lines every few milliseconds, all the time; and at once shortly before a kill, so that it falls into work. */
const STEADY_LINES = 4;
const STEADY_EVERY_MS = 20;
const BURST_LINES = 1000;
const BEFORE_KILL_MS = 30;

/** Debian's own interpreter: another one first on the PATH does not have Debian's packages. */
export const PYTHON = "/usr/bin/python3";

export type FaultKind = "leader" | "gateway" | "service";

/** A process of an example. */
export class Program {
  readonly name: string;
  readonly child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #out = "";
  #err = "";

  constructor(script: string, args: readonly string[]) {
    this.name = `${script} ${args.join(" ")}`;
    const runner = script.endsWith(".py") ? PYTHON : process.execPath;
    this.child = spawn(runner, [script, ...args], { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => (this.#out += text));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.#err += text));
    this.child.stdin!.on("error", () => {
      // It has ended with input left: its exit code and standard error say why.
    });
    this.#ended = new Promise((ended) => this.child.once("close", (code) => ended(code)));
  }

  /** Whole lines that it has printed. */
  lines(): readonly string[] {
    return this.#out.split("\n").slice(0, -1);
  }

  /** Ends its input, or asks it to finish; the JSON that it printed last. */
  async finish(how: "input" | "signal" | "wait"): Promise<Record<string, number>> {
    this.child.stdin!.end();
    if (how === "signal") this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), WITHIN_MS);
    const code = await this.#ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`${this.name} ended with ${code}\n${this.#err}`);
    try {
      return JSON.parse(this.lines().at(-1) ?? "{}") as Record<string, number>;
    } catch {
      return {};
    }
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#ended;
  }

  get hasFailed(): boolean {
    return this.child.exitCode !== null && this.child.exitCode !== 0;
  }

  get complaint(): string {
    return `${this.name}\n${this.#err}`;
  }
}

/** A producer and what it was given. */
export interface Fed {
  readonly program: Program;
  readonly lines: string[];
}

export class Stage {
  readonly cluster: LocalCluster;
  readonly redis: Redis;
  readonly shards: number;
  readonly fed: Fed[] = [];
  readonly #programs: Program[] = [];
  readonly #makers: ((number: number) => string)[] = [];
  #feeding: NodeJS.Timeout | null = null;
  /** What the programs said at their end, added up by name. */
  readonly counts: Record<string, number> = {};

  constructor(cluster: LocalCluster, shards: number) {
    this.cluster = cluster;
    this.shards = shards;
    this.redis = new Redis(cluster.url, { protocol: 2, retryStrategy: () => 50 } as Record<string, unknown>);
    this.redis.on("error", () => {
      // What is asked is asked again.
    });
  }

  /** A path below examples/, or one with a folder of the tests in front. */
  run(script: string, ...args: readonly string[]): Program {
    const path = script.startsWith("test/") ? script : `examples/${script}`;
    const program = new Program(path, ["--url", this.cluster.url, ...args]);
    this.#programs.push(program);
    return program;
  }

  /** A producer that is given `line(1)`, `line(2)` … until `endInput`. */
  feed(line: (number: number) => string, script: string, ...args: readonly string[]): Fed {
    const fed = { program: this.run(script, ...args), lines: [] };
    this.fed.push(fed);
    this.#makers.push(line);
    this.#feeding ??= setInterval(() => this.#give(STEADY_LINES), STEADY_EVERY_MS);
    return fed;
  }

  /** Lines given to all producers. */
  get given(): number {
    return this.fed.reduce((sum, { lines }) => sum + lines.length, 0);
  }

  #give(count: number): void {
    for (const [at, { program, lines }] of this.fed.entries()) {
      const more = Array.from({ length: count }, (_, next) => this.#makers[at]!(lines.length + next + 1));
      lines.push(...more);
      program.child.stdin!.write(more.map((line) => `${line}\n`).join(""));
    }
  }

  /** Kill -9 in the middle of work, and everything up again. What was killed, in words. */
  async strike(kind: FaultKind, key: string, service: () => Promise<void>): Promise<string> {
    this.#give(BURST_LINES);
    await pause(BEFORE_KILL_MS);
    if (kind === "gateway") {
      await killGateway(this.cluster);
      return "the gateway";
    }
    if (kind === "service") {
      await service();
      return "a program of the example";
    }
    const group = groupOfKey(key, this.shards);
    const leader = await killLeader(this.cluster, group);
    await wholeAgain(this.cluster, leader);
    return `node ${leader.id}, the leader of shard ${group}`;
  }

  /** No more lines; the producers end when all of theirs are added. */
  async endInput(): Promise<void> {
    if (this.#feeding !== null) clearInterval(this.#feeding);
    this.#feeding = null;
    for (const { program } of this.fed) this.#count(await program.finish("input"));
  }

  async finish(program: Program): Promise<void> {
    this.#count(await program.finish("signal"));
  }

  #count(counts: Record<string, number>): void {
    for (const [name, count] of Object.entries(counts)) this.counts[name] = (this.counts[name] ?? 0) + count;
  }

  /** A command that only reads, asked until it is answered. */
  async ask<T>(...command: readonly [string, ...(string | number)[]]): Promise<T> {
    return this.until(`an answer to ${command.join(" ")}`, async () => ({
      reply: await this.redis.call(...command),
    })).then(({ reply }) => reply as T);
  }

  /** All entries of a stream. */
  async entries(key: string): Promise<readonly [id: string, fields: string[]][]> {
    const found: [string, string[]][] = [];
    for (let from = "-"; ;) {
      const page = await this.ask<[string, string[]][]>("XRANGE", key, from, "+", "COUNT", 5000);
      found.push(...page);
      if (page.length < 5000) return found;
      from = `(${page.at(-1)![0]}`;
    }
  }

  /** Until the group has nothing left and nothing pending. */
  async drained(key: string, group: string): Promise<void> {
    await this.until(`${group} to be done with ${key}`, async () => {
      const groups = (await this.redis.call("XINFO", "LAG", key)) as unknown[][];
      const mine = groups.map(pairs).find((each) => each["name"] === group);
      return mine !== undefined && mine["lag"] === 0 && mine["pending"] === 0 ? true : null;
    });
  }

  /** Asks until there is something; failures of the moment count as nothing. Bounded, and ends when a program has failed. */
  async until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
    const giveUpMs = performance.now() + WITHIN_MS;
    let last: unknown = null;
    for (;;) {
      const broken = this.#programs.find((program) => program.hasFailed);
      if (broken !== undefined) throw new Error(`a program has failed: ${broken.complaint}`);
      const found = await look().catch((error: unknown) => {
        last = error;
        return null;
      });
      if (found !== null) return found;
      if (performance.now() > giveUpMs) throw new Error(`waited in vain for ${what} (${String(last)})`);
      await pause(LOOK_EVERY_MS);
    }
  }

  async close(): Promise<void> {
    if (this.#feeding !== null) clearInterval(this.#feeding);
    for (const program of this.#programs) await program.kill();
    this.redis.disconnect();
  }
}

function pairs(flat: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, at) => [flat[at * 2], flat[at * 2 + 1]]));
}
