/**
 * An XREAD or XREADGROUP over several shards, taken apart: which streams are whose, and the request that each shard gets. The client's own bytes are
 * copied from argument to argument; nothing is decoded but the options' words.
 */
import { assert, ByteWriter } from "@headrace/bytes";
import { ReadOptions } from "@headrace/commands";
import { DecodeResult, ReplyWriter, RequestDecoder } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import { NO_LIMITS } from "./request-run.ts";

const NEW = 62;

/** Streams that are asked for in one request. */
export interface ReadPart {
  readonly shardId: number;
  /** Places in the caller's list, ascending. */
  readonly streams: readonly number[];
  /** False behind an id of the consumer's history: Redis claims nothing there. */
  readonly mayClaim: boolean;
}

export class ReadPlan {
  readonly isGroup: boolean;
  readonly options: ReadOptions;
  readonly parts: readonly ReadPart[];
  /** XREADGROUP: every stream is asked for what is new, so that the call may have to wait. */
  readonly allNew: boolean;
  /** Not null: the call is refused, whatever its streams hold. */
  readonly error: string | null;
  readonly #request: Request;
  readonly #shardOf: readonly number[];

  /** `bytes`: the whole request, which stays as it is. `shardIds`: of each stream, in the caller's order. */
  constructor(bytes: Uint8Array, isGroup: boolean, shardIds: readonly number[]) {
    const decoder = new RequestDecoder(NO_LIMITS);
    decoder.feed(bytes);
    assert(decoder.next() === DecodeResult.request, "one whole request");
    this.#request = decoder.request;
    this.#shardOf = shardIds;
    this.isGroup = isGroup;
    this.options = new ReadOptions();
    this.error = this.options.read(this.#request, isGroup);
    assert(this.error !== null || this.options.streamCount === shardIds.length, "each stream has its shard");
    this.parts = this.error === null ? this.#byShard() : [];
    this.allNew = this.error === null && shardIds.every((_shard, stream) => this.#isNew(stream));
  }

  /** Consecutive streams of one shard together: asked one after the other, they are taken in the caller's order. */
  inOrder(): ReadPart[] {
    const parts: { shardId: number; streams: number[]; mayClaim: boolean }[] = [];
    for (const { stream, shardId, mayClaim } of this.#placed()) {
      const last = parts.at(-1);
      if (last !== undefined && last.shardId === shardId && last.mayClaim === mayClaim) last.streams.push(stream);
      else parts.push({ shardId, streams: [stream], mayClaim });
    }
    return parts;
  }

  /** The part's own request. `waits`: for ever; else it does not block. */
  requestOf({ streams, mayClaim }: ReadPart, waits: boolean): Uint8Array {
    const request = this.#request;
    const { firstKey, streamCount } = this.options;
    const kept: number[] = [0];
    for (let i = 1; i < firstKey - 1;) {
      const width = request.is(i, "GROUP") ? 3 : request.is(i, "NOACK") ? 1 : 2;
      const isLeftOut = request.is(i, "BLOCK") || (!mayClaim && request.is(i, "CLAIM"));
      for (let k = 0; k < width; k++) if (!isLeftOut) kept.push(i + k);
      i += width;
    }
    const writer = new ByteWriter(256);
    new ReplyWriter(writer).array(kept.length + (waits ? 2 : 0) + 1 + 2 * streams.length);
    for (const i of kept) this.#copy(writer, i);
    if (waits) writer.latin1("$5\r\nBLOCK\r\n$1\r\n0\r\n");
    this.#copy(writer, firstKey - 1);
    for (const stream of streams) this.#copy(writer, firstKey + stream);
    for (const stream of streams) this.#copy(writer, firstKey + streamCount + stream);
    return writer.take(0);
  }

  #byShard(): ReadPart[] {
    const parts: { shardId: number; streams: number[]; mayClaim: boolean }[] = [];
    for (const { stream, shardId, mayClaim } of this.#placed()) {
      const known = parts.find((part) => part.shardId === shardId && part.mayClaim === mayClaim);
      if (known === undefined) parts.push({ shardId, streams: [stream], mayClaim });
      else known.streams.push(stream);
    }
    return parts;
  }

  *#placed(): Iterable<{ readonly stream: number; readonly shardId: number; readonly mayClaim: boolean }> {
    let mayClaim = true;
    for (const [stream, shardId] of this.#shardOf.entries()) {
      if (this.isGroup && !this.#isNew(stream)) mayClaim = false;
      yield { stream, shardId, mayClaim };
    }
  }

  /** Its id is `>`. */
  #isNew(stream: number): boolean {
    const request = this.#request;
    const i = this.options.firstKey + this.options.streamCount + stream;
    return request.end(i) - request.start(i) === 1 && request.bytes[request.start(i)] === NEW;
  }

  #copy(writer: ByteWriter, i: number): void {
    writer.raw(this.#request.bytes, this.#request.headerStart(i), this.#request.headerStart(i + 1));
  }
}
