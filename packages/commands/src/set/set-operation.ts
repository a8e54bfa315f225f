/** What SINTER, SUNION, SDIFF and their STORE forms have in common: sets are found, put together, and answered or stored. */
import type { MemberList, SetView } from "@headrace/engine";
import type { ShardContext } from "../command.ts";
import { findSets, writeMembers } from "./find-set.ts";
import { storeMembers } from "./store-set.ts";

/** Null stands for a key that is not there. */
export type SetOperation = (sets: readonly (SetView | null)[], context: ShardContext) => MemberList;

/** The keys are all arguments. */
export function answering(operation: SetOperation): (context: ShardContext) => void {
  return (context) => {
    const sets = findSets(context, 1, context.request.count);
    if (typeof sets === "string") context.reply.error(sets);
    else writeMembers(context.reply, operation(sets, context));
  };
}

/** The first argument is where the result goes. */
export function storing(
  operation: SetOperation,
  event: Parameters<typeof storeMembers>[2],
): (context: ShardContext) => void {
  return (context) => {
    const sets = findSets(context, 2, context.request.count);
    if (typeof sets === "string") context.reply.error(sets);
    else storeMembers(context, operation(sets, context), event);
  };
}
