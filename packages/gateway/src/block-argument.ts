/**
 * The BLOCK option of XREAD and XREADGROUP, seen from outside: whether a request may block, for how long, and the same request with another
 * duration. `$` is left as it is: a node that refuses a call has read nothing for it, so the repeated call counts from then on.
 */
import { ByteWriter } from "@headrace/bytes";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import { NO_LIMITS, RequestRun } from "./request-run.ts";

export const BlockArgument = {
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
  rewrite(run: RequestRun, timeoutMs: number): RequestRun {
    const decoder = new RequestDecoder(NO_LIMITS);
    decoder.feed(run.bytes.subarray(run.start, run.end));
    if (decoder.next() !== DecodeResult.request) return run;
    const request = decoder.request;
    const position = BlockArgument.find(request);
    if (position === 0) return run;
    const writer = new ByteWriter(run.end - run.start + 16);
    writer.raw(request.bytes, request.rawStart, request.headerStart(position));
    const value = String(timeoutMs);
    writer.latin1(`$${value.length}\r\n${value}\r\n`);
    writer.raw(request.bytes, request.headerStart(position + 1), request.rawEnd);
    const rewritten = new RequestRun(writer.bytes, 0, writer.length, 1, run);
    rewritten.early = run.early;
    rewritten.earlyCount = run.earlyCount;
    return rewritten;
  },
} as const;
