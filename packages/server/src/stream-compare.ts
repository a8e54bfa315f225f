/**
 * Whether two servers hold the same stream: entries byte for byte, ids and counters, groups with consumers and pending entries, time to live. In bounded
 * pieces. What cannot be copied is not compared: when consumers were last seen.
 */
import { expiryMs, keyBytes, listOf } from "./key-facts.ts";
import type { RedisClient } from "./redis-client.ts";
import { behind, exactPending, pendingEntries, streamFacts, type PendingEntry } from "./stream-facts.ts";

const ENTRIES_PIECE = 1000;
/** Times of delivery that were copied out of idle times are right but for that. */
const COPIED_INEXACTLY_MS = 50;
/** Where times of delivery are told as idle times: the clocks of gateway and leader, which TIME and XPENDING go by. */
const CLOCKS_APART_MS = 1000;
const EXPIRY_TOLERANCE_MS = 10;

/** Null: they are the same; else the first difference, for people. */
export async function streamDifference(source: RedisClient, target: RedisClient, key: string): Promise<string | null> {
  const [there, here] = await Promise.all([streamFacts(source, key), streamFacts(target, key)]);
  if (there === null || here === null)
    return there === here ? null : `it is not in the ${here === null ? "target" : "source"}`;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["length", there.length, here.length],
    ["last id", there.lastId, here.lastId],
    ["entries added", there.entriesAdded ?? here.entriesAdded, here.entriesAdded],
    ["largest deleted id", there.maxDeletedId ?? here.maxDeletedId, here.maxDeletedId],
    ["groups", namesOf(there.groups), namesOf(here.groups)],
  ];
  for (const [what, a, b] of pairs) if (a !== b) return `${what}: ${String(a)}, but here ${String(b)}`;
  const bytes = (await keyBytes(source, key)) ?? 0;
  const exact = await Promise.all([exactPending(source, key, there, bytes), exactPending(target, key, here, bytes)]);
  // Exact on both sides or on none: their clocks may differ.
  const [lists, otherLists] = exact.includes(null) ? [null, null] : exact;
  for (const group of there.groups) {
    const other = here.groups.find((each) => each.name === group.name)!;
    const facts: readonly (readonly [string, unknown, unknown])[] = [
      ["last delivered id", group.lastDeliveredId, other.lastDeliveredId],
      ["entries read", group.entriesRead ?? other.entriesRead, other.entriesRead],
      ["pending", group.pending, other.pending],
      ["consumers", group.consumers.toSorted().join(), other.consumers.toSorted().join()],
    ];
    for (const [what, a, b] of facts) {
      if (a !== b) return `group ${group.name}: ${what}: ${String(a)}, but here ${String(b)}`;
    }
    const difference = await pendingDifference(
      pendingEntries(source, key, group.name, lists),
      pendingEntries(target, key, group.name, otherLists),
      lists !== null,
    );
    if (difference !== null) return `group ${group.name}: ${difference}`;
  }
  return (await entriesDifference(source, target, key)) ?? (await expiryDifference(source, target, key));
}

function namesOf(groups: readonly { readonly name: string }[]): string {
  return groups
    .map((group) => group.name)
    .toSorted()
    .join();
}

async function entriesDifference(source: RedisClient, target: RedisClient, key: string): Promise<string | null> {
  for (let from = "-"; ;) {
    const question = ["XRANGE", key, from, "+", "COUNT", String(ENTRIES_PIECE)];
    const [there, here] = (await Promise.all([source.call(...question), target.call(...question)])).map(listOf);
    for (const [i, entry] of there!.entries()) {
      if (JSON.stringify(entry) !== JSON.stringify(here![i])) return `entry ${String(listOf(entry)[0])} differs`;
    }
    if (here!.length !== there!.length) return `${here!.length} entries from ${from}, not ${there!.length}`;
    if (there!.length < ENTRIES_PIECE) return null;
    from = behind(String(listOf(there!.at(-1)!)[0]));
  }
}

/** Of a group, what both say of its pending entries. */
async function pendingDifference(
  there: AsyncGenerator<PendingEntry>,
  here: AsyncGenerator<PendingEntry>,
  isExact: boolean,
): Promise<string | null> {
  for await (const one of there) {
    const { value: other } = (await here.next()) as { readonly value: PendingEntry | undefined };
    if (other?.id !== one.id) return `pending entry ${one.id} is not there`;
    const toleranceMs = isExact ? COPIED_INEXACTLY_MS : one.uncertainMs + other.uncertainMs + CLOCKS_APART_MS;
    const isAlike =
      other.consumer === one.consumer &&
      other.deliveries === one.deliveries &&
      Math.abs(other.deliveredMs - one.deliveredMs) <= toleranceMs;
    if (!isAlike) return `pending entry ${one.id}: ${shownPending(one)}, but here ${shownPending(other)}`;
  }
  return null;
}

function shownPending({ consumer, deliveries, deliveredMs }: PendingEntry): string {
  return `of ${consumer}, delivered ${deliveries} times, last at ${deliveredMs}`;
}

/** Null: both go at the same time, or never. */
export async function expiryDifference(source: RedisClient, target: RedisClient, key: string): Promise<string | null> {
  const [there, here] = await Promise.all([expiryMs(source, key), expiryMs(target, key)]);
  if (there === here || (there > 0 && here > 0 && Math.abs(there - here) <= EXPIRY_TOLERANCE_MS)) return null;
  return `time to live ends at ${there}, but here at ${here}`;
}
