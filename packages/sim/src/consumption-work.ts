/**
 * Who lives with the streams of consumption-plan.ts: producers that are faster than consumers most of the time, consumers of whom some are slow and all of whom
 * die now and then, an operator who sends dead letters back, somebody who looks how far groups are behind. Nobody looks after what others have left.
 */
import { CONSUMED, CONSUMING_GROUP, DEAD_STREAMS, canBeDone, isPoison, markOf } from "./consumption-plan.ts";
import type { Ledger } from "./checkers/ledger.ts";
import type { Entry } from "./checkers/reading.ts";
import { ErrorReply, type ReplyValue } from "./reply-value.ts";
import type { Scene } from "./scene.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation, SimClient } from "./sim-client.ts";

/** Until when somebody goes on with what he does. */
export interface Shift {
  isProducing: boolean;
  isConsuming: boolean;
}

export interface WorkWorld {
  readonly scene: Scene;
  readonly ledger: Ledger;
  readonly shift: Shift;
}

/** Two thirds of the time producers are faster than consumers. */
const FLOOD_MS = 90_000;
const CYCLE_MS = 135_000;
const FLOOD_PAUSE_MS: readonly [number, number] = [30, 180];
const EBB_PAUSE_MS: readonly [number, number] = [400, 2000];
const PIPELINED_MAX = 4;
/** What one does who is told that it is too fast, or that nobody can take it. */
const REFUSED_PAUSE_MS = [50, 600] as const;
const DELAYS_MS = ["0", "40", "500", "4000", "30000", "90000"];
const TRY_AGAIN_MS = 60;
/** How long consumers live, and how long they are gone. */
const LIFE_MS = [2000, 90_000] as const;
const ABSENCE_MS = [100, 20_000] as const;
const REDRIVE_EVERY_MS = [10_000, 40_000] as const;
/** All of them at once come back only while there are few. */
const REDRIVEN_WHOLE_MAX = 40;
const LOOK_EVERY_MS = 1000;

export class Producer {
  readonly client: SimClient;
  readonly #world: WorkWorld;
  readonly #name: string;
  readonly #random: SeededRandom;
  #serial = 0;
  #restsUntilMs = 0;

  constructor(world: WorkWorld, name: string, firstGateway: number, random: SeededRandom) {
    this.#world = world;
    this.#name = name;
    this.#random = random;
    this.client = world.scene.client(name, firstGateway, (operation) => this.#heard(operation));
    this.#turn();
  }

  #turn(): void {
    const { scene, shift } = this.#world;
    if (!shift.isProducing) return;
    const { nowMs } = scene.loop;
    const pause = nowMs % CYCLE_MS < FLOOD_MS ? FLOOD_PAUSE_MS : EBB_PAUSE_MS;
    scene.after(this.#random.between(...pause), () => this.#turn());
    if (nowMs < this.#restsUntilMs || this.client.openRequests >= PIPELINED_MAX) return;
    this.#add();
  }

  #add(): void {
    const random = this.#random;
    const { name, isDelayed, bodyBytesMax } = random.pick(CONSUMED);
    const payload = `${this.#name}.${++this.#serial}${markOf(random)}`;
    const delay = isDelayed && random.chance(1, 6) ? ["DELAY", random.pick(DELAYS_MS)] : [];
    const body = "x".repeat(random.between(0, bodyBytesMax));
    const { open } = this.client.send(["XADD", name, ...delay, "*", "p", payload, "b", body]);
    // Not connected: it never left.
    if (!open) return;
    this.#world.ledger.sent(name, payload, body.length);
    if (isPoison(payload)) this.#world.scene.loop.count("poison sent");
    if (delay.length > 0) this.#world.scene.loop.count("delayed entry sent");
  }

  #heard(operation: Operation): void {
    const { ledger, scene } = this.#world;
    ledger.heard(operation);
    const { reply } = operation;
    if (!(reply instanceof ErrorReply)) return;
    scene.loop.count(`XADD -${reply.code}`);
    this.#restsUntilMs = scene.loop.nowMs + this.#random.between(...REFUSED_PAUSE_MS);
  }
}

interface Given {
  readonly stream: string;
  readonly id: string;
  readonly payload: string;
}

export interface ConsumerKind {
  readonly streams: readonly string[];
  /** On one entry. */
  readonly workMs: readonly [number, number];
}

export class Consumer {
  readonly client: SimClient;
  readonly #world: WorkWorld;
  readonly #kind: ConsumerKind;
  readonly #random: SeededRandom;
  readonly #base: string;
  #name: string;
  /** Counts its lives: what an earlier one has begun is over. */
  #life = 0;
  #given: Given[] = [];
  /** Acknowledgements without an answer: it asks again. */
  #unheard: (readonly string[])[] = [];
  #reading: Operation | null = null;

  constructor(
    world: WorkWorld,
    name: string,
    kind: ConsumerKind,
    more: { readonly firstGateway: number; readonly random: SeededRandom },
  ) {
    this.#world = world;
    this.#kind = kind;
    this.#random = more.random;
    this.#base = name;
    this.#name = name;
    this.client = world.scene.client(name, more.firstGateway, (operation) => this.#heard(operation));
    this.#live();
  }

  #live(): void {
    const life = ++this.#life;
    this.#read(life);
    this.#after(this.#random.between(...LIFE_MS), life, () => this.#die(life));
  }

  #after(ms: number, life: number, run: () => void): void {
    this.#world.scene.after(ms, () => {
      if (life === this.#life) run();
    });
  }

  /** What it had is forgotten; if it goes in good order, its group is told. */
  #die(life: number): void {
    const { scene, shift } = this.#world;
    if (!shift.isConsuming) return;
    this.#life = life + 1;
    this.#given = [];
    this.#unheard = [];
    this.#reading = null;
    const random = this.#random;
    if (random.chance(1, 3)) {
      scene.loop.count("consumer left");
      for (const stream of this.#kind.streams)
        this.client.send(["XGROUP", "DELCONSUMER", stream, CONSUMING_GROUP, this.#name, "HANDBACK"]);
    } else {
      scene.loop.count("consumer died");
      this.client.drop();
    }
    // As pods do, it may come back under another name.
    if (random.chance(1, 2)) this.#name = `${this.#base}-${this.#life}`;
    scene.after(random.between(...ABSENCE_MS), () => this.#live());
  }

  #read(life: number): void {
    if (!this.#world.shift.isConsuming) return;
    for (const request of this.#unheard.splice(0)) this.#acknowledge(request);
    const random = this.#random;
    const { streams } = this.#kind;
    const asked = random.chance(1, 3) ? [random.pick(streams)] : streams;
    const call = ["XREADGROUP", "GROUP", CONSUMING_GROUP, this.#name, "COUNT", String(random.between(1, 6))];
    const block = ["BLOCK", random.pick(["100", "1000", "5000"])];
    const operation = this.client.send([...call, ...block, "STREAMS", ...asked, ...asked.map(() => ">")]);
    this.#reading = operation.open ? operation : null;
    if (!operation.open) this.#after(TRY_AGAIN_MS, life, () => this.#read(life));
  }

  #heard(operation: Operation): void {
    this.#world.ledger.heard(operation);
    const { args, reply } = operation;
    if (args[0] === "XACK" && typeof reply !== "number") this.#unheard.push(args);
    if (operation !== this.#reading) return;
    this.#reading = null;
    const life = this.#life;
    if (Array.isArray(reply)) {
      for (const [stream, entries] of reply as unknown as readonly (readonly [string, readonly Entry[]])[])
        for (const [id, fields] of entries) this.#given.push({ stream, id, payload: fields[1]! });
      this.#work(life);
    } else {
      this.#after(reply === null ? 1 : TRY_AGAIN_MS, life, () => this.#read(life));
    }
  }

  #work(life: number): void {
    const one = this.#given.shift();
    if (one === undefined) return this.#read(life);
    this.#after(this.#random.between(...this.#kind.workMs), life, () => {
      this.#dealWith(one);
      this.#work(life);
    });
  }

  #dealWith({ stream, id, payload }: Given): void {
    const random = this.#random;
    // Some attempts fail that need not.
    if (canBeDone(payload, this.#world.scene.loop.nowMs) && random.chance(19, 20))
      return this.#acknowledge(["XACK", stream, CONSUMING_GROUP, id]);
    if (random.chance(2, 3)) return;
    const how = random.chance(1, 3) ? "FATAL" : "FAIL";
    this.client.send(["XNACK", stream, CONSUMING_GROUP, how, "IDS", "1", id]);
  }

  #acknowledge(request: readonly string[]): void {
    if (!this.client.send(request).open) this.#unheard.push(request);
  }
}

/** Sends dead letters back, a few at a time. */
export class Operator {
  readonly client: SimClient;
  readonly #world: WorkWorld;
  readonly #random: SeededRandom;

  constructor(world: WorkWorld, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
    this.client = world.scene.client("operator", 0, ({ args, reply }) => this.#heard(args, reply));
    this.#turn();
  }

  #turn(): void {
    const { scene, shift } = this.#world;
    if (!shift.isProducing) return;
    scene.after(this.#random.between(...REDRIVE_EVERY_MS), () => this.#turn());
    this.client.send(["XLEN", this.#random.pick(DEAD_STREAMS)]);
  }

  #heard(args: readonly string[], reply: ReplyValue | undefined): void {
    if (args[0] === "XGROUP" && reply === "OK") this.#world.scene.loop.count("redrive begun");
    if (args[0] !== "XLEN" || typeof reply !== "number" || !this.#world.shift.isProducing) return;
    const streams = CONSUMED.filter(({ dead, isSentBack }) => isSentBack && dead === args[1]);
    if (streams.length === 0) return;
    const isWhole = reply <= REDRIVEN_WHOLE_MAX && this.#random.chance(1, 3);
    const count = isWhole ? [] : ["COUNT", String(this.#random.between(1, 12))];
    this.client.send(["XGROUP", "REDRIVE", this.#random.pick(streams).name, CONSUMING_GROUP, ...count]);
  }
}

/** Looks how far groups are behind. Nothing may be beyond its limit where nothing appears by itself. */
export class Watcher {
  readonly client: SimClient;
  readonly highestLag: Map<string, number> = new Map();
  readonly #world: WorkWorld;

  constructor(world: WorkWorld) {
    this.#world = world;
    this.client = world.scene.client("watcher", 1, ({ args, reply }) => this.#heard(args, reply));
    this.#turn();
  }

  #turn(): void {
    const { scene, shift } = this.#world;
    if (!shift.isProducing) return;
    scene.after(LOOK_EVERY_MS, () => this.#turn());
    if (this.client.openRequests < PIPELINED_MAX)
      for (const { name } of CONSUMED) this.client.send(["XINFO", "LAG", name]);
  }

  #heard(args: readonly string[], reply: ReplyValue | undefined): void {
    if (args[1] !== "LAG" || !Array.isArray(reply)) return;
    const name = args[2]!;
    const lag = numberIn(reply[0]!, "lag");
    const { maxLag, isDelayed, isSentBack } = CONSUMED.find((stream) => stream.name === name)!;
    if (maxLag > 0 && lag >= maxLag) this.#world.scene.loop.count("a group seen at its limit of lag");
    if (lag > (this.highestLag.get(name) ?? 0)) this.highestLag.set(name, lag);
    if (maxLag > 0 && !isDelayed && !isSentBack && lag > maxLag)
      throw new Error(`${name} is ${lag} entries ahead of its group, the limit is ${maxLag}`);
  }
}

/** A field of a flat list of names and values. */
export function numberIn(reply: ReplyValue, name: string): number {
  const fields = reply as readonly ReplyValue[];
  const value = fields[fields.indexOf(name) + 1];
  if (typeof value !== "number") throw new Error(`no ${name} in ${JSON.stringify(reply)}`);
  return value;
}
