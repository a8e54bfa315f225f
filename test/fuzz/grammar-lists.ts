/** Commands over lists, as Redis 7.0 knows them. Some keys hold something else now and then. */
import fc from "fast-check";
import { elementTimeout } from "./element-waits.ts";
import type { Entry } from "./grammar.ts";
import { late, many, mostly, nothing, option, options, pick, rarely, seq, words } from "./parts.ts";
import type { Part } from "./parts.ts";

const key = mostly([20, pick("l", "m")], [2, pick("s", "x")], [1, pick("nokey", "o")]);
const element = mostly(
  [10, pick("a", "b", "c", "1", "2")],
  [2, pick("", "-5", "300", "70000", "9223372036854775807", "01", "\u00ff\u0000", "e".repeat(70), "e".repeat(300))],
  [0.3, words("e".repeat(5000))],
);
const index = mostly(
  [8, fc.integer({ min: -6, max: 6 }).map((at) => [String(at)])],
  [1, pick("0", "-1", "100", "-100")],
  [0.4, pick("x", "9223372036854775807", "-9223372036854775807", "1.0")],
);
const count = mostly([8, pick("1", "2", "5")], [0.6, pick("0", "-1", "x", "9223372036854775808")]);
const side = mostly([9, pick("LEFT", "RIGHT")], [1, pick("left", "right")], [0.3, words("FOO")]);
const multiPop: Part = seq(
  mostly([6, seq(words("1"), key)], [4, seq(words("2"), key, key)], [0.4, seq(pick("0", "-1", "x", "3"), key, key)]),
  side,
  mostly([3, nothing], [3, option("COUNT", count)], [0.2, pick("COUNT", "FOO")]),
);

function of(command: string, weight: number, ...parts: readonly Part[]): Entry {
  return { command, weight, make: seq(words(command.toUpperCase()), ...parts) };
}

export const listEntries: readonly Entry[] = [
  of("lpush", 16, key, many(element, 1, 4)),
  of("rpush", 20, key, many(element, 1, 4)),
  of("lpushx", 6, key, many(element, 1, 2)),
  of("rpushx", 6, key, many(element, 1, 2)),
  of("lpop", 10, key, mostly([2, nothing], [3, count], [0.1, seq(count, count)])),
  of("rpop", 10, key, mostly([2, nothing], [3, count], [0.1, seq(count, count)])),
  of("llen", 5, key),
  of("lrange", 12, key, index, index),
  of("lindex", 10, key, index),
  of("lset", 10, key, index, element),
  of("linsert", 14, key, mostly([9, pick("BEFORE", "AFTER")], [0.5, pick("after", "FOO")]), element, element),
  of("lrem", 12, key, index, element),
  of("ltrim", 10, key, index, index),
  of(
    "lpos",
    26,
    key,
    element,
    options(
      option("RANK", mostly([9, pick("1", "2", "-1", "-2")], [0.6, pick("0", "x")])),
      option("COUNT", mostly([9, pick("0", "1", "2")], [0.6, pick("-1", "x")])),
      option("MAXLEN", mostly([9, pick("0", "1", "3")], [0.6, pick("-1", "x")])),
    ),
    rarely(pick("FOO", "RANK")),
  ),
  of("lmove", 14, key, key, side, side),
  of("rpoplpush", 8, key, key),
  of("lmpop", 18, multiPop),
  of("blpop", 10, many(key, 1, 2), elementTimeout),
  of("brpop", 10, many(key, 1, 2), elementTimeout),
  of("blmove", 12, key, key, side, side, elementTimeout),
  of("brpoplpush", 8, key, key, elementTimeout),
  of("blmpop", 16, elementTimeout, multiPop),
];

export const listNeighbours: readonly Entry[] = [
  of("set", 4, pick("s", "x", "l"), words("v")),
  of("xadd", 2, pick("s", "x"), words(late("place", 1, "-*")), words("f", "v")),
  of("type", 2, key),
  of("multi", 2),
  of("exec", 4),
  of("discard", 1),
  of("watch", 1, key),
  of("del", 3, key),
  of("rename", 2, key, key),
  of("copy", 3, key, key, mostly([1, nothing], [3, words("REPLACE")])),
  of("expire", 2, key, pick("100", "300000")),
];
