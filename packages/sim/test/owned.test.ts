/** Keys with one writer: the plain models answer as Redis' documents say, and what differs from them is told. */
import { expect, test } from "vitest";
import { checkOwned } from "../src/checkers/owned.ts";
import { PlainLists, type PlainValue, PlainZsets } from "../src/checkers/plain-values.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { Operation } from "../src/sim-client.ts";

const L = "lown-1-c0-0:{a}";
const M = "lown-2-c0-0:{a}";
const Z = "bown-1-c0-0:{c}";
const noKey = new ErrorReply("ERR no such key");

/** What is asked, and what redis-server 7.0.15 answers. */
const asked: readonly (readonly [words: string, reply: ReplyValue])[] = [
  [`LSET ${L} 0 a`, noKey],
  [`RPUSH ${L} a b c a`, 4],
  [`LPUSH ${L} x y`, 6],
  [`LRANGE ${L} -4 -2`, ["a", "b", "c"]],
  [`LREM ${L} -1 a`, 1],
  [`LINSERT ${L} AFTER b z`, 6],
  [`LINSERT ${L} AFTER q z`, -1],
  [`LSET ${L} -1 w`, "OK"],
  [`LMOVE ${L} ${M} RIGHT LEFT`, "w"],
  [`LMOVE ${L} ${L} LEFT RIGHT`, "y"],
  [`LPOS ${L} z`, 3],
  [`LTRIM ${L} 1 -2`, "OK"],
  [`RPOP ${L} 9`, ["z", "b", "a"]],
  [`LPOP ${L} 1`, null],
  [`LPUSHX ${L} a`, 0],
  [`LRANGE ${M} 0 -1`, ["w"]],
];
const askedOfSets: typeof asked = [
  [`ZADD ${Z} 1 a 2 b 2 c`, 3],
  [`ZADD ${Z} XX GT CH 3 a 1 b 9 z`, 1],
  [`ZADD ${Z} NX INCR 1 a`, null],
  [`ZINCRBY ${Z} -1.5 b`, "0.5"],
  [`ZRANGE ${Z} 0 -1 WITHSCORES`, ["b", "0.5", "c", "2", "a", "3"]],
  [`ZRANGE ${Z} 0 0 REV WITHSCORES`, ["a", "3"]],
  [`ZREVRANK ${Z} c`, 1],
  [`ZRANGEBYSCORE ${Z} (0.5 +inf`, ["c", "a"]],
  [`ZCOUNT ${Z} 0 2`, 2],
  [`ZREMRANGEBYRANK ${Z} -1 -1`, 1],
  [`ZPOPMAX ${Z} 1`, ["c", "2"]],
  [`ZREM ${Z} b b`, 1],
  [`ZCARD ${Z}`, 0],
];

test.each<[string, PlainValue, typeof asked]>([
  ["lists", new PlainLists(), asked],
  ["sorted sets", new PlainZsets(), askedOfSets],
])("the plain %s answer as Redis does", (_kind, model, requests) => {
  expect(requests.map(([words]) => [words, model.ask(words.split(" "))])).toEqual(requests);
});

let steps = 0;

/** Each is sent when the one before it has its answer. */
function did(words: string, reply: ReplyValue | undefined): Operation {
  const at = { connection: 1, invokedStep: ++steps, completedStep: ++steps, open: false } as const;
  return { client: "c0", args: words.split(" "), ack: "ALL", reply, ...at };
}

test("what is refused has not happened, and behind a write whose fate is unknown nothing is judged", () => {
  const refused = did(`RPUSH ${L} x`, new ErrorReply("CLUSTERDOWN nothing happened"));
  const pushed = did(`RPUSH ${L} a`, 1);
  expect(checkOwned([refused, pushed], new Map([[L, ["a"]]]))).toBe(1);
  const unknown = did(`RPUSH ${L} x`, undefined);
  expect(checkOwned([pushed, unknown, did(`LLEN ${L}`, 7)], new Map([[L, ["?"]]]))).toBe(1);
});

test("a read that waits while a write is sent whose fate is unknown may see it", () => {
  const uncertain = new ErrorReply("UNCERTAIN The fate of this write is unknown");
  const read = did(`LLEN ${L}`, 1);
  const write = did(`RPUSH ${L} a`, uncertain);
  expect(checkOwned([{ ...read, completedStep: write.completedStep }, write], new Map())).toBe(0);
  expect(() => checkOwned([read, write], new Map())).toThrow(/answered with 1 instead of 0/);
});

test("another answer and another end than the model's are told", () => {
  const pushed = did(`RPUSH ${L} a`, 1);
  expect(() => checkOwned([pushed, did(`LLEN ${L}`, 2)], new Map())).toThrow(/answered with 2 instead of 1/);
  expect(() => checkOwned([pushed], new Map([[L, []]]))).toThrow(/is \[\] at the end instead of \["a"\]/);
});
