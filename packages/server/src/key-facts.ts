/** What replies are read with, and what a server says of any key. */
import { RedisError, type RedisClient, type Reply } from "./redis-client.ts";

/** As the server estimates it; Infinity: it does not say. Null: no such key. */
export async function keyBytes(client: RedisClient, key: string): Promise<number | null> {
  const [usage, exists] = await client.pipeline([
    ["MEMORY", "USAGE", key],
    ["EXISTS", key],
  ]);
  if (orThrow(exists!) === 0) return null;
  return typeof usage === "number" ? usage : Infinity;
}

/** ms of Unix time, −1: never, −2: no such key. */
export async function expiryMs(client: RedisClient, key: string): Promise<number> {
  const [exact, left, time] = await client.pipeline([["PEXPIRETIME", key], ["PTTL", key], ["TIME"]]);
  if (typeof exact === "number") return exact;
  // Before Redis 7.
  const leftMs = Number(orThrow(left!));
  return leftMs < 0 ? leftMs : msOf(orThrow(time!)) + leftMs;
}

export function orThrow(reply: Reply): Exclude<Reply, RedisError> {
  if (reply instanceof RedisError) throw reply;
  return reply;
}

export function listOf(reply: Reply): readonly Reply[] {
  if (!Array.isArray(reply)) throw new RedisError(`ERR a list was expected, not ${String(reply)}`);
  return reply as readonly Reply[];
}

/** Of what TIME answers. */
export function msOf(time: Reply): number {
  const [seconds, microseconds] = listOf(time).map(Number) as [number, number];
  return seconds * 1000 + Math.floor(microseconds / 1000);
}
