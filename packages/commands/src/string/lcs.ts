/** LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]. Source: t_string.c lcsCommand. */
import { bytesOf } from "@headrace/bytes";
import type { Keyspace, StringView } from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { findString, STRING_BYTES_MAX } from "./find-string.ts";

interface LcsOptions {
  indexes: boolean;
  length: boolean;
  withMatchLength: boolean;
  minMatchLength: number;
}

/** One match: both ends included. */
interface Match {
  readonly a: readonly [number, number];
  readonly b: readonly [number, number];
}

function readOptions(request: Request): LcsOptions | string {
  const options: LcsOptions = { indexes: false, length: false, withMatchLength: false, minMatchLength: 0 };
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, "IDX")) {
      options.indexes = true;
    } else if (request.is(i, "LEN")) {
      options.length = true;
    } else if (request.is(i, "WITHMATCHLEN")) {
      options.withMatchLength = true;
    } else if (request.is(i, "MINMATCHLEN") && i + 1 < request.count) {
      const least = readLong(request, ++i);
      if (Number.isNaN(least)) return Errors.notInteger;
      options.minMatchLength = Math.max(0, least);
    } else {
      return Errors.syntax;
    }
  }
  return options.indexes && options.length ? Errors.lcsLengthAndIndexes : options;
}

/** Lengths of common subsequences: cell (i, j) is that of the first i and the first j bytes. */
class LcsTable {
  readonly #cells: Uint32Array;
  readonly #width: number;

  constructor(a: Uint8Array, b: Uint8Array) {
    const width = b.length + 1;
    const cells = new Uint32Array((a.length + 1) * width);
    for (let i = 1; i <= a.length; i++) {
      const byte = a[i - 1]!;
      const row = i * width;
      for (let j = 1; j <= b.length; j++) {
        const above = row - width + j;
        if (byte === b[j - 1]) cells[row + j] = cells[above - 1]! + 1;
        else cells[row + j] = Math.max(cells[above]!, cells[row + j - 1]!);
      }
    }
    this.#cells = cells;
    this.#width = width;
  }

  at(i: number, j: number): number {
    return this.#cells[i * this.#width + j]!;
  }
}

/** From the ends back: the bytes, and the matches that are long enough, the last one first. */
function trace(a: Uint8Array, b: Uint8Array, table: LcsTable, least: number): { text: Uint8Array; matches: Match[] } {
  const text = new Uint8Array(table.at(a.length, b.length));
  const matches: Match[] = [];
  let at = text.length;
  let i = a.length;
  let j = b.length;
  let aStart = -1;
  let aEnd = 0;
  let bStart = 0;
  let bEnd = 0;
  while (i > 0 && j > 0) {
    let isOver = false;
    if (a[i - 1] === b[j - 1]) {
      text[--at] = a[i - 1]!;
      i--;
      j--;
      if (aStart < 0) {
        aEnd = i;
        bEnd = j;
      }
      aStart = i;
      bStart = j;
      isOver = i === 0 || j === 0;
    } else {
      if (table.at(i - 1, j) > table.at(i, j - 1)) i--;
      else j--;
      isOver = aStart >= 0;
    }
    if (!isOver) continue;
    if (aEnd - aStart + 1 >= least) matches.push({ a: [aStart, aEnd], b: [bStart, bEnd] });
    aStart = -1;
  }
  return { text, matches };
}

function writeMatches(reply: ReplyWriterApi, matches: readonly Match[], length: number, withLength: boolean): void {
  reply.map(2);
  reply.bulkLatin1("matches");
  reply.array(matches.length);
  for (const { a, b } of matches) {
    reply.array(withLength ? 3 : 2);
    for (const range of [a, b]) {
      reply.array(2);
      for (const end of range) reply.integer(end);
    }
    if (withLength) reply.integer(a[1] - a[0] + 1);
  }
  reply.bulkLatin1("len");
  reply.integer(length);
}

function bytesAt(keyspace: Keyspace, key: string): Uint8Array | null {
  const value: StringView | null | string = findString(keyspace, key);
  if (typeof value === "string") return null;
  return value === null ? bytesOf("") : value.bytes.subarray(0, value.length);
}

export const lcs = defineCommand({
  name: "lcs",
  arity: -3,
  flags: Flag.readonly,
  since: "7.0.0",
  group: "string",
  summary: "Find longest common substring",
  complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
  syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]",
  argumentTypes: { key1: "key", key2: "key", len: "integer" },
  categories: ["string"],
  keys: { ...keyAt(1, "RO access"), last: 2 },
  execute({ request, reply, keyspace }) {
    const a = bytesAt(keyspace, request.latin1(1));
    const b = bytesAt(keyspace, request.latin1(2));
    if (a === null || b === null) return reply.error(Errors.lcsNoString);
    const options = readOptions(request);
    if (typeof options === "string") return reply.error(options);
    if ((a.length + 1) * (b.length + 1) * 4 > STRING_BYTES_MAX) return reply.error(Errors.lcsTooLarge);
    const table = new LcsTable(a, b);
    const length = table.at(a.length, b.length);
    if (options.length) return reply.integer(length);
    const { text, matches } = trace(a, b, table, options.minMatchLength);
    if (options.indexes) writeMatches(reply, matches, length, options.withMatchLength);
    else reply.bulk(text, 0, text.length);
  },
});
