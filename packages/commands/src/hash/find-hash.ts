/** Looks for the hash that a command is about, and writes fields. Looking counts as a use. */
import { ByteWriter } from "@headrace/bytes";
import { writeFieldRecord } from "@headrace/engine";
import type { HashView, Keyspace } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";

const SEEDS = 0x1_0000_0000;
const RECORD_BYTES = 256;

/** Null: the key is free. A string: the error text, the key holds something else. */
export function findHash(keyspace: Keyspace, key: string): HashView | null | string {
  const found = keyspace.find(key);
  if (found === null) return null;
  return found.value !== null && found.value.type === "hash" ? (found.value as HashView) : Errors.wrongType;
}

/** Arguments from 2 on are fields and values, at least one of each; answers how many of the fields are new. */
export function putArguments({ request, effects, randomBelow }: ShardContext, hash: HashView | null): number {
  const seed = hash === null ? randomBelow(SEEDS) : 0;
  const start = request.headerStart(2);
  return effects.values.hashes.put(request.latin1(1), request.bytes, start, request.rawEnd, seed, "hset");
}

/** The field that argument 2 names becomes what a command has computed. */
export function putResult(
  { request, effects, randomBelow }: ShardContext,
  hash: HashView | null,
  value: Uint8Array,
  event: "hincrby" | "hincrbyfloat",
): void {
  const seed = hash === null ? randomBelow(SEEDS) : 0;
  const record = new ByteWriter(RECORD_BYTES);
  const field = { bytes: request.bytes, start: request.start(2), end: request.end(2) };
  writeFieldRecord(record, field, { bytes: value, start: 0, end: value.length });
  effects.values.hashes.put(request.latin1(1), record.bytes, 0, record.length, seed, event);
}

export function fieldAt(request: Request, hash: HashView | null, i: number): ReturnType<HashView["find"]> {
  return hash === null ? null : hash.find(request.bytes, request.start(i), request.end(i));
}
