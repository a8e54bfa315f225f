/** Looks for the list that a command is about, and what commands on lists have in common. Looking counts as a use. */
import type { Effects, Keyspace, ListView } from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { Errors } from "../errors.ts";

/** Null: the key is free. A string: the error text, the key holds something else. */
export function findList(keyspace: Keyspace, key: string): ListView | null | string {
  const found = keyspace.find(key);
  if (found === null) return null;
  return found.value !== null && found.value.type === "list" ? (found.value as ListView) : Errors.wrongType;
}

/** LEFT or RIGHT; null: another word. True is left. */
export function readSide(request: Request, i: number): boolean | null {
  if (request.is(i, "LEFT")) return true;
  return request.is(i, "RIGHT") ? false : null;
}

/** As bulk strings, without the header of the array. */
export function writeElements(
  reply: ReplyWriterApi,
  list: ListView,
  from: number,
  count: number,
  isBackwards: boolean,
): void {
  list.visit(from, count, isBackwards, (bytes, start, end) => {
    reply.bulk(bytes, start, end);
    return true;
  });
}

/** Writes elements of one end in the order in which they go, and takes them. */
export function pop(
  reply: ReplyWriterApi,
  effects: Effects,
  key: string,
  list: ListView,
  isLeft: boolean,
  count: number,
): void {
  writeElements(reply, list, isLeft ? 0 : list.length - 1, count, !isLeft);
  effects.values.lists.cut(key, isLeft ? count : 0, isLeft ? 0 : count, isLeft ? "lpop" : "rpop");
}

/** An index that may be counted from the end, −1 the last; below 0: in front of the list. */
export function fromStart(index: number, length: number): number {
  return index < 0 ? length + index : index;
}
