/** The first of several keys that holds a list. */
import type { ListView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import type { ShardContext } from "../command.ts";
import { findList } from "./find-list.ts";

/** `count` arguments from this one on. */
export function keysAt(request: Request, from: number, count: number): string[] {
  const keys: string[] = [];
  for (let i = from; i < from + count; i++) keys.push(request.latin1(i));
  return keys;
}

/** Null: none does. A string: the error text. A call that has waited looks at the key that woke it alone, and waits on if that is no list. */
export function firstList(
  { keyspace, resumed, readyKey }: ShardContext,
  keys: readonly string[],
): { readonly key: string; readonly list: ListView } | null | string {
  for (const key of keys) {
    if (resumed !== null && readyKey !== null && key !== readyKey) continue;
    const list = findList(keyspace, key);
    if (typeof list === "string") {
      if (resumed === null) return list;
    } else if (list !== null) {
      return { key, list };
    }
  }
  return null;
}
