/**
 * A cluster under load and faults is backed up, and another one is founded from the backup, on another number of nodes, which crash meanwhile. Each stream
 * must be there as it was behind one of its writer's steps: no earlier one than those that were answered before the backup was asked for, none that was
 * sent after it was taken.
 */
import { Faults } from "./faults.ts";
import { ModelledStream } from "./modelled-stream.ts";
import { ErrorReply, type ReplyValue } from "./reply-value.ts";
import { SeededRandom } from "./seeded-random.ts";
import { Scene } from "./scene.ts";
import { SimulatedBackup } from "./simulated-backup.ts";
import { clusterOptionsOf, type ClusterOptions, type Machine } from "./simulated-cluster.ts";

const STREAMS = 10;
const WRITER_PAUSE_MAX_MS = 30;
/** What a source cluster meets; of its disk nothing is lost. */
const SOURCE_FAULTS = ["kill", "powerCut", "handOver", "partition", "stop", "evict"];
/** A view is read in a second or two: time enough to be disturbed. */
const SOURCE_BYTES_PER_SECOND = 200_000;
/** Founders have found each other by then. */
const RESTORING_WITHIN_MS = 1500;
const NOTHING_PLACED = "no replica is placed on this node";

/** What a backup holds, and between which steps of each stream's writer it was taken. */
export interface TakenBackup {
  readonly backup: SimulatedBackup;
  readonly streams: readonly { readonly model: ModelledStream; readonly from: number; readonly to: number }[];
  /** Steps that were answered before it was asked for. */
  readonly steps: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** One machine crashes at one operation of its disk, and comes back. */
export interface CrashAt {
  readonly machine: number;
  /** From 1. */
  readonly operation: number;
  readonly isAfter: boolean;
  readonly losesPower: boolean;
}

export interface RestorationOptions {
  readonly seed: number;
  readonly nodes: number;
  /** So many machines crash, each at some moment. */
  readonly crashes: number;
  readonly crashAt?: CrashAt;
}

export interface RestorationResult {
  readonly counts: ReadonlyMap<string, number>;
  /** Of crashes: how many met a machine that was being restored. */
  readonly crashedInTheMiddle: number;
}

/** From one seed: a cluster, its writers, its faults; and a backup of it in the middle of all that. Throws when it can't be taken. */
export function simulateBackup(seed: number): TakenBackup {
  const random = new SeededRandom(seed);
  const options: ClusterOptions = {
    ...clusterOptionsOf(seed),
    fsync: "always",
    shards: random.pick([1, 2, 4]),
    spares: 0,
    snapshotBytesPerSecond: SOURCE_BYTES_PER_SECOND,
  };
  const scene = new Scene(random.fork(), options);
  const models = Array.from({ length: STREAMS }, (_, i) => new ModelledStream(`b${i}`, random.fork()));
  models.forEach((model, i) => write(scene, model, i, random.fork()));
  const faults = new Faults(random.fork(), scene.cluster, { kinds: SOURCE_FAULTS });
  scene.runUntil(
    () => models.every(({ acknowledged }) => acknowledged > 0),
    () => "writers have begun",
  );
  faults.start();
  scene.runFor(random.between(500, 4000));
  const from = models.map(({ acknowledged }) => acknowledged);
  scene.runUntil(
    () => scene.cluster.state !== null,
    () => "a node that is up",
  );
  const { state } = scene.cluster;
  // In a storm that never ends no view lives long enough.
  scene.after(random.between(100, 4000), () => faults.heal());
  const backup = SimulatedBackup.take(state!, scene.asker());
  const streams = models.map((model, i) => ({ model, from: from[i]!, to: model.sent }));
  return { backup, streams, steps: from.reduce((sum, steps) => sum + steps, 0), counts: scene.loop.counts };
}

function write(scene: Scene, model: ModelledStream, number: number, random: SeededRandom): void {
  const pause = (): void => scene.after(random.below(WRITER_PAUSE_MAX_MS), go);
  const client = scene.client(`w${number}`, number, ({ reply }) => {
    model.heard(reply);
    pause();
  });
  const go = (): void => {
    if (model.isOver) return;
    // Not connected: nothing was sent.
    if (!client.send(model.begin()).open) pause();
  };
  pause();
}

/** Founds a cluster from it and looks at what is there. Throws on any contradiction. */
export function simulateRestoration(taken: TakenBackup, options: RestorationOptions): RestorationResult {
  const random = new SeededRandom(options.seed);
  const scene = new Scene(random.fork(), {
    ...clusterOptionsOf(options.seed),
    spares: 0,
    nodes: options.nodes,
    backup: taken.backup,
  });
  const { cluster, loop } = scene;
  let crashedInTheMiddle = 0;
  let open = 0;
  const crash = (machine: Machine, losesPower: boolean): void => {
    if (!machine.isUp) return;
    if (isRestoring(machine)) crashedInTheMiddle++;
    cluster.crashNode(machine, losesPower);
    open++;
    loop.after(random.between(20, 1500), "fault", null, "restart", () => {
      open--;
      cluster.startNode(machine);
    });
  };
  const { crashAt } = options;
  if (crashAt !== undefined) {
    const machine = cluster.machines[crashAt.machine]!;
    machine.disk.faults.crashIn = crashAt.operation;
    machine.disk.faults.crashAfterOperation = crashAt.isAfter;
    machine.disk.faults.onCrash = () => crash(machine, crashAt.losesPower);
  }
  for (let i = 0; i < options.crashes; i++) {
    scene.runFor(random.below(random.pick([5, 40, 400])));
    if (random.chance(1, 2)) scene.runFor(RESTORING_WITHIN_MS, () => cluster.machines.some(isRestoring));
    if (cluster.machines.some(isRestoring)) scene.runFor(random.below(30));
    const up = (): readonly Machine[] => cluster.machines.filter((machine) => machine.isUp);
    scene.runUntil(
      () => up().length > 0,
      () => "a machine that is up",
    );
    const restoring = up().filter(isRestoring);
    crash(random.pick(restoring.length > 0 ? restoring : up()), random.chance(1, 2));
  }
  // Of few shards some nodes get none, and say so.
  const isReady = ({ node }: Machine): boolean =>
    node !== null && node.member !== null && node.readiness().reasons.every((reason) => reason === NOTHING_PLACED);
  scene.runUntil(
    () => open === 0 && cluster.machines.every(isReady),
    () => cluster.machines.map(({ name, node }) => `${name}: ${node?.readiness().reasons.join()}`).join("; "),
  );
  compare(scene, taken);
  return { counts: loop.counts, crashedInTheMiddle };
}

function isRestoring({ node }: Machine): boolean {
  return node?.readiness().reasons.join().startsWith("restoring") === true;
}

function compare(scene: Scene, { streams }: TakenBackup): void {
  const replies: (ReplyValue | undefined)[] = [];
  const client = scene.client("reader", 0, ({ reply }) => replies.push(reply));
  const ask = (words: readonly string[]): ReplyValue => {
    for (;;) {
      replies.length = 0;
      if (client.send(words).open) {
        scene.runUntil(
          () => replies.length > 0,
          () => `an answer to ${words.join(" ")}`,
        );
        const [reply] = replies;
        const isRefused = reply instanceof ErrorReply && reply.code !== "ERR" && reply.code !== "NOGROUP";
        if (reply !== undefined && !isRefused) return reply;
      }
      scene.runFor(50);
    }
  };
  for (const { model, from, to } of streams) {
    const answers = model.questions().map(ask);
    const moment = model.momentOf(answers, from, to);
    if (moment >= 0) continue;
    const any = model.momentOf(answers, 0, model.sent);
    const was = any < 0 ? "as it never was" : `as it was behind step ${any}`;
    throw new Error(`${model.name} is restored ${was}; its backup was taken between steps ${from} and ${to}`);
  }
  // It goes on as any cluster.
  for (const { model } of streams) {
    const reply = ask(["XADD", model.name, "*", "p", "after"]);
    if (typeof reply !== "string") throw new Error(`${model.name} takes nothing: ${JSON.stringify(reply)}`);
  }
}
