/** What a leader says to subscribers: when messages and events of keys leave, in which order, and what never leaves. */
import { latin1 } from "@headrace/bytes";
import { ChannelKind } from "@headrace/commands";
import { parseNotifyFlags } from "@headrace/meta";
import { describe, expect, test } from "vitest";
import type { MessageSink } from "../src/channel-registry.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";

/** A gateway with one subscriber; keeps `term channel message`. */
class Listener implements MessageSink {
  readonly heard: string[] = [];

  constructor(replica: TestReplica, kind: ChannelKind, name: string) {
    replica.channels.set(this, kind, name, 1);
  }

  message(_shardId: number, term: number, _kind: ChannelKind, channel: string, message: Uint8Array): void {
    this.heard.push(`${term} ${channel} ${latin1(message, 0, message.length)}`);
  }

  /** What was heard, without the term. */
  take(): string[] {
    return this.heard.splice(0).map((line) => line.slice(line.indexOf(" ") + 1));
  }
}

function notifying(cluster: ShardCluster, flags: string): void {
  cluster.settings.notify = parseNotifyFlags(flags)!;
}

describe("PUBLISH", () => {
  test("reaches each interested gateway once and counts clients", () => {
    const cluster = new ShardCluster({ replicas: 3 });
    const leader = cluster.elect();
    const one = new Listener(leader, ChannelKind.channel, "news");
    leader.channels.set(one, ChannelKind.pattern, "n*", 2);
    leader.channels.set(one, ChannelKind.shardChannel, "news", 5);
    const other = new Listener(leader, ChannelKind.pattern, "n?ws");
    const bystander = new Listener(leader, ChannelKind.channel, "olds");
    const lane = leader.lane();
    expect(lane.send("PUBLISH news hi", "PUBLISH zero hi", "SPUBLISH news shard")).toEqual(["1 :4", "2 :0", "3 :5"]);
    expect(one.take()).toEqual(["news hi", "news shard"]);
    expect(other.take()).toEqual(["news hi"]);
    expect(bystander.take()).toEqual([]);
    expect(lane.send("PUBSUB NUMSUB news olds x", "PUBSUB NUMPAT", "PUBSUB SHARDNUMSUB news")).toEqual([
      "4 [news :1 olds :1 x :0]",
      "5 :2",
      "6 [news :5]",
    ]);
    leader.channels.forget(one);
    expect(lane.send("PUBLISH news hi")).toEqual(["7 :1"]);
  });

  test("behind a write leaves when the write is committed, and is never heard when it is not", () => {
    const cluster = new ShardCluster({ replicas: 3 });
    const leader = cluster.elect();
    const listener = new Listener(leader, ChannelKind.channel, "c");
    cluster.isolate(1);
    const lane = leader.lane();
    lane.send("XADD s ACK 0 1-0 f v", "PUBLISH c look");
    expect(listener.take()).toEqual([]);
    cluster.awaitLeader([2, 3]);
    cluster.heal();
    cluster.pass(500);
    expect(listener.take()).toEqual([]);
    expect(lane.take()).toEqual(["1 1-0", "2 lost"]);
    const second = cluster.awaitLeader([2, 3]);
    const again = new Listener(second, ChannelKind.channel, "c");
    expect(second.lane().send("XADD s ACK 0 1-0 f v", "PUBLISH c look")).toEqual(["1 1-0", "2 :1"]);
    expect(again.take()).toEqual(["c look"]);
  });

  test("keeps its order within a turn of any size", () => {
    const cluster = new ShardCluster({ replicas: 3, limits: { turnBytes: 2000 } });
    const leader = cluster.elect();
    const listener = new Listener(leader, ChannelKind.channel, "c");
    const lane = leader.lane();
    lane.queue(...Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? `XADD s ${i + 1}-0 f v` : `PUBLISH c ${i}`)));
    cluster.settle();
    expect(listener.take()).toEqual(Array.from({ length: 300 }, (_, i) => `c ${i}`).filter((_, i) => i % 3 !== 0));
  });
});

describe("events of keys", () => {
  test("are named by what commands did, in Redis' order, and cost nothing unless somebody listens", () => {
    const cluster = new ShardCluster({ replicas: 3 });
    const leader = cluster.elect();
    const lane = leader.lane();
    const listener = new Listener(leader, ChannelKind.pattern, "__keyspace@0__:*");
    lane.send("XADD s 1-0 f v");
    expect(listener.take()).toEqual([]);
    notifying(cluster, "KAn");
    const events = (command: string): string[] => {
      lane.send(command);
      return listener.take().map((line) => line.replace("__keyspace@0__:", ""));
    };
    expect(events("XADD s 2-0 f v")).toEqual(["s xadd"]);
    expect(events("XADD new MAXLEN 1 1-0 f v")).toEqual(["new new", "new xadd"]);
    expect(events("XADD new MAXLEN 1 2-0 f v")).toEqual(["new xadd", "new xtrim"]);
    expect(events("XTRIM new MAXLEN 5")).toEqual([]);
    expect(events("XGROUP CREATE g gr $ MKSTREAM")).toEqual(["g new", "g xgroup-create"]);
    expect(events("XGROUP CREATE g gr $ MKSTREAM")).toEqual([]);
    expect(events("XREADGROUP GROUP gr c STREAMS g >")).toEqual(["g xgroup-createconsumer"]);
    expect(events("XREADGROUP GROUP gr c STREAMS g >")).toEqual([]);
    expect(events("XGROUP CREATECONSUMER g gr d")).toEqual(["g xgroup-createconsumer"]);
    expect(events("XGROUP DELCONSUMER g gr d")).toEqual(["g xgroup-delconsumer"]);
    expect(events("XGROUP SETID g gr 0")).toEqual(["g xgroup-setid"]);
    expect(events("XADD g 5-0 f v")).toEqual(["g xadd"]);
    expect(events("XREADGROUP GROUP gr c STREAMS g >")).toEqual([]);
    expect(events("XACK g gr 5-0")).toEqual([]);
    expect(events("XDEL g 5-0 6-0")).toEqual(["g xdel"]);
    expect(events("XDEL g 5-0")).toEqual([]);
    expect(events("XSETID g 9-0")).toEqual(["g xsetid"]);
    expect(events("XGROUP DESTROY g gr")).toEqual(["g xgroup-destroy"]);
    expect(events("DEL s g none")).toEqual(["s del", "g del"]);
    expect(events("FLUSHALL")).toEqual([]);
    leader.channels.forget(listener);
    lane.send("XADD s 3-0 f v");
    expect(listener.take()).toEqual([]);
  });

  test("go to the key's channel and the event's, as the setting says, of the classes that it names", () => {
    const cluster = new ShardCluster({ replicas: 1 });
    const leader = cluster.elect();
    const lane = leader.lane();
    const all = new Listener(leader, ChannelKind.pattern, "*");
    const heardWith = (flags: string, command: string): string[] => {
      notifying(cluster, flags);
      lane.send(command);
      return all.take();
    };
    expect(heardWith("KEt", "XADD s 1-0 f v")).toEqual(["__keyspace@0__:s xadd", "__keyevent@0__:xadd s"]);
    expect(heardWith("Et", "XADD s 2-0 f v")).toEqual(["__keyevent@0__:xadd s"]);
    expect(heardWith("t", "XADD s 3-0 f v")).toEqual([]);
    expect(heardWith("KE", "XADD s 4-0 f v")).toEqual([]);
    expect(heardWith("Eg", "XADD s 5-0 f v")).toEqual([]);
    expect(heardWith("Eg", "UNLINK s")).toEqual(["__keyevent@0__:del s"]);
  });

  test("of keys that are looked up in vain come from what reads, once for each key", () => {
    const cluster = new ShardCluster({ replicas: 1 });
    const leader = cluster.elect();
    const lane = leader.lane();
    const all = new Listener(leader, ChannelKind.pattern, "*");
    notifying(cluster, "Em");
    lane.send("XADD there 1-0 f v");
    const misses = (command: string): string[] => {
      lane.send(command);
      return all.take().map((line) => line.replace("__keyevent@0__:keymiss ", ""));
    };
    expect(misses("XLEN none")).toEqual(["none"]);
    expect(misses("XLEN there")).toEqual([]);
    expect(misses("EXISTS a there b a")).toEqual(["a", "b"]);
    expect(misses("XRANGE none - +")).toEqual(["none"]);
    expect(misses("XACK none g 1-0")).toEqual(["none"]);
    for (const command of ["TYPE none", "XPENDING none g", "XINFO STREAM none", "XCLAIM none g c 0 1-0", "TTL none"])
      expect(misses(command), command).toEqual(["none"]);
    expect(misses("XREAD STREAMS none there 0 0")).toEqual(["none"]);
    expect(misses("XREAD STREAMS none none2 0 $")).toEqual(["none", "none2"]);
    expect(misses("XREADGROUP GROUP g c STREAMS none >")).toEqual(["none"]);
    expect(misses("XDEL none 1-0")).toEqual([]);
    expect(misses("XADD none NOMKSTREAM * f v")).toEqual([]);
    expect(misses("DEL none")).toEqual([]);
  });

  test("say that a key has expired once, whoever finds it", () => {
    const cluster = new ShardCluster({ replicas: 3 });
    const leader = cluster.elect();
    const lane = leader.lane();
    const listeners = cluster.replicas.map((replica) => new Listener(replica, ChannelKind.pattern, "__keyevent@0__:*"));
    notifying(cluster, "Exg");
    lane.send("XADD k 1-0 f v", "PEXPIRE k 20", "XADD other 1-0 f v", "PEXPIRE other 20");
    expect(listeners[0]!.take()).toEqual(["__keyevent@0__:expire k", "__keyevent@0__:expire other"]);
    cluster.pass(100);
    expect(lane.send("XLEN k", "XLEN k").map((event) => event.split(" ")[1])).toEqual([":0", ":0"]);
    cluster.pass(2000);
    cluster.assertSame();
    expect(listeners.map((listener) => listener.take().toSorted())).toEqual([
      ["__keyevent@0__:expired k", "__keyevent@0__:expired other"],
      [],
      [],
    ]);
  });

  test("come from the leader alone, after commit; what is rolled back was never said", () => {
    const cluster = new ShardCluster({ replicas: 3 });
    notifying(cluster, "Kt");
    const listeners = cluster.replicas.map((replica) => new Listener(replica, ChannelKind.pattern, "*"));
    const first = cluster.elect(1);
    first.lane().send("XADD s 1-0 f v");
    expect(listeners.map((listener) => listener.take())).toEqual([["__keyspace@0__:s xadd"], [], []]);
    cluster.isolate(1);
    first.lane().send("XADD s ACK 0 2-0 f doomed", "XGROUP CREATE s g 0");
    const second = cluster.awaitLeader([2, 3]);
    second.lane().send("XSETID s 7-0");
    cluster.heal();
    cluster.pass(500);
    cluster.assertSame();
    expect(listeners[0]!.take()).toEqual([]);
    expect(listeners[second.id - 1]!.take()).toEqual(["__keyspace@0__:s xsetid"]);
    first.restart();
    cluster.pass(500);
    cluster.assertSame();
    expect(listeners.map((listener) => listener.take())).toEqual([[], [], []]);
  });
});
