/** CLIENT UNBLOCK: the answer says whether it was this that ended the call, so it comes when the call has its reply. */
import { CancelHow } from "@headrace/link";
import { describe, expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster } from "../testing/test-cluster.ts";
import type { TestClient } from "../testing/test-cluster.ts";

const UNBLOCKED = "-UNBLOCKED client unblocked via CLIENT UNBLOCK";

class Bench {
  readonly cluster: TestCluster;
  readonly key: string;
  readonly waiting: TestClient;
  readonly other: TestClient;
  readonly asked: Asked[] = [];

  constructor() {
    this.cluster = new TestCluster();
    this.key = this.cluster.keyOf(1);
    for (const node of this.cluster.nodes) node.onAsked = (asked) => void this.asked.push(asked);
    this.waiting = this.cluster.client();
    this.other = this.cluster.client();
  }

  ask(client: TestClient, ...words: readonly string[]): string {
    client.send(...words);
    this.cluster.world.run(5);
    return client.take();
  }

  unblock(...reason: readonly string[]): string {
    return this.ask(this.other, "CLIENT", "UNBLOCK", "1", ...reason);
  }

  reply(resp: string): void {
    const asked = this.asked.at(-1)!;
    this.cluster.nodes[0]!.reply(asked, asked.first, 1, resp);
    this.cluster.world.run(5);
  }
}

describe("CLIENT UNBLOCK", () => {
  test("of nobody, or of one that does not wait, answers 0", () => {
    const bench = new Bench();
    expect(bench.unblock()).toBe(":0|");
    expect(bench.ask(bench.other, "CLIENT", "UNBLOCK", "99")).toBe(":0|");
  });

  test("waits for what its own client asked before it, which may serve the call", () => {
    const bench = new Bench();
    bench.ask(bench.waiting, "XREAD", "BLOCK", "0", "STREAMS", bench.key, "$");
    const waiting = bench.asked.at(-1)!;
    bench.other.send("XADD", bench.key, "1-0", "f", "v");
    expect(bench.unblock()).toBe("");
    expect(bench.cluster.nodes[0]!.cancels).toEqual([]);
    bench.cluster.nodes[0]!.reply(waiting, waiting.first, 1, "+served\r\n");
    bench.reply("+1-0\r\n");
    expect([bench.waiting.take(), bench.other.take()]).toEqual(["+served|", "+1-0|:0|"]);
  });

  test("answers in its place when it had to wait and the call has still to end", () => {
    const bench = new Bench();
    bench.ask(bench.waiting, "XREAD", "BLOCK", "0", "STREAMS", bench.key, "$");
    const waiting = bench.asked.at(-1)!;
    bench.other.send("XLEN", bench.key);
    bench.unblock("ERROR");
    bench.other.send("PING");
    bench.reply(":0\r\n");
    expect(bench.other.take()).toBe(":0|");
    bench.cluster.nodes[0]!.reply(waiting, waiting.first, 1, `${UNBLOCKED}\r\n`);
    bench.cluster.world.run(5);
    expect([bench.waiting.take(), bench.other.take()]).toEqual([`${UNBLOCKED}|`, ":1|+PONG|"]);
  });

  test("ends a call at its shard, and answers 1 when that is why it ended", () => {
    for (const [reason, how, reply] of [
      [[], CancelHow.timeOut, "*-1"],
      [["TIMEOUT"], CancelHow.timeOut, "*-1"],
      [["ERROR"], CancelHow.unblock, UNBLOCKED],
    ] as const) {
      const bench = new Bench();
      bench.ask(bench.waiting, "XREAD", "BLOCK", "0", "STREAMS", bench.key, "$");
      expect(bench.unblock(...reason)).toBe("");
      expect(bench.cluster.nodes[0]!.cancels).toEqual([{ shard: 1, number: 1, how }]);
      bench.reply(`${reply}\r\n`);
      expect([bench.waiting.take(), bench.other.take()]).toEqual([`${reply}|`, ":1|"]);
    }
  });

  test("ends a write that is held at a limit of lag, with the error of the limit or its own", () => {
    const limit = "-BACKPRESSURE group 'g' of 's' is 1 entries behind (limit 1)";
    for (const [reason, how, reply, answer] of [
      ["TIMEOUT", CancelHow.timeOut, limit, ":1|"],
      ["ERROR", CancelHow.unblock, UNBLOCKED, ":1|"],
      ["ERROR", CancelHow.unblock, "+1-0", ":0|"],
    ] as const) {
      const bench = new Bench();
      bench.ask(bench.waiting, "XADD", bench.key, "*", "f", "v");
      // Nobody knows yet that it waits.
      expect(bench.unblock(reason)).toBe(":0|");
      bench.cluster.nodes[0]!.parked(bench.asked.at(-1)!, 1);
      bench.cluster.world.run(5);
      expect(bench.unblock(reason)).toBe("");
      expect(bench.cluster.nodes[0]!.cancels).toEqual([{ shard: 1, number: 1, how }]);
      bench.reply(`${reply}\r\n`);
      expect([bench.waiting.take(), bench.other.take()]).toEqual([`${reply}|`, answer]);
    }
  });

  test("answers 0 when the node that holds the write goes before it ends", () => {
    const bench = new Bench();
    bench.ask(bench.waiting, "XADD", bench.key, "*", "f", "v");
    bench.cluster.nodes[0]!.parked(bench.asked.at(-1)!, 1);
    bench.cluster.world.run(5);
    expect(bench.unblock("ERROR")).toBe("");
    bench.cluster.nodes[0]!.kill();
    bench.cluster.world.run(5);
    expect([bench.waiting.take(), bench.other.take()]).toEqual(["", ":0|"]);
  });

  test("answers 0 when the call was served meanwhile, or its client went", () => {
    const bench = new Bench();
    bench.ask(bench.waiting, "XREAD", "BLOCK", "0", "STREAMS", bench.key, "$");
    bench.unblock("ERROR");
    bench.reply("*1\r\n*2\r\n$1\r\ns\r\n*0\r\n");
    expect(bench.other.take()).toBe(":0|");
    bench.ask(bench.waiting, "XREAD", "BLOCK", "0", "STREAMS", bench.key, "$");
    bench.unblock("ERROR");
    bench.waiting.connection.destroy();
    bench.cluster.world.run(5);
    expect(bench.other.take()).toBe(":0|");
  });

  test("ends a call whose shard nobody leads, in the client's protocol version", () => {
    const bench = new Bench();
    bench.ask(bench.waiting, "HELLO", "3");
    bench.cluster.nodes[0]!.kill();
    bench.ask(bench.waiting, "XREAD", "BLOCK", "0", "STREAMS", bench.key, "$");
    expect(bench.unblock()).toBe(":1|");
    expect(bench.waiting.take()).toBe("_|");
    // The client goes on.
    expect(bench.ask(bench.waiting, "PING")).toBe("+PONG|");
  });

  test("ends a call over several shards at once; they are cancelled", () => {
    const bench = new Bench();
    bench.ask(bench.waiting, "XREAD", "BLOCK", "0", "STREAMS", bench.key, bench.cluster.keyOf(2), "$", "$");
    expect(bench.unblock("ERROR")).toBe(":1|");
    expect(bench.waiting.take()).toBe(`${UNBLOCKED}|`);
    expect(bench.cluster.nodes.map((node) => node.cancels.length)).toEqual([1, 1]);
    expect(bench.ask(bench.waiting, "PING")).toBe("+PONG|");
  });

  test("ends WAIT with what it knows, or with the error", () => {
    const bench = new Bench();
    bench.ask(bench.waiting, "WAIT", "1", "0");
    expect(bench.unblock()).toBe(":1|");
    expect(bench.waiting.take()).toBe(":0|");
    bench.ask(bench.waiting, "WAIT", "1", "0");
    expect(bench.unblock("ERROR")).toBe(":1|");
    expect(bench.waiting.take()).toBe(`${UNBLOCKED}|`);
  });
});
