/** ACL categories of commands: those of a record and those that its flags imply. */
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";

/** All of Redis 7, in its order, without `@`: ACL CAT lists them, also those in which there is no command here. */
export const ACL_CATEGORIES: readonly string[] = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
];

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
  return ACL_CATEGORIES.filter((category) => found.has(category));
}
