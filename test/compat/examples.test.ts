/**
 * The programs of examples/ while a leader, the gateway and one of their own are killed with -9: what they promise is counted. And the commands of
 * examples/README.md, as somebody would type them.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LocalCluster } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { partitionOf } from "../../examples/partitions/partition-name.ts";
import { connected } from "../../examples/recipes/connection.ts";
import { consumeOnce, openGroup, type ConsumeCounts, type Effects } from "../../examples/recipes/exact-consumer.ts";
import { addOnce } from "../../examples/recipes/idempotent-add.ts";
import { planOf, play } from "../examples/scenario.ts";
import { scenarios } from "../examples/scenarios.ts";
import { PYTHON, type FaultKind } from "../examples/stage.ts";
import { shellWords, testedCommands } from "../tested-commands.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SHARDS = 4;
const hasRedisPy = spawnSync(PYTHON, ["-c", "import redis"]).status === 0;

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start({ flags: ["--shards", String(SHARDS)] });
});

afterAll(() => cluster.destroy());

describe("under kill -9", () => {
  const recipes = ["idempotent producer", "consume and produce", "processed ids"];
  for (const scenario of scenarios) {
    test.skipIf(scenario.name === "page-views" && !hasRedisPy)(
      `${scenario.name}: ${scenario.promise}, while a leader dies`,
      async () => {
        const plan: FaultKind[] = recipes.includes(scenario.name)
          ? ["leader", "gateway", "service"]
          : ["leader", "service"];
        const outcome = await play(scenario, { cluster, shards: SHARDS }, { plan, withinMs: 60_000 });
        expect(outcome.wrong).toEqual([]);
        expect(outcome.kills).toBe(1);
        expect(outcome.counted).toBe(outcome.expected);
        expect(outcome.expected).toBeGreaterThan(1000);
      },
    );
  }

  test("of twenty leaders four gateways and four programs are killed beside them", () => {
    const plan = planOf(20);
    const count = (kind: FaultKind) => plan.filter((each) => each === kind).length;
    expect([count("leader"), count("gateway"), count("service")]).toEqual([20, 4, 4]);
  });
});

describe("a transaction that is still on its way when its consumer begins again", () => {
  const subscription = { key: "late:{late}", group: "counters", consumer: "one", retryMs: 0 };
  const done = "late:{late}:counters:done";
  let redis: Redis;
  let first: Redis;

  beforeEach(async () => {
    redis = await connected(cluster.url);
    first = await connected(cluster.url);
    await redis.flushall();
    await openGroup(redis, subscription);
    for (let number = 0; number < 3; number++) await redis.xadd(subscription.key, "*", "n", "1");
  });

  afterEach(() => {
    redis.disconnect();
    first.disconnect();
  });

  /** What the first try has watched and read; EXEC happens when it is called. */
  async function late(): Promise<() => Promise<unknown>> {
    await first.watch(done);
    const reply = await first.xreadgroup("GROUP", "counters", "one", "STREAMS", subscription.key, ">");
    const ids = (reply as [string, [string, string[]][]][])[0]![1].map(([id]) => id);
    expect(ids).toHaveLength(3);
    return () =>
      first
        .multi()
        .incrby("sum:{late}", 3)
        .xack(subscription.key, "counters", ...ids)
        .incrby(done, 3)
        .exec();
  }

  async function again(meanwhile: () => Promise<unknown>): Promise<ConsumeCounts> {
    const counts = { done: 0, begunAgain: 0, overtaken: 0 };
    const until = { stop: new AbortController().signal, drain: true };
    await consumeOnce(redis, subscription, until, counts, async (entries, transaction) => {
      await meanwhile();
      transaction.incrby("sum:{late}", entries.length);
    });
    return counts;
  }

  const nothing = () => Promise.resolve();
  const counted = async () => [await redis.get("sum:{late}"), await redis.get(done)];

  test("is all that happens when it comes first", async () => {
    const exec = await late();
    expect(await exec()).toHaveLength(3);
    expect(await again(nothing)).toEqual({ done: 0, begunAgain: 0, overtaken: 0 });
    expect(await counted()).toEqual(["3", "3"]);
  });

  test("overtakes the second try, which finds nothing left to do", async () => {
    const exec = await late();
    expect(await again(exec)).toEqual({ done: 0, begunAgain: 0, overtaken: 1 });
    expect(await counted()).toEqual(["3", "3"]);
  });

  test("is nil when the second try was first", async () => {
    const exec = await late();
    expect(await again(nothing)).toEqual({ done: 3, begunAgain: 0, overtaken: 0 });
    expect(await exec()).toBe(null);
    expect(await counted()).toEqual(["3", "3"]);
  });
});

describe("what is a mistake, and no failure of the moment, is not tried again", () => {
  const subscription = { key: "wrong:{wrong}", group: "g", consumer: "one", retryMs: 0 };
  let redis: Redis;

  beforeEach(async () => {
    redis = await connected(cluster.url);
    await redis.flushall();
    await redis.set("text:{wrong}", "no number");
    await redis.xadd(subscription.key, "*", "n", "1");
  });

  afterEach(() => redis.disconnect());

  function consuming(effects: Effects): Promise<void> {
    const until = { stop: new AbortController().signal, drain: true };
    return consumeOnce(redis, subscription, until, { done: 0, begunAgain: 0, overtaken: 0 }, effects);
  }

  test("an effect that is refused ends the consumer", async () => {
    const consumer = consuming((_, transaction) => void transaction.incrby("text:{wrong}", 1));
    await expect(consumer).rejects.toThrow("an effect was refused: ERR value is not an integer or out of range");
  });

  test("so does an error of the program, and nothing has happened then", async () => {
    const consumer = consuming(() => {
      throw new RangeError("of the program");
    });
    await expect(consumer).rejects.toThrow(RangeError);
    const [pending] = await redis.xpending(subscription.key, "g");
    expect(pending).toBe(1);
  });

  test("a producer ends when its key holds something else", async () => {
    const adding = addOnce(redis, { key: "text:{wrong}", producer: "p" }, [{ id: "1", fields: ["n", "1"] }], {
      added: 0,
      repeated: 0,
    });
    await expect(adding).rejects.toThrow("WRONGTYPE");
  });
});

test("the hash of the partitions is MurmurHash3 (32 bits, seed 0), of the key's UTF-8", () => {
  // Wikipedia, MurmurHash, test vectors of MurmurHash3_x86_32.
  const all = 2 ** 32;
  expect(partitionOf("", all)).toBe(0);
  expect(partitionOf("test", all)).toBe(0xba6bd213);
  expect(partitionOf("Hello, world!", all)).toBe(0xc0363e43);
  expect(partitionOf("The quick brown fox jumps over the lazy dog", all)).toBe(0x2e4ff723);
});

describe("the commands of examples/README.md", () => {
  const readme = readFileSync(join(root, "examples/README.md"), "utf8");
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "headrace-examples-"));
    typed("redis-cli FLUSHALL");
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What a line prints, typed into the root of a clone; what it writes is in a folder of the test's. */
  function typed(line: string): string {
    const words = shellWords(line).map((word) => (word.startsWith("examples/") ? join(root, word) : word));
    const [program, ...args] =
      words[0] === "npx"
        ? [process.execPath, ...words.slice(2)]
        : [words[0]!.replace(/^python3$/, PYTHON), ...words.slice(1)];
    const place = program === "redis-cli" ? ["-p", String(cluster.port)] : [];
    const url = program === "redis-cli" ? [] : ["--url", cluster.url];
    return execFileSync(program!, [...place, ...args, ...url], {
      cwd: folder,
      encoding: "utf8",
      timeout: 30_000,
    }).trim();
  }

  /** The outputs of a section's commands: of JSON what matters, of the rest all. */
  function section(name: string): readonly unknown[] {
    return testedCommands(readme, `examples ${name}`).map((line) => {
      const output = typed(line);
      if (!output.startsWith("{")) return output;
      const { added, done, archived, trimmed, text } = JSON.parse(output.split("\n").at(-1)!) as Record<
        string,
        unknown
      >;
      return added ?? done ?? text ?? [archived, trimmed];
    });
  }

  test.skipIf(!hasRedisPy)("page views: eight, four of them of the start page", () => {
    expect(section("page-views")).toEqual([8, 8, 8, "4", "8"]);
    const [period] = typed("redis-cli KEYS top:{shop}:[0-9]*").split("\n");
    expect(typed(`redis-cli ZREVRANGE ${period!} 0 1 WITHSCORES`).split("\n")).toEqual(["/start", "4", "/cart", "2"]);
  });

  test("partitions by key: five mails, ann's in order", () => {
    expect(section("by-key")).toEqual([5, 5]);
    const partition = partitionOf("ann@example.org", 8);
    expect(typed(`redis-cli LRANGE Email:log:{P${partition}}:ann@example.org 0 -1`).split("\n")).toEqual([
      "your order is here",
      "your order was sent",
      "how do you like it?",
    ]);
  });

  test("partitions in turn: six jobs in six partitions", () => {
    expect(section("round-robin")).toEqual([6, 6]);
    expect(typed("redis-cli KEYS Jobs:log:*").split("\n")).toHaveLength(6);
  });

  test("publish and subscribe: three messages, heard later", () => {
    expect(section("publish-subscribe")).toEqual([3, "Prickett keeps the jersey"]);
  });

  test.skipIf(!hasRedisPy)("an archive: eight views in a file and none in the stream", () => {
    const [shipped, history, left] = section("archive");
    expect([shipped, left]).toEqual([[8, 8], "0"]);
    const pages = readFileSync(join(root, "examples/page-views/pages.txt"), "utf8").trim().split("\n");
    expect((history as string).split("\n").map((line) => (JSON.parse(line) as [string, string[]])[1])).toEqual(
      pages.map((page) => ["page", page]),
    );
  });

  test("exactly once: three orders and their sum; two payments of three entries", () => {
    const id = expect.stringMatching(/^\d+-\d+$/);
    expect(section("exactly-once")).toEqual([3, 3, "3", 3, "3", String(120 + 35 + 64), id, id, id, 3, String(40 + 2)]);
  });
});
