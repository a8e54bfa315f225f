/**
 * Types fixtures into a simulated cluster of three nodes and two gateways, with faults between the commands. Whatever happens there, clients see what the
 * fixture says: the wall clocks stand still where the pure engine's stands, every reply is at ack=all, and a fault begins only when nothing but blocked
 * calls is under way, so that no write is in doubt.
 */
import { bytesOf } from "@headrace/bytes";
import { HARNESS_START_MS } from "../../packages/commands/testing/command-harness.ts";
import { replyText } from "../../packages/commands/testing/reply-text.ts";
import { HandleNames, mayBlock as mayWait, shownReply } from "../../packages/commands/testing/transcript.ts";
import type { TranscriptCase } from "../../packages/commands/testing/transcript.ts";
import { JudgedCluster } from "../../packages/sim/testing/judged-cluster.ts";
import type { JudgedClient } from "../../packages/sim/testing/judged-cluster.ts";
import type { Machine } from "../../packages/sim/src/simulated-cluster.ts";

/** In how many of a hundred gaps between two commands something happens. */
const FAULT_PERCENT = 12;
/** A call that has not answered for so long, with everything served, blocks; a blocked one that has not, sleeps on. */
const QUIET_MS = 60;

interface Typist {
  readonly name: string;
  readonly client: JudgedClient;
}

export class TranscriptCluster {
  readonly faults: Map<string, number> = new Map();
  readonly #judged: JudgedCluster;

  readonly #shards: number;

  constructor(seed: number, shards: number) {
    this.#shards = shards;
    this.#judged = new JudgedCluster(seed, () => HARNESS_START_MS, { nodes: 3, gateways: 2, shards });
  }

  /** What is seen, in the form of the case's own expectation. */
  type(each: TranscriptCase, version: 2 | 3): string {
    const judged = this.#judged;
    this.#calm();
    const admin = judged.connect(0);
    judged.ask(admin, bytesOf("FLUSHALL\r\n"));
    admin.close();
    const typists = new Map<string, Typist>();
    const blocked: Typist[] = [];
    const seen: string[] = [];
    const handles = new HandleNames();
    for (const { client: name, command } of each.lines) {
      let typist = typists.get(name);
      if (typist === undefined) {
        const client = judged.connect(usesOneGateway(each) ? 0 : typists.size);
        if (version === 3) judged.ask(client, bytesOf("HELLO 3\r\n"));
        typist = { name, client };
        typists.set(name, typist);
      }
      if (!mustBeCalm(each)) this.#disturb(blocked.length > 0);
      typist.client.send(bytesOf(`${handles.typed(command)}\r\n`));
      const reply = this.#replyOf(typist, command, mayBlock(each, command));
      if (reply === null) {
        blocked.push(typist);
        seen.push(shownReply(name, "(blocked)"));
      } else {
        seen.push(handles.shown(shownReply(name, replyText(reply, 0, reply.length))));
      }
      for (const woken of this.#wokenOf(blocked)) seen.push(woken);
    }
    for (const { client } of typists.values()) client.close();
    return seen.join("\n");
  }

  /** Null: it blocks. */
  #replyOf({ client }: Typist, command: string, mayBlock: boolean): Uint8Array | null {
    const judged = this.#judged;
    const hasReply = (): boolean => client.replies.length > 0;
    if (mayBlock) {
      judged.runUntil(() => hasReply() || judged.isServing, `${command} is answered or may block`);
      if (!judged.runFor(QUIET_MS, hasReply)) return null;
    }
    judged.runUntil(() => hasReply(), `an answer to ${command}`);
    return client.replies.shift()!;
  }

  /** Those whose blocked calls the last command has ended, in the order in which they blocked. */
  #wokenOf(blocked: Typist[]): string[] {
    if (blocked.length === 0) return [];
    const judged = this.#judged;
    judged.runUntil(() => judged.isServing, "the cluster serves");
    judged.runFor(QUIET_MS);
    const woken: string[] = [];
    for (const typist of blocked.splice(0)) {
      const reply = typist.client.replies.shift();
      if (reply === undefined) blocked.push(typist);
      else woken.push(shownReply(typist.name, replyText(reply, 0, reply.length)));
    }
    return woken;
  }

  /** Something happens to the cluster, or nothing. */
  #disturb(someBlock: boolean): void {
    const { random } = this.#judged;
    if (!random.chance(FAULT_PERCENT, 100)) return;
    // Which of several blocked calls comes first is kept by one leader; a cut-off one keeps it to itself.
    let kinds = Object.keys(this.#table);
    if (someBlock) kinds = this.#shards === 1 ? ["handOver", "roughNetwork", "restartFollower"] : ["roughNetwork"];
    const kind = random.pick(kinds);
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
    this.#table[kind]!();
  }

  readonly #table: Readonly<Record<string, () => void>> = {
    handOver: () => {
      for (const { shard } of this.#judged.leaders()) shard.handOver(null, () => undefined);
    },
    killLeader: () => this.#restart(this.#leader(), false),
    powerCutLeader: () => this.#restart(this.#leader(), true),
    restartFollower: () => this.#restart(this.#follower(), this.#judged.random.chance(1, 2)),
    everyNode: () => {
      for (const machine of this.#judged.cluster.machines) this.#restart(machine, true);
    },
    cutOffLeader: () => this.#cutOff(this.#leader()),
    roughNetwork: () => {
      const { random, cluster } = this.#judged;
      Object.assign(cluster.network.faults, {
        lossPerMille: random.pick([0, 20]),
        duplicatePerMille: random.pick([0, 200]),
        reorderMaxMs: random.pick([0, 4]),
        maxDelayMs: random.pick([0.5, 5]),
      });
    },
  };

  #calm(): void {
    const { cluster } = this.#judged;
    Object.assign(cluster.network.faults, { lossPerMille: 0, duplicatePerMille: 0, reorderMaxMs: 0, maxDelayMs: 0.5 });
    this.#judged.runUntil(() => this.#judged.isServing, "the cluster serves between two cases");
  }

  #leader(): Machine {
    this.#judged.runUntil(() => this.#judged.leaders().length > 0, "there is a leader");
    const leaders = this.#judged.leaders();
    return (this.#shards === 1 ? leaders[0]! : this.#judged.random.pick(leaders)).machine;
  }

  /** Of one shard at least. */
  #follower(): Machine {
    const leader = this.#leader();
    return this.#judged.random.pick(this.#judged.cluster.machines.filter((machine) => machine !== leader));
  }

  #restart(machine: Machine, powerCut: boolean): void {
    const judged = this.#judged;
    judged.cluster.crashNode(machine, powerCut);
    // Longer than a reset takes: nobody sends to a process that is gone.
    judged.runFor(judged.random.between(10, 40));
    judged.cluster.startNode(machine);
  }

  /** The others elect other leaders; this one is joined again when it has stepped down. */
  #cutOff(machine: Machine): void {
    const judged = this.#judged;
    const others = judged.cluster.machines.filter((each) => each !== machine);
    const join = judged.cluster.network.cut(
      others.flatMap(({ name }) => [[name, machine.name] as const, [machine.name, name] as const]),
    );
    judged.runUntil(
      () =>
        judged.leaders().length === this.#shards && judged.leaders().every(({ machine: leader }) => leader !== machine),
      "the others have elected leaders, and the one cut off has noticed",
    );
    join();
  }
}

/** CLIENT and the like see the clients of their own gateway. */
function usesOneGateway(each: TranscriptCase): boolean {
  return each.commands.some((command) =>
    /^(c\d> )?(CLIENT|INFO|CONFIG|MONITOR|SLOWLOG|LATENCY|ACL|PUBSUB)\b/i.test(command),
  );
}

/** EXEC after a change of leader since WATCH answers nil. */
function mustBeCalm(each: TranscriptCase): boolean {
  return each.marks.has("calm") || each.commands.some((command) => /^(c\d> )?WATCH\b/i.test(command));
}

/** It says so, or it is an XADD where a limit may hold it. */
function mayBlock({ commands }: TranscriptCase, command: string): boolean {
  if (mayWait(command)) return true;
  return command.startsWith("XADD ") && commands.some((each) => each.includes("POLICY DELAY"));
}
