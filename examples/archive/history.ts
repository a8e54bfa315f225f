/**
 * Prints a whole stream, what is archived and what is not, each entry once and in order. While it reads, the archiver may move entries from the one to the
 * other: so what was read from the stream counts only if no file has come meanwhile.
 */
import type { Redis } from "ioredis";
import { connected, overcome } from "../recipes/connection.ts";
import { optionsOf } from "../recipes/program.ts";
import { readSegment, segmentNames, type ArchivedEntry } from "./segments.ts";

const COUNT = 1000;

const options = optionsOf({ key: "views:{shop}", directory: "./archive" });
const directory = options["directory"]!;
const redis = await connected(options["url"]!);
let lastFile = "";
let from = "-";

for (;;) {
  printNewFiles();
  const page = await nextPage(redis);
  if (segmentNames(directory, lastFile).length > 0) continue;
  print(page);
  if (page.length < COUNT) break;
}
redis.disconnect();

function printNewFiles(): void {
  for (const name of segmentNames(directory, lastFile)) {
    // A file may begin with what was printed from the stream.
    print(readSegment(directory, name).filter(([id]) => isBehind(id)));
    lastFile = name;
  }
}

async function nextPage(client: Redis): Promise<readonly ArchivedEntry[]> {
  for (;;) {
    try {
      return await client.xrange(options["key"]!, from, "+", "COUNT", COUNT);
    } catch (error) {
      await overcome(error, client);
    }
  }
}

function print(entries: readonly ArchivedEntry[]): void {
  for (const [id, fields] of entries) console.log(JSON.stringify([id, fields]));
  if (entries.length > 0) from = `(${entries.at(-1)![0]}`;
}

function isBehind(id: string): boolean {
  if (from === "-") return true;
  const [ms, seq] = id.split("-").map(BigInt);
  const [lastMs, lastSeq] = from.slice(1).split("-").map(BigInt);
  return ms! > lastMs! || (ms === lastMs && seq! > lastSeq!);
}
