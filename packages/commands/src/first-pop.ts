/**
 * Taking from the first key that has any, and waiting where none has: LMPOP and ZMPOP, BLMPOP and BZMPOP with a timeout in front, BLPOP and BZPOPMIN with one
 * behind the keys. Sources: t_list.c lmpopGenericCommand and blockingPopGenericCommand, t_zset.c zmpopGenericCommand and blockingGenericZpopCommand.
 */
import type { Keyspace } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "./args.ts";
import type { ShardContext } from "./command.ts";
import { readTimeoutMs, waitForElement } from "./element-wait.ts";
import { Errors } from "./errors.ts";
import { firstValue, keysAt } from "./first-value.ts";

/** Of one kind of value. */
export interface PoppedKind<View> {
  readonly kind: "list" | "zset";
  /** As `firstValue` wants it. */
  readonly find: (keyspace: Keyspace, key: string) => View | null | string;
  readonly sizeOf: (value: View) => number;
  /** Whether the word names the first end (LEFT, MIN); null: neither. */
  readonly readEnd: (request: Request, i: number) => boolean | null;
  /** Takes so many, and writes them behind their array's header. */
  readonly take: (context: ShardContext, key: string, value: View, count: number, isFirstEnd: boolean) => void;
}

interface MultiPop {
  readonly keys: readonly string[];
  readonly isFirstEnd: boolean;
  readonly count: number;
}

/** Where the number of keys stands in LMPOP and ZMPOP; a timeout is in front of it else. */
const COUNT_AT = 1;

/** Or the error text. */
function readMultiPop<View>(kind: PoppedKind<View>, request: Request, countAt: number): MultiPop | string {
  const keyCount = readLong(request, countAt);
  if (!(keyCount > 0)) return Errors.numKeysNotPositive;
  const endAt = countAt + keyCount + 1;
  const isFirstEnd = endAt < request.count ? kind.readEnd(request, endAt) : null;
  if (isFirstEnd === null) return Errors.syntax;
  let count = -1;
  for (let i = endAt + 1; i < request.count; i += 2) {
    if (count !== -1 || !request.is(i, "COUNT") || i + 1 >= request.count) return Errors.syntax;
    count = readLong(request, i + 1);
    if (!(count > 0)) return Errors.popCountNotPositive;
  }
  return { keys: keysAt(request, countAt + 1, keyCount), isFirstEnd, count: Math.max(1, count) };
}

/** True: it has answered, with what `answer` writes of the first key's value, or with an error. */
function popsOne<View>(
  kind: PoppedKind<View>,
  context: ShardContext,
  keys: readonly string[],
  answer: (key: string, value: View) => void,
): boolean {
  const found = firstValue(context, keys, kind.find);
  if (found === null) return false;
  if (typeof found === "string") context.reply.error(found);
  else answer(found.key, found.value);
  return true;
}

/** `key, [element …]` */
function several<View>(
  kind: PoppedKind<View>,
  context: ShardContext,
  { isFirstEnd, count }: MultiPop,
): (key: string, value: View) => void {
  return (key: string, value: View): void => {
    const { reply } = context;
    const taken = Math.min(count, kind.sizeOf(value));
    reply.array(2);
    reply.bulkLatin1(key);
    reply.array(taken);
    kind.take(context, key, value, taken, isFirstEnd);
  };
}

/** `numkeys key … end [COUNT count]`. */
export function multiPop<View>(kind: PoppedKind<View>, context: ShardContext): void {
  const read = readMultiPop(kind, context.request, COUNT_AT);
  if (typeof read === "string") return context.reply.error(read);
  if (!popsOne(kind, context, read.keys, several(kind, context, read))) context.reply.nullArray();
}

/** `timeout numkeys key … end [COUNT count]`. */
export function blockingMultiPop<View>(kind: PoppedKind<View>, context: ShardContext): void {
  const read = readMultiPop(kind, context.request, COUNT_AT + 1);
  if (typeof read === "string") return context.reply.error(read);
  popOrWait(kind, context, read.keys, 1, several(kind, context, read));
}

/** `key … timeout`. `answer` takes one, and writes the key and it. */
export function blockingPop<View>(
  kind: PoppedKind<View>,
  context: ShardContext,
  answer: (key: string, value: View) => void,
): void {
  const { request } = context;
  popOrWait(kind, context, keysAt(request, 1, request.count - 2), request.count - 1, answer);
}

function popOrWait<View>(
  kind: PoppedKind<View>,
  context: ShardContext,
  keys: readonly string[],
  timeoutAt: number,
  answer: (key: string, value: View) => void,
): void {
  const { request, reply, nowMs } = context;
  const timeoutMs = readTimeoutMs(request, timeoutAt, nowMs);
  if (typeof timeoutMs === "string") return reply.error(timeoutMs);
  if (popsOne(kind, context, keys, answer)) return;
  if (context.denyBlocking) reply.nullArray();
  else waitForElement(context, kind.kind, keys, timeoutMs);
}
