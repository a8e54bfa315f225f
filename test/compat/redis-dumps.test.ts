/**
 * What a real redis-server 7.0.15 DUMPs (RDB type 19: listpacks, compressed or not, groups, pending entries), restored here: everything that XINFO STREAM
 * FULL, XRANGE and XPENDING show must be the same. The seed stands in the test's name.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asciiBytes, concatBytes } from "../../packages/bytes/src/index.ts";
import { CommandHarness } from "../../packages/commands/testing/command-harness.ts";
import { replyText } from "../../packages/commands/testing/reply-text.ts";
import { splitInlineArguments } from "../../packages/resp/src/inline-arguments.ts";
import { RedisConnection, startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);
const STREAMS = 25;

let redis: RedisServer;
let connection: RedisConnection;

beforeAll(async () => {
  redis = await startRedis();
  connection = await RedisConnection.open(redis.port);
});

afterAll(async () => {
  connection.close();
  await redis.stop();
});

/** mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Values that a listpack keeps in each of its ways. */
function valueOf(random: (below: number) => number): string {
  const integers = [
    "0",
    "127",
    "128",
    "-1",
    "4095",
    "-4096",
    "4096",
    "32767",
    "-32768",
    "8388607",
    "-8388608",
    "8388608",
  ];
  const wide = [
    "2147483647",
    "-2147483648",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "007",
    "-0",
    "1e3",
  ];
  switch (random(6)) {
    case 0:
      return integers[random(integers.length)]!;
    case 1:
      return wide[random(wide.length)]!;
    case 2:
      return "x".repeat([0, 1, 63, 64, 65, 4095, 4096, 5000][random(8)]!);
    case 3:
      return String.fromCharCode(...Array.from({ length: random(30) }, () => 97 + random(26)));
    case 4:
      return "\\x00\\xff\\r\\n";
    default:
      return `${random(1_000_000)}`;
  }
}

function commandsOf(random: (below: number) => number): string[] {
  const commands = [`CONFIG SET stream-node-max-entries ${[1, 3, 100][random(3)]}`];
  const names = ["a", "bb", "12", "field with blanks"];
  let ms = random(2) === 0 ? 1 : 1_700_000_000_000;
  const ids: string[] = [];
  for (let i = random(150); i >= 0; i--) {
    ms += random(3) === 0 ? 0 : random(100_000);
    const fields = Array.from(
      { length: 1 + random(3) },
      () => `"${names[random(names.length)]!}" "${valueOf(random)}"`,
    );
    const id = `${ms}-${i === 0 ? "18446744073709551615" : `${1000 - i}`}`;
    ids.push(id);
    commands.push(`XADD s ${id} ${fields.join(" ")}`);
    ms++;
  }
  const some = (): string => ids[random(ids.length)]!;
  for (let i = random(20); i > 0; i--) commands.push(`XDEL s ${some()}`);
  for (const group of ["g", "h", "i"].slice(0, random(4))) {
    commands.push(`XGROUP CREATE s ${group} ${["0", "$", some()][random(3)]!}`);
    for (const consumer of ["alice", "bob", "12"]) {
      if (random(3) === 0) commands.push(`XGROUP CREATECONSUMER s ${group} ${consumer}`);
      else commands.push(`XREADGROUP GROUP ${group} ${consumer} COUNT ${1 + random(40)} STREAMS s >`);
    }
    for (let i = random(5); i > 0; i--) commands.push(`XACK s ${group} ${some()}`);
    for (let i = random(5); i > 0; i--)
      commands.push(`XCLAIM s ${group} bob 0 ${some()} RETRYCOUNT ${random(500)} FORCE`);
    if (random(4) === 0) commands.push(`XGROUP SETID s ${group} ${some()} ENTRIESREAD ${random(10)}`);
  }
  if (random(3) === 0) commands.push(`XTRIM s MAXLEN ${random(60)}`);
  for (let i = random(4); i > 0; i--) commands.push(`XDEL s ${some()}`);
  return commands;
}

/** XINFO STREAM FULL without what one of the two versions does not say, and without lag, whose rules have changed. */
function comparable(text: string): string[] {
  const lines = text.split("\n").map((line) => line.replaceAll(/\d+\) /g, "").trim());
  const shown: string[] = [];
  const left =
    /^"(radix-tree-nodes|lag|active-time|nacked-count|idmp-duration|idmp-maxsize|pids-tracked|iids-tracked|iids-added|iids-duplicates)"$/;
  for (let i = 0; i < lines.length; i++) {
    if (left.test(lines[i]!)) i++;
    // Redis names a list of pending entries `pel` here and there.
    else shown.push(lines[i]!.replace(/^"pel"$/, '"pending"'));
  }
  return shown;
}

/** RESTORE s 0 with the payload that redis-cli would show like this. */
function restoreOf(shown: string): Uint8Array {
  const payload = Buffer.from(splitInlineArguments(asciiBytes(shown), 0, shown.length)![0]!);
  const head = asciiBytes(`*4\r\n$7\r\nRESTORE\r\n$1\r\ns\r\n$1\r\n0\r\n$${payload.length}\r\n`);
  return concatBytes([head, payload, asciiBytes("\r\n")]);
}

describe(`streams dumped by redis-server (seed ${SEED})`, () => {
  test.each(Array.from({ length: STREAMS }, (_, i) => SEED + i))("%d are the same here", async (seed) => {
    for (const compression of ["yes", "no"]) {
      await connection.ask("FLUSHALL");
      await connection.ask(`CONFIG SET rdbcompression ${compression}`);
      for (const command of commandsOf(randomOf(seed))) expect(await connection.ask(command)).not.toMatch(/^\(error\)/);
      const harness = new CommandHarness();
      const client = harness.connect();
      const here = (command: string): string => {
        const { bytes } = harness.type(client, command)[0]!;
        return replyText(bytes!, 0, bytes!.length);
      };
      const restored = harness.send(client, restoreOf(await connection.ask("DUMP s")))[0]!.bytes!;
      expect(replyText(restored, 0, restored.length)).toBe("OK");
      harness.state.verify();
      const full = "XINFO STREAM s FULL COUNT 0";
      expect(comparable(here(full))).toEqual(comparable(await connection.ask(full)));
      for (const command of ["XRANGE s - +", "XPENDING s g - + 1000", "XPENDING s h", "XLEN s"]) {
        const there = await connection.ask(command);
        const mask = (text: string): string => text.replaceAll(/3\) \(integer\) \d+/g, "idle");
        expect(mask(here(command))).toBe(mask(there));
      }
    }
  });
});
