/**
 * What a string, list, set, hash or sorted set of a Redis (5 and later) or of a gateway holds, in pieces: for copying it and for comparing. Two hold the same when
 * their digests are; a list, a string and a sorted set in order, the others in any.
 */
import { createHash } from "node:crypto";
import { listOf } from "./key-facts.ts";
import type { RedisClient, Reply } from "./redis-client.ts";

export const valueTypes = ["string", "list", "set", "hash", "zset"] as const;
export type ValueType = (typeof valueTypes)[number];

export interface ValueFacts {
  readonly type: ValueType;
  /** Of a string its bytes. */
  readonly elements: number;
  readonly digest: string;
}

/** What one question brought: bytes of a string, elements of a list, members; fields with their values, members with their scores, one behind the other. */
export type ValuePiece = readonly string[];

const PIECE_BYTES = 512 * 1024;
const PIECE_ELEMENTS_MAX = 2000;
const FIRST_PIECE_ELEMENTS = 100;

export function isValueType(type: string): type is ValueType {
  return (valueTypes as readonly string[]).includes(type);
}

/** Words of an element in a piece. */
export function wordsOf(type: ValueType): number {
  return type === "hash" || type === "zset" ? 2 : 1;
}

/** Null: there is no such key, or it is of another type. */
export async function valueFacts(client: RedisClient, key: string, type: ValueType): Promise<ValueFacts | null> {
  if ((await client.call("TYPE", key)) !== type) return null;
  const digest = new ValueDigest(type);
  for await (const piece of valuePieces(client, key, type)) digest.add(piece);
  return digest.facts();
}

/** All of it. Written to meanwhile it is neither what it was nor what it is then. */
export async function* valuePieces(client: RedisClient, key: string, type: ValueType): AsyncGenerator<ValuePiece> {
  if (type === "string") yield* stringPieces(client, key);
  else if (type === "set" || type === "hash") yield* scannedPieces(client, key, type);
  else yield* rangedPieces(client, key, type);
}

async function* stringPieces(client: RedisClient, key: string): AsyncGenerator<ValuePiece> {
  for (let from = 0; ; from += PIECE_BYTES) {
    const bytes = String(await client.call("GETRANGE", key, String(from), String(from + PIECE_BYTES - 1)));
    if (bytes.length > 0) yield [bytes];
    if (bytes.length < PIECE_BYTES) return;
  }
}

async function* rangedPieces(client: RedisClient, key: string, type: "list" | "zset"): AsyncGenerator<ValuePiece> {
  const [command, ...more] = type === "list" ? ["LRANGE"] : ["ZRANGE", "WITHSCORES"];
  let count = FIRST_PIECE_ELEMENTS;
  for (let from = 0; ;) {
    const words = await wordsFrom(client.call(command!, key, String(from), String(from + count - 1), ...more));
    const found = words.length / wordsOf(type);
    if (found > 0) yield words;
    if (found < count) return;
    from += found;
    const bytes = words.reduce((sum, word) => sum + word.length, 1);
    count = Math.max(1, Math.min(PIECE_ELEMENTS_MAX, Math.floor((PIECE_BYTES * found) / bytes)));
  }
}

/** SCAN may name an element more than once. */
async function* scannedPieces(client: RedisClient, key: string, type: "set" | "hash"): AsyncGenerator<ValuePiece> {
  const command = type === "set" ? "SSCAN" : "HSCAN";
  const width = wordsOf(type);
  const seen = new Set<string>();
  for (let cursor = ""; cursor !== "0";) {
    const reply = await client.call(command, key, cursor === "" ? "0" : cursor, "COUNT", String(FIRST_PIECE_ELEMENTS));
    const [next, listed] = listOf(reply);
    cursor = String(next);
    const words = listOf(listed!).map(String);
    const piece: string[] = [];
    for (let i = 0; i < words.length; i += width) {
      if (seen.has(words[i]!)) continue;
      seen.add(words[i]!);
      piece.push(...words.slice(i, i + width));
    }
    if (piece.length > 0) yield piece;
  }
}

async function wordsFrom(reply: Promise<Reply>): Promise<readonly string[]> {
  return listOf(await reply).map(String);
}

/** Grows with the pieces. */
export class ValueDigest {
  readonly #type: ValueType;
  readonly #inOrder: ReturnType<typeof createHash>;
  /** Of elements that stand in no order: the XOR of theirs. */
  readonly #any: Buffer;
  #elements: number;

  constructor(type: ValueType) {
    this.#type = type;
    this.#inOrder = createHash("sha256");
    this.#any = Buffer.alloc(32);
    this.#elements = 0;
  }

  add(piece: ValuePiece): void {
    const width = wordsOf(this.#type);
    for (let i = 0; i < piece.length; i += width) {
      const element = piece.slice(i, i + width);
      this.#elements += this.#type === "string" ? element[0]!.length : 1;
      if (this.#type === "string") this.#inOrder.update(element[0]!, "latin1");
      else if (this.#type === "list" || this.#type === "zset") this.#inOrder.update(framed(element), "latin1");
      else this.#mix(createHash("sha256").update(framed(element), "latin1").digest());
    }
  }

  facts(): ValueFacts {
    const digest = this.#inOrder.copy().update(this.#any).digest("hex");
    return { type: this.#type, elements: this.#elements, digest };
  }

  #mix(digest: Buffer): void {
    for (const [i, byte] of digest.entries()) this.#any[i]! ^= byte;
  }
}

/** So that no two lists of words are the same bytes. */
function framed(words: readonly string[]): string {
  return words.map((word) => `${word.length}:${word}`).join("");
}
