/** Parts of reads over several shards, as one shard sees them: what they answer, and how it offers what there is to those that wait. */
import { CancelHow, OfferHow, RequestMode } from "@headrace/link";
import { expect, test } from "vitest";
import { ShardCluster } from "../testing/shard-cluster.ts";
import type { TestReplica } from "../testing/shard-cluster.ts";
import type { TestLane } from "../testing/test-lane.ts";

const READ = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";

function group(): { cluster: ShardCluster; leader: TestReplica } {
  const cluster = new ShardCluster({ replicas: 3 });
  const leader = cluster.elect();
  leader.lane().send("XGROUP CREATE s g $ MKSTREAM");
  return { cluster, leader };
}

function waiting(leader: TestReplica, command: string = READ): TestLane {
  const lane = leader.lane();
  lane.mode = RequestMode.offered;
  lane.send(command);
  return lane;
}

function answer(
  leader: TestReplica,
  lane: TestLane,
  how: OfferHow,
  offer: number = lane.offers.at(-1)?.offer ?? 0,
): void {
  leader.up.answerOffer(lane, { number: lane.nextNumber - 1, offer, how });
  lane.target.cluster.settle();
}

/** Of a part's reply: each stream's bytes, or nil. */
function streamsOf(events: readonly string[]): readonly string[] {
  return events.map((event) => event.replaceAll("\r\n", " ").replaceAll("  ", " ").replaceAll(" ]", "]"));
}

test("a part answers with each of its streams by itself, in order, or with nothing at all", () => {
  const { leader } = group();
  leader.lane().send("XADD s 1-0 f v", "XADD u 2-0 f v");
  const lane = leader.lane();
  lane.mode = RequestMode.part;
  expect(streamsOf(lane.send("XREAD STREAMS s t u 0 0 0"))).toEqual([
    "1 [*2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v nil *2 $1 u *1 *2 $3 2-0 *2 $1 f $1 v]",
  ]);
  expect(lane.send("XREAD STREAMS s t 9 9")).toEqual(["2 nil"]);
  lane.respVersion = 3;
  expect(streamsOf(lane.send("XREAD STREAMS t s 0 0"))).toEqual(["3 [nil $1 s *1 *2 $3 1-0 *2 $1 f $1 v]"]);
});

test("a part goes on with MAXCOUNT and MAXSIZE where earlier parts have come to", () => {
  const { leader } = group();
  leader.lane().send("XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v");
  const lane = leader.lane();
  lane.mode = RequestMode.part;
  lane.used = { entries: 2, bytes: 70 };
  const read = "XREADGROUP GROUP g c STREAMS s >";
  expect(streamsOf(lane.send(read.replace("STREAMS", "MAXCOUNT 3 STREAMS")))).toEqual([
    "1 [*2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v]",
  ]);
  expect(lane.send(read.replace("STREAMS", "MAXCOUNT 2 STREAMS"))).toEqual(["2 nil"]);
  expect(lane.send(read.replace("STREAMS", "MAXSIZE 70 STREAMS"))).toEqual(["3 nil"]);
  // The consumer is met all the same, and what is not sent is not delivered.
  expect(leader.lane().send("XPENDING s g")).toEqual(["1 [:1 1-0 1-0 [[c 1]]]"]);
});

test("an error of a part names the stream that is the reason", () => {
  const { leader } = group();
  const lane = leader.lane();
  lane.mode = RequestMode.check;
  expect(lane.send("XREADGROUP GROUP g c STREAMS s none > >")).toEqual([
    "1 [:1 -NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option]",
  ]);
  expect(lane.send("XREADGROUP GROUP g c STREAMS s $")[0]).toMatch(/^2 \[:0 -ERR The \$ ID is meaningless/);
  lane.mode = RequestMode.part;
  expect(lane.send("XREAD STREAMS s t 0 nonsense")).toEqual([
    "3 [:1 -ERR Invalid stream ID specified as stream command argument]",
  ]);
});

test("a check changes nothing", () => {
  const { leader } = group();
  leader.lane().send("XADD s 1-0 f v");
  const lane = leader.lane();
  lane.mode = RequestMode.check;
  expect(lane.send("XREADGROUP GROUP g c STREAMS s >")).toEqual(["1 +OK"]);
  expect(leader.lane().send("XINFO CONSUMERS s g", "XPENDING s g")).toEqual(["1 []", "2 [:0 nil nil nil]"]);
});

test("that a part of a plain read waits is said once it is proven that there was nothing", () => {
  const { cluster, leader } = group();
  const lane = leader.lane();
  lane.mode = RequestMode.part;
  lane.send("XREAD BLOCK 0 STREAMS s 0");
  expect(lane.parkedCalls).toEqual(["1"]);
  cluster.isolate(1);
  const late = leader.lane();
  late.mode = RequestMode.part;
  late.send("XREAD BLOCK 0 STREAMS s 0");
  expect(late.parkedCalls).toEqual([]);
  cluster.heal();
  cluster.pass(20);
  expect(late.parkedCalls).toEqual(["1"]);
});

test("a waiting part creates its consumer and takes nothing before its offer is accepted", () => {
  const { cluster, leader } = group();
  const lane = waiting(leader);
  expect(lane.parkedCalls).toEqual(["1"]);
  expect(leader.lane().send("XINFO CONSUMERS s g")[0]).toContain("name c");
  leader.lane().send("XADD s 1-0 f v");
  expect(lane.offers.length).toBe(1);
  expect(leader.lane().send("XPENDING s g")).toEqual(["1 [:0 nil nil nil]"]);
  answer(leader, lane, OfferHow.accept);
  expect(streamsOf(lane.take())).toEqual(["1 [*2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v]"]);
  expect(leader.lane().send("XPENDING s g")).toEqual(["1 [:1 1-0 1-0 [[c 1]]]"]);
  expect(leader.up.status().blockedCalls).toBe(0);
  cluster.pass(20);
  cluster.assertSame();
});

test("what is there when a part comes is offered at once", () => {
  const { leader } = group();
  leader.lane().send("XADD s 1-0 f v");
  expect(waiting(leader).offers.length).toBe(1);
});

test("while an offer is open nobody behind is served, blocked or new; those that do not wait are", () => {
  const { leader } = group();
  const first = waiting(leader);
  const second = leader.lane();
  second.send("XREADGROUP GROUP g d COUNT 1 BLOCK 0 STREAMS s >");
  leader.lane().send("XADD s 1-0 f v", "XADD s 2-0 f v");
  const third = leader.lane();
  third.send("XREADGROUP GROUP g e COUNT 1 BLOCK 0 STREAMS s >");
  const behind = leader.lane();
  behind.mode = RequestMode.partBehind;
  expect(behind.send("XREADGROUP GROUP g f STREAMS s >")).toEqual(["1 nil"]);
  expect([second.take(), third.take()]).toEqual([[], []]);
  expect(leader.lane().send("XREADGROUP GROUP g h COUNT 1 STREAMS s >")).toEqual(["1 [[s [[1-0 [f v]]]]]"]);
  answer(leader, first, OfferHow.decline);
  expect(second.take()).toEqual(["1 [[s [[2-0 [f v]]]]]"]);
  expect(third.take()).toEqual([]);
  leader.lane().send("XADD s 3-0 f v");
  expect(third.take()).toEqual(["1 [[s [[3-0 [f v]]]]]"]);
});

test("one at a time is offered; whoever declines is passed over until it asks again", () => {
  const { leader } = group();
  const [first, second] = [waiting(leader), waiting(leader, READ.replace(" c ", " d "))];
  leader.lane().send("XADD s 1-0 f v");
  expect([first.offers.length, second.offers.length]).toEqual([1, 0]);
  answer(leader, first, OfferHow.decline);
  expect([first.offers.length, second.offers.length]).toEqual([1, 1]);
  answer(leader, second, OfferHow.decline);
  leader.lane().send("XADD s 2-0 f v");
  expect([first.offers.length, second.offers.length]).toEqual([1, 1]);
  answer(leader, first, OfferHow.resume, 0);
  expect([first.offers.length, second.offers.length]).toEqual([2, 1]);
  answer(leader, first, OfferHow.accept);
  expect(first.take().length).toBe(1);
});

test("an offer that nobody answers is void after 100 ms; accepted late it gives nothing, and is made again", () => {
  const { cluster, leader } = group();
  const [first, second] = [waiting(leader), waiting(leader, READ.replace(" c ", " d "))];
  leader.lane().send("XADD s 1-0 f v");
  const { offer } = first.offers[0]!;
  cluster.pass(90);
  expect(second.offers.length).toBe(0);
  cluster.pass(20);
  expect(second.offers.length).toBe(1);
  answer(leader, first, OfferHow.accept, offer);
  expect(first.take()).toEqual(["1 void"]);
  answer(leader, second, OfferHow.accept);
  expect(second.take().length).toBe(1);
  leader.lane().send("XADD s 2-0 f v");
  expect(first.offers.length).toBe(2);
});

test("an accepted offer whose entries others have taken gives nothing; the call keeps its place", () => {
  const { leader } = group();
  const [first, second] = [waiting(leader), waiting(leader, READ.replace(" c ", " d "))];
  leader.lane().send("XADD s 1-0 f v");
  leader.lane().send("XREADGROUP GROUP g quick STREAMS s >");
  answer(leader, first, OfferHow.accept);
  expect(first.take()).toEqual(["1 void"]);
  leader.lane().send("XADD s 2-0 f v");
  expect([first.offers.length, second.offers.length]).toEqual([2, 0]);
});

test("a call that goes with its offer leaves what there is to the next", () => {
  const { leader } = group();
  for (const leave of [
    (lane: TestLane) => leader.up.cancel(lane, 1, CancelHow.timeOut),
    (lane: TestLane) => {
      lane.closed = true;
      leader.up.laneClosed(lane);
    },
  ]) {
    const [first, second] = [waiting(leader), waiting(leader, READ.replace(" c ", " d "))];
    leader.lane().send("XADD s * f v");
    expect([first.offers.length, second.offers.length]).toEqual([1, 0]);
    leave(first);
    first.target.cluster.settle();
    expect(second.offers.length).toBe(1);
    answer(leader, second, OfferHow.accept);
    expect(second.take().length).toBe(1);
  }
});

test("a call that goes with its offer and one whose time is over may end in one turn", () => {
  const { leader } = group();
  const first = waiting(leader);
  const [second, third] = [leader.lane(), leader.lane()];
  second.send(READ.replace(" c ", " d "));
  third.send(READ.replace(" c ", " e "));
  leader.lane().send("XADD s 1-0 f v");
  expect(first.offers.length).toBe(1);
  leader.up.cancel(first, 1, CancelHow.timeOut);
  leader.up.cancel(third, 1, CancelHow.timeOut);
  first.target.cluster.settle();
  // What the second was served on the first one's going is what the third one's nil waits for.
  expect(streamsOf(second.take())).toEqual(["1 [[s [[1-0 [f v]]]]]"]);
  expect(third.take()).toEqual(["1 nil"]);
});

test("a waiting part that claims is offered what is given back, and what has become old enough", () => {
  const { cluster, leader } = group();
  leader.lane().send("XADD s 1-0 f v", "XADD s 2-0 f v", "XREADGROUP GROUP g other STREAMS s >");
  const lane = waiting(leader, "XREADGROUP GROUP g c BLOCK 0 CLAIM 200 COUNT 1 STREAMS s >");
  const next = waiting(leader, "XREADGROUP GROUP g d BLOCK 0 CLAIM 200 COUNT 1 STREAMS s >");
  expect(lane.offers).toEqual([]);
  leader.lane().send("XNACK s g FAIL IDS 1 2-0");
  expect([lane.offers.length, next.offers.length]).toEqual([1, 0]);
  answer(leader, lane, OfferHow.accept);
  expect(streamsOf(lane.take())).toEqual(["1 [*2 $1 s *1 *4 $3 2-0 *2 $1 f $1 v :1000000 :1]"]);
  cluster.pass(150);
  expect(next.offers).toEqual([]);
  cluster.pass(100);
  expect(next.offers.length).toBe(1);
  answer(leader, next, OfferHow.accept);
  expect(streamsOf(next.take())).toEqual(["1 [*2 $1 s *1 *4 $3 1-0 *2 $1 f $1 v :250 :1]"]);
});

test("a part is told when its group goes away", () => {
  const { leader } = group();
  const lane = waiting(leader);
  leader.lane().send("XGROUP DESTROY s g");
  expect(lane.take()).toEqual([
    "1 [:0 -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option]",
  ]);
});

test("a call that was ended before it came to wait does not wait", () => {
  const { leader } = group();
  const lane = leader.lane();
  lane.mode = RequestMode.offered;
  lane.queue(READ);
  leader.up.cancel(lane, 1, CancelHow.timeOut);
  lane.target.cluster.settle();
  expect(lane.take()).toEqual(["1 nil"]);
  expect(leader.up.status().blockedCalls).toBe(0);
});

test("an offer does not outlive its term", () => {
  const { cluster, leader } = group();
  const lane = waiting(leader);
  leader.lane().send("XADD s 1-0 f v");
  cluster.isolate(1);
  cluster.awaitLeader([2, 3]);
  cluster.heal();
  cluster.pass(200);
  answer(leader, lane, OfferHow.accept);
  expect(lane.take()).toEqual(["1 refused 1 leader 0"]);
  expect(cluster.awaitLeader([2, 3]).lane().send("XPENDING s g")).toEqual(["1 [:0 nil nil nil]"]);
});

test("a part is offered what its group hands out again when it is due, and takes it when it accepts", () => {
  const { cluster, leader } = group();
  leader.lane().send("XGROUP SETRETRY s g MIN-IDLE 200", "XADD s 1-0 f v");
  leader.lane().send("XREADGROUP GROUP g d STREAMS s >");
  const lane = waiting(leader);
  expect(lane.offers.length).toBe(0);
  cluster.pass(250);
  expect(lane.offers.length).toBe(1);
  expect(leader.lane().send("XPENDING s g - + 9")[0]).toMatch(/\[\[1-0 d :\d+ :1\]\]$/);
  answer(leader, lane, OfferHow.accept);
  expect(streamsOf(lane.take())).toEqual(["1 [*2 $1 s *1 *2 $3 1-0 *2 $1 f $1 v]"]);
  expect(leader.lane().send("XPENDING s g - + 9")[0]).toMatch(/\[\[1-0 c :\d+ :2\]\]$/);
});

test("a part is not offered what is gone, though it was due; looking at it is enough to have it dropped", () => {
  const { cluster, leader } = group();
  leader.lane().send("XGROUP SETRETRY s g MIN-IDLE 200", "XADD s 1-0 f v");
  leader.lane().send("XREADGROUP GROUP g d STREAMS s >");
  const lane = waiting(leader);
  leader.lane().send("XDEL s 1-0");
  cluster.pass(250);
  expect(lane.offers.length).toBe(0);
  expect(leader.lane().send("XPENDING s g")).toEqual(["1 [:0 nil nil nil]"]);
  cluster.pass(20);
  cluster.assertSame();
});
