/** What XINFO, XPENDING and PEXPIRETIME of a Redis (5 and later) or of a gateway say of a stream, as plain facts: for copying it and for comparing. */
import { listOf, msOf, orThrow } from "./key-facts.ts";
import { RedisError, type RedisClient, type Reply } from "./redis-client.ts";

export interface StreamFacts {
  readonly length: number;
  readonly lastId: string;
  /** Null: too old a Redis to know. */
  readonly entriesAdded: number | null;
  readonly maxDeletedId: string | null;
  readonly groups: readonly GroupFacts[];
}

export interface GroupFacts {
  readonly name: string;
  readonly lastDeliveredId: string;
  /** Null: unknown to the server that was asked. */
  readonly entriesRead: number | null;
  readonly pending: number;
  readonly consumers: readonly string[];
}

export interface PendingEntry {
  readonly id: string;
  readonly consumer: string;
  /** ms of Unix time by the server's clock; it may be earlier by so much. */
  readonly deliveredMs: number;
  readonly uncertainMs: number;
  readonly deliveries: number;
}

export const PENDING_PIECE = 1000;
const EXACT_PENDING_MAX = 10_000;
const EXACT_BYTES_MAX = 8 * 1024 * 1024;
/** The clock moved while the list was read: looked at again so often. */
const CLOCK_ATTEMPTS = 5;

/** Null: there is no such key. */
export async function streamFacts(client: RedisClient, key: string): Promise<StreamFacts | null> {
  const [stream, groups] = await client.pipeline([
    ["XINFO", "STREAM", key],
    ["XINFO", "GROUPS", key],
  ]);
  if (isNoKey(stream!) || isNoKey(groups!)) return null;
  const facts = fieldsOf(orThrow(stream!));
  const names = listOf(orThrow(groups!)).map((group) => fieldsOf(group));
  const consumers = await client.pipeline(names.map((group) => ["XINFO", "CONSUMERS", key, String(group.get("name"))]));
  return {
    length: Number(facts.get("length")),
    lastId: String(facts.get("last-generated-id")),
    entriesAdded: numberOrNull(facts.get("entries-added")),
    maxDeletedId: facts.has("max-deleted-entry-id") ? String(facts.get("max-deleted-entry-id")) : null,
    groups: names.map((group, i) => ({
      name: String(group.get("name")),
      lastDeliveredId: String(group.get("last-delivered-id")),
      entriesRead: numberOrNull(group.get("entries-read")),
      pending: Number(group.get("pending")),
      consumers: listOf(orThrow(consumers[i]!)).map((consumer) => String(fieldsOf(consumer).get("name"))),
    })),
  };
}

/** By group, all of its pending entries. */
export type PendingLists = ReadonlyMap<string, readonly PendingEntry[]>;

/**
 * With their exact times of delivery, at one moment; XINFO shows as many entries beside them, so it is asked only where these are small. Null: they are
 * not. `bytes`: of the whole stream.
 */
export async function exactPending(
  client: RedisClient,
  key: string,
  facts: StreamFacts,
  bytes: number,
): Promise<PendingLists | null> {
  const count = Math.max(0, ...facts.groups.map((group) => group.pending));
  if (count === 0) return new Map(facts.groups.map((group) => [group.name, []]));
  const shownEntries = Math.min(count, facts.length);
  const shownBytes = facts.length === 0 ? 0 : (bytes / facts.length) * shownEntries;
  if (count > EXACT_PENDING_MAX || shownBytes > EXACT_BYTES_MAX) return null;
  const full = fieldsOf(await client.call("XINFO", "STREAM", key, "FULL", "COUNT", String(count)));
  const lists = new Map<string, readonly PendingEntry[]>();
  for (const each of listOf(full.get("groups") ?? [])) {
    const group = fieldsOf(each);
    const pending = listOf(group.get("pending") ?? []);
    // More than there were: it is written to.
    if (pending.length !== Number(group.get("pel-count"))) return null;
    lists.set(String(group.get("name")), pending.map(asPending));
  }
  return lists;
}

function asPending(row: Reply): PendingEntry {
  const [id, consumer, deliveredMs, deliveries] = listOf(row);
  return {
    id: String(id),
    consumer: String(consumer),
    deliveredMs: Number(deliveredMs),
    uncertainMs: 0,
    deliveries: Number(deliveries),
  };
}

/** A group's pending entries behind the id, a piece of them; fewer than PENDING_PIECE: there are no more. */
export async function pendingPiece(
  client: RedisClient,
  key: string,
  group: string,
  afterId: string,
): Promise<readonly PendingEntry[]> {
  const question = ["XPENDING", key, group, behind(afterId), "+", String(PENDING_PIECE)];
  for (let attempt = 1; ; attempt++) {
    // Idle times count from the server's now, which is between the two.
    const [before, listed, after] = await client.pipeline([["TIME"], question, ["TIME"]]);
    const [fromMs, toMs] = [msOf(orThrow(before!)), msOf(orThrow(after!))];
    if (fromMs !== toMs && attempt < CLOCK_ATTEMPTS) continue;
    return listOf(orThrow(listed!)).map((row) => {
      const [id, consumer, idleMs, deliveries] = listOf(row);
      return {
        id: String(id),
        consumer: String(consumer),
        deliveredMs: toMs - Number(idleMs),
        uncertainMs: toMs - fromMs,
        deliveries: Number(deliveries),
      };
    });
  }
}

/** All of a group's, ascending: out of the lists, or else asked for in pieces. */
export async function* pendingEntries(
  client: RedisClient,
  key: string,
  group: string,
  lists: PendingLists | null,
): AsyncGenerator<PendingEntry> {
  if (lists !== null) {
    yield* lists.get(group) ?? [];
    return;
  }
  for (let afterId = "0-0"; ;) {
    const piece = await pendingPiece(client, key, group, afterId);
    yield* piece;
    if (piece.length < PENDING_PIECE) return;
    afterId = piece.at(-1)!.id;
  }
}

/** The id right behind this one. */
export function behind(id: string): string {
  const [ms, sequence] = id.split("-").map(BigInt) as [bigint, bigint];
  return sequence === 2n ** 64n - 1n ? `${ms + 1n}-0` : `${ms}-${sequence + 1n}`;
}

/** Below 0: a is before b. */
export function compareIds(a: string, b: string): number {
  const [aMs, aSequence] = a.split("-").map(BigInt) as [bigint, bigint];
  const [bMs, bSequence] = b.split("-").map(BigInt) as [bigint, bigint];
  if (aMs !== bMs) return aMs < bMs ? -1 : 1;
  return aSequence === bSequence ? 0 : aSequence < bSequence ? -1 : 1;
}

export function fieldsOf(reply: Reply): ReadonlyMap<string, Reply> {
  const list = listOf(reply);
  const fields = new Map<string, Reply>();
  for (let i = 0; i + 1 < list.length; i += 2) fields.set(String(list[i]), list[i + 1]!);
  return fields;
}

function isNoKey(reply: Reply): boolean {
  return reply instanceof RedisError && reply.message.startsWith("ERR no such key");
}

function numberOrNull(reply: Reply | undefined): number | null {
  return typeof reply === "number" ? reply : null;
}
