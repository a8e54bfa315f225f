/**
 * How a program connects whose writes must happen once. ioredis by default sends again by itself what was not answered when a connection is lost, and
 * connects again by itself; the first makes one write two, the second loses WATCH without a word. Here nothing is repeated and nothing is connected
 * behind the program's back: every call fails at its caller, who knows what to do, and connects again.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Redis, ReplyError } from "ioredis";

const PAUSE_MS = 50;
/** More than a gateway needs to say that it does not know (--hold-ms and --reply-timeout-ms): a machine that vanished says nothing. */
const SILENCE_MS = 30_000;

/** Answers that say "not now" or "nobody knows": the same request may be right a moment later. Other errors of the cluster are mistakes in the program. */
const passing = /^(UNCERTAIN|CLUSTERDOWN|BACKPRESSURE|OOM|MISCONF|LOADING|TRYAGAIN|UNBLOCKED) /;

/** `redis://host:port` of a gateway. Connected on return; waits for a gateway that is not there yet. */
export async function connected(url: string): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    socketTimeout: SILENCE_MS,
  });
  redis.on("error", () => {
    // Each failure reaches the caller of a command; the event must only have a listener.
  });
  await connectAgain(redis);
  return redis;
}

/** Connects if the connection is lost, unless `stop` says that it is no more use. Whatever WATCH was on it is gone. */
export async function connectAgain(redis: Redis, stop?: AbortSignal): Promise<void> {
  while (redis.status !== "ready" && stop?.aborted !== true) {
    try {
      await redis.connect();
    } catch {
      await pause(PAUSE_MS);
    }
  }
}

/**
 * Behind a failed call: throws what is a mistake; else waits a moment, until the connection is there. Whether the call has happened is not known. A failure
 * of the connection leaves it closed: an error while it is open is an answer, or of the program's own.
 */
export async function overcome(error: unknown, redis: Redis, stop?: AbortSignal): Promise<void> {
  const isPassing = error instanceof ReplyError && passing.test((error as Error).message);
  if (redis.status === "ready" && !isPassing) throw error;
  await pause(PAUSE_MS);
  await connectAgain(redis, stop);
}

/** An error among the replies of an EXEC: the others of its transaction have happened. */
export function firstError(replies: readonly [error: Error | null, reply: unknown][]): Error | null {
  return replies.find(([error]) => error !== null)?.[0] ?? null;
}
