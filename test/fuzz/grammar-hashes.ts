/**
 * Commands over hashes, as Redis 7.0 knows them. Those under some keys stay listpacks: there the order of fields is compared, too. Those under the others become
 * hash tables now and then, whose order is each side's own.
 */
import fc from "fast-check";
import type { Entry } from "./grammar.ts";
import { many, mostly, nothing, option, options, pick, rarely, seq, words } from "./parts.ts";
import type { Part } from "./parts.ts";

const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";
/** Redis' hash-max-listpack-value. */
export const LISTPACK_BYTES_MAX = 64;

const LISTPACK_KEYS = ["s", "t", "u"] as const;
const TABLE_KEYS = ["w", "y"] as const;

/** Of one hash or the other, and what may be put there. */
interface Hashes {
  readonly key: Part;
  readonly field: Part;
  readonly value: Part;
}

const shortField = mostly(
  [20, pick("a", "b", "c", "d", "ab", "field:1", "field:2")],
  [2, pick("", "\u0000", "\u00ff\r\n", "12", "-3", "f".repeat(64))],
);
const integer = mostly(
  [10, pick("0", "1", "-1", "7", "100", "-4096", "70000")],
  [1, pick(INT64_MAX, INT64_MIN, "4611686018427387904", "9007199254740993")],
);
const float = mostly(
  [4, pick("0.1", "1.5", "-3.25", "10", "0.000001", "123456789.123456789")],
  [3, fc.tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.nat({ max: 999_999 })).map(([a, b]) => [`${a}.${b}`])],
  [1, pick("1e10", "3e-9", "1e-17", "0x1f", ".5", "5.", "+2", "1e20", "-0.0")],
);
const text = mostly(
  [6, pick("v", "w", "hello", "value:1")],
  [2, pick("", "\u0000", "\u00ff\r\n", "01", "+1", " 1", "1 ", "v".repeat(64))],
  [1, pick("inf", "-infinity", "nan", "1e5000")],
);
const shortValue = mostly([3, integer], [2, float], [3, text]);
const long = pick("z".repeat(65), "y".repeat(700));

const listpacks: Hashes = { key: pick(...LISTPACK_KEYS), field: shortField, value: shortValue };
const tables: Hashes = {
  key: pick(...TABLE_KEYS),
  field: mostly([30, shortField], [1, long]),
  value: mostly([30, shortValue], [1, long], [0.4, words("1e4000")]),
};
const oddKey = mostly([4, words("x")], [1, pick("nokey", "")]);

/** `part` of one kind of hashes, or the other, or of keys that hold none. */
function ofEither(part: (hashes: Hashes) => Part): Part {
  return mostly([12, part(listpacks)], [8, part(tables)], [1, part({ ...listpacks, key: oddKey })]);
}

const anyKey = ofEither(({ key }) => key);
const keyAndField = ofEither(({ key, field }) => seq(key, field));
const keyAndFields = ofEither(({ key, field }) => seq(key, many(field, 1, 4)));
const keyAndPair = ofEither(({ key, field, value }) => seq(key, field, value));
const keyAndPairs = mostly(
  [20, ofEither(({ key, field, value }) => seq(key, many(seq(field, value), 1, 5)))],
  [1, keyAndFields],
);
/** Both of one kind, so that no listpack becomes a table. */
const twoKeys = mostly([3, seq(listpacks.key, listpacks.key)], [2, seq(tables.key, tables.key)]);

const step = mostly([10, integer], [0.6, pick("x", "1.5", "", " 1", "01", "9223372036854775808")]);
const floatStep = mostly(
  [12, float],
  [2, integer],
  [1, pick("abc", "", "1 ", " 1", "nan", "1e5000", "1e", "inf", "-infinity")],
);
const howMany = mostly(
  [3, nothing],
  [6, seq(pick("0", "1", "2", "3", "5", "20", "-1", "-2", "-7"), mostly([2, nothing], [3, option("WITHVALUES")]))],
  [0.6, seq(pick("x", "1.5", "", "9223372036854775808"), mostly([1, nothing], [1, words("WITHVALUES")]))],
  [0.6, seq(pick(INT64_MAX, INT64_MIN), mostly([1, nothing], [2, words("WITHVALUES")]))],
  [0.4, seq(words("1"), pick("FOO", "WITHVALUES"), rarely(words("x")))],
);

function of(command: string, weight: number, ...parts: readonly Part[]): Entry {
  return { command, weight, make: seq(words(command.toUpperCase()), ...parts) };
}

export const hashEntries: readonly Entry[] = [
  of("hset", 40, keyAndPairs),
  of("hmset", 10, keyAndPairs),
  of("hsetnx", 14, keyAndPair),
  of("hget", 12, keyAndField),
  of("hmget", 12, keyAndFields),
  of("hgetall", 16, anyKey),
  of("hkeys", 8, anyKey),
  of("hvals", 8, anyKey),
  of("hlen", 6, anyKey),
  of("hexists", 6, keyAndField),
  of("hstrlen", 6, keyAndField),
  of("hdel", 16, keyAndFields),
  of("hincrby", 30, keyAndField, step),
  of("hincrbyfloat", 30, keyAndField, floatStep),
  of("hrandfield", 24, anyKey, howMany),
  of(
    "hscan",
    24,
    anyKey,
    mostly([20, words("0")], [1, pick("x", "-1x", "18446744073709551616", "7")]),
    options(
      option("MATCH", pick("*", "a*", "[ab]", "?", "field:*", "nosuch")),
      option("COUNT", mostly([10, pick("100", "1000", "1")], [1, pick("0", "x", "-1")])),
    ),
  ),
];

/** What makes a key something else, or moves it: they have their bars in other books. */
export const hashNeighbours: readonly Entry[] = [
  of("del", 3, anyKey),
  of("type", 3, anyKey),
  of("expire", 3, anyKey, pick("100", "0")),
  of("pttl", 3, anyKey),
  of("rename", 2, twoKeys),
  of("copy", 5, twoKeys, mostly([1, nothing], [3, words("REPLACE")])),
  of("set", 2, pick("x", "s", "w"), words("v")),
  of("get", 1, anyKey),
  of("xadd", 1, pick("x", "t"), words("1-1", "f", "v")),
  of("sadd", 1, pick("x", "y"), words("m")),
  of("multi", 2),
  of("exec", 4),
  of("discard", 1),
];

/** The order of its fields is what Redis' listpack has. With the tag that keys get, or without. */
export function isListpackKey(key: string): boolean {
  return (LISTPACK_KEYS as readonly string[]).includes(key.replace(/\{k\}$/, ""));
}

/** The judge would make a reply until its memory is full. */
export function drawsForEver(name: string, all: readonly (string | object)[]): boolean {
  const count = Number(all[2]);
  return name === "hrandfield" && count < -1000 && all[2] !== INT64_MIN;
}

/** A mutation may have put a long word where hashes stay listpacks, or may move a table there. */
export function mayEndListpack(name: string, all: readonly (string | object)[]): boolean {
  if (!/^h|^(?:rename|renamenx|copy|restore)$/.test(name)) return false;
  const plain = all.filter((word) => typeof word === "string");
  if (!plain.some(isListpackKey)) return false;
  const isLong = plain.some((word) => word.length > LISTPACK_BYTES_MAX);
  // A sum of 65 digits and more.
  const isLarge = name === "hincrbyfloat" && Math.abs(Number(plain.at(-1))) > 1e40;
  const movesTable = !name.startsWith("h") && !plain.slice(1, 3).every(isListpackKey);
  return isLong || isLarge || movesTable;
}
