/**
 * LMOVE source destination LEFT | RIGHT LEFT | RIGHT, RPOPLPUSH source destination, and BLMOVE and BRPOPLPUSH with a timeout behind: one element goes from
 * one list's end to another's. It is pushed before it is taken, so a list that turns round in itself is never empty, and stays. Source: t_list.c
 * lmoveGenericCommand, blmoveGenericCommand.
 */
import type { ElementSource, ListView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { readTimeoutMs, waitForElement } from "../element-wait.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyPair } from "../record.ts";
import { effectBytes } from "../stream/effect-room.ts";
import { findList, readSide } from "./find-list.ts";

interface Move {
  readonly fromLeft: boolean;
  readonly toLeft: boolean;
}

const ROTATION: Move = { fromLeft: false, toLeft: true };

/** Arguments 3 and 4; null: one of them is no side. */
function readMove({ request }: ShardContext): Move | null {
  const fromLeft = readSide(request, 3);
  const toLeft = readSide(request, 4);
  return fromLeft === null || toLeft === null ? null : { fromLeft, toLeft };
}

function endOf(list: ListView, isLeft: boolean): ElementSource {
  let found: ElementSource | null = null;
  list.visit(isLeft ? 0 : list.length - 1, 1, false, (bytes, start, end) => {
    found = { bytes, start: () => start, end: () => end };
    return true;
  });
  return found!;
}

/** False: there is nothing to move. */
function moves(context: ShardContext, { fromLeft, toLeft }: Move): boolean {
  const { request, reply, keyspace, effects, effectRoomBytes, resumed } = context;
  const from = request.latin1(1);
  const to = request.latin1(2);
  const list = findList(keyspace, from);
  if (list === null || (typeof list === "string" && resumed !== null)) return false;
  const target = typeof list === "string" ? list : findList(keyspace, to);
  if (typeof list === "string" || typeof target === "string") {
    reply.error(Errors.wrongType);
    return true;
  }
  const element = endOf(list, fromLeft);
  const [start, end] = [element.start(0), element.end(0)];
  if (effectBytes(2, from, to) + end - start > effectRoomBytes) {
    reply.error(Errors.tooLargeForEntry);
    return true;
  }
  reply.bulk(element.bytes, start, end);
  const { lists } = effects.values;
  lists.push(to, toLeft, element, 0, 1);
  lists.cut(from, fromLeft ? 1 : 0, fromLeft ? 0 : 1, fromLeft ? "lpop" : "rpop");
  return true;
}

function moveNow(context: ShardContext, move: Move | null): void {
  if (move === null) context.reply.error(Errors.syntax);
  else if (!moves(context, move)) context.reply.nullBulk();
}

function moveOrWait(context: ShardContext, move: Move | null): void {
  const { request, reply, nowMs } = context;
  if (move === null) return reply.error(Errors.syntax);
  const timeoutMs = readTimeoutMs(request, request.count - 1, nowMs);
  if (typeof timeoutMs === "string") return reply.error(timeoutMs);
  if (moves(context, move)) return;
  if (context.denyBlocking) reply.nullBulk();
  else waitForElement(context, "list", [request.latin1(1)], timeoutMs);
}

function moveCommand(
  spec: Pick<CommandRecord, "name" | "arity" | "since" | "summary" | "syntax" | "execute">,
): CommandRecord {
  return defineCommand({
    ...spec,
    flags: Flag.write | Flag.denyoom,
    group: "list",
    complexity: "O(1)",
    argumentTypes: { source: "key", destination: "key" },
    categories: ["list"],
    keys: keyPair("RW access delete", "RW insert"),
    handsOutData: true,
  });
}

function blockingMove(spec: Parameters<typeof moveCommand>[0]): CommandRecord {
  return {
    ...moveCommand(spec),
    flags: Flag.write | Flag.denyoom | Flag.noscript | Flag.blocking,
    argumentTypes: { source: "key", destination: "key", timeout: "double" },
    timeOut: (reply) => reply.nullArray(),
    timeoutAt: -1,
  };
}

export const lmove = moveCommand({
  name: "lmove",
  arity: 5,
  since: "6.2.0",
  summary: "Pop an element from a list, push it to another list and return it",
  syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
  execute: (context) => moveNow(context, readMove(context)),
});

export const rpoplpush = moveCommand({
  name: "rpoplpush",
  arity: 3,
  since: "1.2.0",
  summary: "Remove the last element in a list, prepend it to another list and return it",
  syntax: "source destination",
  execute: (context) => moveNow(context, ROTATION),
});

export const blmove = blockingMove({
  name: "blmove",
  arity: 6,
  since: "6.2.0",
  summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
  syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
  execute: (context) => moveOrWait(context, readMove(context)),
});

export const brpoplpush = blockingMove({
  name: "brpoplpush",
  arity: 4,
  since: "2.2.0",
  summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
  syntax: "source destination timeout",
  execute: (context) => moveOrWait(context, ROTATION),
});
