/**
 * The walkthrough of Redis' own streams tutorial (redis.io, "Redis Streams"), typed with the real redis-cli into a real redis-server and into our
 * gateway: the same lines must come back. Only times are masked, where a step says so, and what docs/divergence.md lists is taken out by name.
 * The README's commands are typed here too.
 */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LocalCluster } from "@headrace/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shellWords, testedCommands } from "../tested-commands.ts";
import { startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

let redis: RedisServer;
let cluster: LocalCluster;

beforeAll(async () => {
  redis = await startRedis();
  cluster = await LocalCluster.start();
});

afterAll(async () => {
  await cluster.destroy();
  await redis.stop();
});

/** What of a step's output depends on the clock. */
type Mask = "pending" | "consumers" | "stream" | "full";

interface Step {
  readonly line: string;
  readonly mask?: Mask;
  /** Typed while this one blocks; it wakes it. */
  readonly meanwhile?: string;
  /** What a later Redis answers and we with it (docs/divergence.md), where 7.0.15 has another text. */
  readonly later?: string;
}

const F = "{race}:france";
const I = "{race}:italy";

function steps(...all: readonly (string | Step)[]): readonly Step[] {
  return all.map((each) => (typeof each === "string" ? { line: each } : each));
}

const producing = steps(
  `XADD ${F} 1692632086370-0 rider Castilla speed 30.2 position 1 location_id 1`,
  `XADD ${F} 1692632094485-0 rider Norem speed 28.8 position 3 location_id 1`,
  `XADD ${F} 1692632102976-0 rider Prickett speed 29.7 position 2 location_id 1`,
  `XRANGE ${F} 1692632086370-0 + COUNT 2`,
  `XREAD COUNT 100 BLOCK 300 STREAMS ${F} $`,
  `XADD ${F} 1692632147973-0 rider Castilla speed 29.9 position 1 location_id 2`,
  `XLEN ${F}`,
  "XADD race:usa 0-1 racer Castilla",
  "XADD race:usa 0-2 racer Norem",
  "XADD race:usa 0-1 racer Prickett",
  "XADD race:usa 0-* racer Prickett",
  "XADD race:usa 0-0 racer Nobody",
  "XADD race:usa 0-3 racer",
  "XADD race:usa nonsense racer Royce",
  "XADD race:nowhere NOMKSTREAM 1-0 racer Royce",
  "EXISTS race:nowhere",
  "TYPE race:usa",
);

const querying = steps(
  `XRANGE ${F} - +`,
  `XRANGE ${F} 1692632086369 1692632086371`,
  `XRANGE ${F} - + COUNT 2`,
  `XRANGE ${F} (1692632094485-0 + COUNT 2`,
  `XRANGE ${F} (1692632147973-0 + COUNT 2`,
  `XREVRANGE ${F} + - COUNT 1`,
  `XREVRANGE ${F} (1692632147973-0 - COUNT 2`,
  `XRANGE ${F} 2 1`,
  `XRANGE ${F} a b`,
  `XRANGE ${F} - + COUNT 0`,
  `XRANGE ${F} - + COUNT -1`,
  "XRANGE race:nowhere - +",
  `XREAD COUNT 2 STREAMS ${F} 0`,
  `XADD ${I} 1-0 rider Castilla`,
  `XREAD COUNT 1 STREAMS ${F} ${I} 0 0`,
  `XREAD STREAMS ${F} $`,
  {
    line: `XREAD STREAMS ${F} ${I} 0`,
    later: "(error) ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.",
  },
  { line: `XREAD BLOCK 20000 STREAMS ${I} $`, meanwhile: `XADD ${I} 2-0 rider Norem` },
  `XREAD BLOCK 100 STREAMS ${I} 2-0`,
  `XREAD BLOCK -1 STREAMS ${I} 2-0`,
);

const groups = steps(
  `XGROUP CREATE ${F} france_riders $`,
  `XGROUP CREATE ${F} france_riders $`,
  "XGROUP CREATE {race}:later italy_riders $",
  `DEL ${I}`,
  `XGROUP CREATE ${I} italy_riders $ MKSTREAM`,
  `XADD ${I} 1692632639151-0 rider Castilla`,
  `XADD ${I} 1692632647899-0 rider Royce`,
  `XADD ${I} 1692632662819-0 rider Sam-Bodden`,
  `XADD ${I} 1692632670501-0 rider Prickett`,
  `XADD ${I} 1692632678249-0 rider Norem`,
  `XREADGROUP GROUP italy_riders Alice COUNT 1 STREAMS ${I} >`,
  `XREADGROUP GROUP italy_riders Alice STREAMS ${I} 0`,
  `XACK ${I} italy_riders 1692632639151-0`,
  `XREADGROUP GROUP italy_riders Alice STREAMS ${I} 0`,
  `XREADGROUP GROUP italy_riders Bob COUNT 2 STREAMS ${I} >`,
  `XREADGROUP GROUP nobody Bob COUNT 2 STREAMS ${I} >`,
  `XREADGROUP GROUP italy_riders Bob COUNT 2 STREAMS ${I} $`,
  `XREADGROUP GROUP italy_riders Bob COUNT 2 NOACK STREAMS ${I} 0`,
  `XREADGROUP GROUP italy_riders Carol COUNT 1 STREAMS {race}:later >`,
  `XACK ${I} italy_riders 1692632639151-0 9-9`,
);

// Bob crashes with two entries unacknowledged; Alice takes over.
const recovering = steps(
  `XPENDING ${I} italy_riders`,
  { line: `XPENDING ${I} italy_riders - + 10`, mask: "pending" },
  { line: `XPENDING ${I} italy_riders - + 10 Bob`, mask: "pending" },
  `XPENDING ${I} italy_riders - + 10 Nobody`,
  `XPENDING ${I} italy_riders IDLE 3600000 - + 10`,
  { line: `XPENDING ${I} italy_riders (1692632647899-0 + 10`, mask: "pending" },
  `XPENDING ${I} nobody`,
  `XRANGE ${I} 1692632647899-0 1692632647899-0`,
  `XCLAIM ${I} italy_riders Alice 3600000 1692632647899-0`,
  `XCLAIM ${I} italy_riders Alice 0 1692632647899-0`,
  `XCLAIM ${I} italy_riders Lora 0 1692632647899-0 JUSTID`,
  `XCLAIM ${I} italy_riders Lora 0 1692632670501-0 FORCE IDLE 60000 RETRYCOUNT 7`,
  `XCLAIM ${I} italy_riders Lora 0 nonsense`,
  { line: `XPENDING ${I} italy_riders - + 10`, mask: "pending" },
  `XPENDING ${I} italy_riders IDLE 50000 - + 1 Nobody`,
  `XAUTOCLAIM ${I} italy_riders Alice 0 0-0 COUNT 1`,
  `XAUTOCLAIM ${I} italy_riders Lora 0 (1692632662819-0 COUNT 1 JUSTID`,
  `XAUTOCLAIM ${I} italy_riders Lora 3600000 0-0`,
  `XDEL ${I} 1692632662819-0`,
  `XAUTOCLAIM ${I} italy_riders Alice 0 0-0 COUNT 10`,
  `XAUTOCLAIM ${I} nobody Alice 0 0-0`,
  { line: `XPENDING ${I} italy_riders - + 10`, mask: "pending" },
  `XGROUP DELCONSUMER ${I} italy_riders Lora`,
  `XPENDING ${I} italy_riders`,
);

const observing = steps(
  { line: `XINFO STREAM ${I}`, mask: "stream" },
  `XINFO GROUPS ${I}`,
  { line: `XINFO CONSUMERS ${I} italy_riders`, mask: "consumers" },
  { line: `XINFO STREAM ${I} FULL`, mask: "full" },
  "XINFO STREAM race:nowhere",
  `XINFO CONSUMERS ${I} nobody`,
  `XGROUP CREATECONSUMER ${I} italy_riders Dave`,
  `XGROUP CREATECONSUMER ${I} italy_riders Dave`,
  `XGROUP SETID ${I} italy_riders 0`,
  `XINFO GROUPS ${I}`,
  `XGROUP DESTROY ${I} italy_riders`,
  `XGROUP DESTROY ${I} italy_riders`,
  `XINFO GROUPS ${I}`,
);

const capping = steps(
  `XADD ${I} MAXLEN 2 1692632700000-0 rider Jones`,
  `XADD ${I} MAXLEN 2 1692632700001-0 rider Wood`,
  `XADD ${I} MAXLEN 2 1692632700002-0 rider Henshaw`,
  `XLEN ${I}`,
  `XRANGE ${I} - +`,
  `XTRIM ${I} MAXLEN 10`,
  `XTRIM ${I} MAXLEN ~ 1`,
  `XTRIM ${I} MAXLEN 1`,
  `XTRIM ${I} MINID 1692632700009`,
  `XTRIM ${I} MAXLEN = 1 LIMIT 5`,
  `XLEN ${I}`,
  `EXISTS ${I}`,
  `XRANGE ${F} - + COUNT 2`,
  `XDEL ${F} 1692632086370-0 1-1`,
  `XDEL ${F} 1692632086370-0`,
  `XRANGE ${F} - + COUNT 2`,
  {
    line: `XSETID ${F} 1-0`,
    later: "(error) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
  },
  `XSETID ${F} 1692632999999-0`,
  `XADD ${F} 1692632147973-5 rider Late`,
  `XADD ${F}`,
  `XLEN ${F} ${F}`,
  `DEL ${F} ${I} race:usa`,
);

function typed(port: number, flags: readonly string[], words: readonly string[]): string {
  return execFileSync("redis-cli", ["-p", String(port), "--no-raw", ...flags, ...words], { encoding: "utf8" });
}

async function typedWhileBlocked(port: number, flags: readonly string[], step: Step): Promise<string> {
  const child = spawn("redis-cli", ["-p", String(port), "--no-raw", ...flags, ...step.line.split(" ")]);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = new Promise((done) => child.once("close", done));
  while (!/blocked_clients:1/.test(typed(port, [], ["INFO", "clients"]))) {
    await new Promise((next) => setTimeout(next, 5));
  }
  const woken = typed(port, flags, step.meanwhile!.split(" "));
  await ended;
  // redis-cli says how long it blocked.
  return `${woken}${output.replace(/^\(\d+\.\d+s\)\n/gm, "")}`;
}

async function run(port: number, flags: readonly string[], step: Step): Promise<string> {
  if (step.meanwhile !== undefined) return typedWhileBlocked(port, flags, step);
  return masked(typed(port, flags, step.line.split(" ")).replace(/^\(\d+\.\d+s\)\n/gm, ""), step.mask);
}

function masked(output: string, mask: Mask | undefined): string {
  switch (mask) {
    case undefined:
      return output;
    // Id, consumer, idle time, deliveries: the third is the clock's.
    case "pending":
      return output.replaceAll(/(3\) \(integer\)) \d+/g, "$1 IDLE");
    case "consumers":
      return fields(output).replaceAll(/("idle").*/g, "$1 IDLE");
    case "stream":
      return fields(output);
    case "full":
      return fields(output)
        .replaceAll(/\(integer\) \d{13}/g, "(integer) TIME")
        .replaceAll(/("seen-time").*/g, "$1 TIME");
    default:
      mask satisfies never;
      throw new Error("unreachable");
  }
}

/**
 * Names and values on one line, without the numbers in front: what later versions tell beside the rest (docs/divergence.md) is taken out, which would
 * else shift what follows.
 */
function fields(output: string): string {
  return output
    .replaceAll(/^[ \d)#]*/gm, "")
    .replaceAll(/" => /g, '"\n')
    .replaceAll(/^"(inactive|active-time|idmp-\w+|pids-tracked|iids-\w+|nacked-count)"\n.*\n/gm, "")
    .replaceAll(/^("[\w-]+")\n/gm, "$1 ");
}

/** docs/divergence.md: computed, since there is no radix tree. */
function withoutRadixTreeNodes(output: string): string {
  return output.replaceAll(/("radix-tree-nodes"(?: =>)?\s*(?:\d+\) )?\(integer\)) \d+/g, "$1 N");
}

const chapters: readonly (readonly [string, readonly Step[]])[] = [
  ["producing", producing],
  ["querying", querying],
  ["consumer groups", groups],
  ["a consumer crashes and others take over", recovering],
  ["observing", observing],
  ["capping, trimming, deleting", capping],
];

describe.each([
  ["RESP2", [] as readonly string[]],
  ["RESP3", ["-3"]],
])("Redis' streams tutorial in redis-cli, %s", (_, flags) => {
  for (const [chapter, lines] of chapters) {
    test(`${chapter}: ${lines.length} commands answered as redis-server does`, async () => {
      for (const step of lines) {
        // Each by itself: the times between commands stay short on both.
        const theirs = withoutRadixTreeNodes(await run(redis.port, flags, step));
        const ours = withoutRadixTreeNodes(await run(cluster.port, flags, step));
        expect.soft(ours, step.line).toBe(step.later === undefined ? theirs : `${step.later}\n`);
      }
    });
  }
});

test("the README's first minute, but for our own ACK option, is answered as redis-server does", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
  // What follows is of our own: bounds that Redis does not have.
  const firstMinute = readme.slice(readme.indexOf("## A first minute"), readme.indexOf("## What is promised"));
  const commands = testedCommands(firstMinute).map((line) => shellWords(line).slice(1));
  expect(commands.length).toBeGreaterThan(5);
  for (const words of commands) {
    const plain = words[2] === "ACK" ? [...words.slice(0, 2), ...words.slice(4)] : words;
    expect(typed(cluster.port, [], words), words.join(" ")).toBe(typed(redis.port, [], plain));
  }
});
