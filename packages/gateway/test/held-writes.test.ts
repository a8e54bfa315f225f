/** What the gateway makes of writes that a node holds at a limit of lag: of what stands behind them, of time, and of nodes that go. */
import { RefuseReason } from "@headrace/link";
import { expect, test } from "vitest";
import type { Asked, FakeNode } from "../testing/fake-node.ts";
import { respOf, TestCluster } from "../testing/test-cluster.ts";

interface World {
  readonly cluster: TestCluster;
  readonly key: string;
  readonly old: FakeNode;
  readonly fresh: FakeNode;
  readonly asked: readonly Asked[];
}

function world(): World {
  const cluster = new TestCluster();
  const asked: Asked[] = [];
  const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
  old.onAsked = (each) => void asked.push(each);
  return { cluster, key: cluster.keyOf(1), old, fresh, asked };
}

function xadd(key: string, id: string): readonly string[] {
  return ["XADD", key, id, "f", "v"];
}

function words(asked: readonly Asked[]): string[] {
  return asked.flatMap((one) => one.commands.map((command) => command.join(" ")));
}

test("a write in the middle of a frame is held for longer than replies may take, and nobody is told anything else", () => {
  const { cluster, key, old, asked } = world();
  const client = cluster.client();
  client.sendRaw(["1-0", "2-0", "3-0"].map((id) => respOf([...xadd(key, id)])).join("") + respOf(["XLEN", key]));
  cluster.world.run(20);
  expect(asked.map(({ first, count }) => [first, count])).toEqual([[1, 4]]);
  old.reply(asked[0]!, 1, 1, "+1-0\r\n");
  old.parked(asked[0]!, 2);
  cluster.world.run(60_000);
  expect(client.take()).toBe("+1-0|");
  old.reply(asked[0]!, 2, 1, "+2-0\r\n");
  // What stood behind it has its own time now.
  cluster.world.run(5000);
  old.reply(asked[0]!, 3, 2, "+3-0\r\n:3\r\n");
  cluster.world.run(20);
  expect(client.take()).toBe("+2-0|+3-0|:3|");
});

test("what comes behind a held write stays at the gateway until it is answered; other clients go on", () => {
  const { cluster, key, old, asked } = world();
  const [client, other] = [cluster.client(), cluster.client()];
  client.send(...xadd(key, "1-0"));
  cluster.world.run(20);
  old.parked(asked[0]!, 1);
  cluster.world.run(20);
  client.send("XLEN", key);
  other.send("XLEN", key);
  cluster.world.run(30_000);
  expect(words(asked)).toEqual([`XADD ${key} 1-0 f v`, `XLEN ${key}`]);
  expect(asked[1]!.lane).not.toBe(asked[0]!.lane);
  old.reply(asked[0]!, 1, 1, "-BACKPRESSURE group 'g' is behind\r\n");
  cluster.world.run(20);
  expect(words(asked).slice(2)).toEqual([`XLEN ${key}`]);
  old.reply(asked[2]!, 2, 1, ":0\r\n");
  cluster.world.run(20);
  expect(client.take()).toBe("-BACKPRESSURE group 'g' is behind|:0|");
});

test("a leader that steps down gives it back, and it is sent to the next one with what is behind it", () => {
  const { cluster, key, old, fresh, asked } = world();
  const client = cluster.client();
  client.sendRaw(["1-0", "2-0", "3-0"].map((id) => respOf([...xadd(key, id)])).join(""));
  cluster.world.run(20);
  old.reply(asked[0]!, 1, 1, "+1-0\r\n");
  old.parked(asked[0]!, 2);
  cluster.world.run(20);
  old.refuse(asked[0]!, 2, RefuseReason.notLeader, 2, 2);
  fresh.leader(1, 2, 2);
  cluster.world.run(20);
  expect(words(fresh.asked)).toEqual([`XADD ${key} 2-0 f v`, `XADD ${key} 3-0 f v`]);
  expect(fresh.asked.every(({ executedUpTo }) => executedUpTo === -1)).toBe(true);
  expect(client.take()).toBe(`+1-0|+XADD ${key} 2-0 f v|+XADD ${key} 3-0 f v|`);
});

test("a node that dies with it: the next leader is asked whether it was executed; what may have run behind it is uncertain", () => {
  const { cluster, key, old, fresh, asked } = world();
  const client = cluster.client();
  client.sendRaw(respOf([...xadd(key, "*")]) + respOf([...xadd(key, "*")]) + respOf(["XLEN", key]));
  cluster.world.run(20);
  old.parked(asked[0]!, 1);
  cluster.world.run(20);
  old.kill();
  fresh.onAsked = () => {};
  fresh.leader(1, 2, 2);
  cluster.world.run(20);
  expect(fresh.asked.map(({ commands, executedUpTo }) => [commands.length, executedUpTo])).toEqual([
    [1, 1],
    [1, -1],
  ]);
  expect(client.take()).toBe("");
  fresh.parked(fresh.asked[0]!, fresh.asked[0]!.first);
  cluster.world.run(20);
  fresh.reply(fresh.asked[0]!, fresh.asked[0]!.first, 1, "+5-0\r\n");
  fresh.reply(fresh.asked[1]!, fresh.asked[1]!.first, 1, ":1\r\n");
  cluster.world.run(20);
  expect(client.take()).toMatch(/^\+5-0\|-UNCERTAIN [^|]*\|:1\|$/);
});

test("one whose node said nothing of holding it is a write like any other when that node dies", () => {
  const { cluster, key, old, fresh } = world();
  const client = cluster.client();
  client.send(...xadd(key, "*"));
  cluster.world.run(20);
  old.kill();
  fresh.leader(1, 2, 2);
  cluster.world.run(20);
  expect(client.take()).toMatch(/^-UNCERTAIN /);
  expect(fresh.asked).toEqual([]);
});

test("word of a request that is answered already is nonsense, and ends the link", () => {
  const { cluster, key, old, asked } = world();
  const client = cluster.client();
  client.sendRaw(respOf(["XLEN", key]) + respOf(["XLEN", key]));
  cluster.world.run(20);
  old.reply(asked[0]!, 1, 1, ":0\r\n");
  old.parked(asked[0]!, 1);
  cluster.world.run(2000);
  // The read without an answer is sent again, over another link.
  expect(asked.map(({ commands }) => commands.length)).toEqual([2, 1]);
});

test("the client hangs up: the node is told, and nothing is sent any more", () => {
  const { cluster, key, old, asked } = world();
  const client = cluster.client();
  client.send(...xadd(key, "1-0"));
  cluster.world.run(20);
  old.parked(asked[0]!, 1);
  client.send("XLEN", key);
  cluster.world.run(20);
  client.connection.destroy();
  cluster.world.run(1000);
  expect(old.closed).toEqual([1]);
  expect(asked).toHaveLength(1);
});
