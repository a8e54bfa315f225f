/** RANDOMKEY is two questions to the shards; what the client pipelines behind it comes behind both. */
import { expect, test } from "vitest";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

test("a DEL behind RANDOMKEY does not take away what is drawn", () => {
  const cluster = new TestCluster({ nodes: 1, shards: 1 });
  const node = cluster.nodes[0]!;
  const replies: Record<string, string> = { DBSIZE: ":1\r\n", RANDOMKEY: "$1\r\nk\r\n", DEL: ":1\r\n" };
  node.onAsked = (asked) => {
    node.reply(asked, asked.first, asked.count, asked.commands.map(([name]) => replies[name!]!).join(""));
  };
  const client = cluster.client();
  client.sendRaw(respOf(["RANDOMKEY"]) + respOf(["DEL", "k"]));
  cluster.world.run();
  expect(client.take()).toBe("$1|k|:1|");
  expect(node.asked.flatMap(({ commands }) => commands.map(([name]) => name))).toEqual(["DBSIZE", "RANDOMKEY", "DEL"]);
});
