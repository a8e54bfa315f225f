/** Consumers that read streams of many shards in one call, waiting for whichever has something; and a node that dies meanwhile. */
import { LocalCluster } from "@headrace/testkit";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, ready, until } from "./connect.ts";

const STREAMS = Array.from({ length: 8 }, (_, i) => `spread:${i}`);
const CONSUMERS = ["ann", "bob", "cy", "dee"];

type Sections = readonly (readonly [stream: string, entries: readonly (readonly [id: string, fields: string[]])[]])[];

let cluster: LocalCluster;
let admin: Redis;

beforeAll(async () => {
  cluster = await LocalCluster.start();
  admin = connect(cluster.url);
  await ready(admin);
});

afterAll(async () => {
  admin.disconnect();
  await cluster.destroy();
});

/** All streams anew, with the group `g` at their end. */
async function prepare(): Promise<void> {
  await admin.del(...STREAMS);
  for (const stream of STREAMS) await admin.xgroup("CREATE", stream, "g", "$", "MKSTREAM");
}

/** The client's own methods make pairs of a map; their overloads list the options one by one. */
function words(all: readonly string[]): [never, never, never, never] {
  return all as unknown as [never, never, never, never];
}

function readGroup(redis: Redis, consumer: string, blockMs: number): Promise<unknown> {
  const options = ["GROUP", "g", consumer, "COUNT", "2", "BLOCK", String(blockMs), "STREAMS"];
  return redis.xreadgroup(...words([...options, ...STREAMS, ...STREAMS.map(() => ">")]));
}

interface Delivery {
  readonly stream: string;
  readonly id: string;
  readonly consumer: string;
}

/** Reads until told to stop; what it got, and whether any of its calls had no answer. */
async function consume(consumer: string, isOver: () => boolean): Promise<{ got: Delivery[]; isInDoubt: boolean }> {
  const got: Delivery[] = [];
  let isInDoubt = false;
  const redis = connect(cluster.url);
  await ready(redis);
  while (!isOver()) {
    const reply = await readGroup(redis, consumer, 100).catch((error: Error) => {
      // Whatever an unanswered call took is pending for this consumer.
      if (!/^(NOGROUP|CLUSTERDOWN)/.test(error.message)) isInDoubt = true;
      return null;
    });
    for (const [stream, entries] of (reply ?? []) as Sections) {
      for (const [id] of entries) got.push({ stream, id, consumer });
    }
    if (redis.status !== "ready") await ready(redis);
  }
  redis.disconnect();
  return { got, isInDoubt };
}

async function pendingOf(stream: string): Promise<readonly Delivery[]> {
  const rows = (await admin.xpending(stream, "g", "-", "+", 100_000)) as [string, string, number, number][];
  return rows.map(([id, consumer]) => ({ stream, id, consumer }));
}

const nameOf = ({ stream, id, consumer }: Delivery): string => `${stream} ${id} ${consumer}`;

test("XREAD over many shards answers in the caller's order, and waits where `$` was", async () => {
  await prepare();
  const order = STREAMS.toReversed();
  for (const [i, stream] of STREAMS.entries()) await admin.xadd(stream, `${i + 1}-0`, "f", "v");
  const reply = (await admin.xread(...words(["STREAMS", ...order, ...order.map(() => "0")]))) as Sections;
  expect(reply.map(([stream, entries]) => [stream, entries.map(([id]) => id)])).toEqual(
    order.map((stream) => [stream, [`${STREAMS.indexOf(stream) + 1}-0`]]),
  );
  const reader = connect(cluster.url);
  await ready(reader);
  let isServed = false;
  const waiting = reader.xread(...words(["BLOCK", "0", "STREAMS", ...STREAMS, ...STREAMS.map(() => "$")]));
  void waiting.then(() => (isServed = true));
  // Whether it already waits does not show from outside; the writer repeats until it is served.
  await until(async () => {
    await admin.xadd(STREAMS[5]!, "*", "f", "late");
    return isServed ? true : null;
  });
  const [[stream, entries]] = (await waiting) as Sections as [Sections[number]];
  expect([stream, entries[0]![1]]).toEqual([STREAMS[5], ["f", "late"]]);
  reader.disconnect();
});

test("consumers that wait on many shards get each entry once, and only what they got is pending for them", async () => {
  await prepare();
  let isOver = false;
  const consumers = CONSUMERS.map((consumer) => consume(consumer, () => isOver));
  const added: string[] = [];
  for (let i = 0; i < 150; i++) {
    const stream = STREAMS[(i * 7) % STREAMS.length]!;
    added.push(`${stream} ${await admin.xadd(stream, "*", "n", String(i))}`);
  }
  await until(async () => {
    const delivered = await Promise.all(STREAMS.map(async (stream) => (await pendingOf(stream)).length));
    return delivered.reduce((sum, count) => sum + count, 0) === added.length ? true : null;
  });
  isOver = true;
  const got = (await Promise.all(consumers)).flatMap((consumer) => consumer.got);
  expect(got.map(({ stream, id }) => `${stream} ${id}`).toSorted()).toEqual(added.toSorted());
  const pending = (await Promise.all(STREAMS.map(pendingOf))).flat();
  expect(pending.map(nameOf).toSorted()).toEqual(got.map(nameOf).toSorted());
});

test("when a node dies nothing is delivered twice, and nothing is pending for one who did not get it but for doubtful calls", async () => {
  await prepare();
  let isOver = false;
  const consumers = CONSUMERS.map((consumer) => consume(consumer, () => isOver));
  const added = new Set<string>();
  for (let i = 0; i < 150; i++) {
    if (i === 50) process.kill(cluster.places().nodes[0]!.pid, "SIGKILL");
    const stream = STREAMS[(i * 5) % STREAMS.length]!;
    const id = await admin.xadd(stream, "*", "n", String(i)).catch(() => null);
    if (id !== null) added.add(`${stream} ${id}`);
  }
  await until(async () => {
    const pending = (await Promise.all(STREAMS.map((stream) => pendingOf(stream).catch(() => [])))).flat();
    const there = new Set(pending.map(({ stream, id }) => `${stream} ${id}`));
    return [...added].every((entry) => there.has(entry)) ? true : null;
  });
  isOver = true;
  const all = await Promise.all(consumers);
  const got = all.flatMap((consumer) => consumer.got);
  const delivered = got.map(({ stream, id }) => `${stream} ${id}`);
  expect(new Set(delivered).size).toBe(delivered.length);
  const pending = (await Promise.all(STREAMS.map(pendingOf))).flat();
  const names = new Set(pending.map(nameOf));
  for (const delivery of got) expect(names).toContain(nameOf(delivery));
  const known = new Set(got.map(nameOf));
  const doubtful = new Set(CONSUMERS.filter((_consumer, i) => all[i]!.isInDoubt));
  for (const delivery of pending) if (!doubtful.has(delivery.consumer)) expect(known).toContain(nameOf(delivery));
});
