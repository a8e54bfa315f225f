/** Commands over keys, time to live, and transactions, as Redis 7.0 knows them. */
import type { Entry } from "./grammar.ts";
import { anyKey, late, many, maybe, mostly, nothing, option, options, pick, seq, words } from "./parts.ts";
import type { Part } from "./parts.ts";

const expireMode = mostly(
  [2, nothing],
  [2, option("NX")],
  [2, option("XX")],
  [2, option("GT")],
  [2, option("LT")],
  [0.3, words("NX", "XX")],
  [0.3, words("GT", "LT")],
  [0.2, words("FOO")],
);
/** Far enough away not to be reached in a sequence, or at once. */
const later = mostly(
  [4, pick("100", "200", "300000")],
  [1, pick("0", "-1")],
  [0.3, pick("x", "9223372036854775807", "-9223372036854775808")],
);
const soon = mostly(
  [4, pick("400", "90000", "300000")],
  [1, pick("0", "-1")],
  [0.3, pick("x", "9223372036854775807", "-9223372036854775808")],
);
const pattern = pick("*", "s", "?", "[st]", "[^s]", "x*", "\\s", "nokey", "");
const otherKey: Part = mostly([6, pick("x", "y")], [4, pick("s", "t", "u")]);

export const keyEntries: readonly Entry[] = [
  { command: "del", weight: 3, make: seq(words("DEL"), many(anyKey, 1, 2)) },
  { command: "unlink", weight: 3, make: seq(words("UNLINK"), many(anyKey, 1, 2)) },
  { command: "exists", weight: 4, make: seq(words("EXISTS"), many(anyKey, 1, 3)) },
  { command: "type", weight: 4.5, make: seq(words("TYPE"), anyKey) },
  { command: "dbsize", weight: 3, make: words("DBSIZE") },
  {
    command: "flushall",
    weight: 8,
    make: seq(words("FLUSHALL"), mostly([1, nothing], [2, option("SYNC")], [2, option("ASYNC")], [0.1, words("FOO")])),
  },
  {
    command: "flushdb",
    weight: 8,
    make: seq(words("FLUSHDB"), mostly([1, nothing], [2, option("SYNC")], [2, option("ASYNC")], [0.1, words("FOO")])),
  },
  { command: "keys", weight: 3, make: seq(words("KEYS"), pattern) },
  {
    command: "scan",
    weight: 9,
    make: seq(
      words("SCAN"),
      mostly([20, words("0")], [1, pick("x", "-1x", "18446744073709551616")]),
      options(
        option("MATCH", pattern),
        option("COUNT", mostly([10, pick("100", "1000")], [1, pick("0", "x")])),
        option("TYPE", pick("stream", "string")),
      ),
    ),
  },
  { command: "randomkey", weight: 3, make: words("RANDOMKEY") },
  { command: "touch", weight: 4, make: seq(words("TOUCH"), many(anyKey, 1, 3)) },
  { command: "expire", weight: 14, make: seq(words("EXPIRE"), anyKey, later, expireMode) },
  { command: "pexpire", weight: 14, make: seq(words("PEXPIRE"), anyKey, soon, expireMode) },
  {
    command: "expireat",
    weight: 14,
    make: seq(
      words("EXPIREAT"),
      anyKey,
      mostly([4, words(late("seconds", 100))], [1, words(late("seconds", -100))], [0.3, pick("x", "0")]),
      expireMode,
    ),
  },
  {
    command: "pexpireat",
    weight: 14,
    make: seq(
      words("PEXPIREAT"),
      anyKey,
      mostly(
        [4, words(late("clock", 700))],
        [3, words(late("clock", 100000))],
        [1, words(late("clock", -100))],
        [0.3, pick("x", "0")],
      ),
      expireMode,
    ),
  },
  { command: "ttl", weight: 4, make: seq(words("TTL"), anyKey) },
  { command: "pttl", weight: 4, make: seq(words("PTTL"), anyKey) },
  { command: "expiretime", weight: 4, make: seq(words("EXPIRETIME"), anyKey) },
  { command: "pexpiretime", weight: 4, make: seq(words("PEXPIRETIME"), anyKey) },
  { command: "persist", weight: 4, make: seq(words("PERSIST"), anyKey) },
  { command: "rename", weight: 4, make: seq(words("RENAME"), otherKey, otherKey) },
  { command: "renamenx", weight: 4, make: seq(words("RENAMENX"), otherKey, otherKey) },
  {
    command: "copy",
    weight: 11,
    make: seq(
      words("COPY"),
      anyKey,
      otherKey,
      options(option("REPLACE"), option("DB", mostly([10, words("0")], [1, pick("99", "x")]))),
    ),
  },
  { command: "move", weight: 3, make: seq(words("MOVE"), anyKey, pick("0", "x", "99")) },
  { command: "swapdb", weight: 4.5, make: seq(words("SWAPDB"), pick("0", "x", "99"), pick("0", "x", "99")) },
  { command: "object|encoding", weight: 3, make: seq(words("OBJECT", "ENCODING"), anyKey) },
  { command: "object|refcount", weight: 3, make: seq(words("OBJECT", "REFCOUNT"), anyKey) },
  { command: "object|freq", weight: 3, make: seq(words("OBJECT", "FREQ"), anyKey) },
  { command: "object|help", weight: 3, make: words("OBJECT", "HELP") },
  {
    command: "memory|usage",
    weight: 6,
    make: seq(
      words("MEMORY", "USAGE"),
      anyKey,
      maybe(option("SAMPLES", mostly([10, pick("0", "5")], [1, pick("-1", "x")]))),
    ),
  },
  { command: "memory|help", weight: 3, make: words("MEMORY", "HELP") },
  { command: "dump", weight: 3, make: seq(words("DUMP"), anyKey) },
  {
    command: "restore",
    weight: 20,
    make: seq(
      words("RESTORE"),
      otherKey,
      mostly([6, words("0")], [2, pick("400", "100000")], [0.4, pick("-1", "x", "9223372036854775807")]),
      // A stream of Redis 7.0: 1-1 a 1, 2-1 b 2; group g at 1-1 with consumer c, 1-1 pending.
      mostly([8, words(late("payload", 0))], [1, pick("", "garbage")]),
      options(
        option("REPLACE"),
        option("ABSTTL"),
        option("IDLETIME", mostly([6, words("5")], [1, words("-1")])),
        option("FREQ", mostly([6, words("5")], [1, words("300")])),
      ),
    ),
  },
];

/** MULTI and its commands are typed with what is queued between them: the sequences see to it. */
export const transactionEntries: readonly Entry[] = [
  { command: "multi", weight: 8, make: words("MULTI") },
  { command: "exec", weight: 12, make: words("EXEC") },
  { command: "discard", weight: 4, make: words("DISCARD") },
  { command: "watch", weight: 5, make: seq(words("WATCH"), many(anyKey, 1, 2)) },
  { command: "unwatch", weight: 3, make: words("UNWATCH") },
];
