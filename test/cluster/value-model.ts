/**
 * Strings, lists, sets, hashes and sorted sets as plain JavaScript values, changed by random commands that are given to a cluster too; and what a cluster holds, read
 * in the same form. Two forms are equal, or their digests differ.
 */
import { createHash } from "node:crypto";
import type { SeededRandom } from "@headrace/sim";
import type { ChainableCommander, Redis } from "ioredis";

type Value =
  | { readonly kind: "string"; text: string }
  | { readonly kind: "list"; readonly items: string[] }
  | { readonly kind: "set"; readonly members: Set<string> }
  | { readonly kind: "hash"; readonly fields: Map<string, string> }
  | { readonly kind: "zset"; readonly scores: Map<string, number> };

/** A value in the form that is compared: what it is and all of it in one order, and when it ends (ms since 1970; -1: never). */
type Form = readonly [kind: string, parts: readonly string[], endsAtMs: number];

const kinds = ["string", "list", "set", "hash", "zset"] as const;
/** 2030: a time to live that has to come through as it was set. */
const FAR_MS = 1_900_000_000_000;
const BATCH = 500;

export class ValueModel {
  readonly #random: SeededRandom;
  readonly #values: Map<string, Value> = new Map();
  readonly #endsAtMs: Map<string, number> = new Map();

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get size(): number {
    return this.#values.size;
  }

  keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** Changes the model and the cluster by so many commands over `keys` keys; everything has to be answered. */
  async change(redis: Redis, commands: number, keys: number): Promise<void> {
    for (let done = 0; done < commands;) {
      const pipeline = redis.pipeline();
      const upTo = Math.min(commands, done + BATCH);
      for (; done < upTo; done++) this.#step(pipeline, `${kinds[done % kinds.length]}:${this.#random.below(keys)}`);
      for (const [error] of (await pipeline.exec())!) if (error !== null) throw error;
    }
  }

  /** One large value of each kind: many leaves, blocks or parts on disk. */
  async grow(redis: Redis, elements: number): Promise<void> {
    for (let from = 0; from < elements; from += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, elements - from) }, (_, at) => from + at);
      const texts = numbers.map((number) => `element ${(number * 7919) % elements}`);
      const pipeline = redis.pipeline();
      for (const text of texts) {
        this.#string("string:large").text += text;
        this.#list("list:large").items.push(text);
        this.#set("set:large").members.add(text);
        this.#hash("hash:large").fields.set(text, `of ${text}`);
      }
      pipeline.append("string:large", texts.join(""));
      pipeline.rpush("list:large", ...texts);
      pipeline.sadd("set:large", ...texts);
      pipeline.hset("hash:large", ...texts.flatMap((text) => [text, `of ${text}`]));
      for (const number of numbers) this.#zset("zset:large").scores.set(texts[number - from]!, number % 1000);
      pipeline.zadd("zset:large", ...numbers.flatMap((number) => [number % 1000, texts[number - from]!]));
      for (const [error] of (await pipeline.exec())!) if (error !== null) throw error;
    }
  }

  /** Writes ten strings of 64 KiB over and over: what is kept stays small, the log does not. */
  async overwrite(redis: Redis, times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      const key = `string:over:${time % 10}`;
      this.#forget(key);
      this.#string(key).text = String.fromCharCode(97 + (time % 26)).repeat(65_536);
      await redis.set(key, this.#string(key).text);
    }
  }

  /** The key ends at that time, which is to pass: from now on the model has it no more. */
  async end(redis: Redis, key: string, atMs: number): Promise<void> {
    if ((await redis.pexpireat(key, atMs)) !== 1) throw new Error(`${key} is not there`);
    this.#forget(key);
  }

  #step(pipeline: ChainableCommander, key: string): void {
    const random = this.#random;
    const text = `v${random.below(50)}`;
    const drawn = random.below(20);
    if (drawn === 0) {
      pipeline.del(key);
      this.#forget(key);
      return;
    }
    if (drawn === 1) {
      const atMs = FAR_MS + random.below(1_000_000);
      pipeline.pexpireat(key, atMs);
      if (this.#values.has(key)) this.#endsAtMs.set(key, atMs);
      return;
    }
    if (drawn === 2) {
      pipeline.persist(key);
      this.#endsAtMs.delete(key);
      return;
    }
    this.#changeValue(pipeline, key, text, drawn);
    const value = this.#values.get(key);
    if (value !== undefined && isEmpty(value)) this.#forget(key);
  }

  #changeValue(pipeline: ChainableCommander, key: string, text: string, drawn: number): void {
    const score = this.#random.below(100) - 50;
    switch (key.split(":")[0] as (typeof kinds)[number]) {
      case "string":
        if (drawn < 8) {
          pipeline.set(key, text);
          this.#forget(key);
          this.#string(key).text = text;
        } else {
          pipeline.append(key, text);
          this.#string(key).text += text;
        }
        return;
      case "list":
        if (drawn < 6) {
          pipeline.lpop(key);
          this.#list(key).items.shift();
        } else if (drawn < 12) {
          pipeline.lpush(key, text);
          this.#list(key).items.unshift(text);
        } else {
          pipeline.rpush(key, text);
          this.#list(key).items.push(text);
        }
        return;
      case "set":
        if (drawn < 8) {
          pipeline.srem(key, text);
          this.#set(key).members.delete(text);
        } else {
          pipeline.sadd(key, text);
          this.#set(key).members.add(text);
        }
        return;
      case "hash": {
        // Fields that HINCRBY counts up are no others' texts.
        const counter = `n${score}`;
        if (drawn < 6) {
          pipeline.hdel(key, text);
          this.#hash(key).fields.delete(text);
        } else if (drawn < 13) {
          pipeline.hset(key, text, String(score));
          this.#hash(key).fields.set(text, String(score));
        } else {
          pipeline.hincrby(key, counter, score);
          this.#hash(key).fields.set(counter, String(Number(this.#hash(key).fields.get(counter) ?? 0) + score));
        }
        return;
      }
      case "zset":
        if (drawn < 6) {
          pipeline.zrem(key, text);
          this.#zset(key).scores.delete(text);
        } else if (drawn < 12) {
          pipeline.zincrby(key, score, text);
          this.#zset(key).scores.set(text, (this.#zset(key).scores.get(text) ?? 0) + score);
        } else {
          pipeline.zadd(key, score, text);
          this.#zset(key).scores.set(text, score);
        }
        return;
      default:
        throw new Error(`no kind of value: ${key}`);
    }
  }

  #forget(key: string): void {
    this.#values.delete(key);
    this.#endsAtMs.delete(key);
  }

  #string(key: string): Extract<Value, { kind: "string" }> {
    return this.#made(key, { kind: "string", text: "" });
  }

  #list(key: string): Extract<Value, { kind: "list" }> {
    return this.#made(key, { kind: "list", items: [] });
  }

  #set(key: string): Extract<Value, { kind: "set" }> {
    return this.#made(key, { kind: "set", members: new Set() });
  }

  #hash(key: string): Extract<Value, { kind: "hash" }> {
    return this.#made(key, { kind: "hash", fields: new Map() });
  }

  #zset(key: string): Extract<Value, { kind: "zset" }> {
    return this.#made(key, { kind: "zset", scores: new Map() });
  }

  #made<T extends Value>(key: string, empty: T): T {
    const found = this.#values.get(key);
    if (found !== undefined) return found as T;
    this.#values.set(key, empty);
    return empty;
  }

  form(): ReadonlyMap<string, Form> {
    return new Map(
      [...this.#values].map(([key, value]) => [
        key,
        [value.kind, partsOf(value), this.#endsAtMs.get(key) ?? -1] as const,
      ]),
    );
  }
}

function isEmpty(value: Value): boolean {
  return value.kind !== "string" && partsOf(value).length === 0;
}

function partsOf(value: Value): readonly string[] {
  switch (value.kind) {
    case "string":
      return [value.text];
    case "list":
      return value.items;
    case "set":
      return [...value.members].sort();
    case "hash":
      return [...value.fields].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
    case "zset":
      return [...value.scores]
        .sort(([a, m], [b, n]) => m - n || (a < b ? -1 : 1))
        .flatMap(([name, score]) => [name, String(score)]);
    default:
      value satisfies never;
      throw new Error("unreachable");
  }
}

/** What the cluster holds; sorted sets in its own order, by score and name. */
export async function formOf(redis: Redis): Promise<ReadonlyMap<string, Form>> {
  const form = new Map<string, Form>();
  for (const key of await redis.keys("*")) {
    const kind = await redis.type(key);
    form.set(key, [kind, await readParts(redis, key, kind), await redis.pexpiretime(key)]);
  }
  return form;
}

async function readParts(redis: Redis, key: string, kind: string): Promise<readonly string[]> {
  if (kind === "string") return [(await redis.get(key))!];
  if (kind === "list") return redis.lrange(key, 0, -1);
  if (kind === "set") return (await redis.smembers(key)).sort();
  if (kind === "hash") {
    const fields = Object.entries(await redis.hgetall(key));
    return fields.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
  }
  return redis.zrange(key, 0, "-1", "WITHSCORES");
}

export function digestOf(form: ReadonlyMap<string, Form>): string {
  const rows = [...form].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(rows)).digest("hex");
}

/** Keys that differ. */
export function differingKeys(a: ReadonlyMap<string, Form>, b: ReadonlyMap<string, Form>): readonly string[] {
  const keys = new Set([...a.keys(), ...b.keys()]);
  return [...keys].filter((key) => JSON.stringify(a.get(key)) !== JSON.stringify(b.get(key)));
}
