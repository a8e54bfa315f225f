/**
 * One command as COMMAND INFO shows it, from its record. The form is Redis 7's: ten elements; flags, ACL categories and tips
 * as sets; key specifications as maps.
 */
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord, KeySpec } from "../command.ts";
import { aclCategories } from "./acl-categories.ts";

const FLAG_WORDS: readonly (readonly [number, string])[] = [
  [Flag.write, "write"],
  [Flag.readonly, "readonly"],
  [Flag.denyoom, "denyoom"],
  [Flag.admin, "admin"],
  [Flag.pubsub, "pubsub"],
  [Flag.noscript, "noscript"],
  [Flag.blocking, "blocking"],
  [Flag.loading, "loading"],
  [Flag.stale, "stale"],
  [Flag.skipMonitor, "skip_monitor"],
  [Flag.skipSlowlog, "skip_slowlog"],
  [Flag.fast, "fast"],
  [Flag.noAuth, "no_auth"],
  [Flag.noAsyncLoading, "no_async_loading"],
  [Flag.noMulti, "no_multi"],
  [Flag.allowBusy, "allow_busy"],
  [Flag.movablekeys, "movablekeys"],
];

export function flagWords(record: CommandRecord): string[] {
  return FLAG_WORDS.filter(([bit]) => (record.flags & bit) !== 0).map(([, word]) => word);
}

export function writeCommandInfo(reply: ReplyWriterApi, record: CommandRecord): void {
  reply.array(10);
  reply.bulkLatin1(record.name);
  reply.integer(record.arity);
  writeSimpleSet(reply, flagWords(record));
  const plain = record.keys !== null && hasPlainKeys(record.keys) ? record.keys : null;
  reply.integer(plain === null ? 0 : plain.first);
  reply.integer(plain === null ? 0 : plain.last);
  reply.integer(plain === null ? 0 : plain.step);
  writeSimpleSet(
    reply,
    aclCategories(record).map((category) => `@${category}`),
  );
  reply.set(record.tips.length);
  for (const tip of record.tips) reply.bulkLatin1(tip);
  if (record.keys === null) {
    reply.set(0);
  } else {
    const { keys } = record;
    const hasTarget = keys.targetAccess.length > 0;
    reply.set(hasTarget ? 2 : 1);
    writeKeySpec(reply, hasTarget ? { ...keys, last: keys.first, countAt: 0 } : keys);
    // Behind one that is written others are read (BITOP), or the last one is written (RENAME).
    const first = keys.last < 0 || keys.countAt > 0 ? keys.first + 1 : keys.last;
    if (hasTarget) writeKeySpec(reply, { ...keys, first, access: keys.targetAccess });
  }
  const subcommands = record.subcommands ?? [];
  if (subcommands.length === 0) reply.set(0);
  else reply.array(subcommands.length);
  for (const each of subcommands) writeCommandInfo(reply, each);
}

/** They are told by positions: all, or the one that is written. */
function hasPlainKeys({ keyword, countAt, targetAccess }: KeySpec): boolean {
  return keyword === null && (countAt === 0 || targetAccess.length > 0);
}

function writeKeySpec(reply: ReplyWriterApi, keys: KeySpec): void {
  reply.map(keys.notes === "" ? 3 : 4);
  if (keys.notes !== "") {
    reply.bulkLatin1("notes");
    reply.bulkLatin1(keys.notes);
  }
  reply.bulkLatin1("flags");
  writeSimpleSet(reply, keys.access);
  reply.bulkLatin1("begin_search");
  reply.map(2);
  reply.bulkLatin1("type");
  if (keys.keyword === null) {
    reply.bulkLatin1("index");
    reply.bulkLatin1("spec");
    reply.map(1);
    reply.bulkLatin1("index");
    reply.integer(keys.first);
  } else {
    reply.bulkLatin1("keyword");
    reply.bulkLatin1("spec");
    reply.map(2);
    reply.bulkLatin1("keyword");
    reply.bulkLatin1(keys.keyword.word);
    reply.bulkLatin1("startfrom");
    reply.integer(keys.keyword.startFrom);
  }
  reply.bulkLatin1("find_keys");
  reply.map(2);
  reply.bulkLatin1("type");
  if (keys.countAt > 0) return writeKeyNumber(reply);
  reply.bulkLatin1("range");
  reply.bulkLatin1("spec");
  reply.map(3);
  reply.bulkLatin1("lastkey");
  reply.integer(keys.last < 0 ? keys.last : keys.last - keys.first);
  reply.bulkLatin1("keystep");
  reply.integer(keys.step);
  reply.bulkLatin1("limit");
  reply.integer(keys.keyword === null ? 0 : 2);
}

/** Relative to where the search begins. */
function writeKeyNumber(reply: ReplyWriterApi): void {
  reply.bulkLatin1("keynum");
  reply.bulkLatin1("spec");
  reply.map(3);
  reply.bulkLatin1("keynumidx");
  reply.integer(0);
  reply.bulkLatin1("firstkey");
  reply.integer(1);
  reply.bulkLatin1("keystep");
  reply.integer(1);
}

function writeSimpleSet(reply: ReplyWriterApi, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}
