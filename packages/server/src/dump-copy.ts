/** What copying a key of any type has in common: small ones go whole, as DUMP gives them, and a cluster that has no leader for a moment is waited for. */
import { setTimeout as sleep } from "node:timers/promises";
import { expiryMs } from "./key-facts.ts";
import { ConnectionLost, RedisError, type RedisClient } from "./redis-client.ts";

/** As estimated by the source; larger ones go in pieces. A log entry has to hold what RESTORE brings. */
export const DUMP_BYTES_MAX: number = 4 * 1024 * 1024;
const RETRY_MS = 500;
const RETRIES = 120;

export interface CopyOptions {
  readonly source: RedisClient;
  readonly target: RedisClient;
  readonly key: string;
  /** What is under the key is ours, from a copy that was cut short: go on behind it. */
  readonly isBegun: boolean;
  /** The target may hold something under the key: it is replaced. */
  readonly mayReplace: boolean;
  /** Largest key that goes by DUMP, bytes; tests make it small. */
  readonly dumpBytesMax?: number;
  readonly onBytes: (bytes: number) => void;
}

/** DUMP ─► RESTORE: everything, at one moment. Bytes of the dump; null: the key is gone at the source; refused: it has to go in pieces. */
export async function copyByDump(options: CopyOptions): Promise<number | null | "refused"> {
  const { source, target, key } = options;
  const dump = await source.call("DUMP", key);
  const expiry = await expiryMs(source, key);
  if (dump === null || expiry === -2) return null;
  const payload = String(dump);
  const replace = options.mayReplace ? ["REPLACE"] : [];
  try {
    await retried(async (isRepeated) => {
      const words = isRepeated ? ["REPLACE"] : replace;
      await target.call("RESTORE", key, String(Math.max(expiry, 0)), payload, "ABSTTL", ...words);
    });
  } catch (error) {
    // A form that is not known here, or too large for one log entry.
    if (error instanceof RedisError && error.code === "ERR") return "refused";
    throw error;
  }
  options.onBytes(payload.length);
  return payload.length;
}

/** Again while the cluster has no leader or nobody knows what became of it. */
export async function retried<T>(task: (isRepeated: boolean) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await task(attempt > 0);
    } catch (error) {
      const isPassing =
        error instanceof ConnectionLost ||
        (error instanceof RedisError && ["UNCERTAIN", "CLUSTERDOWN", "BACKPRESSURE", "LOADING"].includes(error.code));
      if (!isPassing || attempt === RETRIES) throw error;
      await sleep(RETRY_MS);
    }
  }
}
