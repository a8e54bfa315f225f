/**
 * SCAN over all shards. A shard's cursor is slot · 2^38 + age + 1 (see the engine's scan.ts), so the cursor itself names the slot, the slot
 * the shard, and nothing has to be kept between calls. Shards are walked in the order of their first slots; when one answers 0 the cursor
 * goes on with the first slot of the next.
 */
import { ByteWriter, latin1 } from "@headrace/bytes";
import type { ClusterState, ShardRecord } from "@headrace/meta";
import { behindHeader, headerNumber } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { ReplySlot } from "./reply-queue.ts";
import type { PartSink } from "./request-run.ts";

const AGE_BITS = 38n;
const SLOTS = 16384n;
const STAR = 42;

/** The slot that a client's cursor names; −1: none, it lies behind the last. */
export function slotOfCursor(cursor: bigint): number {
  const slot = cursor >> AGE_BITS;
  return cursor >= 0n && slot < SLOTS ? Number(slot) : -1;
}

/** Where the walk over these shards goes on behind the shard; "0" behind the last one. */
export function cursorBehind(state: ClusterState, shardId: number, walk: ReadonlySet<number>): string {
  const own = firstSlot(state.shard(shardId));
  let next = Infinity;
  for (const shard of state.shards) {
    const first = firstSlot(shard);
    if (walk.has(shard.id) && first > own && first < next) next = first;
  }
  return next === Infinity ? "0" : ((BigInt(next) << AGE_BITS) + 1n).toString();
}

/** Puts the next shard's cursor in place of a shard's 0. */
export class ScanPart implements PartSink {
  readonly #client: ClientConnection;
  readonly #slot: ReplySlot;
  readonly #cursorBehind: string;

  constructor(client: ClientConnection, slot: ReplySlot, behind: string) {
    this.#client = client;
    this.#slot = slot;
    this.#cursorBehind = behind;
  }

  onPart(_part: number, bytes: Uint8Array, start: number, end: number): void {
    let reply = bytes.subarray(start, end);
    if (reply[0] === STAR && this.#cursorBehind !== "0") {
      const cursorAt = behindHeader(reply, 0, reply.length);
      const textAt = behindHeader(reply, cursorAt, reply.length);
      const textEnd = textAt + headerNumber(reply, cursorAt, reply.length);
      if (latin1(reply, textAt, textEnd) === "0") reply = withCursor(reply, cursorAt, textEnd + 2, this.#cursorBehind);
    }
    this.#client.replies.deliver(this.#slot, 1, reply, 0, reply.length);
  }
}

function withCursor(reply: Uint8Array, from: number, to: number, cursor: string): Uint8Array {
  const writer = new ByteWriter(reply.length + 32);
  writer.raw(reply, 0, from);
  writer.latin1(`$${cursor.length}\r\n${cursor}\r\n`);
  writer.raw(reply, to, reply.length);
  return writer.take(0);
}

function firstSlot(shard: ShardRecord | null): number {
  return shard?.slotRanges[0]?.from ?? Infinity;
}
