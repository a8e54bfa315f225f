/**
 * Copies one string, list, set, hash or sorted set from a Redis into a cluster, through a gateway, and compares the two.
 *
 *   small    DUMP ─► RESTORE: everything, at one moment
 *   large    in pieces, each a command that may be repeated (of a list: when its length says that it has not happened), then the time to live. A copy that was
 *            cut short is begun anew
 */
import { copyByDump, DUMP_BYTES_MAX, retried, type CopyOptions } from "./dump-copy.ts";
import { expiryMs, keyBytes } from "./key-facts.ts";
import type { RedisClient } from "./redis-client.ts";
import { expiryDifference } from "./stream-compare.ts";
import {
  ValueDigest,
  valueFacts,
  valuePieces,
  type ValueFacts,
  type ValuePiece,
  type ValueType,
} from "./value-facts.ts";

/** What the source held then. Null: the key is gone there, or of another type now. Throws RedisError where the target refuses, ConnectionLost. */
export async function copyValue(options: CopyOptions, type: ValueType): Promise<ValueFacts | null> {
  const { source, key, dumpBytesMax = DUMP_BYTES_MAX } = options;
  const bytes = await keyBytes(source, key);
  if (bytes === null) return null;
  if (bytes <= dumpBytesMax) {
    const facts = await valueFacts(source, key, type);
    // What a copy that was cut short has left is ours.
    const dumped = await copyByDump({ ...options, mayReplace: options.mayReplace || options.isBegun });
    if (facts === null || dumped === null) return null;
    if (dumped !== "refused") return facts;
  }
  return copyByPieces(options, type);
}

async function copyByPieces(options: CopyOptions, type: ValueType): Promise<ValueFacts | null> {
  const { source, target, key, onBytes } = options;
  if ((await source.call("TYPE", key)) !== type) return null;
  await retried(() => target.call("DEL", key));
  if (type === "string") await retried(() => target.call("SET", key, ""));
  const digest = new ValueDigest(type);
  for await (const piece of valuePieces(source, key, type)) {
    const { elements } = digest.facts();
    await retried((isRepeated) => put(target, key, type, piece, elements, isRepeated));
    digest.add(piece);
    onBytes(piece.reduce((sum, word) => sum + word.length, 0));
  }
  const expiry = await expiryMs(source, key);
  if (expiry >= 0) await retried(() => target.call("PEXPIREAT", key, String(expiry)));
  return digest.facts();
}

/** Behind the first `elements` (of a string: bytes). */
async function put(
  target: RedisClient,
  key: string,
  type: ValueType,
  piece: ValuePiece,
  elements: number,
  isRepeated: boolean,
): Promise<void> {
  switch (type) {
    case "string":
      await target.call("SETRANGE", key, String(elements), piece[0]!);
      return;
    case "list":
      if (isRepeated && Number(await target.call("LLEN", key)) > elements) return;
      await target.call("RPUSH", key, ...piece);
      return;
    case "set":
      await target.call("SADD", key, ...piece);
      return;
    case "hash":
      await target.call("HSET", key, ...piece);
      return;
    case "zset":
      await target.call("ZADD", key, ...scoresFirst(piece));
      return;
  }
}

function scoresFirst(piece: ValuePiece): readonly string[] {
  return piece.map((_word, i) => piece[i % 2 === 0 ? i + 1 : i - 1]!);
}

/** Null: both servers hold the same, until the same time; else the first difference, for people. */
export async function valueDifference(
  source: RedisClient,
  target: RedisClient,
  key: string,
  type: ValueType,
): Promise<string | null> {
  const [there, here] = await Promise.all([source, target].map((client) => client.call("TYPE", key)));
  if (there !== here) return `it is ${nameOf(there)}, but here ${nameOf(here)}`;
  const [a, b] = await Promise.all([valueFacts(source, key, type), valueFacts(target, key, type)]);
  if (a?.elements !== b?.elements) {
    const what = type === "string" ? "bytes" : "elements";
    return `it has ${String(a?.elements)} ${what}, but here ${String(b?.elements)}`;
  }
  if (a?.digest !== b?.digest) return "what is in it differs";
  return expiryDifference(source, target, key);
}

function nameOf(type: unknown): string {
  return type === "none" ? "gone" : `a ${String(type)}`;
}
