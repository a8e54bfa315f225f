/** The stream commands as Redis 7.0 knows them. */
import type { Entry } from "./grammar.ts";
import {
  anyKey,
  consumer,
  count,
  fields,
  group,
  many,
  maybe,
  mostly,
  nothing,
  one,
  onStreams,
  option,
  options,
  pick,
  rangeBound,
  rarely,
  seq,
  veryLastId,
  words,
} from "./parts.ts";
import type { Part, Streams } from "./parts.ts";

function trim({ oldId }: Streams): Part {
  const length = pick("0", "1", "2", "3", "5", "20");
  const limit = mostly([2, nothing], [1, option("LIMIT", pick("0", "1", "2", "100", "1000000"))]);
  return mostly(
    [4, option("MAXLEN", maybe(words("=")), length)],
    [4, option("MAXLEN", words("~"), length, limit)],
    [3, option("MINID", maybe(words("=")), oldId)],
    [3, option("MINID", words("~"), oldId, limit)],
    [1, seq(option("MAXLEN", length), option("MINID", oldId))],
    [
      1,
      one(
        option("LIMIT", words("5")),
        option("MAXLEN", pick("-1", "x")),
        option("MAXLEN", words("~", "1", "LIMIT", "-1")),
      ),
    ],
    [1, option("MAXLEN", length, words("LIMIT", "5"))],
    [0.4, words("LIMIT", "0")],
  );
}

function readList(streams: Streams, id: Part): Part {
  const two = one(
    seq(words("s", "t"), id, id),
    seq(streams.key, anyKey, id, id),
    seq(streams.key, streams.key, anyKey, id, id, id),
  );
  return mostly([6, seq(streams.key, id)], [2, two], [0.2, seq(streams.key, anyKey, id)]);
}

const block = rarely(
  option("BLOCK", mostly([8, pick("10000", "15000")], [2, words("0")], [1, pick("-1", "x", "1.5")])),
);
const minIdle = mostly([8, words("0")], [3, pick("1", "7", "1000")], [1, pick("-1", "x", "9223372036854775807")]);

function claimOptions({ oldId }: Streams): Part {
  return options(
    option("IDLE", pick("0", "5", "1000", "-1")),
    option("TIME", pick("0", "1", "9223372036854775807")),
    option("RETRYCOUNT", pick("0", "1", "7", "-1")),
    option("FORCE"),
    option("JUSTID"),
    option("LASTID", oldId),
  );
}

const groupSource = (streams: Streams): Part =>
  mostly([4, pick("0", "$")], [3, streams.oldId], [0.3, pick("-", "+", "x")]);
const entriesRead = mostly([1.5, nothing], [1, option("ENTRIESREAD", pick("0", "1", "3", "-1", "-2", "x"))]);

export const streamEntries: readonly Entry[] = [
  {
    command: "xadd",
    weight: 60,
    make: onStreams((streams) =>
      seq(
        words("XADD"),
        streams.key,
        mostly([5, nothing], [2, option("NOMKSTREAM")]),
        mostly([5, nothing], [3, trim(streams)]),
        mostly([40, streams.newId], [1, words("0-0")]),
        fields,
      ),
    ),
  },
  { command: "xtrim", weight: 22, make: onStreams((streams) => seq(words("XTRIM"), streams.key, trim(streams))) },
  { command: "xdel", weight: 8, make: onStreams(({ key, oldId }) => seq(words("XDEL"), key, many(oldId, 1, 3))) },
  { command: "xlen", weight: 5, make: seq(words("XLEN"), anyKey) },
  {
    command: "xrange",
    weight: 12,
    make: onStreams((streams) =>
      seq(
        words("XRANGE"),
        streams.key,
        rangeBound(streams, "-"),
        rangeBound(streams, "+"),
        maybe(option("COUNT", count)),
      ),
    ),
  },
  {
    command: "xrevrange",
    weight: 12,
    make: onStreams((streams) =>
      seq(
        words("XREVRANGE"),
        streams.key,
        rangeBound(streams, "+"),
        rangeBound(streams, "-"),
        maybe(option("COUNT", count)),
      ),
    ),
  },
  {
    command: "xread",
    weight: 56,
    make: onStreams((streams) =>
      seq(
        words("XREAD"),
        options(option("COUNT", count), block),
        mostly([40, nothing], [1, pick("NOACK", "FOO")], [1, words("GROUP", "g", "c")]),
        words("STREAMS"),
        readList(streams, mostly([6, streams.oldId], [2, pick("0", "$")], [0.3, pick(">", "-")])),
      ),
    ),
  },
  {
    command: "xreadgroup",
    weight: 58,
    make: onStreams((streams) =>
      seq(
        words("XREADGROUP"),
        mostly([60, seq(words("GROUP"), group, consumer)], [1, words("COUNT", "1", "COUNT", "1")]),
        options(option("COUNT", count), block, option("NOACK")),
        words("STREAMS"),
        readList(streams, mostly([8, words(">")], [2, streams.oldId], [1, words("0")], [0.3, pick("$", "+")])),
      ),
    ),
  },
  {
    command: "xack",
    weight: 10,
    make: onStreams(({ key, oldId }) => seq(words("XACK"), key, group, many(oldId, 1, 4))),
  },
  {
    command: "xpending",
    weight: 16,
    make: onStreams((streams) =>
      seq(
        words("XPENDING"),
        streams.key,
        group,
        mostly(
          [3, nothing],
          [
            5,
            seq(
              maybe(option("IDLE", pick("0", "1", "8", "1000"))),
              rangeBound(streams, "-"),
              rangeBound(streams, "+"),
              count,
              maybe(consumer),
            ),
          ],
        ),
      ),
    ),
  },
  {
    command: "xclaim",
    weight: 22,
    make: onStreams((streams) =>
      seq(
        words("XCLAIM"),
        streams.key,
        group,
        consumer,
        minIdle,
        many(streams.oldId, 1, 4),
        claimOptions(streams),
        mostly([40, nothing], [1, pick("FOO", "IDLE")], [1, seq(pick("IDLE", "TIME", "RETRYCOUNT"), words("x"))]),
      ),
    ),
  },
  {
    command: "xautoclaim",
    weight: 14,
    make: onStreams((streams) =>
      seq(
        words("XAUTOCLAIM"),
        streams.key,
        group,
        consumer,
        minIdle,
        mostly([3, pick("0", "-")], [2, rangeBound(streams, "-")]),
        options(option("COUNT", mostly([9, pick("1", "2", "3", "100")], [1, pick("0", "-1", "x")])), option("JUSTID")),
      ),
    ),
  },
  {
    command: "xgroup|create",
    weight: 16,
    make: onStreams((streams) =>
      seq(
        words("XGROUP", "CREATE"),
        streams.key,
        group,
        groupSource(streams),
        options(option("MKSTREAM"), entriesRead),
      ),
    ),
  },
  {
    command: "xgroup|setid",
    weight: 10,
    make: onStreams((streams) => seq(words("XGROUP", "SETID"), streams.key, group, groupSource(streams), entriesRead)),
  },
  {
    command: "xgroup|destroy",
    weight: 3,
    make: onStreams(({ key }) => seq(words("XGROUP", "DESTROY"), key, group)),
  },
  {
    command: "xgroup|createconsumer",
    weight: 4,
    make: onStreams(({ key }) => seq(words("XGROUP", "CREATECONSUMER"), key, group, consumer)),
  },
  {
    command: "xgroup|delconsumer",
    weight: 4,
    make: onStreams(({ key }) => seq(words("XGROUP", "DELCONSUMER"), key, group, consumer)),
  },
  { command: "xgroup|help", weight: 3, make: words("XGROUP", "HELP") },
  {
    command: "xinfo|stream",
    weight: 14,
    make: onStreams(({ key }) =>
      seq(
        words("XINFO", "STREAM"),
        key,
        maybe(option("FULL", maybe(option("COUNT", pick("0", "1", "2", "10", "-1", "x"))))),
      ),
    ),
  },
  { command: "xinfo|groups", weight: 6, make: onStreams(({ key }) => seq(words("XINFO", "GROUPS"), key)) },
  {
    command: "xinfo|consumers",
    weight: 6,
    make: onStreams(({ key }) => seq(words("XINFO", "CONSUMERS"), key, group)),
  },
  { command: "xinfo|help", weight: 3, make: words("XINFO", "HELP") },
  {
    command: "xsetid",
    weight: 10,
    make: onStreams((streams) =>
      seq(
        words("XSETID"),
        streams.key,
        mostly([6, streams.newId], [4, streams.oldId], [1, veryLastId]),
        mostly(
          [2, nothing],
          [
            3,
            seq(
              option("ENTRIESADDED", pick("0", "5", "50", "100", "-1")),
              option("MAXDELETEDID", mostly([2, words("0-0")], [2, streams.oldId])),
            ),
          ],
          [1, option("ENTRIESADDED", words("5"))],
          [1, option("MAXDELETEDID", words("0-0"))],
        ),
      ),
    ),
  },
];
