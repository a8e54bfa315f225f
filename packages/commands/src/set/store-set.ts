/** SINTERSTORE, SUNIONSTORE, SDIFFSTORE: what they compute becomes the target's value, or frees its key when it is nothing. */
import type { MemberList } from "@headrace/engine";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { drawSeed, fitsEffect } from "./find-set.ts";

export function storeMembers(
  { request, reply, keyspace, effects, effectRoomBytes, randomBelow }: ShardContext,
  members: MemberList,
  event: "sinterstore" | "sunionstore" | "sdiffstore",
): void {
  const target = request.latin1(1);
  const { count } = members;
  if (count === 0) {
    if (keyspace.find(target) !== null) effects.deleteKey(target);
  } else {
    if (!fitsEffect(target, members, effectRoomBytes)) return reply.error(Errors.tooLargeForEntry);
    effects.values.sets.store(target, members, drawSeed(randomBelow), event);
  }
  reply.integer(count);
}
