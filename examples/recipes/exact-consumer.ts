/**
 * Consuming a group's entries with effects that happen exactly once. Effects, XACK and a count stand in one transaction, so that they are done together or
 * not at all. They have to lie in one slot: the keys have a {tag} in common.
 *
 *   WATCH      <stream>:<group>:done
 *   XREADGROUP GROUP <group> <consumer> STREAMS <stream> 0 | >
 *   MULTI
 *     … effects …
 *     XACK     <stream> <group> id …
 *     INCRBY   <stream>:<group>:done n
 *   EXEC
 *
 * An EXEC whose answer is lost may have happened, may not, or may still be on its way. The consumer then begins again: it reads what is pending for it. What
 * has happened is acknowledged, and not among it. What has not happened is, and is done now. And what is still on its way comes too late, because every
 * transaction of the group changes the key that all of them watch: its EXEC answers nil. The same holds where two consumers have one entry, because one
 * took over what the other was slow with.
 *
 * Several consumers of one stream and group may run; they take turns rather than working at once. For more in parallel: more streams (partitions/).
 */
import type { ChainableCommander, Redis } from "ioredis";
import { firstError, overcome } from "./connection.ts";

const COUNT = 50;
const BLOCK_MS = 500;

export interface Subscription {
  readonly key: string;
  readonly group: string;
  readonly consumer: string;
  /** Entries that were not acknowledged for so long are handed to whoever reads: consumers die. 0 = only to the consumer that had them. */
  readonly retryMs: number;
}

export interface Entry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * Appends the effects of the entries to the transaction; changes nothing else. It may read other keys first, by the connection that it is given: what
 * only transactions of this group change does not change before EXEC, or EXEC is nil. It may be called again for the same entries.
 */
export type Effects = (
  entries: readonly Entry[],
  transaction: ChainableCommander,
  redis: Redis,
) => void | Promise<void>;

export interface ConsumeCounts {
  done: number;
  /** Because an answer did not come. */
  begunAgain: number;
  /** Because another consumer's transaction was first, or the leader changed behind WATCH: EXEC was nil. */
  overtaken: number;
}

type Reply = [key: string, entries: [id: string, fields: string[] | null][]][] | null;

/** The group is there and begins with the stream's first entry. */
export async function openGroup(redis: Redis, { key, group, retryMs }: Subscription): Promise<void> {
  for (;;) {
    try {
      await redis.xgroup("CREATE", key, group, "0", "MKSTREAM").catch((error: Error) => {
        if (!error.message.startsWith("BUSYGROUP")) throw error;
      });
      if (retryMs > 0) await redis.call("XGROUP", "SETRETRY", key, group, "MIN-IDLE", retryMs);
      return;
    } catch (error) {
      await overcome(error, redis);
    }
  }
}

/** Until `stop` says so; with `drain` until nothing is left. The connection is the consumer's alone: WATCH belongs to it. */
export async function consumeOnce(
  redis: Redis,
  subscription: Subscription,
  until: { readonly stop: AbortSignal; readonly drain: boolean },
  counts: ConsumeCounts,
  effects: Effects,
): Promise<void> {
  const { key, group, consumer } = subscription;
  const done = `${key}:${group}:done`;
  await openGroup(redis, subscription);
  let from = "0";
  while (!until.stop.aborted) {
    let refused: Error | null = null;
    try {
      const [, answer] = await Promise.all([
        redis.watch(done),
        redis.xreadgroup("GROUP", group, consumer, "COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS", key, from),
      ]);
      const reply = answer as Reply;
      const handed = reply?.[0]?.[1] ?? [];
      if (handed.length === 0) {
        await redis.unwatch();
        if (from === ">" && until.drain) return;
        from = ">";
        continue;
      }
      const entries = handed.flatMap(([id, fields]) => (fields === null ? [] : [{ id, fields: pairs(fields) }]));
      const transaction = redis.multi();
      await effects(entries, transaction, redis);
      transaction.xack(key, group, ...handed.map(([id]) => id));
      transaction.incrby(done, entries.length);
      const replies = await transaction.exec();
      if (replies === null) {
        counts.overtaken++;
        from = "0";
        continue;
      }
      refused = firstError(replies);
      counts.done += entries.length;
    } catch (error) {
      await overcome(error, redis, until.stop);
      counts.begunAgain++;
      from = "0";
    }
    // The rest of its transaction has happened: only a person can say what now.
    if (refused !== null) throw new Error(`an effect was refused: ${refused.message}`);
  }
}

function pairs(fields: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let at = 0; at < fields.length; at += 2) map.set(fields[at]!, fields[at + 1]!);
  return map;
}
