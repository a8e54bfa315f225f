/**
 * One reply out of the replies of several shards. The parts are asked in parallel; the reply leaves when the last one is in. An error of any
 * shard is the answer, the first one in shard order; what other shards did stays done.
 */
import { ByteWriter, copyOf, readInteger } from "@headrace/bytes";
import { ReplyWriter, behindHeader, headerNumber, skipReply } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { ReplySlot } from "./reply-queue.ts";
import type { PartSink } from "./request-run.ts";

export type Merge = "sum" | "concat" | "allOk" | "inOrder";

const NO_ORDER: readonly number[] = [];

const MINUS = 45;
const COLON = 58;

/** A gateway's own request that is asked of shards on behalf of a client. */
export class Gather implements PartSink {
  readonly #client: ClientConnection;
  readonly #slot: ReplySlot;
  readonly #merge: Merge;
  readonly #order: readonly number[];
  readonly #parts: (Uint8Array | null)[];
  #left: number;

  /** `order`: for `inOrder`, which part each element comes from. */
  constructor(
    client: ClientConnection,
    slot: ReplySlot,
    partCount: number,
    merge: Merge,
    order: readonly number[] = NO_ORDER,
  ) {
    this.#client = client;
    this.#slot = slot;
    this.#merge = merge;
    this.#order = order;
    this.#parts = Array.from({ length: partCount }, () => null);
    this.#left = partCount;
  }

  onPart(part: number, bytes: Uint8Array, start: number, end: number): void {
    this.#parts[part] = copyOf(bytes, start, end);
    if (--this.#left > 0) return;
    const parts = this.#parts as Uint8Array[];
    const merged = parts.find((one) => one[0] === MINUS) ?? mergeReplies(parts, this.#merge, this.#order);
    this.#client.replies.deliver(this.#slot, 1, merged, 0, merged.length);
  }
}

/** Parts that are no errors, as one reply. */
export function mergeReplies(
  parts: readonly Uint8Array[],
  merge: Merge,
  order: readonly number[] = NO_ORDER,
): Uint8Array {
  const writer = new ByteWriter(64);
  const reply = new ReplyWriter(writer);
  if (merge === "allOk") {
    reply.ok();
  } else if (merge === "sum") {
    let sum = 0;
    for (const part of parts) if (part[0] === COLON) sum += readInteger(part, 1, part.length - 2);
    reply.integer(sum);
  } else if (merge === "inOrder") {
    reply.array(order.length);
    const ats = parts.map((part) => behindHeader(part, 0, part.length));
    for (const from of order) {
      const part = parts[from]!;
      const end = skipReply(part, ats[from]!, part.length);
      writer.raw(part, ats[from]!, end);
      ats[from] = end;
    }
  } else {
    let count = 0;
    for (const part of parts) count += Math.max(0, headerNumber(part, 0, part.length));
    reply.array(count);
    for (const part of parts) writer.raw(part, behindHeader(part, 0, part.length), part.length);
  }
  return writer.take(0);
}
