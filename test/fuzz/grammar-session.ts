/** Commands about connections and the server that answer the same in Redis 7.0 and here, or nearly. */
import type { Entry } from "./grammar.ts";
import { anyKey, late, many, maybe, mostly, nothing, one, option, pick, seq, words } from "./parts.ts";

const clientName = mostly([6, pick("joe", "ann")], [1, pick("", "a b", "\u00ff")]);
const commandName = pick("xadd", "XREAD", "xgroup|create", "nosuch", "ping");

export const sessionEntries: readonly Entry[] = [
  { command: "ping", weight: 3, make: seq(words("PING"), maybe(pick("hello", "", "\u00ff\r\n"))) },
  { command: "echo", weight: 3, make: seq(words("ECHO"), pick("hello", "", "\u00ff\r\n")) },
  { command: "select", weight: 3, make: seq(words("SELECT"), mostly([6, words("0")], [1, pick("x", "-1", "99")])) },
  {
    command: "auth",
    weight: 3,
    make: seq(words("AUTH"), one(words("secret"), words("default", "secret"), words("nobody", "secret"))),
  },
  {
    command: "hello",
    weight: 8,
    make: seq(
      words("HELLO"),
      mostly(
        [1, nothing],
        [
          6,
          seq(
            mostly([5, words("3")], [5, words("2")], [1, pick("1", "4", "x")]),
            mostly(
              [2, nothing],
              [3, option("SETNAME", clientName)],
              [3, option("AUTH", one(words("default", "x"), words("nobody", "x")))],
              [0.5, pick("FOO", "SETNAME", "AUTH")],
            ),
          ),
        ],
      ),
    ),
  },
  { command: "reset", weight: 3, make: words("RESET") },
  { command: "readonly", weight: 3, make: words("READONLY") },
  { command: "readwrite", weight: 3, make: words("READWRITE") },
  { command: "asking", weight: 5, make: words("ASKING") },
  { command: "time", weight: 3, make: words("TIME") },
  {
    command: "wait",
    weight: 3,
    make: seq(
      words("WAIT"),
      mostly([8, words("0")], [1, pick("x", "-1")]),
      mostly([8, words("0")], [1, pick("-1", "x")]),
    ),
  },
  { command: "client|getname", weight: 3, make: words("CLIENT", "GETNAME") },
  { command: "client|setname", weight: 3, make: seq(words("CLIENT", "SETNAME"), clientName) },
  { command: "client|id", weight: 3, make: words("CLIENT", "ID") },
  { command: "client|info", weight: 4, make: words("CLIENT", "INFO") },
  {
    command: "client|list",
    weight: 34,
    make: seq(
      words("CLIENT", "LIST"),
      mostly(
        [1, nothing],
        [6, option("TYPE", one(option("NORMAL"), option("MASTER"), option("REPLICA"), option("PUBSUB"), pick("foo")))],
        [3, option("ID", many(pick("1", "2", "999999"), 1, 2))],
        [0.3, option("ID", pick("0", "x"))],
        [0.3, words("FOO")],
      ),
    ),
  },
  {
    command: "client|no-evict",
    weight: 9,
    make: seq(words("CLIENT", "NO-EVICT"), mostly([6, option("ON")], [6, option("OFF")], [1, words("FOO")])),
  },
  {
    command: "client|tracking",
    weight: 5,
    make: seq(
      words("CLIENT", "TRACKING"),
      mostly([16, option("OFF")], [1, words("FOO")], [1, words("ON", "REDIRECT", "999999")]),
    ),
  },
  {
    command: "client|unblock",
    weight: 34,
    make: seq(
      words("CLIENT", "UNBLOCK"),
      mostly(
        [3, words("999999")],
        [8, pick(late("connection", 0), late("connection", 1), late("connection", 2))],
        [1, words("x")],
      ),
      maybe(mostly([3, option("TIMEOUT")], [4, option("ERROR")], [1, words("FOO")])),
    ),
  },
  {
    command: "client|caching",
    weight: 7.5,
    make: seq(words("CLIENT", "CACHING"), mostly([8, option("YES")], [8, option("NO")], [1, words("FOO")])),
  },
  { command: "client|getredir", weight: 3, make: words("CLIENT", "GETREDIR") },
  {
    command: "client|kill",
    weight: 115,
    make: seq(
      words("CLIENT", "KILL"),
      mostly(
        [1, words("10.0.0.1:1")],
        [
          12,
          many(
            one(
              option("ID", words("999999")),
              option("ADDR", words("10.0.0.1:1")),
              option("LADDR", words("10.0.0.1:1")),
              seq(words("USER"), words("default"), option("ID", words("999999"))),
              option("TYPE", one(option("MASTER"), option("REPLICA"), option("SLAVE"), option("PUBSUB"), words("foo"))),
              seq(option("TYPE", option("NORMAL")), option("ID", words("999999"))),
              seq(option("SKIPME", one(option("YES"), option("NO"), words("foo"))), option("ID", words("999999"))),
              option("ID", words("x")),
            ),
            1,
            2,
          ),
        ],
      ),
    ),
  },
  {
    command: "client|pause",
    weight: 12,
    make: seq(
      words("CLIENT", "PAUSE"),
      mostly([9, words("0")], [1, pick("x", "-1")]),
      mostly([1, nothing], [2, option("WRITE")], [2, option("ALL")], [0.2, words("FOO")]),
    ),
  },
  { command: "client|unpause", weight: 3, make: words("CLIENT", "UNPAUSE") },
  {
    command: "client|reply",
    weight: 4,
    make: seq(words("CLIENT", "REPLY"), mostly([8, option("ON")], [1, words("FOO")])),
  },
  { command: "client|trackinginfo", weight: 3, make: words("CLIENT", "TRACKINGINFO") },
  { command: "client|help", weight: 3, make: words("CLIENT", "HELP") },
  {
    command: "config|get",
    weight: 4,
    make: seq(
      words("CONFIG", "GET"),
      many(pick("stream-node-max-entries", "stream-node-max-b*", "nosuch", "maxmemory"), 1, 2),
    ),
  },
  {
    command: "config|set",
    weight: 3,
    make: seq(
      words("CONFIG", "SET"),
      mostly([6, words("stream-node-max-entries")], [0.5, words("nosuch")]),
      mostly([5, pick("100", "2", "5")], [0.3, pick("x", "-1")]),
    ),
  },
  { command: "config|resetstat", weight: 3, make: words("CONFIG", "RESETSTAT") },
  { command: "config|help", weight: 3, make: words("CONFIG", "HELP") },
  { command: "command|info", weight: 3, make: seq(words("COMMAND", "INFO"), many(commandName, 1, 2)) },
  {
    command: "command|getkeys",
    weight: 6,
    make: seq(
      words("COMMAND", "GETKEYS"),
      one(
        seq(words("XADD"), anyKey, words("*", "f", "v")),
        words("XREAD", "STREAMS", "s", "0"),
        words("PING", "hello"),
        words("nosuch", "a"),
        words("XADD", "s"),
        words("XREAD", "COUNT", "1", "s", "0"),
      ),
    ),
  },
  {
    command: "command|getkeysandflags",
    weight: 6,
    make: seq(
      words("COMMAND", "GETKEYSANDFLAGS"),
      one(
        seq(words("XADD"), anyKey, words("*", "f", "v")),
        words("XREAD", "STREAMS", "s", "0"),
        words("PING", "hello"),
        words("nosuch", "a"),
        words("XREAD", "COUNT", "1", "s", "0"),
      ),
    ),
  },
  { command: "command|help", weight: 3, make: words("COMMAND", "HELP") },
  { command: "publish", weight: 3, make: seq(words("PUBLISH"), pick("news", ""), pick("hello", "")) },
  { command: "spublish", weight: 3, make: seq(words("SPUBLISH"), pick("news", ""), pick("hello", "")) },
  { command: "pubsub|channels", weight: 3, make: seq(words("PUBSUB", "CHANNELS"), maybe(words("n*"))) },
  { command: "pubsub|numsub", weight: 3, make: seq(words("PUBSUB", "NUMSUB"), maybe(words("news"))) },
  { command: "pubsub|numpat", weight: 3, make: words("PUBSUB", "NUMPAT") },
  { command: "pubsub|shardchannels", weight: 3, make: seq(words("PUBSUB", "SHARDCHANNELS"), maybe(words("n*"))) },
  { command: "pubsub|shardnumsub", weight: 3, make: seq(words("PUBSUB", "SHARDNUMSUB"), maybe(words("news"))) },
  { command: "pubsub|help", weight: 3, make: words("PUBSUB", "HELP") },
  { command: "slowlog|len", weight: 3, make: words("SLOWLOG", "LEN") },
  { command: "slowlog|reset", weight: 3, make: words("SLOWLOG", "RESET") },
  { command: "latency|reset", weight: 3, make: words("LATENCY", "RESET") },
  { command: "latency|latest", weight: 3, make: words("LATENCY", "LATEST") },
  {
    command: "script|flush",
    weight: 9,
    make: seq(
      words("SCRIPT", "FLUSH"),
      mostly([1, nothing], [2, option("SYNC")], [2, option("ASYNC")], [0.1, words("FOO")]),
    ),
  },
  {
    command: "function|flush",
    weight: 9,
    make: seq(
      words("FUNCTION", "FLUSH"),
      mostly([1, nothing], [2, option("SYNC")], [2, option("ASYNC")], [0.1, words("FOO")]),
    ),
  },
  { command: "function|delete", weight: 3, make: seq(words("FUNCTION", "DELETE"), words("lib")) },
  { command: "function|kill", weight: 3, make: words("FUNCTION", "KILL") },
  {
    command: "function|list",
    weight: 7,
    make: seq(
      words("FUNCTION", "LIST"),
      mostly([1, nothing], [2, option("LIBRARYNAME", words("lib"))], [2, option("WITHCODE")]),
    ),
  },
  { command: "function|stats", weight: 3, make: words("FUNCTION", "STATS") },
  { command: "function|help", weight: 3, make: words("FUNCTION", "HELP") },
  {
    command: "script|exists",
    weight: 3,
    make: seq(words("SCRIPT", "EXISTS"), many(words("0123456789012345678901234567890123456789"), 1, 2)),
  },
  { command: "script|kill", weight: 3, make: words("SCRIPT", "KILL") },
  { command: "script|help", weight: 3, make: words("SCRIPT", "HELP") },
  { command: "slowlog|help", weight: 3, make: words("SLOWLOG", "HELP") },
  { command: "latency|graph", weight: 3, make: seq(words("LATENCY", "GRAPH"), words("nosuch")) },
  { command: "latency|history", weight: 3, make: seq(words("LATENCY", "HISTORY"), words("nosuch")) },
  { command: "latency|help", weight: 3, make: words("LATENCY", "HELP") },
  { command: "config|rewrite", weight: 3, make: words("CONFIG", "REWRITE") },
  { command: "acl|deluser", weight: 3, make: seq(words("ACL", "DELUSER"), pick("nobody", "nobody", "default")) },
  { command: "acl|users", weight: 3, make: words("ACL", "USERS") },
  { command: "acl|save", weight: 3, make: words("ACL", "SAVE") },
  { command: "acl|load", weight: 3, make: words("ACL", "LOAD") },
  { command: "acl|help", weight: 3, make: words("ACL", "HELP") },
  { command: "module|help", weight: 3, make: words("MODULE", "HELP") },
  { command: "acl|whoami", weight: 3, make: words("ACL", "WHOAMI") },
  { command: "module|list", weight: 3, make: words("MODULE", "LIST") },
];
