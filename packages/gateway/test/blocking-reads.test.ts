/** What becomes of calls that wait for entries: at their node, and when the node, its leadership or the client goes. */
import { RefuseReason } from "@headrace/link";
import { describe, expect, test } from "vitest";
import type { Asked } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

function names(asked: readonly Asked[]): string[] {
  return asked.flatMap((one) => one.commands.map((words) => words.join(" ")));
}

describe("blocking reads", () => {
  test("hold back the client's later requests, not other clients", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    let blocked: Asked | null = null;
    node.onAsked = (asked) => {
      if (asked.commands[0]!.includes("BLOCK")) blocked = asked;
      else node.answerAll(asked);
    };
    const client = cluster.client();
    client.sendRaw(respOf(["XREAD", "BLOCK", "0", "STREAMS", key, "$"]) + respOf(["XLEN", key]));
    const other = cluster.client();
    other.send("XLEN", key);
    cluster.world.run(60_000);
    expect(client.take()).toBe("");
    expect(other.take()).toBe(`+XLEN ${key}|`);
    node.reply(blocked!, blocked!.first, 1, "*-1\r\n");
    cluster.world.run();
    expect(client.take()).toBe(`*-1|+XLEN ${key}|`);
  });

  test("go on from where they read: what `$` stood for goes along to the next leader", () => {
    const cluster = new TestCluster();
    const [key, other] = [cluster.keyOf(1), `{${cluster.keyOf(1)}}b`];
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    let asked: Asked | null = null;
    old.onAsked = (each) => void (asked = each);
    const client = cluster.client();
    client.send("XREAD", "COUNT", "5", "BLOCK", "0", "STREAMS", key, other, "$", "7-0");
    cluster.world.run(20);
    old.parked(asked!, asked!.first, "123-4", "7-0");
    cluster.world.run(20);
    old.refuse(asked!, asked!.first, RefuseReason.notLeader, 2, 2);
    fresh.leader(1, 2, 2);
    cluster.world.run(20);
    const words = `XREAD COUNT 5 BLOCK 0 STREAMS ${key} ${other} 123-4 7-0`;
    expect(names(fresh.asked)).toEqual([words]);
    expect(client.take()).toBe(`+${words}|`);
  });

  test("of a group that were parked when the node died are put before the next leader, with the number that it has to know", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    const asked: Asked[] = [];
    old.onAsked = (each) => void asked.push(each);
    const [client, unparked] = [cluster.client(), cluster.client()];
    const words = ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", key, ">"];
    client.send("XLEN", key);
    cluster.world.run(20);
    old.answerAll(asked[0]!);
    cluster.world.run(20);
    for (const each of [client, unparked]) each.send(...words);
    cluster.world.run(20);
    expect(asked.map((each) => [each.first, each.executedUpTo])).toEqual([
      [1, -1],
      [2, -1],
      [1, -1],
    ]);
    old.parked(asked[1]!, 2);
    cluster.world.run(20);
    client.take();
    old.kill();
    fresh.leader(1, 2, 2);
    cluster.world.run(20);
    expect(fresh.asked.map((each) => [each.commands[0]!.join(" "), each.first, each.executedUpTo])).toEqual([
      [words.join(" "), 3, 2],
    ]);
    expect(client.take()).toBe(`+${words.join(" ")}|`);
    expect(unparked.take()).toMatch(/^-UNCERTAIN /);
  });

  test("that were not parked yet are sent again as they were", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    let asked: Asked | null = null;
    old.onAsked = (each) => void (asked = each);
    const client = cluster.client();
    client.send("XREAD", "BLOCK", "0", "STREAMS", key, "$");
    cluster.world.run(20);
    // Word of another call, or of an epoch that is over, is no word of this one.
    old.parked(asked!, asked!.first + 1, "1-1");
    old.parked({ ...asked!, epoch: asked!.epoch + 1 }, asked!.first, "1-1");
    cluster.world.run(20);
    old.kill();
    fresh.leader(1, 2, 2);
    cluster.world.run(20);
    expect(client.take()).toBe(`+XREAD BLOCK 0 STREAMS ${key} $|`);
  });

  test("are registered again with what is left of their time when a leader refuses them", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const [old, fresh] = [cluster.nodes[0]!, cluster.nodes[1]!];
    let blocked: Asked | null = null;
    old.onAsked = (asked) => (blocked = asked);
    const client = cluster.client();
    client.send("XREADGROUP", "GROUP", "BLOCK", "c", "BLOCK", "5000", "STREAMS", key, ">");
    cluster.world.run(2000);
    old.refuse(blocked!, blocked!.first, RefuseReason.notLeader, 2, 2);
    cluster.world.run();
    expect(names(fresh.asked)).toEqual([`XREADGROUP GROUP BLOCK c BLOCK 3000 STREAMS ${key} >`]);
    expect(client.take()).toBe(`+XREADGROUP GROUP BLOCK c BLOCK 3000 STREAMS ${key} >|`);
  });

  test("of a client that hangs up are dropped at the node", () => {
    const cluster = new TestCluster();
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    node.onAsked = () => {};
    const client = cluster.client();
    client.send("XREAD", "BLOCK", "0", "STREAMS", key, "$");
    cluster.world.run();
    client.connection.destroy();
    cluster.world.run();
    expect(node.closed).toEqual([1]);
  });

  test("on a node's own port are redirected when leadership moves away, as Redis does with those of a demoted master", () => {
    const cluster = new TestCluster({ config: { policy: "moved", localNodeId: 1 } });
    const key = cluster.keyOf(1);
    const node = cluster.nodes[0]!;
    let blocked: Asked | null = null;
    node.onAsked = (asked) => void (blocked = asked);
    const client = cluster.client();
    client.send("XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", key, ">");
    cluster.world.run(20);
    node.parked(blocked!, blocked!.first);
    node.refuse(blocked!, blocked!.first, RefuseReason.notLeader, 2, 2);
    node.leader(1, 2, 2);
    cluster.world.run(200);
    expect(client.take()).toMatch(/^-MOVED \d+ 10\.0\.0\.2:7100\|$/);
    expect(cluster.nodes[1]!.asked).toEqual([]);
  });
});
