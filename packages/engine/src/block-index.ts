/**
 * Lines of blocks that are not in memory and have neither tombstones nor several rows: fifteen words each, in one array beside the stream's list of
 * blocks. Places go along with that list; the line of a block that is in memory means nothing.
 */
import { copyBytes } from "@headrace/bytes";
import type { BlockLine } from "./block.ts";
import { StreamId } from "./stream-id.ts";

const WORDS = 15;
const NUMBER = 0;
const FIRST_ID = 1;
const LAST_ID = 5;
const COUNT = 9;
const BYTE_LENGTH = 10;
const OPENS_COUNT = 11;
const OPENS_FIRST = 12;
const OPENS_DIGEST = 13;
const CRC = 14;

const LINE_BYTES = WORDS * 4;

const NO_WORDS = new Uint32Array(0);
/** Such a block is one row. */
const ONE_FRAGMENT: readonly number[] = [0];

export class BlockIndex {
  #words: Uint32Array;
  /** Where the first line stands: lines that go at the front leave a gap. */
  #from: number;

  constructor() {
    this.#words = NO_WORDS;
    this.#from = 0;
  }

  /** `places`: how many there will be, at least. */
  reserve(places: number): void {
    const needed = (this.#from + places) * WORDS;
    if (needed <= this.#words.length) return;
    const words = new Uint32Array((places + (places >>> 3) + 1) * WORDS);
    words.set(this.#words.subarray(this.#from * WORDS));
    this.#words = words;
    this.#from = 0;
  }

  put(at: number, line: BlockLine): void {
    this.reserve(at + 1);
    const words = this.#words;
    const cell = this.#cell(at);
    words[cell + NUMBER] = line.number;
    putId(words, cell + FIRST_ID, line.firstId);
    putId(words, cell + LAST_ID, line.lastId);
    words[cell + COUNT] = line.count;
    words[cell + BYTE_LENGTH] = line.byteLength;
    words[cell + OPENS_COUNT] = line.opensCount;
    words[cell + OPENS_FIRST] = line.opensFirst ? 1 : 0;
    words[cell + OPENS_DIGEST] = line.opensDigest;
    words[cell + CRC] = line.crc;
  }

  /** The line's words, little-endian, as a row has them (block-line.ts) from `from` on. */
  putWords(at: number, bytes: Uint8Array, from: number): void {
    this.reserve(at + 1);
    copyBytes(new Uint8Array(this.#words.buffer), this.#cell(at) * 4, bytes, from, from + LINE_BYTES);
  }

  get(at: number): BlockLine {
    const words = this.#words;
    const cell = this.#cell(at);
    return {
      number: words[cell + NUMBER]!,
      firstId: this.firstId(at),
      lastId: this.lastId(at),
      count: words[cell + COUNT]!,
      byteLength: words[cell + BYTE_LENGTH]!,
      opensCount: words[cell + OPENS_COUNT]!,
      opensFirst: this.opensFirst(at),
      opensDigest: words[cell + OPENS_DIGEST]!,
      crc: words[cell + CRC]!,
      fragments: ONE_FRAGMENT,
    };
  }

  /** The places from `at` on move `count` to the front. */
  remove(at: number, count: number): void {
    if (this.#words.length === 0) return;
    if (at === 0) {
      this.#from = Math.min(this.#from + count, this.#words.length / WORDS);
      return;
    }
    this.#words.copyWithin(this.#cell(at), Math.min(this.#cell(at + count), this.#words.length));
  }

  number(at: number): number {
    return this.#words[this.#cell(at) + NUMBER]!;
  }

  count(at: number): number {
    return this.#words[this.#cell(at) + COUNT]!;
  }

  entryBytes(at: number): number {
    return this.#words[this.#cell(at) + BYTE_LENGTH]!;
  }

  opensCount(at: number): number {
    return this.#words[this.#cell(at) + OPENS_COUNT]!;
  }

  opensFirst(at: number): boolean {
    return this.#words[this.#cell(at) + OPENS_FIRST] === 1;
  }

  firstId(at: number): StreamId {
    return idAt(this.#words, this.#cell(at) + FIRST_ID);
  }

  lastId(at: number): StreamId {
    return idAt(this.#words, this.#cell(at) + LAST_ID);
  }

  #cell(at: number): number {
    return (this.#from + at) * WORDS;
  }
}

function putId(words: Uint32Array, cell: number, id: StreamId): void {
  words[cell] = id.msHi;
  words[cell + 1] = id.msLo;
  words[cell + 2] = id.seqHi;
  words[cell + 3] = id.seqLo;
}

function idAt(words: Uint32Array, cell: number): StreamId {
  return new StreamId(words[cell]!, words[cell + 1]!, words[cell + 2]!, words[cell + 3]!);
}
