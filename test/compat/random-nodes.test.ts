/** Where stream nodes end: `~` trims, radix-tree-keys and -nodes over fields and ids of all kinds are those of redis-server 7.0.15. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CommandHarness } from "../../packages/commands/testing/command-harness.ts";
import { replyText } from "../../packages/commands/testing/reply-text.ts";
import { RedisConnection, startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  await redis.stop();
});

const text = fc
  .tuple(fc.constantFrom("x", "-", "7"), fc.integer({ min: 1, max: 400 }))
  .map(([each, length]) => each.repeat(length));
const integer = fc.oneof(fc.integer().map(String), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String));
const value = fc.oneof(fc.nat({ max: 200 }).map(String), integer, text, fc.constantFrom("01", "-0", "-"));
const fields = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(value, value).map(([a, b]) => `name ${a} size ${b}`) },
  { weight: 1, arbitrary: value.map((each) => `name ${each}`) },
  { weight: 1, arbitrary: fc.tuple(value, value).map(([a, b]) => `name ${a} ${b} size`) },
);
const add = fc.tuple(fc.nat({ max: 40_000 }), fields);
const trim = fc.oneof(
  fc.nat({ max: 100 }).map((length) => `XTRIM s MAXLEN ~ ${length}`),
  fc
    .tuple(fc.nat({ max: 100 }), fc.nat({ max: 50 }))
    .map(([length, limit]) => `XTRIM s MAXLEN ~ ${length} LIMIT ${limit}`),
  fc.nat({ max: 100 }).map((length) => `XTRIM s MAXLEN ${length}`),
);
const life = fc.array(fc.record({ adds: fc.array(add, { minLength: 1, maxLength: 40 }), trim }), {
  minLength: 1,
  maxLength: 8,
});

function nodeCounts(reply: string): string {
  const found = /"radix-tree-keys"\n *4\) \(integer\) (\d+)\n *5\) "radix-tree-nodes"\n *6\) \(integer\) (\d+)/.exec(
    reply,
  );
  return found === null ? reply : `${found[1]} keys, ${found[2]} nodes`;
}

test("nodes end where Redis' listpacks end", async () => {
  await fc.assert(
    fc.asyncProperty(life, async (rounds) => {
      const connection = await RedisConnection.open(redis.port);
      await connection.ask("FLUSHALL");
      const harness = new CommandHarness();
      const client = harness.connect();
      const both = async (line: string): Promise<[string, string]> => {
        const bytes = harness.type(client, line)[0]!.bytes!;
        return [replyText(bytes, 0, bytes.length), await connection.ask(line)];
      };
      let ms = 1;
      for (const { adds, trim: cut } of rounds) {
        for (const [step, each] of adds) {
          ms += step % 3 === 0 ? 0 : step % 7 === 1 ? step * 1_000_000 : step;
          const id = step % 11 === 2 ? `${++ms}-${step * 65_537}` : `${ms}-*`;
          const [added] = await both(`XADD s ${id} ${each}`);
          if (step % 5 === 1) await both(`XDEL s ${added}`);
        }
        for (const line of ["XINFO STREAM s", cut, "XLEN s", "XINFO STREAM s"]) {
          const [ours, theirs] = await both(line);
          expect(nodeCounts(ours), line).toBe(nodeCounts(theirs));
        }
      }
      connection.close();
    }),
    // What fails is long and talks to a server: made smaller, it would take minutes.
    { numRuns: 100, endOnFailure: true },
  );
});
