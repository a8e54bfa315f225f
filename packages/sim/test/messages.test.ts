/** The checker of what subscribers heard must be able to fail. */
import { describe, expect, test } from "vitest";
import { checkArrivals, checkOrder, keysOfEvents } from "../src/checkers/messages.ts";
import type { Listening } from "../src/sim-subscriber.ts";

function listening(...heard: readonly string[]): Listening {
  return {
    gateway: "gateway-1:6379",
    confirmedAtMs: 0,
    closedAtMs: Infinity,
    heard: heard.map((message) => ({ by: "message news", channel: "news", message })),
  };
}

const published = [{ channel: "news", message: "p.1", invokedAtMs: 5000, answeredAtMs: 5010, receivers: 1 }];

describe("what subscribers heard", () => {
  test("is in each publisher's order, and nothing is heard twice", () => {
    const answered = new Set(["p.1", "p.2", "p.3", "q.1", "q.2"]);
    checkOrder(listening("p.1", "q.1", "p.3", "q.2"), answered);
    expect(() => checkOrder(listening("p.2", "p.1"), answered)).toThrow("p.1 was heard behind p.2");
    expect(() => checkOrder(listening("p.2", "p.2"), answered)).toThrow("p.2 was heard twice");
  });

  // Its gateway was cut off with the request under way and answered -UNCERTAIN; the publisher went on over another one, and then the cut ended.
  test("may have a message in doubt late, but neither early nor twice", () => {
    checkOrder(listening("p.2", "p.1", "p.3"), new Set(["p.2", "p.3"]));
    expect(() => checkOrder(listening("p.3", "p.1", "p.2"), new Set(["p.2", "p.3"]))).toThrow(
      "p.2 was heard behind p.3",
    );
    expect(() => checkOrder(listening("p.2", "p.1"), new Set(["p.1"]))).toThrow("p.1 was heard behind p.2");
    expect(() => checkOrder(listening("p.1", "p.2", "p.1"), new Set(["p.2"]))).toThrow("p.1 was heard twice");
  });

  test("is all that was published while nothing happened to links and leaders", () => {
    const arrivals = (heard: Listening, ...at: { atMs: number; gateway: string | null; shardId: number }[]): number =>
      checkArrivals(published, [heard], at, () => 1);
    expect(arrivals(listening("p.1"))).toBe(1);
    expect(() => arrivals(listening())).toThrow("p.1 at news was answered, and not heard");
    expect(arrivals(listening(), { atMs: 6000, gateway: "gateway-1", shardId: 0 })).toBe(0);
    expect(arrivals(listening(), { atMs: 4000, gateway: null, shardId: 1 })).toBe(0);
    expect(() => arrivals(listening(), { atMs: 4000, gateway: "gateway-2", shardId: 0 })).toThrow("not heard");
    expect(arrivals({ ...listening(), confirmedAtMs: 5005 })).toBe(0);
    expect(arrivals({ ...listening(), closedAtMs: 5500 })).toBe(0);
  });

  test("names the keys whose events were heard", () => {
    const heard = { by: "pmessage __key*", channel: "__keyspace@0__:ev:1", message: "xadd" };
    expect([...keysOfEvents([{ ...listening("p.1"), heard: [heard, heard] }])]).toEqual(["ev:1"]);
  });
});
