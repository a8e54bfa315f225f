/**
 * The judge of the fixtures: the same input, typed into a real redis-server 7.0.15, must give the replies that the fixtures hold. With
 * HEADRACE_WRITE_FIXTURES=1 it writes them instead. Cases marked `@8.x` or `@ours` are left out; `@clock` masks numbers.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  maskNumbers,
  parseTranscript,
  renderCase,
  respVersions,
  shownReply,
  withoutLaterFields,
} from "../../packages/commands/testing/transcript.ts";
import type { TranscriptCase } from "../../packages/commands/testing/transcript.ts";
import { RedisConnection, startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

const folder = join(import.meta.dirname, "../../packages/commands/test/testdata");
const writing = process.env["HEADRACE_WRITE_FIXTURES"] === "1";

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  await redis.stop();
});

/** Files without a case that 7.0.15 knows have nothing to be judged; the pure handlers run them in packages/commands/test. */
const fixtures = readdirSync(folder)
  .toSorted()
  .map((file) => {
    const cases = parseTranscript(readFileSync(join(folder, file), "latin1"));
    return { file, cases, judged: cases.filter((each) => !each.marks.has("8.x") && !each.marks.has("ours")) };
  })
  .filter(({ judged }) => judged.length > 0);

describe.each(fixtures)("$file", ({ file, cases, judged }) => {
  const path = join(folder, file);

  test(`${judged.length} cases as redis-server answers them`, async () => {
    const answers = new Map<TranscriptCase, string[]>();
    for (const each of judged) {
      const seen: string[] = [];
      for (const version of respVersions(each)) seen.push(await typeInto(redis, each, version));
      answers.set(each, seen);
    }
    if (writing) {
      const text = cases.map((each) => renderCase(each, chooseExpected(each, answers.get(each)?.[0]))).join("\n\n");
      writeFileSync(path, `${text}\n`, "latin1");
      return;
    }
    for (const [each, seen] of answers) {
      for (const [i, answer] of seen.entries()) {
        expect(masked(each, answer), `${file}:${each.at} RESP${respVersions(each)[i]!}`).toBe(
          masked(each, each.expected),
        );
      }
    }
  });
});

/** A case keeps its own clock, and fields that 7.0 does not have, as long as only they differ. */
function chooseExpected(each: TranscriptCase, answer: string | undefined): string {
  if (answer === undefined) return each.expected;
  return masked(each, answer) === masked(each, each.expected) ? each.expected : answer;
}

function masked(each: TranscriptCase, text: string): string {
  const common = each.expected.includes('"idmp-duration"') ? withoutLaterFields(text) : text;
  return each.marks.has("clock") ? maskNumbers(common) : common;
}

async function typeInto(server: RedisServer, each: TranscriptCase, version: 2 | 3): Promise<string> {
  const control = await RedisConnection.open(server.port);
  // Connections of the case before may not be gone yet.
  while ((await control.blockedClients()) > 0);
  await control.ask("FLUSHALL");
  const clients = new Map<string, RedisConnection>();
  const blocked: string[] = [];
  const seen: string[] = [];
  for (const { client: name, command } of each.lines) {
    let client = clients.get(name);
    if (client === undefined) {
      client = await RedisConnection.open(server.port);
      if (version === 3) await client.ask("HELLO 3");
      clients.set(name, client);
    }
    const reply = await client.askOrBlock(command, control, blocked.length);
    seen.push(shownReply(name, reply ?? "(blocked)"));
    if (reply === null) blocked.push(name);
    for (const woken of await wokenClients(control, clients, blocked)) seen.push(woken);
  }
  for (const client of [control, ...clients.values()]) client.close();
  return seen.join("\n");
}

/** Replies of blocked clients that the last command has woken, in the order in which they blocked. */
async function wokenClients(
  control: RedisConnection,
  clients: ReadonlyMap<string, RedisConnection>,
  blocked: string[],
): Promise<string[]> {
  const replies = new Map<string, string>();
  const wokenCount = blocked.length - (blocked.length === 0 ? 0 : await control.blockedClients());
  while (replies.size < wokenCount) {
    for (const name of blocked) {
      const reply = replies.has(name) ? null : await clients.get(name)!.replyWithin(5);
      if (reply !== null) replies.set(name, reply);
    }
  }
  const woken = blocked.filter((name) => replies.has(name));
  blocked.splice(0, blocked.length, ...blocked.filter((name) => !replies.has(name)));
  return woken.map((name) => shownReply(name, replies.get(name)!));
}
