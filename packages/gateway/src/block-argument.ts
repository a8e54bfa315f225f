/**
 * The BLOCK option of XREAD and XREADGROUP and the timeout of BLPOP and its like, seen from outside: whether a request may block, for how long, and the same
 * request with another duration or other ids: a node that parked the call has said what `$` stands for, and nothing that came since may be missed at the
 * next one.
 */
import { ByteWriter } from "@headrace/bytes";
import { findCommand, readTimeoutMs } from "@headrace/commands";
import type { CommandRecord } from "@headrace/commands";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import { NO_LIMITS, RequestRun } from "./request-run.ts";

/** Blocks, and for ever: also when what is said is no time, which the handler refuses at once. */
const FOR_EVER_MS = 0;

export const BlockArgument = {
  /** For how long the request of a command that may block does so, 0: for ever; null: it does not. */
  timeoutMs(record: CommandRecord, request: Request): number | null {
    if (record.timeoutAt !== 0) {
      const timeoutMs = readTimeoutMs(request, secondsPosition(record, request), 0);
      return typeof timeoutMs === "string" ? FOR_EVER_MS : timeoutMs;
    }
    const position = BlockArgument.find(request);
    if (position === 0) return null;
    const timeoutMs = request.integer(position);
    return timeoutMs > 0 ? timeoutMs : FOR_EVER_MS;
  },

  /** Position of BLOCK's value, or 0 when the request has none. */
  find(request: Request): number {
    let i = 1;
    while (i + 1 < request.count) {
      if (request.is(i, "STREAMS")) return 0;
      if (request.is(i, "BLOCK")) return i + 1;
      if (request.is(i, "GROUP")) i += 3;
      else if (request.is(i, "COUNT")) i += 2;
      else i++;
    }
    return 0;
  },

  /** The blocking call with another BLOCK value; replies go where they went. */
  withTimeout(run: RequestRun, timeoutMs: number): RequestRun {
    return rewritten(run, (request) => {
      const record = findCommand(request);
      if (record !== null && record.timeoutAt !== 0)
        return { from: secondsPosition(record, request), values: [String(timeoutMs / MS_IN_SECOND)] };
      const position = BlockArgument.find(request);
      return position === 0 ? null : { from: position, values: [String(timeoutMs)] };
    });
  },

  /** The blocking call with these ids behind its keys. */
  withIds(run: RequestRun, ids: readonly string[]): RequestRun {
    return rewritten(run, (request) => {
      let streams = 1;
      while (streams < request.count && !request.is(streams, "STREAMS")) streams++;
      const isOfThese = request.count - 1 - streams === 2 * ids.length;
      return isOfThese ? { from: request.count - ids.length, values: ids } : null;
    });
  },
} as const;

const MS_IN_SECOND = 1000;

function secondsPosition({ timeoutAt }: CommandRecord, request: Request): number {
  return timeoutAt < 0 ? request.count + timeoutAt : timeoutAt;
}

/** Arguments that take the place of those from `from` on, as many as there are values. */
interface Replacement {
  readonly from: number;
  readonly values: readonly string[];
}

function rewritten(run: RequestRun, decide: (request: Request) => Replacement | null): RequestRun {
  const decoder = new RequestDecoder(NO_LIMITS);
  decoder.feed(run.bytes.subarray(run.start, run.end));
  if (decoder.next() !== DecodeResult.request) return run;
  const request = decoder.request;
  const replacement = decide(request);
  if (replacement === null) return run;
  const { from, values } = replacement;
  const behind = from + values.length;
  const writer = new ByteWriter(run.end - run.start + 48 * values.length);
  writer.raw(request.bytes, request.rawStart, request.headerStart(from));
  for (const value of values) writer.latin1(`$${value.length}\r\n${value}\r\n`);
  if (behind < request.count) writer.raw(request.bytes, request.headerStart(behind), request.rawEnd);
  return RequestRun.inPlaceOf(run, writer.bytes, writer.length);
}
