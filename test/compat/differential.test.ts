/**
 * A short differential run: random commands on our gateway and on redis-server 7.0.15, the bytes of all replies compared. `npm run fuzz:redis` is the long
 * one, from a fresh seed each time, which also insists on how often everything is tried; its last result is in bench/results/fuzz-redis.txt.
 */
import { expect, test } from "vitest";
import { books } from "../fuzz/grammar.ts";
import { describe as described, search } from "../fuzz/search.ts";

const COMMANDS = 20_000;
const SEED = 691_716;

test.each(books)(
  "random commands about %s are answered as redis-server answers them, but for what docs/divergence.md lists",
  async (book) => {
    const { findings, report } = await search({
      book,
      seed: SEED,
      commands: COMMANDS,
      first: 0,
      stride: 1,
      only: false,
      onProgress: () => undefined,
    });
    expect(findings.map(described).join("\n"), `seed ${SEED}`).toBe("");
    expect(report.commands).toBeGreaterThanOrEqual(COMMANDS);
    expect(report.goodShare).toBeGreaterThan(0.6);
  },
);
