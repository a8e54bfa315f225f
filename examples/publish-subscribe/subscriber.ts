/**
 * Prints what is published to topics (`--topics sport,weather`), one JSON line a message: every subscriber gets every message, each topic's in order, none
 * twice and none left out while it runs, and whatever shards the topics are on it waits for all of them with one XREAD.
 *
 * A subscriber that starts hears what comes from now on, or all that is kept (`--from 0`). With `--state FILE` it goes on where it was: the file is written
 * behind what is printed, so what was printed last may be printed again after a kill. `$` stands for "now" only once: a reader that would say `$` again
 * after a lost answer would miss what came meanwhile.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Redis } from "ioredis";
import { connected, overcome } from "../recipes/connection.ts";
import { optionsOf, stopSignal } from "../recipes/program.ts";

const BLOCK_MS = 500;

const options = optionsOf({ topics: "sport", from: "$", state: "" }, ["drain"]);
const stop = stopSignal();
const redis = await connected(options["url"]!);
const state = options["state"]!;
const positions = await firstPositions(redis);

while (!stop.aborted) {
  try {
    const streams = [...positions.keys(), ...positions.values()];
    const reply = await redis.xread("COUNT", 100, "BLOCK", BLOCK_MS, "STREAMS", ...streams);
    if (reply === null && options["drain"] === "yes") break;
    for (const [stream, entries] of reply ?? []) {
      for (const [id, fields] of entries) {
        console.log(JSON.stringify({ stream, id, text: fields[1] }));
        positions.set(stream, id);
      }
    }
    if (reply !== null && state !== "") save();
  } catch (error) {
    // A read changes nothing: the same again, from where it was.
    await overcome(error, redis, stop);
  }
}
redis.disconnect();

/** stream → id of the last message that was heard. */
async function firstPositions(client: Redis): Promise<Map<string, string>> {
  const streams = options["topics"]!.split(",").map((topic) => `news:{${topic}}`);
  const saved =
    state !== "" && existsSync(state) ? (JSON.parse(readFileSync(state, "utf8")) as Record<string, string>) : {};
  const found = new Map<string, string>();
  for (const stream of streams) {
    found.set(stream, saved[stream] ?? (options["from"] === "$" ? await lastIdOf(client, stream) : options["from"]!));
  }
  return found;
}

async function lastIdOf(client: Redis, stream: string): Promise<string> {
  for (;;) {
    try {
      const last = await client.xrevrange(stream, "+", "-", "COUNT", 1);
      return last[0]?.[0] ?? "0-0";
    } catch (error) {
      await overcome(error, client);
    }
  }
}

function save(): void {
  writeFileSync(`${state}.new`, JSON.stringify(Object.fromEntries(positions)));
  renameSync(`${state}.new`, state);
}
