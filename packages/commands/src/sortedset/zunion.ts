/** ZUNION, ZINTER, ZDIFF, the same with STORE, and ZINTERCARD. Source: t_zset.c zunionInterDiffGenericCommand. */
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors, inputKeyNeeded } from "../errors.ts";
import { defineCommand, keyAndCounted, countedKeys } from "../record.ts";
import { difference, inOrder, intersection, intersectionSize, union } from "./combine.ts";
import type { Aggregate, Scores, WeightedInput } from "./combine.ts";
import { keptScore, writeElement, writeElementsHead } from "./find-sorted-set.ts";
import { readScore } from "./score.ts";
import { findInput } from "./scored-input.ts";
import type { ScoredInput } from "./scored-input.ts";
import { storeElements } from "./zrange.ts";

/** What a command's name says. */
interface Form {
  readonly name: string;
  /** Where the number of keys stands. */
  readonly countAt: 1 | 2;
  readonly takesWeights: boolean;
  readonly takesScores: boolean;
  readonly takesLimit: boolean;
}

class Options {
  aggregate: Aggregate = "sum";
  withScores = false;
  limit = 0;
  inputs: readonly WeightedInput[] = [];

  /** Keys and options; the error text or null. */
  read({ request, keyspace }: ShardContext, form: Form): string | null {
    this.aggregate = "sum";
    this.withScores = false;
    this.limit = 0;
    this.inputs = [];
    const count = readLong(request, form.countAt);
    if (Number.isNaN(count)) return Errors.notInteger;
    if (count < 1) return inputKeyNeeded(form.name);
    const first = form.countAt + 1;
    if (count > request.count - first) return Errors.syntax;
    const inputs: ScoredInput[] = [];
    for (let i = 0; i < count; i++) {
      const input = findInput(keyspace, request.latin1(first + i));
      if (typeof input === "string") return input;
      inputs.push(input);
    }
    const weights: number[] = inputs.map(() => 1);
    const error = this.#readWords(request, form, first + count, weights);
    this.inputs = inputs.map((input, i) => ({ input, weight: weights[i]! }));
    return error;
  }

  #readWords(request: Request, form: Form, from: number, weights: number[]): string | null {
    for (let i = from; i < request.count;) {
      const left = request.count - i - 1;
      if (form.takesWeights && left >= weights.length && request.is(i, "WEIGHTS")) {
        for (let k = 0; k < weights.length; k++) {
          weights[k] = readScore(request, i + 1 + k);
          if (Number.isNaN(weights[k])) return Errors.weightNotFloat;
        }
        i += 1 + weights.length;
      } else if (form.takesWeights && left >= 1 && request.is(i, "AGGREGATE")) {
        const aggregate = aggregateOf(request, i + 1);
        if (aggregate === null) return Errors.syntax;
        this.aggregate = aggregate;
        i += 2;
      } else if (form.takesScores && request.is(i, "WITHSCORES")) {
        this.withScores = true;
        i++;
      } else if (form.takesLimit && left >= 1 && request.is(i, "LIMIT")) {
        this.limit = readLong(request, i + 1);
        if (!(this.limit >= 0)) return Errors.cardinalityLimitNegative;
        i += 2;
      } else {
        return Errors.syntax;
      }
    }
    return null;
  }
}

function aggregateOf(request: Request, i: number): Aggregate | null {
  if (request.is(i, "SUM")) return "sum";
  if (request.is(i, "MIN")) return "min";
  return request.is(i, "MAX") ? "max" : null;
}

const options = new Options();

type Combine = (inputs: readonly WeightedInput[], aggregate: Aggregate) => Scores;
type Texts = Pick<CommandRecord, "since" | "summary" | "complexity">;

const WEIGHTS = "[WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]";

/** The command that answers the elements. */
function showing(name: string, texts: Texts, takesWeights: boolean, combine: Combine): CommandRecord {
  const form: Form = { name, countAt: 1, takesWeights, takesScores: true, takesLimit: false };
  return defineCommand({
    ...texts,
    name,
    arity: -3,
    flags: Flag.readonly | Flag.movablekeys,
    group: "sorted-set",
    syntax: `numkeys key [key ...] ${takesWeights ? `${WEIGHTS} ` : ""}[WITHSCORES]`,
    argumentTypes: { weight: "integer" },
    categories: ["sortedset"],
    keys: countedKeys(1, "RO access"),
    execute(context) {
      const { reply } = context;
      const error = options.read(context, form);
      if (error !== null) return reply.error(error);
      const elements = inOrder(combine(options.inputs, options.aggregate));
      writeElementsHead(reply, elements.length, options.withScores);
      for (const [member, score] of elements) writeElement(reply, member, score, options.withScores);
    },
  });
}

/** The command that stores them. */
function storing(name: string, texts: Texts, takesWeights: boolean, combine: Combine): CommandRecord {
  const form: Form = { name, countAt: 2, takesWeights, takesScores: false, takesLimit: false };
  return defineCommand({
    ...texts,
    name,
    arity: -4,
    flags: Flag.write | Flag.denyoom | Flag.movablekeys,
    group: "sorted-set",
    syntax: `destination numkeys key [key ...]${takesWeights ? ` ${WEIGHTS}` : ""}`,
    argumentTypes: { weight: "integer" },
    categories: ["sortedset"],
    keys: keyAndCounted("OW update", "RO access"),
    execute(context) {
      const error = options.read(context, form);
      if (error !== null) return context.reply.error(error);
      const elements = inOrder(combine(options.inputs, options.aggregate));
      const members = elements.map(([member]) => member);
      storeElements(
        context,
        members,
        elements.map(([, score]) => keptScore(score)),
        name,
      );
    },
  });
}

const UNION_COMPLEXITY =
  "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.";
const INTER_COMPLEXITY =
  "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.";
const DIFF_COMPLEXITY =
  "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.";

export const zunion = showing(
  "zunion",
  { since: "6.2.0", summary: "Add multiple sorted sets", complexity: UNION_COMPLEXITY },
  true,
  union,
);
export const zinter = showing(
  "zinter",
  { since: "6.2.0", summary: "Intersect multiple sorted sets", complexity: INTER_COMPLEXITY },
  true,
  intersection,
);
export const zdiff = showing(
  "zdiff",
  { since: "6.2.0", summary: "Subtract multiple sorted sets", complexity: DIFF_COMPLEXITY },
  false,
  difference,
);
export const zunionstore = storing(
  "zunionstore",
  {
    since: "2.0.0",
    summary: "Add multiple sorted sets and store the resulting sorted set in a new key",
    complexity: UNION_COMPLEXITY.replace("O(M*log(M))", "O(M log(M))"),
  },
  true,
  union,
);
export const zinterstore = storing(
  "zinterstore",
  {
    since: "2.0.0",
    summary: "Intersect multiple sorted sets and store the resulting sorted set in a new key",
    complexity: INTER_COMPLEXITY,
  },
  true,
  intersection,
);
export const zdiffstore = storing(
  "zdiffstore",
  {
    since: "6.2.0",
    summary: "Subtract multiple sorted sets and store the resulting sorted set in a new key",
    complexity: DIFF_COMPLEXITY,
  },
  false,
  difference,
);

const CARD: Form = { name: "zintercard", countAt: 1, takesWeights: false, takesScores: false, takesLimit: true };

export const zintercard = defineCommand({
  name: "zintercard",
  arity: -3,
  flags: Flag.readonly | Flag.movablekeys,
  since: "7.0.0",
  group: "sorted-set",
  summary: "Intersect multiple sorted sets and return the cardinality of the result",
  complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
  syntax: "numkeys key [key ...] [LIMIT limit]",
  argumentTypes: { limit: "integer" },
  categories: ["sortedset"],
  keys: countedKeys(1, "RO access"),
  execute(context) {
    const { reply } = context;
    const error = options.read(context, CARD);
    if (error !== null) return reply.error(error);
    reply.integer(intersectionSize(options.inputs, options.limit));
  },
});
