/** Idempotent producing as XADD sees it: which iid a request has, and what became of it. */
import { Hash128 } from "@headrace/bytes";
import { DEFAULT_DURATION_SECONDS, DEFAULT_IIDS_MAX } from "@headrace/engine";
import type { KnownIid, StreamId, StreamKeyView } from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import type { ShardContext } from "../command.ts";
import { keyName } from "../key-name.ts";
import { type AddOrTrimOptions, Iid } from "./add-or-trim-options.ts";
import { writeHandle } from "./delayed-handle.ts";
import { writeId } from "./write-id.ts";

/** Where the iid of the request that is executed stands: in the request, or in `digest`. */
let bytes: Uint8Array = new Uint8Array(16);
let start = 0;
let end = 0;
let producer = "";

/** Not 0: an empty name with an empty value is a pair too. */
const PAIR_SEED = 0x9747b28c;
const digest = new Uint8Array(16);
const sum = new Hash128();
const pair = new Hash128();

/** What the request's iid stands for already, or null. */
export function knownEntry(
  context: ShardContext,
  options: AddOrTrimOptions,
  key: StreamKeyView | null,
): KnownIid | null {
  locateIid(context.request, options);
  const known = key === null ? null : key.stream.idempotence;
  return known === null ? null : known.find(producer, bytes, start, end, context.nowMs);
}

/** Notes the entry that was just added under the iid that `knownEntry` looked for. */
export function recordEntry(context: ShardContext, key: string, id: StreamId): void {
  context.effects.recordIid(key, producer, bytes, start, end, id);
}

/** The same for an entry that was delayed. */
export function recordDelayed({ effects }: ShardContext, key: string, number: number): void {
  effects.delays.recordIid(key, producer, bytes, start, end, number);
}

/** Answers what the first XADD of an iid was answered. */
export function writeKnown(reply: ReplyWriterApi, { id, delayed }: KnownIid): void {
  if (delayed === 0) writeId(reply, id);
  else writeHandle(reply, delayed);
}

function locateIid(request: Request, options: AddOrTrimOptions): void {
  producer = keyName(request, options.producerArgument);
  if (options.iid === Iid.given) {
    bytes = request.bytes;
    start = request.start(options.iidArgument);
    end = request.end(options.iidArgument);
    return;
  }
  digestFields(request, options.idArgument + 1);
  bytes = digest;
  start = 0;
  end = digest.length;
}

/** IDMPAUTO's iid: the same for the same field–value pairs in any order. A new leader must find what the one before made: it never changes. */
function digestFields(request: Request, from: number): void {
  sum.reset(0);
  for (let i = from; i + 1 < request.count; i += 2) {
    pair.reset(PAIR_SEED);
    pair.mix(request.bytes, request.start(i), request.end(i));
    pair.mix(request.bytes, request.start(i + 1), request.end(i + 1));
    sum.add(pair);
  }
  sum.writeTo(digest, 0);
}

/** A stream keeps the window that the settings gave when it was made. */
export function hasOwnWindow({ idempotenceWindow }: Pick<ShardContext, "idempotenceWindow">): boolean {
  const { durationSeconds, maxSize } = idempotenceWindow;
  return durationSeconds !== DEFAULT_DURATION_SECONDS || maxSize !== DEFAULT_IIDS_MAX;
}

/** To be called for every stream that a command has made. */
export function configureNewStream(context: Pick<ShardContext, "effects" | "idempotenceWindow">, key: string): void {
  if (!hasOwnWindow(context)) return;
  const { durationSeconds, maxSize } = context.idempotenceWindow;
  context.effects.configureIdempotence(key, durationSeconds, maxSize);
}
