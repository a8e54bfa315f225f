/**
 * ZRANGE in all forms, and the commands that are some of them: ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX; ZRANGESTORE. Source:
 * t_zset.c zrangeGenericCommand.
 */
import { elementBytes } from "@headrace/engine";
import type { SortedSetView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt, keyPair } from "../record.ts";
import { effectBytes } from "../stream/effect-room.ts";
import { findSortedSet, writeRanks } from "./find-sorted-set.ts";
import { NO_RANKS, ranksOfIndexes, ranksOfLex, ranksOfScores, readLexRange } from "./ranges.ts";
import type { Ranks } from "./ranges.ts";
import { readScoreRange } from "./score.ts";

type By = "rank" | "score" | "lex";

/** What a command's name says already; null: its options do. */
interface Form {
  readonly by: By | null;
  readonly isReverse: boolean | null;
  readonly keyAt: number;
  readonly stores: boolean;
}

class RangeOptions {
  by: By = "rank";
  isReverse = false;
  withScores = false;
  offset = 0;
  limit = -1;

  /** The error text or null. */
  read(request: Request, form: Form): string | null {
    this.by = form.by ?? "rank";
    this.isReverse = form.isReverse ?? false;
    this.withScores = false;
    this.offset = 0;
    this.limit = -1;
    let isByFree = form.by === null;
    let isReverseFree = form.isReverse === null;
    for (let i = form.keyAt + 3; i < request.count; i++) {
      if (!form.stores && request.is(i, "WITHSCORES")) {
        this.withScores = true;
      } else if (request.is(i, "LIMIT") && i + 2 < request.count) {
        this.offset = readLong(request, i + 1);
        this.limit = readLong(request, i + 2);
        if (Number.isNaN(this.offset) || Number.isNaN(this.limit)) return Errors.notInteger;
        i += 2;
      } else if (isReverseFree && request.is(i, "REV")) {
        this.isReverse = true;
        isReverseFree = false;
      } else if (isByFree && (request.is(i, "BYLEX") || request.is(i, "BYSCORE"))) {
        this.by = request.is(i, "BYLEX") ? "lex" : "score";
        isByFree = false;
      } else {
        return Errors.syntax;
      }
    }
    if (this.limit !== -1 && this.by === "rank") return Errors.limitWithoutRange;
    return this.withScores && this.by === "lex" ? Errors.withScoresByLex : null;
  }

  /** Which ranks of a set are meant, before LIMIT; or the error text. */
  readRange(request: Request, form: Form): ((set: SortedSetView) => Ranks) | string {
    const { isReverse } = this;
    const first = form.keyAt + 1;
    if (this.by === "rank") {
      const start = readLong(request, first);
      const stop = readLong(request, first + 1);
      if (Number.isNaN(start) || Number.isNaN(stop)) return Errors.notInteger;
      return (set) => turned(ranksOfIndexes(set.count, start, stop), set.count, isReverse);
    }
    // Backwards, the upper bound comes first.
    const minAt = isReverse ? first + 1 : first;
    const maxAt = isReverse ? first : first + 1;
    if (this.by === "score") {
      const range = readScoreRange(request, minAt, maxAt);
      return range === null ? Errors.scoreRange : (set) => ranksOfScores(set, range);
    }
    const range = readLexRange(request, minAt, maxAt);
    return range === null ? Errors.lexRange : (set) => ranksOfLex(set, range, isReverse, Math.max(0, this.offset));
  }

  limited(ranks: Ranks): Ranks {
    const { offset, limit, isReverse } = this;
    // Redis takes LIMIT with a count of -1 as if there was none, and asks for its offset only where there may be one.
    if (this.by === "rank") return ranks;
    const found = ranks.to - ranks.from;
    // Below zero Redis walks past the end.
    if (offset < 0 || offset >= found) return NO_RANKS;
    const count = limit < 0 ? found - offset : Math.min(limit, found - offset);
    if (isReverse) return { from: ranks.to - offset - count, to: ranks.to - offset };
    return { from: ranks.from + offset, to: ranks.from + offset + count };
  }
}

/** Indexes that were counted from the end. */
function turned({ from, to }: Ranks, count: number, isReverse: boolean): Ranks {
  return isReverse ? { from: count - to, to: count - from } : { from, to };
}

const options = new RangeOptions();

function range(context: ShardContext, form: Form): void {
  const { request, reply, keyspace } = context;
  const error = options.read(request, form);
  if (error !== null) return reply.error(error);
  const ranksOf = options.readRange(request, form);
  if (typeof ranksOf === "string") return reply.error(ranksOf);
  const set = findSortedSet(keyspace, request.latin1(form.keyAt));
  if (typeof set === "string") return reply.error(set);
  const ranks = set === null ? NO_RANKS : options.limited(ranksOf(set));
  if (form.stores) store(context, set, ranks);
  else if (set === null) reply.array(0);
  else writeRanks(reply, set, ranks, options.isReverse, options.withScores);
}

function store(context: ShardContext, set: SortedSetView | null, { from, to }: Ranks): void {
  const members: string[] = [];
  const scores: number[] = [];
  set?.visit(from, to, false, (member, score) => {
    members.push(member);
    scores.push(score);
  });
  storeElements(context, members, scores, "zrangestore");
}

/** What ZRANGESTORE and ZUNIONSTORE do with what they have found: argument 1 becomes a set of it. Scores as they are kept. */
export function storeElements(
  { request, reply, keyspace, effects, effectRoomBytes }: ShardContext,
  members: readonly string[],
  scores: readonly number[],
  event: string,
): void {
  const target = request.latin1(1);
  let bytes = effectBytes(1, target);
  for (const member of members) bytes += elementBytes(member);
  if (bytes > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
  // What has expired goes first.
  const found = keyspace.find(target);
  if (members.length > 0) effects.values.sortedSets.store(target, members, scores, event);
  else if (found !== null) effects.deleteKey(target);
  reply.integer(members.length);
}

const COMPLEXITY =
  "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.";
const LIMITED_COMPLEXITY =
  "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).";

function rangeCommand(
  name: string,
  spec: Pick<CommandRecord, "since" | "summary" | "syntax"> & Partial<CommandRecord>,
  by: By | null,
  isReverse: boolean | null,
): CommandRecord {
  const form: Form = { by, isReverse, keyAt: 1, stores: false };
  return defineCommand({
    complexity: LIMITED_COMPLEXITY,
    ...spec,
    name,
    arity: -4,
    flags: Flag.readonly,
    group: "sorted-set",
    categories: ["sortedset"],
    keys: keyAt(1, "RO access"),
    execute: (context) => range(context, form),
  });
}

export const zrange = rangeCommand(
  "zrange",
  {
    since: "1.2.0",
    summary: "Return a range of members in a sorted set",
    complexity: COMPLEXITY,
    syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    argumentTypes: { start: "string", stop: "string", offset: "integer" },
  },
  null,
  null,
);

export const zrevrange = rangeCommand(
  "zrevrange",
  {
    since: "1.2.0",
    summary: "Return a range of members in a sorted set, by index, with scores ordered from high to low",
    complexity: COMPLEXITY,
    syntax: "key start stop [WITHSCORES]",
    argumentTypes: { start: "integer", stop: "integer" },
  },
  "rank",
  true,
);

export const zrangebyscore = rangeCommand(
  "zrangebyscore",
  {
    since: "1.0.5",
    summary: "Return a range of members in a sorted set, by score",
    syntax: "key min max [WITHSCORES] [LIMIT offset count]",
    argumentTypes: { min: "double", max: "double", offset: "integer" },
  },
  "score",
  false,
);

export const zrevrangebyscore = rangeCommand(
  "zrevrangebyscore",
  {
    since: "2.2.0",
    summary: "Return a range of members in a sorted set, by score, with scores ordered from high to low",
    syntax: "key max min [WITHSCORES] [LIMIT offset count]",
    argumentTypes: { min: "double", max: "double", offset: "integer" },
  },
  "score",
  true,
);

export const zrangebylex = rangeCommand(
  "zrangebylex",
  {
    since: "2.8.9",
    summary: "Return a range of members in a sorted set, by lexicographical range",
    syntax: "key min max [LIMIT offset count]",
    argumentTypes: { min: "string", max: "string", offset: "integer" },
  },
  "lex",
  false,
);

export const zrevrangebylex = rangeCommand(
  "zrevrangebylex",
  {
    since: "2.8.9",
    summary:
      "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.",
    syntax: "key max min [LIMIT offset count]",
    argumentTypes: { min: "string", max: "string", offset: "integer" },
  },
  "lex",
  true,
);

const STORE: Form = { by: null, isReverse: null, keyAt: 2, stores: true };

export const zrangestore = defineCommand({
  name: "zrangestore",
  arity: -5,
  flags: Flag.write | Flag.denyoom,
  since: "6.2.0",
  group: "sorted-set",
  summary: "Store a range of members from sorted set into another key",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
  syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
  argumentTypes: { dst: "key", src: "key", min: "string", max: "string", offset: "integer" },
  categories: ["sortedset"],
  keys: keyPair("OW update", "RO access"),
  execute: (context) => range(context, STORE),
});
