/**
 * The number of keys for INFO, asked of the shards as a DBSIZE of the same client. INFO must answer even when a shard does not: then the last
 * known number stands, after a short wait.
 */
import { assert, asciiBytes, readInteger } from "@headrace/bytes";
import type { Scheduler } from "@headrace/ports";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import { NO_LIMITS } from "./request-run.ts";

const DBSIZE = asciiBytes("*1\r\n$6\r\nDBSIZE\r\n");
const PATIENCE_MS = 100;
const COLON = 58;

export class KeyCount {
  /** As of the last complete answer. */
  keys: number = 0;
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Calls `done` once, when all shards have answered or patience ends; possibly before it returns. */
  refresh(client: ClientConnection, shardIds: readonly number[], done: () => void): void {
    let left = shardIds.length;
    let sum = 0;
    let isOpen = true;
    const finish = (): void => {
      if (!isOpen) return;
      isOpen = false;
      timer.cancel();
      done();
    };
    const timer = this.#scheduler.after(PATIENCE_MS, finish);
    const sink = {
      onPart: (_part: number, bytes: Uint8Array, start: number, end: number): void => {
        if (bytes[start] === COLON) sum += readInteger(bytes, start + 1, end - 2);
        else sum = Number.NaN;
        if (--left > 0) return;
        if (!Number.isNaN(sum)) this.keys = sum;
        finish();
      },
    };
    if (left === 0) finish();
    for (const shardId of shardIds) client.partToShard(shardId, DBSIZE, sink, 0);
  }

  /** Decodes bytes that are one whole request. */
  decode(bytes: Uint8Array, use: (request: Request) => void): void {
    const decoder = new RequestDecoder(NO_LIMITS);
    decoder.feed(bytes);
    assert(decoder.next() === DecodeResult.request, "one whole request");
    use(decoder.request);
  }
}
