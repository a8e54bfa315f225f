/**
 * RANDOMKEY over all shards: each is asked for its number of keys, one is drawn by those numbers, and answers; so every key has the same chance. One
 * whose keys turn out to have expired answers nil: then all are asked again, a few times. What the client asks next waits until it is over: it might
 * delete what is counted here.
 */
import { asciiBytes, copyOf, readInteger } from "@headrace/bytes";
import type { Random } from "@headrace/ports";
import type { ClientConnection } from "./client-connection.ts";
import type { ReplySlot } from "./reply-queue.ts";
import type { PartSink } from "./request-run.ts";

const DBSIZE = asciiBytes("*1\r\n$6\r\nDBSIZE\r\n");
const NIL = asciiBytes("$-1\r\n");
const NIL_3 = asciiBytes("_\r\n");
const ROUNDS_MAX = 4;
const COLON = 58;
const MINUS = 45;
const UNDERSCORE = 95;
const DOLLAR = 36;

export class DrawnShard implements PartSink {
  readonly #client: ClientConnection;
  readonly #slot: ReplySlot;
  readonly #request: Uint8Array;
  readonly #shardIds: readonly number[];
  readonly #random: Random;
  readonly #keys: number[];
  #left: number;
  #rounds: number;
  #isDrawn: boolean;
  /** Of a shard that could not say how many keys it has: then nobody can draw. */
  #error: Uint8Array | null;

  constructor(
    client: ClientConnection,
    slot: ReplySlot,
    request: Uint8Array,
    shardIds: readonly number[],
    random: Random,
  ) {
    this.#client = client;
    this.#slot = slot;
    this.#request = request;
    this.#shardIds = shardIds;
    this.#random = random;
    this.#keys = shardIds.map(() => 0);
    this.#left = 0;
    this.#rounds = 0;
    this.#isDrawn = false;
    this.#error = null;
  }

  ask(): void {
    this.#client.barrier = true;
    this.#rounds++;
    this.#isDrawn = false;
    this.#left = this.#shardIds.length;
    if (this.#left === 0) return this.#answerNil();
    for (const [i, shardId] of this.#shardIds.entries()) this.#client.partToShard(shardId, DBSIZE, this, i);
  }

  onPart(part: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#isDrawn) {
      const isNil = bytes[start] === UNDERSCORE || (bytes[start] === DOLLAR && bytes[start + 1] === MINUS);
      if (isNil && this.#rounds < ROUNDS_MAX) this.ask();
      else this.#answer(bytes, start, end);
      return;
    }
    if (bytes[start] === COLON) this.#keys[part] = readInteger(bytes, start + 1, end - 2);
    else this.#error ??= copyOf(bytes, start, end);
    if (--this.#left > 0) return;
    const error = this.#error;
    if (error === null) this.#draw();
    else this.#answer(error, 0, error.length);
  }

  #draw(): void {
    let total = 0;
    for (const count of this.#keys) total += count;
    if (total === 0) return this.#answerNil();
    let rest = this.#random.below(Math.min(total, 2 ** 32));
    let drawn = 0;
    while (rest >= this.#keys[drawn]!) rest -= this.#keys[drawn++]!;
    this.#isDrawn = true;
    this.#client.partToShard(this.#shardIds[drawn]!, this.#request, this, 0);
  }

  #answerNil(): void {
    const nil = this.#client.session.respVersion === 3 ? NIL_3 : NIL;
    this.#answer(nil, 0, nil.length);
  }

  #answer(bytes: Uint8Array, start: number, end: number): void {
    this.#client.replies.deliver(this.#slot, 1, bytes, start, end);
    this.#client.unblocked();
  }
}
