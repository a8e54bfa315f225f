/** What a leader says of streams with limits of lag to gateways whose clients write to them (CLIENT BACKPRESSURE). */
import { latin1 } from "@headrace/bytes";
import { ChannelKind } from "@headrace/commands";
import { expect, test } from "vitest";
import type { MessageSink } from "../src/channel-registry.ts";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";

/** A gateway with a client that writes to `s`. */
class Gateway implements MessageSink {
  readonly heard: string[] = [];

  constructor(replica: TestReplica, stream = "s") {
    replica.channels.set(this, ChannelKind.pressure, stream, 1);
  }

  message(_shardId: number, _term: number, kind: ChannelKind, channel: string, message: Uint8Array): void {
    expect(kind).toBe(ChannelKind.pressure);
    this.heard.push(`${channel} ${latin1(message, 0, message.length)}`);
  }

  take(): string[] {
    return this.heard.splice(0);
  }
}

const READ = "XREADGROUP GROUP g c COUNT 1 STREAMS s >";

function limited(limit: number): { cluster: ShardCluster; leader: TestReplica } {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g 0 MKSTREAM", `XGROUP SETMAXLAG s g ${limit}`);
  return { cluster, leader };
}

test("a stream is nearly full from four fifths of its limit on, and free below half of it", () => {
  const { leader } = limited(10);
  const gateway = new Gateway(leader);
  const lane = leader.lane();
  const seen: string[] = [];
  const look = (what: string): void => void seen.push(...gateway.take().map((word) => `${what}: ${word}`));
  for (let n = 1; n <= 10; n++) {
    lane.send(`XADD s ${n}-0 f v`);
    look(`${n} behind`);
  }
  for (let n = 9; n >= 4; n--) {
    lane.send(READ);
    look(`${n} behind`);
  }
  for (let n = 5; n <= 8; n++) {
    lane.send(`XADD s ${20 + n}-0 f v`);
    look(`${n} behind`);
  }
  // The first look at a stream says how it stands.
  expect(seen).toEqual(["1 behind: s free", "8 behind: s full", "4 behind: s free", "8 behind: s full"]);
});

test("what makes room is heard, whatever it is", () => {
  const makers = [
    "XGROUP SETID s g $",
    "XTRIM s MAXLEN 0",
    "XDEL s 1-0 2-0 3-0 4-0",
    "XGROUP SETMAXLAG s g OFF",
    "XGROUP SETMAXLAG s g 100",
    "XGROUP DESTROY s g",
    "DEL s",
    "FLUSHALL",
  ];
  for (const maker of makers) {
    const { leader } = limited(4);
    const lane = leader.lane();
    const gateway = new Gateway(leader);
    lane.send("XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v", "XADD s 4-0 f v");
    expect(gateway.take()).toEqual(["s free", "s full"]);
    lane.send(maker);
    expect([maker, ...gateway.take()]).toEqual([maker, "s free"]);
  }
});

test("it is heard when it is committed, and never when it is not", () => {
  const { cluster, leader } = limited(1);
  const gateway = new Gateway(leader);
  cluster.isolate(1);
  leader.lane().send("XADD s 1-0 f v");
  expect(gateway.take()).toEqual([]);
  cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(500);
  expect(gateway.take()).toEqual([]);
  cluster.assertSame();
});

test("a new leader says how the streams stand that are asked for, though nobody writes any more", () => {
  const { cluster, leader } = limited(1);
  const gateways = cluster.replicas.map((replica) => new Gateway(replica));
  const strangers = cluster.replicas.map((replica) => new Gateway(replica, "other"));
  leader.lane().send("XADD s 1-0 f v");
  cluster.pass(20);
  expect(gateways.flatMap((gateway) => gateway.take())).toEqual(["s full"]);
  leader.crash();
  const next = cluster.awaitLeader([2, 3]);
  cluster.pass(20);
  expect(gateways[next.id - 1]!.take()).toEqual(["s full"]);
  next.lane().send(READ);
  expect(gateways[next.id - 1]!.take()).toEqual(["s free"]);
  expect(strangers.flatMap((gateway) => gateway.take())).toEqual([]);
});

test("streams that nobody asks for are not watched", () => {
  const { leader } = limited(1);
  const gateway = new Gateway(leader, "t");
  const lane = leader.lane();
  lane.send("XADD s 1-0 f v", READ, "XADD t 1-0 f v");
  expect(gateway.take()).toEqual([]);
});
