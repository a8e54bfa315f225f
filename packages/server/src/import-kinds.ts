/** What an import does with a key, by its type: streams (stream-copy.ts) and values (value-copy.ts). */
import type { CopyOptions } from "./dump-copy.ts";
import type { RedisClient } from "./redis-client.ts";
import { streamDifference } from "./stream-compare.ts";
import { copyStream } from "./stream-copy.ts";
import { streamFacts } from "./stream-facts.ts";
import { copyValue, valueDifference } from "./value-copy.ts";
import { isValueType, valueFacts, type ValueType } from "./value-facts.ts";

/** What a server says of the key; the same as before: it was not written to. */
export interface KeyFacts {
  readonly facts: unknown;
  /** Of a stream; of others 0. */
  readonly entries: number;
  /** How far it goes, for people; null: that can't be said. */
  readonly end: string | null;
}

export interface ImportedKind {
  /** Null: the key is gone at the source. Throws RedisError where the target refuses, ConnectionLost. */
  copy(options: CopyOptions): Promise<Pick<KeyFacts, "facts" | "entries"> | null>;
  /** Null: there is no such key. */
  facts(client: RedisClient, key: string): Promise<KeyFacts | null>;
  /** Null: both servers hold the same; else the first difference, for people. Throws RedisError when the target's is of another type. */
  difference(source: RedisClient, target: RedisClient, key: string): Promise<string | null>;
}

const streams: ImportedKind = {
  async copy(options) {
    const copied = await copyStream(options);
    return copied === null ? null : { facts: copied.facts, entries: copied.entries };
  },
  async facts(client, key) {
    const facts = await streamFacts(client, key);
    return facts === null ? null : { facts, entries: facts.length, end: facts.lastId };
  },
  difference: streamDifference,
};

function valuesOf(type: ValueType): ImportedKind {
  return {
    async copy(options) {
      const facts = await copyValue(options, type);
      return facts === null ? null : { facts, entries: 0 };
    },
    async facts(client, key) {
      const facts = await valueFacts(client, key, type);
      return facts === null ? null : { facts, entries: 0, end: null };
    },
    difference: (source, target, key) => valueDifference(source, target, key, type),
  };
}

/** Of what TYPE answers; null: such keys are not copied. */
export function importedKind(type: string): ImportedKind | null {
  if (type === "stream") return streams;
  return isValueType(type) ? valuesOf(type) : null;
}
