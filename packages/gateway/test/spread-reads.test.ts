/** XREAD and XREADGROUP over several shards: what each shard is asked, and the one reply that comes of what they say. */
import { OfferHow, RefuseReason, RequestMode } from "@headrace/link";
import { describe, expect, test } from "vitest";
import type { Asked, FakeNode } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";
import type { TestClient, TestClusterOptions } from "../testing/test-cluster.ts";

const NIL = "*-1\r\n";
const NO_GROUP = "-NOGROUP No such key 'x' or consumer group 'g' in XREADGROUP with GROUP option\r\n";

/** A part's reply: of each stream its key and ids, null for a stream that has nothing. RESP2. */
function part(...streams: readonly (readonly [key: string, ...ids: readonly string[]] | null)[]): string {
  const sections = streams.map((stream) => {
    if (stream === null) return "$-1\r\n";
    const body = sectionOf(...stream);
    return `$${body.length}\r\n${body}\r\n`;
  });
  return `*${streams.length}\r\n${sections.join("")}`;
}

function sectionOf(key: string, ...ids: readonly string[]): string {
  const entries = ids.map((id) => `*2\r\n$${id.length}\r\n${id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n`);
  return `*2\r\n$${key.length}\r\n${key}\r\n*${ids.length}\r\n${entries.join("")}`;
}

/** What the client should get. */
function whole(...streams: readonly (readonly [key: string, ...ids: readonly string[]])[]): string {
  return `*${streams.length}\r\n${streams.map((stream) => sectionOf(...stream)).join("")}`.replaceAll("\r\n", "|");
}

/** Two shards, one a node; nothing is answered that a test does not answer. */
class Bench {
  readonly cluster: TestCluster;
  readonly asked: Asked[] = [];
  /** Keys of shard 1 and of shard 2. */
  readonly a: string;
  readonly b: string;
  readonly client: TestClient;

  constructor(options: TestClusterOptions = {}) {
    this.cluster = new TestCluster(options);
    this.a = this.cluster.keyOf(1);
    this.b = this.cluster.keyOf(2);
    for (const node of this.cluster.nodes) node.onAsked = (asked) => void this.asked.push(asked);
    this.client = this.cluster.client();
  }

  ask(...words: readonly string[]): void {
    this.client.send(...words);
    this.run();
  }

  run(ms: number = 5): void {
    this.cluster.world.run(ms);
  }

  /** What came to the shard last. */
  at(shard: number): Asked {
    return this.asked.findLast((asked) => asked.shard === shard)!;
  }

  /** Shards at which something was cancelled since the last call. */
  cancelled(): readonly number[] {
    return this.cluster.nodes
      .flatMap((node) => node.cancels.splice(0).map(({ shard }) => shard))
      .toSorted((x, y) => x - y);
  }

  node(shard: number): FakeNode {
    return this.cluster.nodes[this.cluster.leaderOf(shard) - 1]!;
  }

  say(shard: number, resp: string): void {
    const asked = this.at(shard);
    this.node(shard).reply(asked, asked.first, 1, resp);
    this.run();
  }

  park(shard: number, ...ids: readonly string[]): void {
    const asked = this.at(shard);
    this.node(shard).parked(asked, asked.first, ...ids);
    this.run();
  }

  offer(shard: number, offer: number): void {
    this.node(shard).offer(this.at(shard), offer);
    this.run();
  }

  /** The words of what was asked since the last call. */
  take(): readonly string[] {
    return this.asked.splice(0).map((one) => `${one.shard} ${one.commands[0]!.join(" ")}`);
  }

  /** A group read that has come as far as waiting on both shards. */
  static waiting(blockMs: number = 0): Bench {
    const bench = new Bench();
    bench.ask("XREADGROUP", "GROUP", "g", "c", "BLOCK", String(blockMs), "STREAMS", bench.a, bench.b, ">", ">");
    for (const answer of ["+OK\r\n", NIL]) for (const shard of [1, 2]) bench.say(shard, answer);
    expect(bench.asked.slice(-2).map((asked) => asked.mode)).toEqual([RequestMode.offered, RequestMode.offered]);
    for (const shard of [1, 2]) bench.park(shard);
    return bench;
  }

  /** What the gateway has said to offers of the shard, as `accept 1`. */
  said(shard: number): readonly string[] {
    const words = { [OfferHow.accept]: "accept", [OfferHow.decline]: "decline", [OfferHow.resume]: "resume" };
    return this.node(shard)
      .offerAnswers.splice(0)
      .filter((answer) => answer.shard === shard)
      .map(({ how, offer }) => `${words[how]} ${offer}`);
  }
}

describe("XREAD over shards", () => {
  test("asks each shard for its own streams and answers in the caller's order", () => {
    const bench = new Bench();
    const { a, b } = bench;
    const a2 = `{${a}}2`;
    bench.ask("XREAD", "COUNT", "2", "STREAMS", a, b, a2, "0", "1-1", "2-2");
    expect(bench.asked.map((asked) => asked.mode)).toEqual([RequestMode.part, RequestMode.part]);
    expect(bench.take()).toEqual([`1 XREAD COUNT 2 STREAMS ${a} ${a2} 0 2-2`, `2 XREAD COUNT 2 STREAMS ${b} 1-1`]);
    bench.ask("XREAD", "STREAMS", a, b, a2, "0", "1-1", "2-2");
    bench.say(2, part([b, "1-2"]));
    expect(bench.client.take()).toBe("");
  });

  test("puts the streams together without those that have nothing", () => {
    const bench = new Bench();
    const { a, b } = bench;
    const a2 = `{${a}}2`;
    for (const [one, two, expected] of [
      [part([a, "1-1"], [a2, "3-1"]), part([b, "2-1", "2-2"]), whole([a, "1-1"], [b, "2-1", "2-2"], [a2, "3-1"])],
      [part(null, [a2, "3-1"]), NIL, whole([a2, "3-1"])],
      [NIL, part([b, "2-1"]), whole([b, "2-1"])],
      [NIL, NIL, "*-1|"],
    ]) {
      bench.ask("XREAD", "STREAMS", a, b, a2, "0", "0", "0");
      bench.say(2, two!);
      bench.say(1, one!);
      expect(bench.client.take()).toBe(expected);
    }
  });

  test("is a map for a client that speaks RESP3", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("HELLO", "3");
    bench.client.take();
    bench.ask("XREAD", "STREAMS", b, a, "0", "0");
    const section = (key: string): string => `$2\r\n${key}\r\n*0\r\n`;
    for (const [shard, key] of [
      [1, a],
      [2, b],
    ] as const)
      bench.say(shard, `*1\r\n$${section(key).length}\r\n${section(key)}\r\n`);
    expect(bench.client.take()).toBe(`%2|$2|${b}|*0|$2|${a}|*0|`);
    bench.ask("XREAD", "STREAMS", b, a, "0", "0");
    for (const shard of [1, 2]) bench.say(shard, "_\r\n");
    expect(bench.client.take()).toBe("_|");
  });

  test("answers with the first error in the caller's order, and with what Redis says of bad options without asking anybody", () => {
    const bench = new Bench();
    const { a, b } = bench;
    const a2 = `{${a}}2`;
    bench.ask("XREAD", "STREAMS", a, b, a2, "0", "x", "y");
    bench.say(1, "*2\r\n:1\r\n-ERR third\r\n");
    bench.say(2, "*2\r\n:0\r\n-ERR second\r\n");
    expect(bench.client.take()).toBe("-ERR second|");
    bench.take();
    bench.ask("XREAD", "COUNT", "x", "STREAMS", a, b, "0", "0");
    expect(bench.client.take()).toBe("-ERR value is not an integer or out of range|");
    bench.ask("XREAD", "NOACK", "STREAMS", a, b, "0", "0");
    bench.say(1, "+handler\r\n");
    expect(bench.take()).toEqual([`1 XREAD NOACK STREAMS ${a} ${b} 0 0`]);
    expect(bench.client.take()).toBe("+handler|");
  });

  test("keeps MAXCOUNT and MAXSIZE over all streams in the caller's order, whatever each shard gave", () => {
    const bench = new Bench();
    const { a, b } = bench;
    const a2 = `{${a}}2`;
    const read = (bound: string, most: number): string => {
      bench.ask("XREAD", bound, String(most), "STREAMS", a, b, a2, "0", "0", "0");
      expect(bench.at(2).commands[0]!.join(" ")).toBe(`XREAD ${bound} ${most} STREAMS ${b} 0`);
      bench.say(1, part([a, "1-1", "1-2"], [a2, "3-1"]));
      bench.say(2, part([b, "2-1", "2-2", "2-3"]));
      return bench.client.take();
    };
    expect(read("MAXCOUNT", 6)).toBe(whole([a, "1-1", "1-2"], [b, "2-1", "2-2", "2-3"], [a2, "3-1"]));
    expect(read("MAXCOUNT", 4)).toBe(whole([a, "1-1", "1-2"], [b, "2-1", "2-2"]));
    expect(read("MAXCOUNT", 2)).toBe(whole([a, "1-1", "1-2"]));
    // Looked at before each entry: up to here the second one of the second stream does not go, one byte more and it goes.
    const entryBytes = sectionOf(a, "1-1").length - sectionOf(a).length;
    const keyBytes = sectionOf(a).length - 4;
    const behindFirst = 2 * (keyBytes + entryBytes) + entryBytes;
    expect(read("MAXSIZE", behindFirst)).toBe(whole([a, "1-1", "1-2"], [b, "2-1"]));
    expect(read("MAXSIZE", behindFirst + 1)).toBe(whole([a, "1-1", "1-2"], [b, "2-1", "2-2"]));
    expect(read("MAXSIZE", 1)).toBe(whole([a, "1-1"]));
  });

  test("keeps its place among pipelined requests, which do not wait for it", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.client.sendRaw(respOf(["XREAD", "STREAMS", a, b, "0", "0"]) + respOf(["XLEN", a]) + respOf(["PING"]));
    bench.run();
    expect(bench.asked.length).toBe(3);
    bench.node(1).reply(bench.asked[0]!, 1, 1, NIL);
    bench.say(1, ":7\r\n");
    expect(bench.client.take()).toBe("");
    bench.say(2, part([b, "1-1"]));
    expect(bench.client.take()).toBe(`${whole([b, "1-1"])}:7|+PONG|`);
  });

  test("with BLOCK waits on all shards; the first that has something answers and the others are cancelled", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("XREAD", "BLOCK", "0", "COUNT", "3", "STREAMS", a, b, "$", "$");
    expect(bench.take()).toEqual([`1 XREAD COUNT 3 BLOCK 0 STREAMS ${a} $`, `2 XREAD COUNT 3 BLOCK 0 STREAMS ${b} $`]);
    bench.client.send("XREAD", "BLOCK", "0", "STREAMS", a, b, "$", "$");
    bench.run();
    const [one, two] = [1, 2].map((shard) => bench.node(shard));
    const asked = { epoch: 1, first: 1, count: 1, lane: 1 } as Asked;
    one!.parked({ ...asked, shard: 1 }, 1, "5-0");
    two!.parked({ ...asked, shard: 2 }, 1, "6-0");
    bench.run(1000);
    expect(bench.client.take()).toBe("");
    two!.reply({ ...asked, shard: 2 }, 1, 1, part([b, "6-1"]));
    bench.run();
    expect(bench.client.take()).toBe(whole([b, "6-1"]));
    expect(one!.cancels).toEqual([{ shard: 1, number: 1, how: 1 }]);
    // The next one goes out at once, behind the cancellation.
    expect(bench.take().length).toBe(2);
    one!.reply({ ...asked, shard: 1 }, 1, 1, NIL);
    bench.run();
    expect(bench.client.take()).toBe("");
  });

  test("with BLOCK answers with all that was there when it came", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("XREAD", "BLOCK", "0", "STREAMS", a, b, "0", "0");
    bench.say(1, part([a, "1-1"]));
    expect(bench.client.take()).toBe("");
    bench.say(2, part([b, "2-1"]));
    expect(bench.client.take()).toBe(whole([a, "1-1"], [b, "2-1"]));
  });

  test("when its time is over asks each shard for a last word", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("XREAD", "BLOCK", "200", "STREAMS", a, b, "0", "0");
    for (const shard of [1, 2]) bench.park(shard);
    bench.run(180);
    expect(bench.cancelled()).toEqual([]);
    bench.run(20);
    expect(bench.cancelled()).toEqual([1, 2]);
    bench.say(1, NIL);
    expect(bench.client.take()).toBe("");
    bench.say(2, NIL);
    expect(bench.client.take()).toBe("*-1|");
  });

  test("goes on at the next leader from where it read", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("XREAD", "BLOCK", "0", "STREAMS", a, b, "$", "0");
    bench.park(1, "9-9");
    bench.park(2);
    bench.take();
    bench.node(1).refuse({ epoch: 1, lane: 1, shard: 1 } as Asked, 1, RefuseReason.notLeader, 2, 2);
    bench.node(2).leader(1, 2, 2);
    bench.run(50);
    expect(bench.take()).toEqual([`1 XREAD BLOCK 0 STREAMS ${a} 9-9`]);
  });

  test("waits for a shard that has its part and is slow as long as any request would", () => {
    const bench = new Bench({ limits: { holdMs: 300, replyTimeoutMs: 1000 } });
    const { a, b } = bench;
    bench.ask("XREAD", "BLOCK", "60", "STREAMS", a, b, "0", "0");
    bench.park(2);
    bench.run(600);
    expect(bench.client.take()).toBe("");
    bench.say(2, NIL);
    bench.say(1, part([a, "1-1"]));
    expect(bench.client.take()).toBe(whole([a, "1-1"]));
    bench.ask("XREAD", "BLOCK", "0", "STREAMS", a, b, "0", "0");
    bench.park(2);
    bench.run(1100);
    expect(bench.client.take()).toMatch(/^-CLUSTERDOWN /);
  });

  test("with a shard that nobody leads is answered by the others after a while, or is told so", () => {
    const bench = new Bench({ limits: { holdMs: 300 } });
    const { a, b } = bench;
    bench.node(1).kill();
    bench.run();
    bench.ask("XREAD", "BLOCK", "0", "STREAMS", a, b, "0", "0");
    bench.say(2, part([b, "2-1"]));
    expect(bench.client.take()).toBe("");
    bench.run(400);
    expect(bench.client.take()).toBe(whole([b, "2-1"]));
    bench.ask("XREAD", "BLOCK", "0", "STREAMS", a, b, "0", "0");
    bench.park(2);
    bench.run(400);
    expect(bench.client.take()).toMatch(/^-CLUSTERDOWN /);
    bench.say(2, NIL);
    bench.ask("XREAD", "STREAMS", a, b, "0", "0");
    bench.say(2, part([b, "2-1"]));
    bench.run(400);
    expect(bench.client.take()).toMatch(/^-CLUSTERDOWN /);
  });
});

describe("XREADGROUP over shards", () => {
  test("looks on all shards before it takes on any; what it takes is in the caller's order", () => {
    const bench = new Bench();
    const { a, b } = bench;
    const a2 = `{${a}}2`;
    bench.ask("XREADGROUP", "GROUP", "STREAMS", "BLOCK", "BLOCK", "5", "NOACK", "STREAMS", a, b, a2, ">", ">", ">");
    const words = "XREADGROUP GROUP STREAMS BLOCK NOACK STREAMS";
    expect(bench.asked.map((asked) => asked.mode)).toEqual([RequestMode.check, RequestMode.check]);
    expect(bench.take()).toEqual([`1 ${words} ${a} ${a2} > >`, `2 ${words} ${b} >`]);
  });

  test("takes when every shard has said that keys and groups are there", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.client.sendRaw(respOf(["XREADGROUP", "GROUP", "g", "c", "STREAMS", a, b, ">", ">"]) + respOf(["XLEN", a]));
    bench.run();
    bench.say(1, "+OK\r\n");
    expect(bench.asked.length).toBe(2);
    bench.say(2, "+OK\r\n");
    expect(bench.asked.map((asked) => asked.mode)).toEqual([2, 2, 1, 1]);
    bench.say(2, part([b, "2-1"]));
    bench.say(1, part([a, "1-1"]));
    expect(bench.client.take()).toBe(whole([a, "1-1"], [b, "2-1"]));
    // Only then comes what the client asked for behind it.
    expect(bench.at(1).commands[0]).toEqual(["XLEN", a]);
  });

  test("an error of any shard is the answer, the first in the caller's order, and nothing is taken", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("XREADGROUP", "GROUP", "g", "c", "STREAMS", a, b, ">", ">");
    bench.say(1, "+OK\r\n");
    bench.say(2, `*2\r\n:0\r\n${NO_GROUP}`);
    expect(bench.client.take()).toBe(NO_GROUP.replaceAll("\r\n", "|"));
    expect(bench.asked.length).toBe(2);
  });

  test("once anything is taken the answer is what was taken, whatever became of the rest", () => {
    const bench = new Bench();
    const { a, b } = bench;
    for (const failure of [NO_GROUP, "-UNCERTAIN x\r\n", NIL]) {
      bench.ask("XREADGROUP", "GROUP", "g", "c", "STREAMS", a, b, ">", ">");
      for (const shard of [1, 2]) bench.say(shard, "+OK\r\n");
      bench.say(1, failure);
      bench.say(2, part([b, "2-1"]));
      expect(bench.client.take()).toBe(whole([b, "2-1"]));
    }
    bench.ask("XREADGROUP", "GROUP", "g", "c", "STREAMS", a, b, ">", ">");
    for (const shard of [1, 2]) bench.say(shard, "+OK\r\n");
    bench.say(1, NIL);
    bench.say(2, "-UNCERTAIN x\r\n");
    expect(bench.client.take()).toBe("-UNCERTAIN x|");
  });

  test("that one shard's part is of unknown fate comes before what says that nothing happened", () => {
    const bench = new Bench();
    const { a, b } = bench;
    for (const failure of ["-CLUSTERDOWN x\r\n", `*2\r\n:0\r\n${NO_GROUP}`]) {
      bench.ask("XREADGROUP", "GROUP", "g", "c", "STREAMS", a, b, ">", ">");
      for (const shard of [1, 2]) bench.say(shard, "+OK\r\n");
      bench.say(1, failure);
      bench.say(2, "-UNCERTAIN x\r\n");
      expect(bench.client.take()).toBe("-UNCERTAIN x|");
    }
  });

  test("with MAXCOUNT or MAXSIZE goes from shard to shard in the caller's order and says what is used up", () => {
    const bench = new Bench();
    const { a, b } = bench;
    const [a2, a3] = [`{${a}}2`, `{${a}}3`];
    const words = "XREADGROUP GROUP g c COUNT 2 MAXCOUNT 5 STREAMS";
    bench.ask(...words.split(" "), a, a2, b, a3, ">", ">", ">", ">");
    for (const shard of [1, 2]) bench.say(shard, "+OK\r\n");
    bench.asked.splice(0, 2);
    expect(bench.asked.map(({ used }) => used.entries)).toEqual([0]);
    expect(bench.at(1).commands[0]!.join(" ")).toBe(`${words} ${a} ${a2} > >`);
    bench.say(1, part([a, "1-1", "1-2"], [a2, "2-1"]));
    const entryBytes = sectionOf(a, "1-1").length - sectionOf(a).length;
    const keyBytes = sectionOf(a).length + sectionOf(a2).length - 8;
    expect(bench.at(2)).toMatchObject({
      mode: RequestMode.part,
      used: { entries: 3, bytes: 3 * entryBytes + keyBytes },
    });
    bench.say(2, NIL);
    expect(bench.at(1).used.entries).toBe(3);
    expect(bench.at(1).commands[0]!.join(" ")).toBe(`${words} ${a3} >`);
    bench.say(1, part([a3, "3-1", "3-2"]));
    expect(bench.client.take()).toBe(whole([a, "1-1", "1-2"], [a2, "2-1"], [a3, "3-1", "3-2"]));
  });

  test("with MAXCOUNT stops at a shard that fails: what was taken before is the answer", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("XREADGROUP", "GROUP", "g", "c", "MAXCOUNT", "5", "STREAMS", a, b, ">", ">");
    for (const shard of [1, 2]) bench.say(shard, "+OK\r\n");
    bench.say(1, part([a, "1-1"]));
    bench.say(2, "-UNCERTAIN x\r\n");
    expect(bench.client.take()).toBe(whole([a, "1-1"]));
  });

  test("a take that went down with its link is uncertain, a check is asked again", () => {
    const bench = new Bench();
    const { a, b } = bench;
    bench.ask("XREADGROUP", "GROUP", "g", "c", "STREAMS", a, b, ">", ">");
    bench.say(2, "+OK\r\n");
    bench.node(1).kill();
    bench.node(2).leader(1, 2, 2);
    bench.run();
    const again = bench.at(1);
    expect(again.mode).toBe(RequestMode.check);
    bench.node(2).reply(again, again.first, 1, "+OK\r\n");
    bench.run();
    bench.node(2).lost(bench.at(1), bench.at(1).first, 1);
    bench.run();
    bench.node(2).reply(bench.at(2), bench.at(2).first, 1, NIL);
    bench.run();
    expect(bench.client.take()).toMatch(/^-UNCERTAIN /);
  });

  test("a consumer's history is never waited for, and nothing is claimed behind it", () => {
    const bench = new Bench();
    const { a, b } = bench;
    const words = ["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", a, b, "0", ">"];
    bench.ask(...words);
    for (const shard of [1, 2]) bench.say(shard, "+OK\r\n");
    bench.say(1, part([a]));
    bench.say(2, NIL);
    expect(bench.client.take()).toBe(whole([a]));
    bench.take();
    bench.ask("XREADGROUP", "GROUP", "g", "c", "CLAIM", "5", "STREAMS", b, a, b, ">", "0", ">");
    const claims = "XREADGROUP GROUP g c CLAIM 5 STREAMS";
    const plain = "XREADGROUP GROUP g c STREAMS";
    expect(new Set(bench.take())).toEqual(new Set([`2 ${claims} ${b} >`, `1 ${plain} ${a} 0`, `2 ${plain} ${b} >`]));
  });

  test("the first offer is accepted, others are declined, and what was taken is the answer", () => {
    const bench = Bench.waiting();
    bench.offer(2, 7);
    bench.offer(1, 9);
    expect([bench.said(2), bench.said(1)]).toEqual([["accept 7"], ["decline 9"]]);
    bench.say(2, part([bench.b, "2-1"]));
    expect(bench.client.take()).toBe(whole([bench.b, "2-1"]));
    expect(bench.node(1).cancels.map(({ how }) => how)).toEqual([1]);
    // An offer that comes too late is for nobody; the cancellation answers it.
    bench.offer(1, 10);
    expect(bench.said(1)).toEqual([]);
  });

  test("word that a part waits may come behind its offer, and undoes nothing", () => {
    const bench = new Bench();
    bench.ask("XREADGROUP", "GROUP", "g", "c", "BLOCK", "100", "STREAMS", bench.a, bench.b, ">", ">");
    for (const answer of ["+OK\r\n", NIL]) for (const shard of [1, 2]) bench.say(shard, answer);
    bench.offer(2, 7);
    bench.park(2);
    bench.park(1);
    bench.offer(1, 9);
    expect([bench.said(2), bench.said(1)]).toEqual([["accept 7"], ["decline 9"]]);
    bench.run(200);
    expect(bench.client.take()).toBe("");
    bench.say(2, part([bench.b, "2-1"]));
    expect(bench.client.take()).toBe(whole([bench.b, "2-1"]));
  });

  test("an accepted offer that gave nothing lets the others offer again; place and deadline stay", () => {
    const bench = Bench.waiting(500);
    bench.offer(2, 7);
    bench.offer(1, 9);
    bench.said(1);
    bench.run(300);
    bench.node(2).offerVoid(bench.at(2), 7);
    bench.run();
    expect(bench.said(1)).toEqual(["resume 0"]);
    bench.offer(1, 10);
    expect(bench.said(1)).toEqual(["accept 10"]);
    bench.node(1).offerVoid(bench.at(1), 10);
    bench.run(100);
    expect(bench.client.take()).toBe("");
    bench.run(100);
    expect(bench.client.take()).toBe("*-1|");
    expect(bench.cancelled()).toEqual([1, 2]);
  });

  test("what was accepted when time was over is waited for", () => {
    const bench = Bench.waiting(200);
    bench.offer(1, 3);
    bench.run(400);
    expect(bench.client.take()).toBe("");
    bench.offer(2, 4);
    expect(bench.said(2)).toEqual(["decline 4"]);
    bench.say(1, part([bench.a, "1-1"]));
    expect(bench.client.take()).toBe(whole([bench.a, "1-1"]));
  });

  test("a part whose leader went is put before the next one; without an accepted offer there is no doubt", () => {
    const bench = Bench.waiting();
    const before = bench.at(1);
    bench.node(1).kill();
    bench.node(2).leader(1, 2, 2);
    bench.run();
    expect(bench.at(1)).toMatchObject({ mode: RequestMode.offered, executedUpTo: -1, commands: before.commands });
  });

  test("a part whose leader died with an accepted offer is put before the next one with what that has to know", () => {
    const bench = Bench.waiting();
    const { first } = bench.at(1);
    bench.offer(1, 3);
    bench.offer(2, 4);
    bench.node(1).kill();
    bench.node(2).leader(1, 2, 2);
    bench.run();
    const again = bench.at(1);
    expect(again).toMatchObject({ mode: RequestMode.offered, executedUpTo: first });
    // It had not been served: it stands there again, and the other part may offer.
    bench.node(2).parked(again, again.first);
    bench.run();
    expect(bench.said(2)).toEqual(["decline 4", "resume 0"]);
    // Had it been served, it is uncertain.
    bench.node(2).reply(again, again.first, 1, "-UNCERTAIN x\r\n");
    bench.run();
    expect(bench.client.take()).toBe("-UNCERTAIN x|");
  });

  test("a group that goes away anywhere ends the call", () => {
    const bench = Bench.waiting();
    bench.say(2, `*2\r\n:0\r\n${NO_GROUP}`);
    expect(bench.client.take()).toBe(NO_GROUP.replaceAll("\r\n", "|"));
    expect(bench.cancelled()).toEqual([1]);
  });

  test("of a client that hangs up is forgotten", () => {
    const bench = Bench.waiting();
    bench.client.connection.destroy();
    bench.run();
    expect(bench.node(1).closed).toEqual([1]);
    bench.offer(1, 3);
    expect(bench.said(1)).toEqual([]);
  });
});
