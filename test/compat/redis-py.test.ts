/** Debian's redis-py (python3-redis) with its default handshake, through the gateway: the same program prints the same beside a real redis-server. */
import { execFileSync } from "node:child_process";
import { LocalCluster } from "@headrace/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RedisConnection, startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

/** Debian's own interpreter: another one first on the PATH does not have Debian's packages. */
const PYTHON = "/usr/bin/python3";

const program = `
import sys, threading, redis
r = redis.Redis(port=int(sys.argv[1]), decode_responses=True, client_name="compat")
print(r.ping(), r.client_getname())
key, group = "{py}:orders", "packers"
print([r.xadd(key, {"item": str(i), "kind": "wheel"}, id="%d-0" % (i + 1)) for i in range(6)])
print(r.xlen(key), r.xrange(key, min="2-0", count=2), r.xrevrange(key, count=1))
print(r.xgroup_create(key, group, id="0"))
try:
    r.xgroup_create(key, group)
except redis.ResponseError as error:
    print(error)
print(r.xreadgroup(group, "ann", {key: ">"}, count=3))
print(r.xreadgroup(group, "bob", {key: ">"}, count=2))
print(r.xack(key, group, "1-0", "2-0"), r.xpending(key, group))
pending = r.xpending_range(key, group, "-", "+", 10)
print([(p["message_id"], p["consumer"], p["times_delivered"]) for p in pending])
print(r.xclaim(key, group, "ann", 0, ["4-0"]))
print(r.xautoclaim(key, group, "cid", 0, count=2))
print(r.xreadgroup(group, "cid", {key: "0"}))
print([(c["name"], c["pending"]) for c in r.xinfo_consumers(key, group)])
print([(g["name"], g["pending"], g["last-delivered-id"]) for g in r.xinfo_groups(key)])
print(r.xread({key: "$"}, block=50))
with r.pipeline(transaction=False) as pipe:
    for i in range(100):
        pipe.xadd("{py}:many", {"n": i}, id="0-%d" % (i + 1))
    print(pipe.execute()[-1], r.xlen("{py}:many"))
with r.pipeline() as pipe:
    pipe.xadd("{py}:one", {"n": 1}, id="1-0")
    pipe.xadd("{py}:one", {"n": 1}, id="1-0")
    pipe.xlen("{py}:one")
    print([str(reply) for reply in pipe.execute(raise_on_error=False)])
    pipe.watch("{py}:one", "{py}:two")
    r.xadd("{py}:two", {"n": 1}, id="1-0")
    pipe.multi()
    pipe.xadd("{py}:one", {"n": 2}, id="2-0")
    try:
        pipe.execute()
    except redis.WatchError:
        print("somebody was faster", r.xlen("{py}:one"))
print(r.transaction(lambda pipe: pipe.xlen("{py}:one"), "{py}:one"), r.delete("{py}:one", "{py}:two"))
later = threading.Timer(0.3, lambda: r.xadd(key, {"item": "late"}, id="7-0"))
later.start()
print(r.xreadgroup(group, "bob", {key: ">"}, count=5, block=10000))
later.join()
print(r.xreadgroup(group, "bob", {key: ">"}, count=5, block=10000) if r.xlen(key) > 7 else "nothing left")
print(r.xtrim(key, maxlen=1, approximate=False), r.delete(key, "{py}:many"), r.exists(key))
`;

/** Keys of all shards; the same whichever door is taken. */
const clusterProgram = `
import sys
from redis.cluster import RedisCluster
r = RedisCluster(host="127.0.0.1", port=int(sys.argv[1]), decode_responses=True)
prefix = sys.argv[2]
for i in range(30):
    key, group = "%s:%d" % (prefix, i), "packers"
    entry = r.xadd(key, {"item": str(i)}, id="1-0")
    r.xgroup_create(key, group, id="0")
    [[name, [[got, fields]]]] = r.xreadgroup(group, "ann", {key: ">"}, count=3)
    assert (name, got, fields) == (key, entry, {"item": str(i)}), (name, got, fields)
    assert r.xack(key, group, got) == 1 and r.xlen(key) == 1
print(sum(r.xlen("%s:%d" % (prefix, i)) for i in range(30)), r.cluster_keyslot("123456789"))
print(r.delete(*["%s:%d" % (prefix, i) for i in range(1)]))
`;

let redis: RedisServer;
let cluster: LocalCluster;

beforeAll(async () => {
  redis = await startRedis();
  cluster = await LocalCluster.start();
});

afterAll(async () => {
  await cluster.destroy();
  await redis.stop();
});

test("a group's round in redis-py prints what it prints beside redis-server", () => {
  const [theirs, ours] = [redis.port, cluster.port].map((port) =>
    execFileSync(PYTHON, ["-c", program, String(port)], { encoding: "utf8", timeout: 30_000 }),
  );
  expect(theirs).toContain("BUSYGROUP");
  expect(ours).toBe(theirs);
});

test("its cluster client works on keys of all shards, directly against the nodes and through a gateway that says that it may", async () => {
  const run = (port: number, prefix: string): string =>
    execFileSync(PYTHON, ["-c", clusterProgram, String(port), prefix], { encoding: "utf8", timeout: 60_000 });
  expect(run(cluster.places().nodes[0]!.dataPort, "direct")).toBe("30 12739\n1\n");
  const gateway = await RedisConnection.open(cluster.port);
  // This version of redis-py looks into INFO before it asks CLUSTER SLOTS.
  expect(await gateway.ask("CONFIG SET cluster-enabled yes")).toBe("OK");
  expect(run(cluster.port, "gateway")).toBe("30 12739\n1\n");
  expect(await gateway.ask("CONFIG SET cluster-enabled no")).toBe("OK");
  gateway.close();
});
