/** Looks for the string that a command is about, and writes it. Looking counts as a use. */
import type { Keyspace, StringView } from "@headrace/engine";
import type { ReplyWriterApi } from "@headrace/resp";
import { Errors } from "../errors.ts";

/**
 * Bytes that a string may have: proto-max-bulk-len as it is by default. A string that is no longer fits into one log entry, so COPY, DUMP and RESTORE work on
 * all of them.
 */
export const STRING_BYTES_MAX = 16 * 1024 * 1024;

/** Null: the key is free. A string: the error text, the key holds something else. */
export function findString(keyspace: Keyspace, key: string): StringView | null | string {
  const found = keyspace.find(key);
  if (found === null) return null;
  return found.value !== null && found.value.type === "string" ? (found.value as StringView) : Errors.wrongType;
}

export function writeString(reply: ReplyWriterApi, value: StringView | null): void {
  if (value === null) return reply.nullBulk();
  const { text } = value;
  if (text !== null) reply.bulkLatin1(text);
  else reply.bulk(value.bytes, 0, value.length);
}

/** Whether a string of `length` bytes may have `more` behind them. */
export function fitsString(length: number, more: number): boolean {
  return length + more <= STRING_BYTES_MAX;
}
