/**
 * RESP2 and RESP3 in both directions. Types of the room's contract; the classes live in files of their own.
 */
import type { ByteWriter } from "@headrace/bytes";

/** One decoded request: offsets into `bytes`, nothing copied. Reused: valid until the decoder's next call. */
export interface Request {
  readonly bytes: Uint8Array;
  /** Number of arguments, the command's name included. */
  readonly count: number;
  /** The whole request in canonical RESP, from `*` to the last CRLF. Inline commands are re-encoded first. */
  readonly rawStart: number;
  readonly rawEnd: number;
  /** First and behind-last byte of argument i. */
  start(i: number): number;
  end(i: number): number;
  /** Where argument i begins on the wire, its `$` header included. headerStart(count) = rawEnd. */
  headerStart(i: number): number;
  /** Argument i as a latin1 string (binary-safe). */
  latin1(i: number): string;
  /** Whether argument i is this word in any case; `upperCase` must be in upper case. */
  is(i: number, upperCase: string): boolean;
  /** Integer by Redis' rules, or NaN (also beyond 2^53). */
  integer(i: number): number;
  /** Signed 64-bit integer by Redis' rules, or null. */
  int64(i: number): bigint | null;
}

export const DecodeResult = { request: 0, needMore: 1, error: 2 } as const;
export type DecodeResult = (typeof DecodeResult)[keyof typeof DecodeResult];

/** Bounds of what a client may send before it is thrown out. */
export interface DecoderLimits {
  /** proto-max-bulk-len: one argument. */
  readonly maxBulkBytes: number;
  /** Arguments in one request. Redis: 1024 × 1024. */
  readonly maxArguments: number;
  /** An inline command's line. Redis: 64 KiB. */
  readonly maxInlineBytes: number;
  /** Bytes of one whole request; client-query-buffer-limit. */
  readonly maxRequestBytes: number;
}

/** Cuts a byte stream into requests. */
export interface RequestDecoderApi {
  readonly request: Request;
  /** After `error`: the text of Redis' protocol error, without `-` and CRLF, e.g. `ERR Protocol error: invalid bulk length`. Final. */
  readonly errorText: string;
  /** Bytes received and not yet part of an answered request. */
  readonly pendingBytes: number;
  /** Gives it the next chunk; kept by reference until consumed. Only when `next` has answered needMore. */
  feed(chunk: Uint8Array): void;
  next(): DecodeResult;
}

/**
 * Writes replies of one protocol version into a ByteWriter. Headers only for aggregates: the elements follow by further calls.
 * `map(n)` of RESP2 is an array of 2n; `null` differs in RESP2 (`nullBulk` `$-1`, `nullArray` `*-1`), in RESP3 both are `_`.
 */
export interface ReplyWriterApi {
  readonly writer: ByteWriter;
  version: 2 | 3;
  simple(text: string): void;
  ok(): void;
  /** `text` with its code word first and without `-`. CR and LF inside are replaced by blanks, as Redis does. */
  error(text: string): void;
  integer(value: number): void;
  integer64(value: bigint): void;
  /** Exact double by RESP3's `,`, or a bulk in RESP2. */
  double(value: number): void;
  bulk(bytes: Uint8Array, start: number, end: number): void;
  bulkLatin1(text: string): void;
  bulkInteger(value: number): void;
  nullBulk(): void;
  nullArray(): void;
  array(length: number): void;
  map(pairs: number): void;
  set(length: number): void;
  push(length: number): void;
  boolean(value: boolean): void;
  /** RESP3 `=<len>\r\ntxt:…`, RESP2 a bulk: INFO and CLIENT LIST. */
  verbatim(text: string): void;
}
