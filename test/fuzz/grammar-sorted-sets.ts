/** Commands over sorted sets, as Redis 7.0 knows them: in the book about values. Members are few, so that they meet again. */
import fc from "fast-check";
import { elementTimeout } from "./element-waits.ts";
import type { Entry } from "./grammar.ts";
import { LISTPACK_BYTES_MAX } from "./grammar-hashes.ts";
import { many, maybe, mostly, nothing, option, options, pick, seq, words } from "./parts.ts";
import type { Part } from "./parts.ts";

const key = mostly([20, pick("z", "zz", "z3")], [1, pick("s", "x", "nokey", "")]);
const member = mostly(
  [20, pick("a", "b", "c", "d", "e", "aa", "ab")],
  [2, pick("", "\u00ff", "A", "12", "-3", "\u0000")],
  // One byte more, and ZSCAN would go by a hash that Redis draws, and BYLEX by an order that is none when scores differ.
  [0.3, words("m".repeat(LISTPACK_BYTES_MAX))],
);
const score = mostly(
  [12, pick("0", "1", "2", "3", "-1", "10")],
  [4, pick("1.5", "-0.25", "3.1", "1e-7", "100000000000000000", "123456789012345678", "1e300", "0.1", "5e-324")],
  [2, pick("inf", "-inf", "+inf", "0x1p4", "0x.8", "+2", ".5", "5.", "-0", "1E2")],
  [0.5, pick("nan", "x", "", " 1", "1 ", "1e400", "1e-400", "0x", "1e")],
);
const bound = mostly(
  [8, pick("0", "1", "2", "3", "-1")],
  [4, pick("(1", "(2", "(-1", "(0")],
  [4, pick("-inf", "+inf", "(inf", "(-inf")],
  [1, pick("1.5", "(1e-7", "0x10", " 1", "", "(", "1e400")],
  [0.4, pick("x", "nan", "((1", "[1", "1 ")],
);
const lexBound = mostly(
  [6, pick("-", "+")],
  [8, pick("[a", "[b", "(c", "(a", "[d", "(aa", "[ab")],
  [1, pick("[", "(", "[\u00ff", "(z", "[12")],
  [0.4, pick("a", "", "--", "+b")],
);
const index = mostly(
  [10, fc.integer({ min: -8, max: 8 }).map((at) => [String(at)])],
  [0.4, pick("x", "9223372036854775807", "-9223372036854775808", "1.0")],
);
const limit = option(
  "LIMIT",
  mostly([10, pick("0", "1", "2")], [0.5, pick("-1", "x", "100")]),
  mostly([10, pick("1", "2", "3", "-1")], [0.5, pick("0", "x", "-5")]),
);
const withScores = option("WITHSCORES");
const count = mostly([10, pick("1", "2", "3", "100")], [0.7, pick("0", "-1", "x")]);
const weight = mostly([10, pick("1", "2", "-1", "0.5", "0")], [1, pick("inf", "-inf")], [0.4, pick("x", "nan")]);

/** Keys behind their number, and what goes with so many. */
const keys = (...more: readonly ((keyCount: number) => Part)[]): Part =>
  mostly(
    ...[1, 2, 3].map((keyCount): readonly [number, Part] => [
      keyCount === 2 ? 8 : 3,
      seq(words(String(keyCount)), many(key, keyCount, keyCount), ...more.map((part) => part(keyCount))),
    ]),
    [0.5, seq(pick("0", "-1", "x", "4"), many(key, 1, 2))],
  );
const weights = (keyCount: number): Part => option("WEIGHTS", many(weight, keyCount, keyCount));
const aggregate = option("AGGREGATE", mostly([6, pick("SUM", "MIN", "MAX")], [0.1, words("FOO")]));
const combined = (keyCount: number): Part => options(weights(keyCount), aggregate, withScores);
const stored = (keyCount: number): Part => options(weights(keyCount), aggregate);

const multiPop: Part = seq(
  keys(),
  mostly([8, pick("MIN", "MAX", "min")], [0.3, words("FOO")]),
  maybe(option("COUNT", count)),
);

function of(command: string, weightOf: number, ...parts: readonly Part[]): Entry {
  return { command, weight: weightOf, make: seq(words(command.toUpperCase()), ...parts) };
}

/** Bounds and the words that belong to them; in one of ten they do not. */
const ranges: Part = mostly(
  [3, seq(index, index, options(option("REV"), withScores))],
  [4, seq(bound, bound, words("BYSCORE"), options(option("REV"), limit, withScores))],
  [4, seq(lexBound, lexBound, words("BYLEX"), options(option("REV"), limit))],
  [1, seq(mostly([1, bound], [1, lexBound]), bound, options(words("BYSCORE"), words("BYLEX"), limit, withScores))],
);

export const sortedSetEntries: readonly Entry[] = [
  of(
    "zadd",
    50,
    key,
    mostly(
      [3, nothing],
      [
        4,
        options(
          mostly([1, option("NX")], [2, option("XX")]),
          mostly([1, option("GT")], [1, option("LT")]),
          option("CH"),
          option("INCR"),
        ),
      ],
      [0.3, words("GT", "LT")],
      [0.3, words("NX", "XX")],
    ),
    mostly([3, seq(score, member)], [2, many(seq(score, member), 1, 4)], [0.1, score]),
  ),
  of("zincrby", 14, key, score, member),
  // Together they are no number.
  of("zincrby", 8, key, pick("inf", "-inf"), pick("a", "b")),
  of("zrem", 10, key, many(member, 1, 3)),
  of("zcard", 5, key),
  of("zcount", 10, key, bound, bound),
  of("zlexcount", 10, key, lexBound, lexBound),
  of("zscore", 8, key, member),
  of("zmscore", 6, key, many(member, 1, 3)),
  of("zrank", 6, key, member),
  of("zrevrank", 6, key, member),
  of("zrange", 40, key, ranges),
  of("zrangestore", 30, key, key, ranges),
  of("zrevrange", 10, key, index, index, maybe(withScores)),
  of("zrangebyscore", 14, key, bound, bound, options(withScores, limit)),
  of("zrevrangebyscore", 14, key, bound, bound, options(withScores, limit)),
  of("zrangebylex", 10, key, lexBound, lexBound, maybe(limit)),
  of("zrevrangebylex", 10, key, lexBound, lexBound, maybe(limit)),
  of("zremrangebyrank", 5, key, index, index),
  of("zremrangebyscore", 5, key, bound, bound),
  of("zremrangebylex", 5, key, lexBound, lexBound),
  of("zpopmin", 6, key, maybe(count)),
  of("zpopmax", 6, key, maybe(count)),
  of("zmpop", 16, multiPop),
  of("bzpopmin", 10, many(key, 1, 2), elementTimeout),
  of("bzpopmax", 10, many(key, 1, 2), elementTimeout),
  of("bzmpop", 20, elementTimeout, multiPop),
  of("zscan", 12, key, words("0"), options(option("MATCH", pick("*", "a*", "?", "nobody")), option("COUNT", count))),
  of("zunion", 30, keys(combined)),
  of("zinter", 30, keys(combined)),
  of(
    "zdiff",
    8,
    keys(() => maybe(withScores)),
  ),
  of("zunionstore", 24, key, keys(stored)),
  of("zinterstore", 24, key, keys(stored)),
  of("zdiffstore", 6, key, keys()),
  of(
    "zintercard",
    10,
    keys(() => maybe(option("LIMIT", count))),
  ),
];

/** What every set is asked in the end. */
export const sortedSetClosing = (name: string): readonly (readonly string[])[] => [
  ["ZRANGE", name, "0", "-1", "WITHSCORES"],
];

/** A mutation may have put a long word where sorted sets stay listpacks. */
export function mayEndSortedListpack(name: string, all: readonly (string | object)[]): boolean {
  return name.startsWith("z") && all.some((word) => typeof word === "string" && word.length > LISTPACK_BYTES_MAX);
}
