/**
 * Writes replies as RESP2 or RESP3, straight into a ByteWriter. It knows the protocol and no command.
 */
import { ByteWriter, asciiBytes, digitCount, writeDigits } from "@headrace/bytes";
import type { ReplyWriterApi } from "./api.ts";
import { doubleText } from "./double-text.ts";

const OK_LINE: Uint8Array = asciiBytes("+OK\r\n");
const NULL3: Uint8Array = asciiBytes("_\r\n");
const NULL_BULK: Uint8Array = asciiBytes("$-1\r\n");
const NULL_ARRAY: Uint8Array = asciiBytes("*-1\r\n");
const CR = 13;
const LF = 10;
/** Type byte, minus, 16 digits, CR LF. */
const HEADER_BYTES_MAX = 24;

export class ReplyWriter implements ReplyWriterApi {
  readonly writer: ByteWriter;
  version: 2 | 3;

  constructor(writer: ByteWriter = new ByteWriter(1024), version: 2 | 3 = 2) {
    this.writer = writer;
    this.version = version;
  }

  simple(text: string): void {
    this.#line(43, text);
  }

  ok(): void {
    this.writer.all(OK_LINE);
  }

  error(text: string): void {
    this.#line(45, text.replaceAll(/[\r\n]/g, " "));
  }

  integer(value: number): void {
    this.#header(58, value);
  }

  integer64(value: bigint): void {
    this.#line(58, value.toString());
  }

  double(value: number): void {
    const text = doubleText(value);
    if (this.version === 3) this.#line(44, text);
    else this.bulkLatin1(text);
  }

  bulk(bytes: Uint8Array, start: number, end: number): void {
    this.#header(36, end - start);
    this.writer.raw(bytes, start, end);
    this.#lineEnd();
  }

  bulkLatin1(text: string): void {
    this.#header(36, text.length);
    this.writer.latin1(text);
    this.#lineEnd();
  }

  bulkInteger(value: number): void {
    const length = value < 0 ? digitCount(-value) + 1 : digitCount(value);
    this.#header(36, length);
    this.writer.digits(value);
    this.#lineEnd();
  }

  nullBulk(): void {
    this.writer.all(this.version === 3 ? NULL3 : NULL_BULK);
  }

  nullArray(): void {
    this.writer.all(this.version === 3 ? NULL3 : NULL_ARRAY);
  }

  array(length: number): void {
    this.#header(42, length);
  }

  map(pairs: number): void {
    if (this.version === 3) this.#header(37, pairs);
    else this.#header(42, pairs * 2);
  }

  set(length: number): void {
    this.#header(this.version === 3 ? 126 : 42, length);
  }

  push(length: number): void {
    this.#header(this.version === 3 ? 62 : 42, length);
  }

  boolean(value: boolean): void {
    if (this.version === 3) this.#line(35, value ? "t" : "f");
    else this.#header(58, value ? 1 : 0);
  }

  verbatim(text: string): void {
    if (this.version === 2) {
      this.bulkLatin1(text);
      return;
    }
    this.#header(61, text.length + 4);
    this.writer.latin1("txt:");
    this.writer.latin1(text);
    this.#lineEnd();
  }

  #header(type: number, value: number): void {
    const writer = this.writer;
    writer.reserve(HEADER_BYTES_MAX);
    const bytes = writer.bytes;
    let at = writer.length;
    bytes[at++] = type;
    if (value < 0) {
      bytes[at++] = 45;
      at = writeDigits(bytes, at, -value);
    } else {
      at = writeDigits(bytes, at, value);
    }
    bytes[at] = CR;
    bytes[at + 1] = LF;
    writer.length = at + 2;
  }

  #line(type: number, text: string): void {
    this.writer.u8(type);
    this.writer.latin1(text);
    this.#lineEnd();
  }

  #lineEnd(): void {
    const writer = this.writer;
    writer.reserve(2);
    writer.bytes[writer.length] = CR;
    writer.bytes[writer.length + 1] = LF;
    writer.length += 2;
  }
}
