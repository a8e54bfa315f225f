import { bytesOf, latin1 } from "@headrace/bytes";
import {
  beginRequest,
  endFrame,
  FrameType,
  RefuseReason,
  WaitKind,
  WaitOutcome,
  writeCancel,
  writeLaneClose,
  writeLaneSet,
  writePing,
  writeSubscriptions,
  writeWaitCancel,
  writeWaitQuery,
  NOTHING_USED,
  RequestMode,
} from "@headrace/link";
import type { OfferAnswer } from "@headrace/link";
import type { ByteConnection } from "@headrace/ports";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LaneFront } from "../src/lane-front.ts";
import type { LaneLinkLimits, LaneShard } from "../src/lane-link.ts";
import type { CancelHow, Lane, RequestBatch, WaitQuery } from "../src/shard-api.ts";
import { MemoryByteNetwork, MemoryNetwork, silentLogger, testDigest } from "./memory-world.ts";
import { Life, VirtualTime } from "./virtual-time.ts";
import type { MemoryConnection } from "./memory-world.ts";
import { TestGateway } from "./test-gateway.ts";

const KIB = 1024;
const limits: LaneLinkLimits = {
  laneCreditBytes: 4 * KIB,
  linkCreditBytes: 16 * KIB,
  maxRequestBytes: 256 * KIB,
  maxBufferedBytes: 8 * KIB,
  maxMessageBytes: 32 * KIB,
  maxSubscriptionBytes: 64 * KIB,
  maxLanes: 100,
};

/** Keeps what it is given; the test answers when it likes. */
class FakeShard implements LaneShard {
  readonly batches: RequestBatch[] = [];
  readonly cancelled: { lane: Lane; number: number; how: CancelHow }[] = [];
  readonly closed: Lane[] = [];
  readonly waits: WaitQuery[] = [];
  readonly cancelledWaits: WaitQuery[] = [];

  enqueue(batch: RequestBatch): void {
    this.batches.push(batch);
  }
  cancel(lane: Lane, number: number, how: CancelHow): void {
    this.cancelled.push({ lane, number, how });
  }
  readonly offerAnswers: { lane: Lane; answer: OfferAnswer }[] = [];
  answerOffer(lane: Lane, answer: OfferAnswer): void {
    this.offerAnswers.push({ lane, answer });
  }
  laneClosed(lane: Lane): void {
    this.closed.push(lane);
  }
  drained = 0;
  sinkDrained(): void {
    this.drained++;
  }
  wait(query: WaitQuery): void {
    this.waits.push(query);
  }
  cancelWait(query: WaitQuery): void {
    this.cancelledWaits.push(query);
  }

  answerAll(text: (batch: RequestBatch) => string): void {
    for (const batch of this.batches.splice(0)) {
      const { lane, laneEpoch, firstNumber, count } = batch;
      lane.sink.reply(lane, 7, laneEpoch, firstNumber, count, 0, 0, bytesOf(text(batch)));
    }
  }
}

class Bench {
  readonly time: VirtualTime = new VirtualTime();
  readonly network: MemoryNetwork = new MemoryNetwork(this.time);
  readonly nodeLife: Life = new Life("node");
  readonly gatewayLife: Life = new Life("gateway");
  readonly shard: FakeShard = new FakeShard();
  readonly respConnections: ByteConnection[] = [];
  readonly front: LaneFront;
  refusedLinks = 0;
  #turnDue = false;

  constructor(secret: string = "") {
    const scheduler = {
      soon: (task: () => void): void => void this.time.after(0, this.nodeLife, task),
      after: (delayMs: number, task: () => void) => this.time.after(delayMs, this.nodeLife, task),
    };
    this.front = new LaneFront(
      limits,
      {
        network: new MemoryByteNetwork(this.network, this.nodeLife),
        scheduler,
        logger: silentLogger,
        onRespConnection: (connection) => this.respConnections.push(connection),
      },
      {
        shard: (shardId) => (shardId === 7 ? this.shard : null),
        onLinkRefused: () => void this.refusedLinks++,
        identity: () => ({ clusterId: "c1", nodeId: 2, incarnation: 1, featureLevel: 1 }),
        security: () => ({
          secret: secret === "" ? null : bytesOf(secret),
          hmacSha256: (key, data) => testDigest.hmacSha256(key, data),
          nonce: "fedcba9876543210fedcba9876543210",
        }),
        requestTurn: () => {
          if (this.#turnDue) return;
          this.#turnDue = true;
          scheduler.soon(() => {
            this.#turnDue = false;
            this.front.flush();
          });
        },
      },
    );
    this.front.accept("data:1", () => undefined);
  }

  dial(): MemoryConnection {
    return new MemoryByteNetwork(this.network, this.gatewayLife).connect("data:1") as MemoryConnection;
  }

  link(secret: string = "", clusterId: string = "c1"): TestGateway {
    const gateway = new TestGateway(this.dial(), secret, clusterId);
    this.time.run(20);
    return gateway;
  }
}

test("a link with the right secret is welcomed with its credits, one with a wrong secret or cluster is closed", () => {
  const bench = new Bench("s3cret");
  const good = bench.link("s3cret");
  expect(good.handshake.state).toBe("ready");
  expect(good.handshake.credits).toEqual({ laneCreditBytes: 4096, linkCreditBytes: 16384 });
  const bad = bench.link("other");
  expect(bad.handshake.state).toBe("failed");
  const none = bench.link("");
  expect(none.handshake.state).toBe("failed");
  const foreign = bench.link("s3cret", "c2");
  expect(foreign.handshake.failure).toContain("cluster c1");
  expect(foreign.closed).toBe("ended");
  // The other two have turned away from a node that could not prove itself to them.
  expect(bench.refusedLinks).toBe(1);
});

test("bytes that are no link reach the RESP side from the first byte on, however they were cut", () => {
  const texts = ["*1\r\n$4\r\nPING\r\n", "HELLO 3\r\n", "H\r\n", "HRLX", "PING\r\n"];
  fc.assert(
    fc.property(fc.constantFrom(...texts), fc.array(fc.integer({ min: 1, max: 5 })), (text, cuts) => {
      const bench = new Bench();
      const client = bench.dial();
      let at = 0;
      for (const cut of [...cuts, text.length]) {
        if (at < text.length) client.write(bytesOf(text.slice(at, at + cut)));
        at += cut;
      }
      bench.time.run(5);
      expect(bench.respConnections).toHaveLength(1);
      let seen = "";
      let closed = "";
      bench.respConnections[0]!.listen({
        onData: (chunk) => {
          seen += latin1(chunk, 0, chunk.length);
        },
        onDrain: () => undefined,
        onClose: (reason) => {
          closed = reason;
        },
      });
      bench.time.run(5);
      expect(seen).toBe(text);
      client.write(bytesOf("more"));
      client.end();
      bench.time.run(5);
      expect(seen).toBe(`${text}more`);
      expect(closed).toBe("ended");
    }),
  );
});

test("a beginning that could be the magic of a link is waited for", () => {
  const bench = new Bench();
  const client = bench.dial();
  client.write(bytesOf("HRL"));
  bench.time.run(50);
  expect(bench.respConnections).toHaveLength(0);
  client.write(bytesOf("\r\n"));
  bench.time.run(50);
  expect(bench.respConnections).toHaveLength(1);
});

test("requests reach the shard with their lane's settings and replies come back under the same numbers", () => {
  const bench = new Bench();
  const gateway = bench.link();
  gateway.open(5);
  gateway.request(5, 1, "*1\r\n$1\r\na\r\n");
  writeLaneSet(gateway.writer, 5, { respVersion: 2, ack: 1 });
  gateway.request(5, 2, "bc", 2);
  gateway.send();
  bench.time.run(5);
  expect(bench.shard.batches.map(({ firstNumber, count }) => [firstNumber, count])).toEqual([
    [1, 1],
    [2, 2],
  ]);
  const lane = bench.shard.batches[0]!.lane;
  expect([lane.respVersion, lane.ack, lane.clientId, lane.closed]).toEqual([2, 1, 5, false]);
  lane.sink.reply(lane, 7, 1, 1, 1, 3, 9, bytesOf("+OK\r\n"));
  lane.sink.reply(lane, 7, 1, 2, 1, 0, 0, bytesOf(":1\r\n"));
  lane.sink.lost(lane, 7, 1, 3, 1);
  bench.front.flush();
  bench.time.run(5);
  expect(gateway.of(FrameType.Reply).map((frame) => frame.value)).toEqual([
    { laneEpoch: 1, count: 1, firstNumber: 1, writeTerm: 3, writeIndex: 9, text: "+OK\r\n" },
    { laneEpoch: 1, count: 1, firstNumber: 2, writeTerm: 0, writeIndex: 0, text: ":1\r\n" },
  ]);
  expect(gateway.of(FrameType.Lost).map((frame) => frame.value)).toEqual([{ laneEpoch: 1, count: 1, firstNumber: 3 }]);
  expect(bench.front.status()).toMatchObject({ lanes: 1, unansweredBytes: 0 });
});

test("everything that a turn answers leaves in one write per link", () => {
  const bench = new Bench();
  const gateway = bench.link();
  for (let lane = 1; lane <= 20; lane++) {
    gateway.open(lane);
    gateway.request(lane, 1, "x");
  }
  gateway.send();
  bench.time.run(5);
  const before = gateway.connection.other!.writes;
  bench.shard.answerAll(() => "+OK\r\n");
  bench.time.run(5);
  expect(gateway.of(FrameType.Reply)).toHaveLength(20);
  expect(gateway.connection.other!.writes - before).toBe(1);
});

test("credit that is granted back adds up to what was sent, and never leaves a lane without any while nothing is open", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(sizes, (requests) => {
      const bench = new Bench();
      const gateway = bench.link();
      gateway.open(1);
      let lane = limits.laneCreditBytes;
      let link = limits.linkCreditBytes;
      let number = 1;
      let seen = 0;
      for (const size of requests) {
        expect(lane, "lane credit").toBeGreaterThan(0);
        expect(link, "link credit").toBeGreaterThan(0);
        gateway.request(1, number++, "x".repeat(size));
        gateway.send();
        lane -= 32 + size;
        link -= 32 + size;
        bench.time.run(2);
        bench.shard.answerAll(() => "+OK\r\n");
        bench.time.run(2);
        for (const frame of gateway.received.slice(seen)) {
          if (frame.type !== FrameType.Credit) continue;
          if (frame.lane === 0) link += frame.value as number;
          else lane += frame.value as number;
        }
        seen = gateway.received.length;
        expect(lane).toBeLessThanOrEqual(limits.laneCreditBytes);
        expect(link).toBeLessThanOrEqual(limits.linkCreditBytes);
      }
      expect(bench.front.status()).toMatchObject({ unansweredBytes: 0 });
    }),
    { numRuns: 40 },
  );
});

test("requests that stay open for long give their credit back, once", () => {
  const bench = new Bench();
  const gateway = bench.link();
  gateway.open(1);
  for (let number = 1; number <= 10; number++) gateway.request(1, number, "x".repeat(368));
  gateway.send();
  bench.time.run(900);
  expect(bench.front.status()).toMatchObject({ unansweredBytes: 4000 });
  bench.time.run(3000);
  expect(bench.front.status()).toMatchObject({ unansweredBytes: 0 });
  bench.shard.answerAll(() => "+OK\r\n");
  bench.time.run(3000);
  expect(gateway.of(FrameType.Reply)).toHaveLength(10);
  const granted = (lane: number): number =>
    gateway.of(FrameType.Credit).reduce((sum, frame) => sum + (frame.lane === lane ? (frame.value as number) : 0), 0);
  expect(granted(1)).toBeGreaterThan(0);
  expect(granted(1)).toBeLessThanOrEqual(4000);
  expect(granted(0)).toBeLessThanOrEqual(4000);
  expect(bench.front.status()).toMatchObject({ unansweredBytes: 0 });
});

test("one refusal gives every later request of its epoch back, and none of another epoch", () => {
  const bench = new Bench();
  const gateway = bench.link();
  gateway.open(1);
  for (let number = 1; number <= 4; number++) gateway.request(1, number, "x".repeat(68));
  gateway.request(1, 5, "x".repeat(68), 1, 2);
  gateway.send();
  bench.time.run(5);
  const lane = bench.shard.batches[0]!.lane;
  lane.sink.refuse(lane, 7, 1, 2, RefuseReason.notLeader, 3, 11);
  bench.front.flush();
  bench.time.run(5);
  expect(gateway.of(FrameType.Refuse).map((frame) => frame.value)).toEqual([
    { laneEpoch: 1, reason: RefuseReason.notLeader, firstNumber: 2, leaderNodeId: 3, term: 11 },
  ]);
  // The first request and the one of epoch 2 are still open, 100 bytes each.
  expect(bench.front.status()).toMatchObject({ unansweredBytes: 200 });
});

test("a shard that is not here and a stopping node refuse at once", () => {
  const bench = new Bench();
  const gateway = bench.link();
  bench.front.setLeader(8, 3, 4);
  gateway.open(1);
  const header = {
    laneEpoch: 1,
    placementEpoch: 1,
    count: 1,
    flags: 0,
    mode: RequestMode.whole,
    used: NOTHING_USED,
    firstNumber: 1,
    lowestUnanswered: 1,
    executedUpTo: -1,
  };
  endFrame(gateway.writer, beginRequest(gateway.writer, 8, 1, header));
  gateway.send();
  bench.time.run(5);
  bench.front.stopping = true;
  gateway.request(1, 1, "x");
  gateway.send();
  bench.time.run(5);
  const refusals = gateway.of(FrameType.Refuse).map((frame) => frame.value as { reason: number; leaderNodeId: number });
  expect(refusals.map(({ reason, leaderNodeId }) => [reason, leaderNodeId])).toEqual([
    [RefuseReason.notOwner, 3],
    [RefuseReason.stopping, 0],
  ]);
  expect(bench.shard.batches).toHaveLength(0);
});

test("a node that stops says Bye behind the last fate, and takes nothing that comes after it", () => {
  const bench = new Bench();
  const gateway = bench.link();
  gateway.open(1);
  gateway.request(1, 1, "x");
  gateway.send();
  bench.time.run(5);
  bench.shard.answerAll(() => "+done\r\n");
  bench.front.stopping = true;
  // On its way while the node says Bye.
  gateway.request(1, 2, "y");
  gateway.send();
  bench.front.close();
  bench.time.run(20);
  expect(
    gateway.received
      .map((frame) => frame.type)
      .filter((type) => type !== FrameType.Credit)
      .slice(-2),
  ).toEqual([FrameType.Reply, FrameType.Bye]);
  expect(gateway.of(FrameType.Refuse)).toEqual([]);
  expect(bench.shard.batches).toEqual([]);
});

test("leaders are told to every link, and to a new one at once", () => {
  const bench = new Bench();
  bench.front.setLeader(7, 1, 2);
  const gateway = bench.link();
  expect(gateway.of(FrameType.Leader)).toMatchObject([{ shard: 7, value: { nodeId: 1, term: 2 } }]);
  bench.front.setLeader(7, 1, 2);
  bench.front.setLeader(7, 3, 3);
  bench.time.run(5);
  expect(gateway.of(FrameType.Leader).map((frame) => frame.value)).toEqual([
    { nodeId: 1, term: 2 },
    { nodeId: 3, term: 3 },
  ]);
});

test("a closed lane is told to its shards, its late replies are dropped, its number may be used again", () => {
  const bench = new Bench();
  const gateway = bench.link();
  gateway.open(1);
  gateway.request(1, 1, "x");
  writeLaneClose(gateway.writer, 1);
  gateway.open(1);
  gateway.request(1, 1, "y");
  gateway.send();
  bench.time.run(5);
  const [first, second] = bench.shard.batches;
  expect(bench.shard.closed).toEqual([first!.lane]);
  expect([first!.lane.closed, second!.lane.closed]).toEqual([true, false]);
  expect(first!.lane.id).not.toBe(second!.lane.id);
  bench.shard.answerAll((batch) => (batch.lane.closed ? "late" : "fine"));
  bench.time.run(5);
  expect(gateway.of(FrameType.Reply).map((frame) => (frame.value as { text: string }).text)).toEqual(["fine"]);
  expect(bench.front.status()).toMatchObject({ lanes: 1, unansweredBytes: 0 });
});

test("clients that hang up with requests open do not use up the link's credit", () => {
  // A shard drops the replies of a closed lane without a word, as Lane.closed allows: nothing of them may stay charged to the link.
  const bench = new Bench();
  const gateway = bench.link();
  let link = limits.linkCreditBytes;
  for (let lane = 1; lane <= 50; lane++) {
    expect(link, `credit before client ${lane}`).toBeGreaterThan(0);
    gateway.open(lane);
    gateway.request(lane, 1, "x".repeat(1000));
    gateway.request(lane, 2, "y".repeat(1000));
    link -= 2 * 1032;
    writeLaneClose(gateway.writer, lane);
    gateway.send();
    bench.time.run(2);
    for (const frame of gateway.received.splice(0)) {
      if (frame.type === FrameType.Credit && frame.lane === 0) link += frame.value as number;
    }
  }
  expect(bench.shard.closed).toHaveLength(50);
  expect(bench.front.status()).toMatchObject({ lanes: 0, unansweredBytes: 0 });
});

test("when the link is lost all its lanes are closed and its waits cancelled", () => {
  const bench = new Bench();
  const gateway = bench.link();
  for (const lane of [1, 2]) {
    gateway.open(lane);
    gateway.request(lane, 1, "x");
  }
  const query = { query: 1, replicasWanted: 2, kind: WaitKind.wait, term: 1, index: 5, timeoutMs: 0 };
  writeWaitQuery(gateway.writer, 7, 1, query);
  gateway.send();
  bench.time.run(5);
  gateway.connection.destroy();
  bench.time.run(5);
  expect(bench.shard.closed).toHaveLength(2);
  expect(bench.shard.cancelledWaits).toEqual(bench.shard.waits);
  expect(bench.front.status()).toMatchObject({ links: 0 });
  bench.shard.answerAll(() => "late");
});

test("WAIT is asked of the shard and answered once; a cancelled one goes to the shard as cancelled", () => {
  const bench = new Bench();
  const gateway = bench.link();
  gateway.open(1);
  const query = { replicasWanted: 2, kind: WaitKind.waitAof, term: 1, index: 5, timeoutMs: 100 };
  writeWaitQuery(gateway.writer, 7, 1, { query: 1, ...query });
  writeWaitQuery(gateway.writer, 7, 1, { query: 2, ...query });
  writeWaitQuery(gateway.writer, 9, 1, { query: 3, ...query });
  writeWaitCancel(gateway.writer, 7, 1, 2);
  gateway.send();
  bench.time.run(5);
  expect(bench.shard.waits[0]).toMatchObject({ replicasWanted: 2, kind: "waitaof", term: 1, index: 5, timeoutMs: 100 });
  expect(bench.shard.cancelledWaits).toEqual([bench.shard.waits[1]]);
  bench.shard.waits[0]!.answer("counted", 2, true);
  bench.time.run(5);
  expect(gateway.of(FrameType.WaitAnswer).map((frame) => frame.value)).toEqual([
    { query: 3, outcome: WaitOutcome.notLeader, localFsynced: false, replicas: 0 },
    { query: 1, outcome: WaitOutcome.counted, localFsynced: true, replicas: 2 },
  ]);
});

test("a cancel names its lane and request; a ping is echoed", () => {
  const bench = new Bench();
  const gateway = bench.link();
  gateway.open(4);
  writeCancel(gateway.writer, 7, 4, { number: 9, how: 2 });
  writePing(gateway.writer, 12.5);
  gateway.send();
  bench.time.run(5);
  expect(bench.shard.cancelled).toMatchObject([{ number: 9, how: 2, lane: { clientId: 4 } }]);
  expect(gateway.of(FrameType.Pong).map((frame) => frame.value)).toEqual([12.5]);
});

test("a link that does not take its replies is not read from until it does", () => {
  const bench = new Bench();
  const gateway = bench.link();
  const nodeEnd = gateway.connection.other!;
  gateway.open(1);
  gateway.request(1, 1, "x");
  gateway.send();
  bench.time.run(5);
  nodeEnd.stuck = true;
  bench.shard.answerAll(() => "y".repeat(limits.maxBufferedBytes + 1));
  bench.time.run(5);
  expect(nodeEnd.paused).toBe(true);
  gateway.request(1, 2, "x");
  gateway.send();
  bench.time.run(5);
  expect(bench.shard.batches).toHaveLength(0);
  nodeEnd.unstick();
  bench.time.run(5);
  expect(nodeEnd.paused).toBe(false);
  expect(bench.shard.batches).toHaveLength(1);
});

test("a link that does not take its replies is full for the shards, which hear once when it has", () => {
  const bench = new Bench();
  const gateway = bench.link();
  const nodeEnd = gateway.connection.other!;
  gateway.open(1);
  gateway.request(1, 1, "x");
  gateway.send();
  bench.time.run(5);
  const { sink } = bench.shard.batches[0]!.lane;
  expect(sink.isFull(7)).toBe(false);
  nodeEnd.stuck = true;
  bench.shard.answerAll(() => "y".repeat(limits.maxBufferedBytes + 1));
  expect(sink.isFull(7)).toBe(true);
  bench.time.run(5);
  expect(sink.isFull(7)).toBe(true);
  expect(bench.shard.drained).toBe(0);
  nodeEnd.unstick();
  bench.time.run(5);
  expect(sink.isFull(7)).toBe(false);
  expect(bench.shard.drained).toBe(1);
});

test("subscriptions are taken and answered, and forgotten with their link", () => {
  const bench = new Bench();
  const [one, other] = [bench.link(), bench.link()];
  const { channels } = bench.front;
  writeSubscriptions(one.writer, 1, [
    { kind: 0, name: "news", subscribers: 2 },
    { kind: 1, name: "n*", subscribers: 1 },
  ]);
  writeSubscriptions(other.writer, 4, [{ kind: 0, name: "news", subscribers: 5 }]);
  one.send();
  other.send();
  bench.time.run(5);
  expect(one.of(FrameType.SubscriptionsTaken)).toHaveLength(1);
  const { receivers, sinks } = channels.reach(0, "news");
  expect([receivers, sinks.length]).toEqual([8, 2]);
  for (const sink of sinks) sink.message(7, 3, 0, "news", bytesOf("hello"));
  bench.time.run(5);
  expect([one, other].map((gateway) => gateway.of(FrameType.Message).length)).toEqual([1, 1]);
  one.connection.destroy();
  bench.time.run(5);
  expect([channels.reach(0, "news").receivers, channels.count(1)]).toEqual([5, 0]);
  other.connection.destroy();
  bench.time.run(5);
  expect(channels.isEmpty).toBe(true);
});

test("a link that does not take its messages gets no more of them, and goes on afterwards", () => {
  const bench = new Bench();
  const gateway = bench.link();
  writeSubscriptions(gateway.writer, 1, [{ kind: 0, name: "news", subscribers: 1 }]);
  gateway.send();
  bench.time.run(5);
  const [sink] = bench.front.channels.reach(0, "news").sinks;
  const nodeEnd = gateway.connection.other!;
  nodeEnd.stuck = true;
  const large = bytesOf("x".repeat(limits.maxMessageBytes));
  sink!.message(7, 1, 0, "news", large);
  bench.time.run(5);
  sink!.message(7, 1, 0, "news", bytesOf("dropped"));
  bench.time.run(5);
  expect(bench.front.droppedMessages).toBe(1);
  nodeEnd.unstick();
  bench.time.run(5);
  sink!.message(7, 1, 0, "news", bytesOf("heard"));
  bench.time.run(5);
  expect(gateway.of(FrameType.Message)).toHaveLength(2);
});

test("a gateway with more names than it may have is hung up on", () => {
  const bench = new Bench();
  const gateway = bench.link();
  const name = "x".repeat(1000);
  const changes = Array.from({ length: 80 }, (_, i) => ({ kind: 0, name: `${name}${i}`, subscribers: 1 }));
  writeSubscriptions(gateway.writer, 1, changes);
  gateway.send();
  bench.time.run(5);
  expect(gateway.closed).not.toBe("");
  expect(bench.front.channels.isEmpty).toBe(true);
});

test("a gateway that goes on without credit is not read from until its requests are answered", () => {
  const bench = new Bench();
  const gateway = bench.link();
  const nodeEnd = gateway.connection.other!;
  gateway.open(1);
  for (let number = 1; number <= 80; number++) {
    gateway.request(1, number, "x".repeat(8 * KIB));
    gateway.send();
    bench.time.run(1);
  }
  expect(nodeEnd.paused).toBe(true);
  expect(bench.shard.batches.length * 8 * KIB).toBeLessThan(limits.linkCreditBytes + limits.maxRequestBytes + 16 * KIB);
  for (let i = 0; i < 10; i++) {
    bench.shard.answerAll(() => "+OK\r\n");
    bench.time.run(5);
  }
  expect(gateway.of(FrameType.Reply)).toHaveLength(80);
});

test("whatever bytes follow the handshake, the link ends or stands, and other links are not disturbed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
      const bench = new Bench();
      const good = bench.link();
      const bad = bench.link();
      bad.connection.write(bytes);
      bench.time.run(5);
      good.open(1);
      good.request(1, 1, "x");
      good.send();
      bench.time.run(5);
      expect(bench.shard.batches).toHaveLength(1);
      expect(good.closed).toBe("");
    }),
    { numRuns: 60 },
  );
});

test("a connection that starts a link and says nothing more is closed", () => {
  const bench = new Bench();
  const client = bench.dial();
  let closed = "";
  client.listen({
    onData: () => undefined,
    onDrain: () => undefined,
    onClose: (reason) => {
      closed = reason;
    },
  });
  client.write(bytesOf("HRLK"));
  bench.time.run(30_000);
  expect(closed).toBe("reset");
});
