/**
 * Ships the entries of a stream that are older than an hour (`--older-than-ms`) to files, and then trims them. The order makes it safe: written, synced,
 * and only then XTRIM, with the last id that is in a file as its bound and never a time. So nothing is trimmed that is not archived, whatever the clocks
 * say and wherever the archiver or the cluster is killed: the one that starts again looks where the files end, and trims again up to there.
 *
 * XTRIM … ACKED leaves in the stream what a group has not acknowledged. The archive has it all the same.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { connected, overcome } from "../recipes/connection.ts";
import { optionsOf, report, stopSignal } from "../recipes/program.ts";
import { lastArchivedId, writeSegment, type ArchivedEntry } from "./segments.ts";

const options = optionsOf(
  {
    key: "views:{shop}",
    directory: "./archive",
    "older-than-ms": "3600000",
    "every-ms": "10000",
    "segment-entries": "10000",
  },
  ["drain"],
);
const key = options["key"]!;
const directory = options["directory"]!;
const stop = stopSignal();
const redis = await connected(options["url"]!);
const counts = { archived: 0, trimmed: 0, files: 0, begunAgain: 0 };

while (!stop.aborted) {
  try {
    if (await ship(redis)) continue;
    if (options["drain"] === "yes") break;
    await pause(Number(options["every-ms"]), undefined, { signal: stop }).catch(() => undefined);
  } catch (error) {
    await overcome(error, redis, stop);
    counts.begunAgain++;
  }
}
redis.disconnect();
report(counts);

/** One file, if there is anything for it, and the trim behind it. Whether there may be more. */
async function ship(client: Redis): Promise<boolean> {
  const last = lastArchivedId(directory);
  // Again, should the one before have been killed between the two.
  if (last !== null) counts.trimmed += await trim(client, last);
  const cutoff = Date.now() - Number(options["older-than-ms"]);
  const count = Number(options["segment-entries"]);
  const from = last === null ? "-" : `(${last}`;
  const entries: ArchivedEntry[] = await client.xrange(key, from, String(cutoff), "COUNT", count);
  if (entries.length === 0) return false;
  if (!writeSegment(directory, entries)) return true;
  counts.files++;
  counts.archived += entries.length;
  counts.trimmed += await trim(client, entries.at(-1)![0]);
  return entries.length === count;
}

/** All up to this id, itself included. */
async function trim(client: Redis, id: string): Promise<number> {
  const [ms, seq] = id.split("-");
  return Number(await client.call("XTRIM", key, "MINID", `${ms}-${BigInt(seq!) + 1n}`, "ACKED"));
}
