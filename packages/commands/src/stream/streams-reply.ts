/**
 * The reply of XREAD and XREADGROUP while it is being written: which streams answer is known only at the end. A call over several shards is put
 * together by the gateway from parts, stream by stream and without looking into entries; so a part wraps each stream's bytes (link/frame.ts, PARTS).
 */
import { assert, digitCount, writeDigits } from "@headrace/bytes";
import type { ByteWriter } from "@headrace/bytes";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { ReadMode } from "../command.ts";
import type { ShardContext } from "../command.ts";
import type { ReadOptions } from "./read-options.ts";

const STAR = 42;
const DOLLAR = 36;
const PERCENT = 37;
const NOTHING = "$-1\r\n";

/** Why a call is refused, and which of its streams is the reason, counted from 0. */
export interface StreamError {
  readonly stream: number;
  readonly text: string;
}

export function isStreamError(found: readonly unknown[] | StreamError): found is StreamError {
  return "text" in found;
}

export class StreamsReply {
  #context: ShardContext | null = null;
  #options: ReadOptions | null = null;
  #from: number = 0;
  /** Streams that answer. */
  #streams: number = 0;
  /** Of a part: streams that are written or passed over; where the open one begins, −1: none is open. */
  #passed: number = 0;
  #openAt: number = -1;

  begin(context: ShardContext, options: ReadOptions): void {
    this.#context = context;
    this.#options = options;
    this.#from = context.reply.writer.length;
    this.#streams = 0;
    this.#passed = 0;
    this.#openAt = -1;
    if (this.#isPart) context.reply.array(options.streamCount);
  }

  /** Begins the answer of a stream with its key; its array of entries follows. Streams are opened in their order. */
  open(request: Request, keyArgument: number): void {
    const { reply } = this.#context!;
    if (this.#isPart) this.#openWrapped(reply, keyArgument - this.#options!.firstKey);
    this.#streams++;
    if (reply.version === 2) reply.array(2);
    reply.bulk(request.bytes, request.start(keyArgument), request.end(keyArgument));
  }

  /** False: no stream answers, and nothing is written. */
  finish(): boolean {
    const { reply } = this.#context!;
    const isAnswered = this.#streams > 0;
    if (!isAnswered) reply.writer.length = this.#from;
    else if (this.#isPart) this.#closeWrapped(reply, this.#options!.streamCount);
    else insertHeader(reply.writer, this.#from, reply.version === 3 ? PERCENT : STAR, this.#streams);
    this.#context = null;
    return isAnswered;
  }

  get #isPart(): boolean {
    return this.#context!.readMode !== ReadMode.whole;
  }

  #openWrapped(reply: ReplyWriterApi, stream: number): void {
    this.#closeWrapped(reply, stream);
    this.#passed = stream + 1;
    this.#openAt = reply.writer.length;
  }

  /** Ends the open stream and passes over those before `stream`. */
  #closeWrapped({ writer }: ReplyWriterApi, stream: number): void {
    if (this.#openAt >= 0) {
      insertHeader(writer, this.#openAt, DOLLAR, writer.length - this.#openAt);
      this.#openAt = -1;
      writer.latin1("\r\n");
    }
    assert(stream >= this.#passed, "streams answer in their order");
    for (; this.#passed < stream; this.#passed++) writer.latin1(NOTHING);
  }
}

/** The error, or in a part the error with its place: the gateway answers with the first one in the caller's order. */
export function refuseStream(context: ShardContext, { stream, text }: StreamError): void {
  const { reply } = context;
  if (context.readMode !== ReadMode.whole) {
    reply.array(2);
    reply.integer(stream);
  }
  reply.error(text);
}

/** Puts a header in front of what was written since `from`. */
function insertHeader(writer: ByteWriter, from: number, type: number, count: number): void {
  const headerBytes = 3 + digitCount(count);
  writer.reserve(headerBytes);
  writer.bytes.copyWithin(from + headerBytes, from, writer.length);
  writer.length += headerBytes;
  writer.bytes[from] = type;
  const at = writeDigits(writer.bytes, from + 1, count);
  writer.bytes[at] = 13;
  writer.bytes[at + 1] = 10;
}
