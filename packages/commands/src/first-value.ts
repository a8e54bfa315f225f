/** The first of several keys that holds a value of one kind, for commands that take from whichever has something (LMPOP, BLPOP, ZMPOP, BZPOPMIN). */
import type { Keyspace } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import type { ShardContext } from "./command.ts";

/** `count` arguments from this one on. */
export function keysAt(request: Request, from: number, count: number): string[] {
  const keys: string[] = [];
  for (let i = from; i < from + count; i++) keys.push(request.latin1(i));
  return keys;
}

/**
 * `find`: null where the key is free, a string where it holds something else: the error text. Null: no key holds one. A string: the error text. A call that
 * has waited looks at the key that woke it alone, and waits on if that is no value of the kind.
 */
export function firstValue<View>(
  { keyspace, resumed, readyKey }: ShardContext,
  keys: readonly string[],
  find: (keyspace: Keyspace, key: string) => View | null | string,
): { readonly key: string; readonly value: View } | null | string {
  for (const key of keys) {
    if (resumed !== null && readyKey !== null && key !== readyKey) continue;
    const value = find(keyspace, key);
    if (typeof value === "string") {
      if (resumed === null) return value;
    } else if (value !== null) {
      return { key, value };
    }
  }
  return null;
}
