/** Looks for the sets that a command is about, and writes members. Looking counts as a use. */
import type { MemberList } from "@headrace/engine";
import type { Keyspace, SetView } from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { Errors } from "../errors.ts";
import { effectBytes } from "../stream/effect-room.ts";

/** What a member takes in an effect beside its bytes, at most. */
const MEMBER_FRAME_BYTES = 5;
const SEEDS = 0x1_0000_0000;

/** Null: the key is free. A string: the error text, the key holds something else. */
export function findSet(keyspace: Keyspace, key: string): SetView | null | string {
  const found = keyspace.find(key);
  if (found === null) return null;
  return found.value !== null && found.value.type === "set" ? (found.value as SetView) : Errors.wrongType;
}

/** Those that these arguments name, null where there is none; or the error text. */
export function findSets(
  { request, keyspace }: { readonly request: Request; readonly keyspace: Keyspace },
  first: number,
  end: number,
): readonly (SetView | null)[] | string {
  const sets: (SetView | null)[] = [];
  for (let i = first; i < end; i++) {
    const set = findSet(keyspace, request.latin1(i));
    if (typeof set === "string") return set;
    sets.push(set);
  }
  return sets;
}

/** For a set that an effect makes. */
export function drawSeed(randomBelow: (n: number) => number): number {
  return randomBelow(SEEDS);
}

export function fitsEffect(key: string, members: MemberList, roomBytes: number): boolean {
  return effectBytes(1, key) + members.byteLength + members.count * MEMBER_FRAME_BYTES <= roomBytes;
}

/** RESP3's set. */
export function writeMembers(reply: ReplyWriterApi, members: MemberList): void {
  reply.set(members.count);
  members.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
}

/** All of a set, an empty one for null. */
export function writeSet(reply: ReplyWriterApi, set: SetView | null): void {
  reply.set(set === null ? 0 : set.size);
  set?.forEach((bytes, start, end) => reply.bulk(bytes, start, end));
}
