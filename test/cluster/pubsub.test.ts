/** The subscribers that people have: ioredis and node-redis, over both protocols, at the gateway and at nodes' own ports. */
import { LocalCluster } from "@headrace/testkit";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(async () => {
  await cluster.destroy();
});

/** Resolves when so many were heard. */
class Heard {
  readonly messages: string[] = [];
  #wanted: { readonly count: number; readonly done: () => void } | null = null;

  readonly add = (message: string): void => {
    this.messages.push(message);
    if (this.#wanted !== null && this.messages.length >= this.#wanted.count) this.#wanted.done();
  };

  async of(count: number): Promise<readonly string[]> {
    if (this.messages.length < count) await new Promise<void>((done) => (this.#wanted = { count, done }));
    return this.messages;
  }
}

describe("ioredis", () => {
  test.each([2, 3])("subscribes to channels and patterns over RESP%i", async (protocol) => {
    const subscriber = new Redis(cluster.url, { protocol } as Record<string, unknown>);
    const publisher = new Redis(cluster.url);
    const heard = new Heard();
    subscriber.on("message", (channel, message) => heard.add(`${channel} ${message}`));
    subscriber.on("pmessage", (pattern, channel, message) => heard.add(`${pattern} ${channel} ${message}`));
    expect(await subscriber.subscribe(`one:${protocol}`, `two:${protocol}`)).toBe(2);
    expect(await subscriber.psubscribe(`o*:${protocol}`)).toBe(3);
    expect(await publisher.publish(`one:${protocol}`, "hello")).toBe(2);
    expect(await publisher.publish(`two:${protocol}`, "there")).toBe(1);
    expect((await heard.of(3)).toSorted()).toEqual(
      [`o*:${protocol} one:${protocol} hello`, `one:${protocol} hello`, `two:${protocol} there`].toSorted(),
    );
    expect(await publisher.pubsub("NUMSUB", `one:${protocol}`)).toEqual([`one:${protocol}`, 1]);
    expect(await subscriber.unsubscribe(`one:${protocol}`, `two:${protocol}`)).toBe(1);
    expect(await publisher.publish(`two:${protocol}`, "nobody")).toBe(0);
    subscriber.disconnect();
    publisher.disconnect();
  });
});

describe("node-redis", () => {
  test.each([2, 3] as const)("subscribes over RESP%i, and hears events of streams", async (RESP) => {
    const subscriber = createClient({ url: cluster.url, RESP });
    const writer = createClient({ url: cluster.url, RESP });
    await subscriber.connect();
    await writer.connect();
    await writer.configSet("notify-keyspace-events", "Kt");
    const heard = new Heard();
    const key = `node-redis:{events}:${RESP}`;
    await subscriber.subscribe(`__keyspace@0__:${key}`, heard.add);
    await writer.xAdd(key, "*", { n: "1" });
    await writer.xGroupCreate(key, "g", "0");
    await writer.xTrim(key, "MAXLEN", 0);
    expect(await heard.of(3)).toEqual(["xadd", "xgroup-create", "xtrim"]);
    await writer.configSet("notify-keyspace-events", "");
    await subscriber.quit();
    await writer.quit();
  });
});

test("subscribers at every door hear what is published at every door", async () => {
  const ports = [cluster.port, ...cluster.places().nodes.map(({ dataPort }) => dataPort)];
  const subscribers = ports.map((port) => new Redis(port));
  const publishers = ports.map((port) => new Redis(port));
  const heard = subscribers.map(() => new Heard());
  for (const [i, subscriber] of subscribers.entries()) {
    subscriber.on("message", (_channel, message) => heard[i]!.add(message));
    await subscriber.subscribe("doors");
  }
  const expected: string[] = [];
  for (const [i, publisher] of publishers.entries()) {
    expected.push(`from ${i}`);
    expect(await publisher.publish("doors", `from ${i}`)).toBe(ports.length);
  }
  for (const one of heard) expect(await one.of(expected.length)).toEqual(expected);
  for (const client of [...subscribers, ...publishers]) client.disconnect();
});
