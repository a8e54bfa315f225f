/** Commands over sets, as Redis 7.0 knows them: integers alone, integers with text, and few keys, so that sets meet. */
import type { Entry } from "./grammar.ts";
import { many, mostly, nothing, option, options, pick, rarely, seq, words } from "./parts.ts";
import type { Part } from "./parts.ts";

const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";

const numberKey = mostly([20, pick("s", "t")], [2, pick("u", "x")], [1, words("nokey")]);
const textKey = mostly([20, pick("u", "w")], [2, pick("s", "x")], [1, pick("nokey", "")]);
const targetKey = mostly([20, pick("x", "y")], [1, pick("s", "u")]);
const anyKey = mostly([4, numberKey], [3, textKey], [2, targetKey]);

const integer = mostly(
  [10, pick("0", "1", "2", "3", "4", "5", "10", "-1", "-7", "100")],
  [1, pick(INT64_MAX, INT64_MIN, "70000", "-3000000000")],
);
const text = mostly(
  [10, pick("a", "b", "c", "ab", "member:1", "member:2")],
  [2, pick("", "\u0000", "\u00ff\r\n", "01", "+1", "1.0", "-0", "9223372036854775808", "z".repeat(70))],
);
const anyMember = mostly([2, integer], [2, text]);
const numberAndMembers = seq(numberKey, many(mostly([30, integer], [1, text]), 1, 5));
const textAndMembers = seq(textKey, many(anyMember, 1, 5));
const keyAndMembers = mostly([1, numberAndMembers], [1, textAndMembers]);
const keyAndMember = mostly([1, seq(numberKey, integer)], [1, seq(textKey, anyMember)]);

const sources = mostly([3, many(numberKey, 1, 4)], [3, many(textKey, 1, 4)], [2, many(anyKey, 1, 5)]);
const howMany = mostly(
  [3, nothing],
  [6, pick("0", "1", "2", "3", "5", "20")],
  [2, pick("-1", "-2", "-7")],
  [0.6, pick("x", "1.5", "", INT64_MAX, "9223372036854775808", "-9223372036854775809")],
  [0.4, words(INT64_MIN)],
);
const limit = mostly([10, pick("0", "1", "2", "100")], [1, pick("-1", "x", INT64_MIN)]);

function counted(keys: number): Part {
  return seq(words(String(keys)), many(anyKey, keys, keys));
}

function of(command: string, weight: number, ...parts: readonly Part[]): Entry {
  return { command, weight, make: seq(words(command.toUpperCase()), ...parts) };
}

export const setEntries: readonly Entry[] = [
  of("sadd", 40, keyAndMembers),
  of("srem", 14, keyAndMembers),
  of("scard", 6, anyKey),
  of("sismember", 8, keyAndMember),
  of("smismember", 8, keyAndMembers),
  of("smembers", 14, anyKey),
  of("spop", 14, anyKey, howMany, rarely(words("1"))),
  of("srandmember", 12, anyKey, howMany, rarely(words("1"))),
  of(
    "smove",
    12,
    mostly(
      [2, seq(numberKey, numberKey, integer)],
      [2, seq(textKey, textKey, anyMember)],
      [1, seq(anyKey, anyKey, text)],
    ),
  ),
  of("sinter", 10, sources),
  of("sinterstore", 10, targetKey, sources),
  of(
    "sintercard",
    24,
    mostly([4, counted(1)], [6, counted(2)], [3, counted(3)], [0.4, seq(pick("0", "-1", "x", "9", INT64_MAX), anyKey)]),
    mostly([4, nothing], [6, option("LIMIT", limit)], [0.3, option("LIMIT")], [0.2, words("FOO")]),
  ),
  of("sunion", 10, sources),
  of("sunionstore", 10, targetKey, sources),
  of("sdiff", 10, sources),
  of("sdiffstore", 10, targetKey, sources),
  of(
    "sscan",
    24,
    anyKey,
    mostly([20, words("0")], [1, pick("x", "-1x", "18446744073709551616", "7")]),
    options(
      option("MATCH", pick("*", "1*", "[ab]", "?", "member:*", "nosuch")),
      option("COUNT", mostly([10, pick("100", "1000", "1")], [1, pick("0", "x", "-1")])),
    ),
  ),
];

/** What makes a key something else, or moves it: they have their bars in other books. */
export const setNeighbours: readonly Entry[] = [
  of("del", 3, anyKey),
  of("type", 3, anyKey),
  of("expire", 3, anyKey, pick("100", "0")),
  of("pttl", 3, anyKey),
  of("rename", 2, anyKey, anyKey),
  of("copy", 4, anyKey, anyKey, mostly([1, nothing], [3, words("REPLACE")])),
  of("set", 1, anyKey, words("v")),
  of("get", 1, anyKey),
  of("xlen", 1, anyKey),
  of("multi", 2),
  of("exec", 4),
  of("discard", 1),
];
