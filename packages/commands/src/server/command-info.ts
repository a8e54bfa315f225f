/**
 * One command as COMMAND INFO and COMMAND DOCS show it, from its record. The form is Redis 7's: ten elements; flags, ACL categories and tips
 * as sets; key specifications as maps.
 */
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord, KeySpec } from "../command.ts";

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
  [Flag.fast, "fast"],
  [Flag.noAuth, "no_auth"],
  [Flag.allowBusy, "allow_busy"],
  [Flag.skipSlowlog, "skip_slowlog"],
  [Flag.noMulti, "no_multi"],
  [Flag.movablekeys, "movablekeys"],
];

const CATEGORY_ORDER: readonly string[] = [
  "keyspace",
  "read",
  "write",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
];

export function flagWords(record: CommandRecord): string[] {
  return FLAG_WORDS.filter(([bit]) => (record.flags & bit) !== 0).map(([, word]) => word);
}

/** ACL categories in Redis' order, without `@`: those of the record and those that its flags imply. */
export function aclCategories(record: CommandRecord): string[] {
  const has = (bit: number): boolean => (record.flags & bit) !== 0;
  const found = new Set(record.categories);
  if (has(Flag.write)) found.add("write");
  if (has(Flag.readonly)) found.add("read");
  if (has(Flag.admin)) found.add("admin").add("dangerous");
  if (has(Flag.pubsub)) found.add("pubsub");
  if (has(Flag.blocking)) found.add("blocking");
  found.add(has(Flag.fast) ? "fast" : "slow");
  return CATEGORY_ORDER.filter((category) => found.has(category));
}

export function writeCommandInfo(reply: ReplyWriterApi, record: CommandRecord): void {
  reply.array(10);
  reply.bulkLatin1(record.name);
  reply.integer(record.arity);
  writeSimpleSet(reply, flagWords(record));
  const plain = record.keys !== null && record.keys.keyword === null ? record.keys : null;
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
    reply.set(1);
    writeKeySpec(reply, record.keys);
  }
  const subcommands = record.subcommands ?? [];
  if (subcommands.length === 0) reply.set(0);
  else reply.array(subcommands.length);
  for (const each of subcommands) writeCommandInfo(reply, each);
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

export function writeCommandDocs(reply: ReplyWriterApi, record: CommandRecord): void {
  reply.bulkLatin1(record.name);
  reply.map(record.subcommands === null ? 4 : 5);
  reply.bulkLatin1("summary");
  reply.bulkLatin1(record.summary);
  reply.bulkLatin1("since");
  reply.bulkLatin1(record.since);
  reply.bulkLatin1("group");
  reply.bulkLatin1(record.group);
  reply.bulkLatin1("complexity");
  reply.bulkLatin1(record.complexity);
  if (record.subcommands === null) return;
  reply.bulkLatin1("subcommands");
  reply.map(record.subcommands.length);
  for (const each of record.subcommands) writeCommandDocs(reply, each);
}

function writeSimpleSet(reply: ReplyWriterApi, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}
