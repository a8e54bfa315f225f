/** The cases of packages/commands/testing/suite-cases.ts against redis-server 7.0.15, as far as it knows them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { suiteCases } from "../../packages/commands/testing/suite-cases.ts";
import { RedisConnection, startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  await redis.stop();
});

test.each(suiteCases.filter(({ since }) => since === 7))("$name", async ({ commands, expected }) => {
  const client = await RedisConnection.open(redis.port);
  await client.ask("FLUSHALL");
  const seen: string[] = [];
  for (const command of commands) seen.push(await client.ask(command));
  client.close();
  expect(seen.slice(-expected.length)).toEqual(expected);
});
