/**
 * Adding messages to a stream exactly once and in order, whatever happens to the cluster meanwhile.
 *
 * Each message has an id that its source gave it: a line's number, an order's, never one that is made up for a try. `XADD … IDMP producer id` adds a
 * message only if the stream does not know the producer's id yet, else it answers the entry that is there. So a batch whose answer is lost is sent again
 * until there is one. MULTI makes a batch all or nothing, so that no message overtakes another: the next batch waits for this one's answer.
 *
 * A stream knows an id for a while only: 100 seconds and the producer's last 100 ids, unless XCFGSET IDMP-DURATION and IDMP-MAXSIZE say otherwise. Hence
 * BATCH_MAX, and a repetition that gives up, loudly, before the stream forgets.
 */
import type { Redis } from "ioredis";
import { firstError, overcome } from "./connection.ts";

/** Half of what a stream knows of a producer. */
export const BATCH_MAX = 50;
const GIVE_UP_AFTER_MS = 80_000;

export interface Message {
  /** The source's own id, the same at every try. */
  readonly id: string;
  /** field, value, field, value … */
  readonly fields: readonly string[];
}

export interface AddCounts {
  added: number;
  /** Batches that were sent once more, because an answer did not come. */
  repeated: number;
}

/**
 * `producer`: a name that nobody else uses at the same time. `options`: further ones of XADD, such as MAXLEN ~ 100000. One call at a time for a producer
 * and key. Throws what is no failure of the moment, or when the messages could not be added in time: then nobody knows which are there.
 */
export async function addOnce(
  redis: Redis,
  target: { readonly key: string; readonly producer: string; readonly options?: readonly string[] },
  messages: readonly Message[],
  counts: AddCounts,
): Promise<void> {
  if (messages.length > BATCH_MAX) throw new Error(`${messages.length} messages in a batch, ${BATCH_MAX} at the most`);
  const giveUpAtMs = performance.now() + GIVE_UP_AFTER_MS;
  for (;;) {
    const batch = redis.multi();
    for (const { id, fields } of messages) {
      batch.call("XADD", target.key, "IDMP", target.producer, id, ...(target.options ?? []), "*", ...fields);
    }
    try {
      const refused = firstError((await batch.exec())!);
      // A limit that was reached in the middle of a batch: those before it are there, and are known when the batch comes again.
      if (refused !== null) throw refused;
      counts.added += messages.length;
      return;
    } catch (error) {
      await overcome(error, redis);
      // Behind the wait, which may be long: sent later, it might be added again.
      if (performance.now() > giveUpAtMs) throw error;
      counts.repeated++;
    }
  }
}
