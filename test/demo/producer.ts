/**
 * Adds the rows of one stream at ack=all with explicit increasing ids, up to a window in flight. When replies are lost it waits until the stream
 * can be read, looks which of the uncertain ids are there, and goes on behind the last one with the rows that are not.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { streamName, STREAM_COUNT, type Flight } from "./flights.ts";

const WINDOW = 128;
const RETRY_MS = 20;

export interface ProducerCounts {
  acknowledged: number;
  uncertain: number;
  /** Uncertain writes that were found in the stream afterwards. */
  foundAfterwards: number;
  /** Uncertain writes that were not there and were written once more under a new id. */
  writtenAgain: number;
  inFlight: number;
  /** For each stream: performance.now() of its last successful write, and the longest gap between two of them since it was last reset. */
  readonly lastSuccessMs: number[];
  readonly longestGapMs: number[];
}

export class Producer {
  readonly counts: ProducerCounts;
  readonly #redis: Redis;
  readonly #flights: readonly Flight[];
  readonly #stream: number;
  readonly #key: string;
  /** Rows still to be written, in order. */
  readonly #todo: number[] = [];
  #nextId = 1;

  constructor(redis: Redis, flights: readonly Flight[], stream: number, counts: ProducerCounts) {
    this.#redis = redis;
    this.#flights = flights;
    this.#stream = stream;
    this.#key = streamName(stream);
    this.counts = counts;
    for (let row = flights.length - 1 - ((flights.length - 1 - stream) % STREAM_COUNT); row >= 0; row -= STREAM_COUNT) {
      this.#todo.push(row);
    }
  }

  /** Ends when every row is known to be in the stream. */
  async run(): Promise<void> {
    const inFlight = new Set<Promise<void>>();
    let uncertain: { readonly row: number; readonly id: number }[] = [];
    while (this.#todo.length > 0 || inFlight.size > 0) {
      while (this.#todo.length > 0 && inFlight.size < WINDOW && uncertain.length === 0) {
        const row = this.#todo.pop()!;
        const id = this.#nextId++;
        const write: Promise<void> = this.#add(row, id).then((known) => {
          inFlight.delete(write);
          if (!known) uncertain.push({ row, id });
        });
        inFlight.add(write);
      }
      if (inFlight.size > 0) await (uncertain.length === 0 ? Promise.race(inFlight) : Promise.all(inFlight));
      if (uncertain.length > 0 && inFlight.size === 0) {
        await this.#resolve(uncertain);
        uncertain = [];
      }
    }
  }

  /** True when the write is acknowledged, false when nobody knows. */
  async #add(row: number, id: number): Promise<boolean> {
    const flight = this.#flights[row]!;
    const { counts } = this;
    counts.inFlight++;
    try {
      await this.#redis.xadd(
        this.#key,
        `${id}-0`,
        "row",
        String(row),
        "delay",
        String(flight.delay),
        "distance",
        String(flight.distance),
        "time",
        String(flight.time),
      );
    } catch {
      // Whatever went wrong (-UNCERTAIN, a lost connection, -CLUSTERDOWN): the stream itself will say what is in it.
      counts.uncertain++;
      return false;
    } finally {
      counts.inFlight--;
    }
    counts.acknowledged++;
    const now = performance.now();
    counts.longestGapMs[this.#stream] = Math.max(
      counts.longestGapMs[this.#stream]!,
      now - counts.lastSuccessMs[this.#stream]!,
    );
    counts.lastSuccessMs[this.#stream] = now;
    return true;
  }

  async #resolve(uncertain: readonly { readonly row: number; readonly id: number }[]): Promise<void> {
    const first = Math.min(...uncertain.map((write) => write.id));
    for (;;) {
      try {
        const entries = await this.#redis.xrange(this.#key, `${first}-0`, "+");
        const there = new Set(entries.map(([id]) => Number(id.split("-")[0])));
        const missing = uncertain.filter((write) => !there.has(write.id));
        this.counts.foundAfterwards += uncertain.length - missing.length;
        this.counts.writtenAgain += missing.length;
        // Found ones are as good as acknowledged: a linearizable read has seen them.
        this.counts.acknowledged += uncertain.length - missing.length;
        missing.sort((a, b) => b.row - a.row);
        for (const { row } of missing) this.#todo.push(row);
        return;
      } catch {
        await pause(RETRY_MS);
      }
    }
  }
}
