import { slotOfKey } from "@headrace/bytes";
import { Ack } from "@headrace/commands";
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";

/** EXEC as a gateway sends it. */
function exec(watchCalls: number, ...commands: readonly string[]): string {
  const parts = commands.map((command) => {
    const words = command.split(" ");
    return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  });
  const writes = commands.some((command) => !/^(XLEN|XRANGE|XREAD |EXISTS)/.test(command));
  return ["EXEC", "0", String(watchCalls), writes ? "WRITE" : "READ", ...parts].join(" ");
}

test("a transaction is one log entry, whatever stands before and behind it and however small a batch is", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { batchBytes: 1 } });
  const leader = cluster.elect();
  const lane = leader.lane();
  expect(
    lane.send("XADD s 1-0 f v", exec(0, "XADD s 2-0 f v", "XADD u 2-0 f v", "XDEL s 1-0", "XLEN s"), "XADD s 3-0 f v"),
  ).toEqual(["1 1-0", "2 [2-0 2-0 :1 :1]", "3 3-0"]);
  const entries: number[] = [];
  leader.up.log.visit((_index, _term, data) => entries.push(data.length));
  // The term's no-op is empty; then one entry for each request.
  expect(entries.filter((length) => length > 0)).toHaveLength(3);
  cluster.pass(20);
  cluster.assertSame();
});

test("what fails is one element, and the rest happens", () => {
  const lane = new ShardCluster({ replicas: 1 }).elect().lane();
  expect(lane.send(exec(0, "XADD s 5-0 f v", "XADD s 4-0 f v", "XADD s", "NOSUCH", "PING", "XLEN s"))).toEqual([
    "1 [5-0 -ERR The ID specified in XADD is equal or smaller than the target stream top item " +
      "-ERR wrong number of arguments for 'xadd' command -ERR unknown command 'NOSUCH', with args beginning with:  " +
      "-ERR Command not allowed inside a transaction :1]",
  ]);
});

test("blocking calls inside do not wait, and readers are served when all of it has happened", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = cluster.elect();
  const lane = leader.lane();
  const reader = leader.lane();
  expect(lane.send(exec(0, "XREAD BLOCK 0 STREAMS s $", "XLEN s"))).toEqual(["1 [nil :0]"]);
  reader.send("XREAD BLOCK 0 STREAMS s $");
  lane.send(exec(0, "XADD s 1-0 f v", "DEL s"));
  expect(reader.take()).toEqual([]);
  lane.send(exec(0, "XADD s 2-0 f v", "XADD s 3-0 f v"));
  expect(reader.take()).toEqual(["1 [[s [[2-0 [f v]] [3-0 [f v]]]]]"]);
  // A call outside may block again.
  expect(lane.send("XREAD BLOCK 0 STREAMS s $")).toEqual([]);
  expect(leader.up.status().blockedCalls).toBe(1);
});

test("writes alone leave at their connection's level; with a read, an error or a delivery beside them they wait for commit", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE g{s} g 0 MKSTREAM", "XADD g{s} 1-0 f v");
  leader.lane().send("XADD strict{s} 0-1 f v", "XCFGSET strict{s} ACK ALL");
  cluster.isolate(1);
  const early = (...commands: readonly string[]): readonly string[] => {
    const lane = leader.lane();
    lane.ack = Ack.executed;
    return lane.send(exec(0, ...commands));
  };
  expect(early("XADD s 1-0 f v", "XADD s 2-0 ACK f v")).toEqual([]);
  expect(early("XADD s 3-0 f v", "XADD s 4-0 f v", "XGROUP CREATE s g 0")).toEqual(["1 [3-0 4-0 +OK]"]);
  expect(early("XADD s 5-0 f v", "XLEN s")).toEqual([]);
  expect(early("XADD s 6-0 f v", "XADD s 6-0 f v")).toEqual([]);
  expect(early("XADD s 7-0 f v", "XREADGROUP GROUP g c STREAMS g{s} >")).toEqual([]);
  expect(early("XLEN s")).toEqual([]);
  // The command's own level does not count inside MULTI.
  expect(early("XADD s ACK ALL 8-0 f v")).toEqual(["1 [8-0]"]);
  const all = leader.lane();
  expect(all.send(exec(0, "XADD s ACK 0 9-0 f v"))).toEqual([]);
  // Without a word of the connection the highest of the streams' levels does.
  cluster.settings.ack = Ack.executed;
  expect(leader.lane().send(exec(0, "XADD s 10-0 f v", "XADD s 11-0 f v"))).toEqual(["1 [10-0 11-0]"]);
  const strict = leader.lane();
  expect(strict.send(exec(0, "XADD s 12-0 f v", "XADD strict{s} 1-0 f v"))).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(all.take()).toEqual(["1 [9-0]"]);
  expect(strict.take()).toEqual(["1 [12-0 1-0]"]);
});

test("WATCH: any change of the key counts, also one that was undone, and nobody else's watch", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = cluster.elect();
  const lane = leader.lane();
  const other = leader.lane();
  expect(lane.send("WATCH s", exec(1, "XADD s 1-0 f v"))).toEqual(["1 +OK", "2 [1-0]"]);
  lane.send("WATCH s u", "WATCH v");
  other.send("XADD n 1-0 f v");
  expect(lane.send(exec(2, "XLEN s"))).toEqual(["5 [:1]"]);
  for (const change of ["XADD v 1-0 f v", "XDEL v 1-0", "DEL v", "FLUSHALL"]) {
    if (change === "FLUSHALL") other.send("XADD s 1-0 f v");
    lane.take();
    lane.send("WATCH s v");
    other.send(change);
    expect(lane.send(exec(1, "XADD x 1-0 f v")).at(-1)).toMatch(/ nil$/);
  }
  lane.send("WATCH m");
  other.send("XADD m 1-0 f v", "DEL m");
  expect(lane.send(exec(1)).at(-1)).toMatch(/ nil$/);
  lane.send("WATCH m");
  other.send("XADD m 1-0 f v");
  lane.send("UNWATCH");
  expect(lane.send(exec(0)).at(-1)).toMatch(/ \[\]$/);
});

test("WATCH in the middle of a batch sees what comes behind it in the same batch", () => {
  const lane = new ShardCluster({ replicas: 1 }).elect().lane();
  expect(lane.send("XADD s 1-0 f v", "WATCH s", "XADD s 2-0 f v", exec(1, "XLEN s")).at(-1)).toBe("4 nil");
  expect(lane.send("XADD s 3-0 f v", "WATCH s", exec(1, "XLEN s")).at(-1)).toBe("7 [:3]");
});

test("a nil for a change that is not committed waits until it is", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("WATCH s");
  cluster.isolate(1);
  const early = leader.lane();
  early.ack = Ack.executed;
  early.send("XADD s 1-0 f v");
  expect(lane.send(exec(1, "XADD u 1-0 f v"))).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(lane.take()).toEqual(["1 +OK", "2 nil"]);
});

test("after a change of leader, there and back too, EXEC is nil: nobody knows what happened to the key", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const first = cluster.elect(1);
  const lane = first.lane();
  lane.send("WATCH s");
  for (const to of [2, 1]) {
    cluster.replica(3 - to).up.handOver(to, () => undefined);
    cluster.pass(50);
    expect(cluster.awaitLeader([to]).id).toBe(to);
  }
  lane.epoch = 2;
  expect(lane.send(exec(1, "XADD s 1-0 f v"))).toEqual(["2 nil"]);
  // A client that watches again is heard, and a count that the leader did not see is not believed.
  lane.send("WATCH s");
  expect(lane.send(exec(2, "XADD s 1-0 f v")).at(-1)).toBe("4 nil");
  lane.send("WATCH s");
  expect(lane.send(exec(1, "XADD s 1-0 f v")).at(-1)).toBe("6 [1-0]");
});

test("what a client watched goes with its connection", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = cluster.elect();
  const lane = leader.lane();
  lane.send("WATCH s");
  lane.closed = true;
  leader.up.laneClosed(lane);
  cluster.settle();
  expect(leader.lane().send("XADD s 1-0 f v", exec(1))).toEqual(["1 1-0", "2 nil"]);
});

test("a transaction that no entry takes is refused before anything happens, and one that reads much takes what is left", () => {
  const cluster = new ShardCluster({ replicas: 2, limits: { batchBytes: 2000 }, maxEntryBytes: 20_000 });
  const lane = cluster.elect().lane();
  const value = "v".repeat(6000);
  const add = `XADD s * f ${value}`;
  expect(lane.send(exec(0, "XADD s 1-0 f v", add, add, add))).toEqual([
    "1 -EXECABORT Transaction discarded because of: the request is too large for one log entry",
  ]);
  expect(lane.send("EXISTS s")).toEqual(["2 :0"]);
  lane.send("XGROUP CREATE s g 0 MKSTREAM", ...Array.from({ length: 1000 }, (_, i) => `XADD s ${i + 1}-0 f v`));
  lane.send("XREADGROUP GROUP g c STREAMS s >");
  lane.take();
  // Claiming everything would take more than an entry: it stops in time, with room for what comes behind it.
  const claim = "XAUTOCLAIM s g d 0 0 COUNT 1000 JUSTID";
  const [answer] = lane.send(exec(0, claim, claim, `XADD s 2000-0 f ${value}`));
  expect(answer).toMatch(/ 2000-0\]$/);
  expect(answer).toMatch(/^\d+ \[\[\d+-0 /);
  cluster.pass(50);
  cluster.assertSame();
});

test("with the disk below its reserve a transaction that may grow the data is refused as a whole", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const lane = cluster.elect().lane();
  lane.send("XADD s 1-0 f v");
  cluster.settings.refuseGrowth = true;
  expect(lane.send(exec(0, "XDEL s 1-0", "XADD s 2-0 f v")).at(-1)).toMatch(
    /^2 -EXECABORT Transaction discarded because of: MISCONF Headrace/,
  );
  expect(lane.send(exec(0, "XDEL s 1-0", "XLEN s")).at(-1)).toBe("3 [:1 :0]");
});

test("a transaction of keys that the shard does not own is refused, not executed", () => {
  const cluster = new ShardCluster({ replicas: 1, slots: [{ from: 0, to: 8191 }] });
  const lane = cluster.elect().lane();
  expect([slotOfKey("s"), slotOfKey("a")]).toEqual([3828, 15495]);
  expect(lane.send(exec(0, "XADD s 1-0 f v", "XADD a 1-0 f v"))).toEqual(["1 refused 2 leader 101"]);
  lane.epoch = 2;
  expect(lane.send("EXISTS s")).toEqual(["2 :0"]);
  expect(lane.send("WATCH a")).toEqual(["3 refused 2 leader 101"]);
});

test("half of a transaction is never seen: the entry is on a majority or it is nowhere", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  leader.lane().send("XADD s 1-0 f v");
  cluster.isolate(1);
  leader.lane().send(exec(0, "XADD s 2-0 f doomed", "XADD u 2-0 f doomed"));
  const next = cluster.awaitLeader([2, 3]);
  expect(next.lane().send(exec(0, "XLEN s", "XLEN u"))).toEqual(["1 [:1 :0]"]);
  cluster.heal();
  cluster.pass(200);
  cluster.assertSame();
});

test("a watched key whose time is over has changed; one that had expired before is watched as one that is not there", () => {
  const cluster = new ShardCluster({ replicas: 3, limits: { batchBytes: 1 } });
  const leader = cluster.elect();
  const lane = leader.lane();
  const other = leader.lane();
  other.send("XADD s 1-0 f v", "XADD u{s} 1-0 f v", "PEXPIRE s 30", "PEXPIRE u{s} 30");
  lane.send("WATCH s u{s}");
  cluster.pass(50);
  expect(lane.send(exec(1, "XADD v{s} 1-0 f v")).at(-1)).toBe("2 nil");
  expect(other.send("EXISTS s u{s} v{s}").at(-1)).toMatch(/ :0$/);
  other.send("XADD s 1-0 f v", "PEXPIRE s 30");
  cluster.pass(50);
  expect(lane.send("WATCH s", exec(1, "EXISTS s")).slice(-1)).toEqual(["4 [:0]"]);
  cluster.pass(50);
  cluster.assertSame();
});

test("WATCH: a key whose time is over has changed, but not one that was over before", () => {
  const cluster = new ShardCluster({ replicas: 1 });
  const leader = cluster.elect();
  const lane = leader.lane();
  leader.lane().send("XADD s 1-0 f v", "PEXPIRE s 50", "XADD u 1-0 f v", "PEXPIRE u 150");
  lane.send("WATCH u");
  cluster.time.pass(60);
  lane.send("WATCH s");
  // Nobody has met either of them: `s` was gone when it was watched, `u` is there still.
  expect(lane.send(exec(2, "XLEN s", "XLEN u"))).toEqual(["3 [:0 :1]"]);
  lane.send("WATCH u");
  cluster.time.pass(120);
  expect(lane.send(exec(1, "XADD t 1-0 f v"))).toEqual(["5 nil"]);
  expect(lane.send("EXISTS t u s")).toEqual(["6 :0"]);
});

test("a transaction that finds a key expired is a read as long as it does not write", () => {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  leader.lane().send("XADD s 1-0 f v", "PEXPIRE s 50");
  const lane = leader.lane();
  lane.ack = Ack.executed;
  cluster.isolate(1);
  cluster.time.pass(60);
  expect(lane.send(exec(0, "XLEN s", "XDEL s 1-0"))).toEqual([]);
  cluster.heal();
  cluster.pass(30);
  expect(lane.take()).toEqual(["1 [:0 :0]"]);
  cluster.assertSame();
});
