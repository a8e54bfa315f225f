/**
 * What the shards' leaders count (keys, changes, blocking keys …), for INFO: asked as CLUSTER NUMBERS of the same client. INFO must answer even when
 * a shard does not: then the last known numbers stand, after a short wait.
 */
import { assert, asciiBytes } from "@headrace/bytes";
import { SHARD_NUMBER_COUNT } from "@headrace/commands";
import type { ShardNumbers } from "@headrace/commands";
import type { Scheduler } from "@headrace/ports";
import { DecodeResult, RequestDecoder, behindHeader, headerNumber } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import { NO_LIMITS } from "./request-run.ts";

const QUESTION = asciiBytes("*2\r\n$7\r\nCLUSTER\r\n$7\r\nNUMBERS\r\n");
const PATIENCE_MS = 100;
const STAR = 42;
const COLON = 58;

export class ShardNumbersQuery {
  /** As of the last complete answer. */
  last: ShardNumbers = numbersOf(Array.from({ length: SHARD_NUMBER_COUNT }, () => 0));
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Calls `done` once, when all shards have answered or patience ends; possibly before it returns. */
  refresh(client: ClientConnection, shardIds: readonly number[], done: () => void): void {
    let left = shardIds.length;
    const sums = Array.from({ length: SHARD_NUMBER_COUNT }, () => 0);
    let isWhole = true;
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
        if (!addUp(sums, bytes, start, end)) isWhole = false;
        if (--left > 0) return;
        if (isWhole) this.last = numbersOf(sums);
        finish();
      },
    };
    if (left === 0) finish();
    for (const shardId of shardIds) client.partToShard(shardId, QUESTION, sink, 0);
  }

  /** Decodes bytes that are one whole request. */
  decode(bytes: Uint8Array, use: (request: Request) => void): void {
    const decoder = new RequestDecoder(NO_LIMITS);
    decoder.feed(bytes);
    assert(decoder.next() === DecodeResult.request, "one whole request");
    use(decoder.request);
  }
}

/** Adds `[[number, …]]` to the sums; false when the shard said something else. */
function addUp(sums: number[], bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== STAR || headerNumber(bytes, start, end) !== 1) return false;
  let at = behindHeader(bytes, start, end);
  if (bytes[at] !== STAR || headerNumber(bytes, at, end) !== SHARD_NUMBER_COUNT) return false;
  at = behindHeader(bytes, at, end);
  for (let i = 0; i < SHARD_NUMBER_COUNT; i++) {
    if (bytes[at] !== COLON) return false;
    sums[i]! += headerNumber(bytes, at, end);
    at = behindHeader(bytes, at, end);
  }
  return true;
}

function numbersOf(numbers: readonly number[]): ShardNumbers {
  return {
    keys: numbers[0]!,
    expiringKeys: numbers[1]!,
    expiredKeys: numbers[2]!,
    changes: numbers[3]!,
    blockingKeys: numbers[4]!,
    blockingKeysOnNoKey: numbers[5]!,
    keyspaceHits: numbers[6]!,
    keyspaceMisses: numbers[7]!,
    logIndex: numbers[8]!,
    blockBytes: numbers[9]!,
    fixedBytes: numbers[10]!,
  };
}
