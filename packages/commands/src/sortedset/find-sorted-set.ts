/** Looks for the sorted set that a command is about, and writes elements. Looking counts as a use. */
import type { Keyspace, SortedSetView } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import { Errors } from "../errors.ts";
import type { Ranks } from "./ranges.ts";

/** Null: the key is free. A string: the error text, the key holds something else. */
export function findSortedSet(keyspace: Keyspace, key: string): SortedSetView | null | string {
  const found = keyspace.find(key);
  if (found === null) return null;
  return found.value !== null && found.value.type === "zset" ? (found.value as SortedSetView) : Errors.wrongType;
}

/** An array of members; with scores, of pairs in RESP3, and flat in RESP2. */
export function writeElementsHead(reply: ReplyWriterApi, count: number, withScores: boolean): void {
  reply.array(withScores && reply.version === 2 ? count * 2 : count);
}

export function writeElement(reply: ReplyWriterApi, member: string, score: number, withScores: boolean): void {
  if (withScores && reply.version === 3) reply.array(2);
  reply.bulkLatin1(member);
  if (withScores) reply.double(score);
}

export function writeRanks(
  reply: ReplyWriterApi,
  set: SortedSetView,
  { from, to }: Ranks,
  isReverse: boolean,
  withScores: boolean,
): void {
  writeElementsHead(reply, to - from, withScores);
  set.visit(from, to, isReverse, (member, score) => writeElement(reply, member, score, withScores));
}

/** As scores are kept: zero without a sign. */
export function keptScore(score: number): number {
  return score === 0 ? 0 : score;
}
