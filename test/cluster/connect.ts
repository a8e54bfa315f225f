/** ioredis as the tests want it: nothing repeated behind the test's back, every failure at the call. */
import { Redis } from "ioredis";

export function connect(url: string): Redis {
  const redis = new Redis(url, {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => 50,
  });
  redis.on("error", () => {
    // Each failure reaches the caller of the command.
  });
  return redis;
}

export async function ready(redis: Redis): Promise<void> {
  if (redis.status === "ready") return;
  await new Promise<void>((resolve) => redis.once("ready", () => resolve()));
}

/** Asks until the condition holds; the test's own time-out bounds it. */
export async function until<T>(look: () => Promise<T | null> | T | null): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((next) => setTimeout(next, 10));
  }
}
