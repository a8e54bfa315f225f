/**
 * `headrace import` beside Debian's redis-server 7.0.15: what the source holds is in the cluster afterwards, by both ways of copying, cut short
 * and gone on with; what is there already is not touched; what is written to meanwhile is said.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { shellWords, testedCommands } from "../tested-commands.ts";
import { startRedis, type RedisServer } from "./redis-judge.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "packages/server/src/main.ts");

let server: RedisServer;
let cluster: LocalCluster;
let source: Redis;
let target: Redis;
/** The command runs here: its state is kept here. */
let folder: string;

beforeAll(async () => {
  [server, cluster] = await Promise.all([
    startRedis(),
    LocalCluster.start({ flags: ["--nodes", "1", "--shards", "2"] }),
  ]);
  source = new Redis(server.port);
  target = new Redis(cluster.url);
});

afterAll(async () => {
  source.disconnect();
  target.disconnect();
  await Promise.all([server.stop(), cluster.destroy()]);
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "headrace-import-"));
  await Promise.all([source.flushall(), target.flushall()]);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Imported {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** With --json. */
  readonly result: Record<string, unknown>;
}

function sourceUrl(): string {
  return `redis://127.0.0.1:${server.port}`;
}

function importing(...more: readonly string[]): Promise<Imported> {
  return new Promise((done) => {
    const args = [main, "import", sourceUrl(), "--to", cluster.url, ...more];
    execFile(process.execPath, args, { encoding: "utf8", cwd: folder }, (error, stdout, stderr) => {
      const result = more.includes("--json") ? (JSON.parse(stdout) as Record<string, unknown>) : {};
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr, result });
    });
  });
}

/** Everything that a client can ask of a stream, but for when consumers were last seen. */
async function portrait(from: Redis, key: string): Promise<unknown> {
  const full = (await from.xinfo("STREAM", key, "FULL", "COUNT", 0)) as unknown[];
  const fields = new Map<string, unknown>();
  for (let i = 0; i < full.length; i += 2) fields.set(String(full[i]), full[i + 1]);
  const groups = (fields.get("groups") as unknown[][]).map((group) => {
    const facts = new Map<string, unknown>();
    for (let i = 0; i < group.length; i += 2) facts.set(String(group[i]), group[i + 1]);
    const consumers = (facts.get("consumers") as unknown[][]).map((consumer) => {
      const own = new Map<string, unknown>();
      for (let i = 0; i < consumer.length; i += 2) own.set(String(consumer[i]), consumer[i + 1]);
      return [own.get("name"), own.get("pel-count"), own.get("pending")];
    });
    const { name, lastId } = { name: facts.get("name"), lastId: facts.get("last-delivered-id") };
    return [name, lastId, facts.get("entries-read"), facts.get("pel-count"), facts.get("pending"), consumers];
  });
  const own = ["length", "last-generated-id", "max-deleted-entry-id", "entries-added"].map((name) => fields.get(name));
  return { own, groups, entries: await from.xrangeBuffer(key, "-", "+"), expires: await from.pexpiretime(key) };
}

async function expectSame(keys: readonly string[]): Promise<void> {
  for (const key of keys) expect(await portrait(target, key), key).toEqual(await portrait(source, key));
}

/** With all that makes streams differ: groups, consumers with and without pending entries, deleted and trimmed ones that are pending, counters. */
async function fill(key: string, entries: number): Promise<void> {
  const pipeline = source.pipeline();
  for (let n = 1; n <= entries; n++)
    pipeline.xadd(key, `${n}-${n % 3}`, "n", n, `field${n % 5}`, Buffer.from([n % 256, 0, 13, 10]));
  await pipeline.exec();
  await source.xgroup("CREATE", key, "readers", "0");
  await source.xgroup("CREATE", key, "late", "$");
  await source.xgroup("CREATE", key, "ahead", "999999999-0", "ENTRIESREAD", 3);
  await source.xgroup("CREATECONSUMER", key, "late", "idle");
  for (const consumer of ["ann", "bob", "cy"]) {
    await source.xreadgroup("GROUP", "readers", consumer, "COUNT", Math.ceil(entries / 5), "STREAMS", key, ">");
  }
  await source.xreadgroup("GROUP", "readers", "ann", "COUNT", 3, "STREAMS", key, "0");
  await source.xack(key, "readers", "4-1", "5-2");
  await source.xclaim(key, "readers", "bob", 0, "6-0", "TIME", 1_700_000_000_123, "RETRYCOUNT", 77);
  await source.xdel(key, "7-1", `${entries}-${entries % 3}`);
  await source.xtrim(key, "MINID", "3-0");
}

describe.each([
  ["whole, by DUMP", []],
  ["in pieces", ["--dump-max", "0"]],
])("streams copied %s", (_how, flags: readonly string[]) => {
  test("are the same afterwards", async () => {
    await fill("small", 40);
    await fill("larger", 5000);
    await source.xadd("only-trimmed", "1-0", "f", "v");
    await source.xadd("only-trimmed", "2-0", "f", "v");
    await source.xgroup("CREATE", "only-trimmed", "g", "0");
    await source.xreadgroup("GROUP", "g", "c", "COUNT", 10, "STREAMS", "only-trimmed", ">");
    await source.xtrim("only-trimmed", "MAXLEN", 0);
    await source.xgroup("CREATE", "empty", "g", "$", "MKSTREAM");
    await source.xadd("emptied", "5-5", "f", "v");
    await source.xdel("emptied", "5-5");
    await source.xadd("gone soon", "*", "f", "v");
    await source.pexpireat("gone soon", 1_900_000_000_123);
    await source.xadd("schlüssel", "*", "größe", "weit");
    await source.xsetid("schlüssel", "99999999999999-7", "ENTRIESADDED", 1234, "MAXDELETEDID", "5-0");
    const keys = ["small", "larger", "only-trimmed", "empty", "emptied", "gone soon", "schlüssel"];
    const { code, stderr, result } = await importing(...flags, "--json");
    expect(stderr).toBe("");
    expect(result).toMatchObject({ ok: true, streams: 7, copied: 7, same: 7, movedOn: 0, problems: [], notCopied: {} });
    expect(code).toBe(0);
    await expectSame(keys);
  });

  test(
    "cut short by kill -9 again and again are gone on with, and the same in the end",
    { timeout: 120_000 },
    async () => {
      const keys = Array.from({ length: 12 }, (_, i) => `s${i}`);
      for (const [i, key] of keys.entries()) await fill(key, 200 + 150 * i);
      let journal = "";
      for (let kills = 0; kills < 4; kills++) {
        const args = [main, "import", sourceUrl(), "--to", cluster.url, "--state", "state.jsonl", ...flags];
        const child = spawn(process.execPath, args, { cwd: folder, stdio: "ignore" });
        const ended = new Promise<void>((gone) => child.once("exit", () => gone()));
        const isFurther = (): boolean => {
          const path = join(folder, "state.jsonl");
          return existsSync(path) && readFileSync(path, "utf8").length > journal.length + 40 * (kills + 1);
        };
        let isOver = false;
        void ended.then(() => (isOver = true));
        while (!isOver && !isFurther()) await new Promise((next) => setTimeout(next, 2));
        child.kill("SIGKILL");
        await ended;
        journal = readFileSync(join(folder, "state.jsonl"), "utf8");
      }
      const { code, stderr, result } = await importing("--state", "state.jsonl", ...flags, "--json");
      expect(stderr).toBe("");
      expect(result).toMatchObject({ ok: true, streams: 12, same: 12, problems: [] });
      expect(code).toBe(0);
      await expectSame(keys);
    },
  );
});

test("nothing that is there already is touched, unless it is told to be replaced", async () => {
  await fill("same", 30);
  await fill("other", 30);
  await source.xadd("new", "1-0", "f", "v");
  await importing("--match", "same", "--state", "first.jsonl");
  await target.xadd("other", "1-0", "mine", "v");
  const left = await importing("--json");
  expect(left.code).toBe(1);
  expect(left.result).toMatchObject({ ok: false, streams: 3, copied: 1, alreadyThere: 1, leftAlone: 1, same: 2 });
  expect(left.result["problems"]).toEqual([
    { key: "other", problem: expect.stringContaining("it is in the target already, and other: length") as string },
  ]);
  expect(await target.xrange("other", "-", "+")).toEqual([["1-0", ["mine", "v"]]]);
  expect(left.stderr).toContain("--replace replaces it");
  const replaced = await importing("--replace", "--json");
  expect(replaced.result).toMatchObject({ ok: true, copied: 1, alreadyThere: 2, same: 3 });
  expect(replaced.code).toBe(0);
  await expectSame(["same", "other", "new"]);
});

test("a dry run changes nothing and says what would be done", async () => {
  await fill("s1", 20);
  await fill("s2", 30);
  await source.set("text", "v");
  await source.rpush("list", "v");
  const dry = await importing("--dry-run");
  expect(dry.code).toBe(0);
  // 20 and 30, less the two trimmed and the two deleted of each.
  expect(dry.stdout).toBe(
    "2 streams, 2 other keys: 4 would be copied (42 entries), 0 are there already, 0 would be left alone\n",
  );
  expect(await target.dbsize()).toBe(0);
  const { code, stdout } = await importing("--match", "s2");
  expect(code).toBe(0);
  expect(stdout).toContain("1 streams, 0 other keys: 1 copied");
  expect(await target.keys("*")).toEqual(["s2"]);
});

/** Of each type a small one, one of many elements, and one of large elements; with every byte there is, and with a time to live. */
async function fillValues(): Promise<readonly string[]> {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const many = Array.from({ length: 5000 }, (_, i) => `element ${i} ${"x".repeat(i % 90)}`);
  const large = Array.from({ length: 12 }, (_, i) => Buffer.alloc(150_000, i));
  await source.mset({ number: "-17", empty: "", every, "long text": Buffer.alloc(1_300_000, "abc") });
  await source.rpush("few", "a", "a", "", every);
  await source.sadd("few members", "1", "2", "30000");
  await source.sadd("members", "text", "", every);
  await source.hset("few fields", { name: "Norem", stage: "3", "": "", every });
  await source.zadd(
    "few scores",
    1,
    "a",
    1,
    "b",
    "-inf",
    "low",
    "+inf",
    "high",
    0.1,
    every,
    1e300,
    "",
    17.000000000000004,
    "17+",
  );
  for (let i = 0; i < many.length; i += 500) {
    const piece = many.slice(i, i + 500);
    await source.rpush("many", ...piece);
    await source.sadd("many members", ...piece);
    await source.hset("many fields", Object.fromEntries(piece.map((word, n) => [word, `${i + n}`])));
    await source.zadd("many scores", ...piece.flatMap((word, n) => [(i + n) / 7, word]));
  }
  await source.rpush("large", ...large);
  await source.sadd("large members", ...large);
  await source.hset("large fields", new Map(large.map((word, i) => [`f${i}`, word])));
  await source.zadd("large scores", ...large.flatMap((word, i) => [i, word]));
  await source.set("text for a while", "v", "PXAT", 1_900_000_000_123);
  await source.rpush("list for a while", "v");
  await source.pexpireat("list for a while", 1_900_000_000_456);
  return source.keys("*");
}

/** All that is in it, in the order that its type has, and when it goes. */
async function valuePortrait(from: Redis, key: string): Promise<unknown> {
  const type = await from.type(key);
  const sorted = (words: readonly Buffer[]): readonly string[] => words.map((word) => word.toString("hex")).toSorted();
  const inside = async (): Promise<unknown> => {
    if (type === "string") return from.getBuffer(key);
    if (type === "list") return from.lrangeBuffer(key, 0, -1);
    if (type === "set") return sorted(await from.smembersBuffer(key));
    if (type === "zset") return from.callBuffer("ZRANGE", key, "0", "-1", "WITHSCORES");
    const pairs = (await from.callBuffer("HGETALL", key)) as Buffer[];
    return sorted(
      pairs.flatMap((word, i) => (i % 2 === 0 ? [Buffer.concat([word, Buffer.from("="), pairs[i + 1]!])] : [])),
    );
  };
  return [type, await inside(), await from.pexpiretime(key)];
}

describe.each([
  ["whole, by DUMP", []],
  ["in pieces", ["--dump-max", "0"]],
])("strings, lists, sets, hashes and sorted sets copied %s", (_how, flags: readonly string[]) => {
  test("are the same afterwards, and go at the same time", async () => {
    const keys = await fillValues();
    const { code, stderr, result } = await importing(...flags, "--json");
    expect(stderr).toBe("");
    const all = { values: keys.length, copied: keys.length, same: keys.length };
    expect(result).toMatchObject({ ok: true, streams: 0, ...all, problems: [], notCopied: {} });
    expect(code).toBe(0);
    for (const key of keys) expect(await valuePortrait(target, key), key).toEqual(await valuePortrait(source, key));
  });

  test("are begun anew where a copy was cut short", async () => {
    const keys = await fillValues();
    const lines = [{ source: sourceUrl(), target: cluster.url }, ...keys.map((key) => ({ key, begun: true }))];
    // As a process leaves it that ends between its first and its last word to the target, of every key.
    const header =
      (await importing("--match", "none", "--state", "s.jsonl"), readFileSync(join(folder, "s.jsonl"), "utf8"));
    writeFileSync(
      join(folder, "s.jsonl"),
      header +
        lines
          .slice(1)
          .map((line) => `${JSON.stringify(line)}\n`)
          .join(""),
    );
    await target.rpush("many", "element 0 ", "left of a copy");
    await target.sadd("many members", "left of a copy");
    await target.set("number", "left of a copy");
    const { code, result } = await importing("--state", "s.jsonl", ...flags, "--json");
    expect(result).toMatchObject({ ok: true, copied: keys.length, same: keys.length, problems: [] });
    expect(code).toBe(0);
    for (const key of keys) expect(await valuePortrait(target, key), key).toEqual(await valuePortrait(source, key));
  });
});

test("of values too, what is there already is left alone, what is written to meanwhile named, what differs found", async () => {
  await source.set("kind", "text");
  await target.rpush("kind", "mine");
  await source.sadd("other", "a");
  await target.sadd("other", "b");
  await source.sadd("same", "a");
  await target.sadd("same", "a");
  const left = await importing("--state", "s.jsonl", "--json");
  expect(left.code).toBe(1);
  expect(left.result).toMatchObject({ ok: false, values: 3, copied: 0, alreadyThere: 1, leftAlone: 2, same: 1 });
  expect(left.result["problems"]).toEqual(
    expect.arrayContaining([
      {
        key: "kind",
        problem: "it is in the target already, and other: it is a string, but here a list; --replace replaces it",
      },
      { key: "other", problem: "it is in the target already, and other: what is in it differs; --replace replaces it" },
    ]),
  );
  const replaced = await importing("--state", "s.jsonl", "--replace", "--json");
  expect(replaced.result).toMatchObject({ ok: true, copied: 2, alreadyThere: 1, same: 3 });
  await source.append("kind", "s");
  const moved = await importing("--state", "s.jsonl", "--json");
  expect(moved.code).toBe(0);
  expect(moved.result).toMatchObject({ ok: true, movedOn: 1, same: 2 });
  expect(moved.stderr).toBe("headrace: kind was written to since it was copied\n");
  await target.sadd("other", "c");
  const spoilt = await importing("--state", "s.jsonl", "--json");
  expect(spoilt.code).toBe(1);
  expect(spoilt.result["problems"]).toEqual([{ key: "other", problem: "it has 1 elements, but here 2" }]);
});

test("a stream that is written to after it was copied is named, with the point that it is copied up to, and is no mistake", async () => {
  await fill("quiet", 20);
  await source.xadd("busy", "1-0", "f", "v");
  expect((await importing("--state", "s.jsonl")).code).toBe(0);
  await source.xadd("busy", "2-0", "f", "v");
  const again = await importing("--state", "s.jsonl", "--json");
  expect(again.code).toBe(0);
  expect(again.result).toMatchObject({ ok: true, alreadyThere: 2, same: 1, movedOn: 1 });
  expect(again.stderr).toBe("headrace: busy was written to since it was copied up to 1-0\n");
});

test("a difference that nobody explains is found at the end, and fails", async () => {
  await fill("s", 20);
  expect((await importing("--state", "s.jsonl")).code).toBe(0);
  await target.xdel("s", "10-1");
  const again = await importing("--state", "s.jsonl", "--json");
  expect(again.code).toBe(1);
  expect(again.result["problems"]).toEqual([
    { key: "s", problem: expect.stringContaining("length: 16, but here 15") as string },
  ]);
});

test("a source with a password and another database, and addresses that cannot be", async () => {
  await source.config("SET", "requirepass", "päss");
  try {
    await source.select(3);
    await source.xadd("in3", "1-0", "f", "v");
    const state = ["--state", "s.jsonl"];
    const args = (url: string): readonly string[] => [main, "import", url, "--to", cluster.url, ...state];
    const run = (url: string): Promise<string> =>
      new Promise((done) => {
        execFile(process.execPath, args(url), { encoding: "utf8", cwd: folder }, (error, stdout, stderr) =>
          done(`${error === null ? 0 : String(error.code)} ${stdout}${stderr}`),
        );
      });
    expect(await run(`redis://127.0.0.1:${server.port}/3`)).toMatch(/^1 headrace: NOAUTH/);
    expect(await run(`redis://:wrong@127.0.0.1:${server.port}/3`)).toMatch(/^1 headrace: WRONGPASS/);
    expect(await run(`redis://:p%C3%A4ss@127.0.0.1:${server.port}/3`)).toMatch(/^0 1 streams, 0 other keys: 1 copied/);
    expect(await target.xlen("in3")).toBe(1);
    expect(await run(cluster.url)).toMatch(/^2 headrace: source and target are both/);
    expect(await run("redis://127.0.0.1:1")).toMatch(/^1 headrace: .*ECONNREFUSED/);
    expect(await run("http://127.0.0.1")).toMatch(/^2 headrace: .* is not redis:/);
    expect(await run(`redis://:p%C3%A4ss@127.0.0.1:${server.port}/4`)).toMatch(
      /^1 headrace: s.jsonl is of another import/,
    );
  } finally {
    await source.select(0);
    await source.config("SET", "requirepass", "");
  }
});

test("any node of a Redis Cluster stands for all of it", async () => {
  const clustered = await startRedis("--cluster-enabled", "yes");
  const node = new Redis(clustered.port);
  try {
    await node.cluster("ADDSLOTSRANGE", 0, 16383);
    while (!(await node.cluster("INFO")).includes("cluster_state:ok"))
      await new Promise((next) => setTimeout(next, 20));
    for (const key of ["a", "b", "c"]) await node.xadd(key, "1-0", "f", key);
    const args = [main, "import", `redis://127.0.0.1:${clustered.port}`, "--to", cluster.url, "--json"];
    const stdout = await new Promise<string>((done) => {
      execFile(process.execPath, args, { encoding: "utf8", cwd: folder }, (_error, text) => done(text));
    });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, streams: 3, copied: 3, same: 3 });
    for (const key of ["a", "b", "c"]) expect(await target.xrange(key, "-", "+")).toEqual([["1-0", ["f", key]]]);
  } finally {
    node.disconnect();
    await clustered.stop();
  }
});

test("what the README says is done", async () => {
  await fill("race:{france}", 50);
  const commands = testedCommands(readFileSync(join(root, "README.md"), "utf8"), "headrace import").map(shellWords);
  expect(commands).toHaveLength(2);
  for (const [program, verb, from, ...flags] of commands) {
    expect([program, verb, from]).toEqual(["headrace", "import", "redis://10.0.0.7:6379"]);
    expect((await importing(...flags)).code).toBe(0);
  }
  await expectSame(["race:{france}"]);
});
