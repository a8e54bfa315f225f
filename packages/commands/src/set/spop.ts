/**
 * SPOP key [count]: the leader draws, and the effect names who goes; or who stays, when these are much fewer. Source: t_set.c spopCommand,
 * spopWithCountCommand.
 */
import { MemberTable } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { drawMembers } from "./draw-members.ts";
import { drawSeed, findSet, fitsEffect, writeMembers, writeSet } from "./find-set.ts";

/** Redis' SPOP_MOVE_STRATEGY_MUL: so many times more go than stay. */
const STAYING_FACTOR = 5;

export const spop = defineCommand({
  name: "spop",
  arity: -2,
  flags: Flag.write | Flag.fast,
  since: "1.0.0",
  group: "set",
  summary: "Remove and return one or multiple random members from a set",
  complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
  syntax: "key [count]",
  argumentTypes: { count: "integer" },
  categories: ["set"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RW access delete"),
  handsOutData: true,
  execute(context) {
    const { request, reply, keyspace, effects, randomBelow } = context;
    if (request.count === 3) return popSome(context);
    if (request.count > 3) return reply.error(Errors.syntax);
    const key = request.latin1(1);
    const set = findSet(keyspace, key);
    if (typeof set === "string") return reply.error(set);
    if (set === null) return reply.nullBulk();
    const drawn = drawMembers(set, 1, randomBelow);
    drawn.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
    effects.values.sets.remove(key, drawn, "spop");
  },
});

function popSome(context: ShardContext): void {
  const { request, reply, keyspace, effects, effectRoomBytes, randomBelow } = context;
  const count = readLong(request, 2);
  if (!(count >= 0)) return reply.error(Errors.notPositive);
  const key = request.latin1(1);
  const set = findSet(keyspace, key);
  if (typeof set === "string") return reply.error(set);
  if (set === null || count === 0) return reply.set(0);
  const { sets } = effects.values;
  if (count >= set.size) {
    writeSet(reply, set);
    return sets.popAll(key);
  }
  const staying = set.size - count;
  if (staying * STAYING_FACTOR > count) {
    const drawn = drawMembers(set, count, randomBelow);
    if (!fitsEffect(key, drawn, effectRoomBytes)) return reply.error(Errors.tooLargeForEntry);
    writeMembers(reply, drawn);
    sets.remove(key, drawn, "spop");
    return;
  }
  const kept = drawMembers(set, staying, randomBelow);
  if (!fitsEffect(key, kept, effectRoomBytes)) return reply.error(Errors.tooLargeForEntry);
  const stays = new MemberTable(drawSeed(randomBelow), null);
  kept.forEach((bytes, start, end) => stays.add(bytes, start, end));
  writeOthers(context, set, stays, count);
  sets.keep(key, kept, "spop");
}

function writeOthers({ reply }: ShardContext, set: SetView, stays: MemberTable, count: number): void {
  reply.set(count);
  set.forEach((bytes, start, end) => {
    if (!stays.has(bytes, start, end)) reply.bulk(bytes, start, end);
  });
}
