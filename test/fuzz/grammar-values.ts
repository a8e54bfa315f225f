/**
 * Commands over values that are no streams, as Redis 7.0 knows them: a book of its own, so that what streams are asked stays as much as it was. Each kind of
 * content has keys on which most of its commands make sense; now and then one meets another's.
 */
import fc from "fast-check";
import type { Entry } from "./grammar.ts";
import { sortedSetEntries } from "./grammar-sorted-sets.ts";
import { late, many, maybe, mostly, nothing, option, options, pick, rarely, seq, words } from "./parts.ts";
import type { Part } from "./parts.ts";

const numberKey = mostly([20, pick("x", "y")], [2, pick("s", "u")], [1, pick("nokey", "t")]);
const textKey = mostly([20, pick("s", "t")], [2, pick("x", "u")], [1, pick("nokey", "")]);
const bitKey = mostly([20, pick("u", "w")], [2, pick("s", "x")], [1, pick("nokey", "t")]);
const anyKey = mostly([3, numberKey], [3, textKey], [2, bitKey]);

const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";

const integer = mostly(
  [8, pick("0", "1", "-1", "7", "100", "-4096")],
  [2, pick("4503599627370496", "9007199254740991", "9007199254740992", "-9007199254740993")],
  [1, pick(INT64_MAX, INT64_MIN, "4611686018427387904")],
  [0.4, pick("1.5", "abc", "", " 1", "01", "9223372036854775808")],
);
const float = mostly(
  [4, pick("0.1", "1.5", "-3.25", "10", "0.000001", "123456789.123456789")],
  [3, fc.tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.nat({ max: 999_999 })).map(([a, b]) => [`${a}.${b}`])],
  [2, pick("1e10", "3e-9", "1e-17", "5.5E+3", "0x1f", ".5", "5.", "+2", "1e20", "98765432109876543210", "-0.0")],
  [0.5, pick("abc", "", "1 ", " 1", "nan", "1e5000", "1e", "inf", "-infinity")],
);
const bytes = mostly(
  [6, pick("a", "abc", "ohmytext", "mynewtext", "hello world")],
  [3, pick("", "\u0000", "\u00ff\u0000\u0080", "\r\n", "z".repeat(45), "z".repeat(70))],
  [1, words("y".repeat(900))],
);
const anyValue = mostly([4, bytes], [4, integer], [1, float]);

const position = mostly(
  [8, fc.integer({ min: -12, max: 12 }).map((at) => [String(at)])],
  [1, pick("0", "-1", "100", "-100", "3000")],
  [0.4, pick("x", INT64_MAX, INT64_MIN, "1.0")],
);
const bit = mostly([10, pick("0", "1")], [0.6, pick("2", "-1", "x")]);
const bitOffset = mostly(
  [10, fc.nat({ max: 130 }).map((at) => [String(at)])],
  [1, pick("0", "7", "8", "5000", "65535")],
  [0.4, pick("-1", "x", "4294967296", "#1")],
);

const time = mostly([6, pick("100", "300000")], [0.5, pick("0", "-1", "x", INT64_MAX)]);
const pointInSeconds = mostly(
  [5, words(late("seconds", 100))],
  [1, words(late("seconds", -100))],
  [0.3, pick("0", "x")],
);
const pointInMs = mostly([5, words(late("clock", 100_000))], [1, words(late("clock", -100))], [0.3, pick("0", "x")]);
const expiry = mostly(
  [1, option("EX", time)],
  [1, option("PX", time)],
  [1, option("EXAT", pointInSeconds)],
  [1, option("PXAT", pointInMs)],
);

const fieldType = mostly(
  [10, fc.tuple(fc.constantFrom("i", "u"), fc.integer({ min: 1, max: 63 })).map(([sign, bits]) => [`${sign}${bits}`])],
  [4, pick("u8", "i8", "i64", "u63", "u1", "u2")],
  [0.4, pick("u64", "i65", "u0", "x8", "8", "u")],
);
const fieldOffset = mostly(
  [8, fc.nat({ max: 100 }).map((at) => [String(at)])],
  [3, fc.nat({ max: 5 }).map((at) => [`#${at}`])],
  [0.3, pick("-1", "x", "#", "#x", "99999999999")],
);
const fieldValue = mostly(
  [8, fc.integer({ min: -300, max: 300 }).map((value) => [String(value)])],
  [2, pick(INT64_MAX, INT64_MIN, "4611686018427387904", "-1", "65536")],
  [0.3, pick("x", "1.0")],
);
const getField = seq(mostly([9, words("GET")], [1, words("get")]), fieldType, fieldOffset);
const fieldOperation = mostly(
  [3, getField],
  [3, option("SET", fieldType, fieldOffset, fieldValue)],
  [3, option("INCRBY", fieldType, fieldOffset, fieldValue)],
  [
    4,
    seq(
      option("OVERFLOW", mostly([9, pick("WRAP", "SAT", "FAIL")], [0.3, words("FOO")])),
      option("INCRBY", fieldType, fieldOffset, fieldValue),
    ),
  ],
  [0.2, pick("FOO", "OVERFLOW")],
);

const unit: Part = mostly([2, option("BYTE")], [2, option("BIT")], [0.2, words("FOO")]);

function of(command: string, weight: number, ...parts: readonly Part[]): Entry {
  return { command, weight, make: seq(words(command.toUpperCase()), ...parts) };
}

export const valueEntries: readonly Entry[] = [
  of(
    "set",
    50,
    anyKey,
    anyValue,
    mostly(
      [3, nothing],
      [
        4,
        options(
          mostly([1, option("NX")], [1, option("XX")]),
          option("GET"),
          mostly([4, expiry], [2, option("KEEPTTL")]),
        ),
      ],
      [0.4, seq(expiry, expiry)],
      [0.2, pick("NX", "EX", "PERSIST", "FOO")],
    ),
  ),
  of("get", 20, anyKey),
  of("getdel", 6, anyKey),
  of(
    "getex",
    20,
    anyKey,
    mostly([1, nothing], [6, expiry], [2, option("PERSIST")], [0.3, pick("EX", "KEEPTTL", "FOO")]),
  ),
  of("getset", 6, anyKey, anyValue),
  of("setnx", 6, anyKey, anyValue),
  of("setex", 6, anyKey, time, anyValue),
  of("psetex", 6, anyKey, time, anyValue),
  of("strlen", 6, anyKey),
  of("append", 12, mostly([4, textKey], [1, anyKey]), bytes),
  of("getrange", 12, mostly([4, textKey], [1, anyKey]), position, position),
  of("substr", 5, textKey, position, position),
  of(
    "setrange",
    10,
    mostly([4, textKey], [1, anyKey]),
    mostly([10, fc.nat({ max: 60 }).map((at) => [String(at)])], [1, pick("-1", "x", "536870912", "5000")]),
    bytes,
  ),
  of("incr", 12, numberKey),
  of("decr", 8, numberKey),
  of("incrby", 12, numberKey, integer),
  of("decrby", 8, numberKey, integer),
  of("incrbyfloat", 22, numberKey, float),
  of("mget", 8, many(anyKey, 1, 4)),
  of("mset", 8, many(seq(anyKey, anyValue), 1, 3), rarely(anyKey)),
  of("msetnx", 8, many(seq(mostly([1, anyKey], [2, pick("nokey", "x2", "x3")]), anyValue), 1, 2), rarely(anyKey)),
  of(
    "lcs",
    24,
    textKey,
    textKey,
    mostly(
      [1, option("LEN")],
      [
        5,
        options(
          option("IDX"),
          option("MINMATCHLEN", mostly([9, pick("0", "2", "4", "-1")], [0.5, words("x")])),
          option("WITHMATCHLEN"),
        ),
      ],
      [0.3, seq(option("IDX"), option("LEN"))],
      [0.2, pick("FOO", "MINMATCHLEN")],
    ),
  ),
  of("setbit", 16, bitKey, bitOffset, bit),
  of("getbit", 6, bitKey, bitOffset),
  of("bitcount", 14, bitKey, mostly([2, nothing], [6, seq(position, position, maybe(unit))], [0.3, position])),
  of(
    "bitpos",
    16,
    bitKey,
    bit,
    mostly(
      [1, nothing],
      [1, position],
      [2, seq(position, position)],
      [5, seq(position, position, unit)],
      [0.1, seq(position, position, unit, unit)],
    ),
  ),
  of("bitop", 12, mostly([10, pick("AND", "OR", "XOR", "and")], [0.4, pick("NOT", "FOO")]), bitKey, many(bitKey, 1, 3)),
  of("bitop", 4, words("NOT"), bitKey, bitKey),
  of("bitfield", 40, bitKey, many(fieldOperation, 0, 4)),
  of("bitfield_ro", 10, bitKey, many(mostly([12, getField], [0.5, fieldOperation]), 0, 3)),
  ...sortedSetEntries,
];

/** What makes a key something else, or moves it: they have their bars in the other book. */
export const valueNeighbours: readonly Entry[] = [
  of("del", 6, anyKey),
  of("type", 3, anyKey),
  of("exists", 2, anyKey),
  of("expire", 4, anyKey, time),
  of("persist", 2, anyKey),
  of("pttl", 4, anyKey),
  of("rename", 3, anyKey, anyKey),
  of("copy", 5, anyKey, anyKey, mostly([1, nothing], [3, words("REPLACE")])),
  of("xadd", 3, anyKey, words(late("place", 1, "-*")), words("f", "v")),
  of("xlen", 2, anyKey),
  of("touch", 1, anyKey),
  of("multi", 2),
  of("exec", 4),
  of("discard", 1),
  of("watch", 1, anyKey),
];
