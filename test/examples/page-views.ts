/** Page views: counted exactly by counter.py, at least once by its variant, ranked by leaderboard.ts. */
import { difference, type Findings, type Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";

const PERIOD_MS = 2000;
const KEEP = 5;
const PAGES = 30;

/** Pages of different popularity, the same for every run. */
function page(number: number): string {
  const drawn = Math.imul(number, 2_654_435_761) >>> 0;
  return `/p${Math.min(drawn % PAGES, (drawn >>> 8) % PAGES)}`;
}

export const pageViews: Scenario = {
  name: "page-views",
  promise: "exactly once; one variant at least once",
  keys: ["views:{shop}", "views:{docs}"],
  begin(stage) {
    for (const name of ["web-1", "web-2"]) stage.feed(page, "page-views/producer.ts", "--site", "shop", "--name", name);
    stage.feed(page, "page-views/producer.ts", "--site", "docs", "--name", "web-1");
    const counter = (name: string) =>
      stage.run("page-views/counter.py", "--site", "shop", "--name", name, "--retry-ms", "1000");
    const loose = () => stage.run("page-views/counter.py", "--site", "docs", "--retry-ms", "1000", "--at-least-once");
    const board = () =>
      stage.run(
        "page-views/leaderboard.ts",
        "--site",
        "shop",
        "--period-ms",
        String(PERIOD_MS),
        "--keep",
        String(KEEP),
      );
    return [
      { program: board(), again: board },
      { program: loose(), again: loose },
      { program: counter("counter-1"), again: (generation) => counter(`counter-${generation}`) },
    ];
  },
  async settle(stage) {
    await stage.drained("views:{shop}", "counters");
    await stage.drained("views:{shop}", "leaderboard");
    await stage.drained("views:{docs}", "counters");
  },
  async check(stage): Promise<Findings> {
    const views = stage.fed.slice(0, 2).flatMap(({ lines }) => lines);
    const expected = tally(views);
    const wrong: string[] = [];
    let counted = 0;
    for (const [name, count] of expected) {
      const found = Number(await stage.ask("GET", `count:{shop}:${name}`));
      counted += found;
      if (found !== count) wrong.push(`${name} was counted ${found} times instead of ${count}`);
    }
    for (const [name, count] of tally(stage.fed[2]!.lines)) {
      const found = Number(await stage.ask("GET", `count:{docs}:${name}`));
      if (found < count) wrong.push(`at least once: ${name} was counted ${found} times instead of ${count}`);
    }
    const entries = await stage.entries("views:{shop}");
    wrong.push(...difference("views in the stream", entries.map(([, fields]) => fields[1]!).sort(), [...views].sort()));
    wrong.push(...(await boards(stage, entries)));
    return { expected: views.length, counted, wrong };
  },
};

function tally(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** Each period's board beside what the stream's entries say of it: by score, then by name, the best KEEP of all but the last. */
async function boards(stage: Stage, entries: readonly [id: string, fields: string[]][]): Promise<readonly string[]> {
  const periods = new Map<number, string[]>();
  for (const [id, fields] of entries) {
    const period = Math.floor(Number(id.split("-")[0]) / PERIOD_MS);
    periods.set(period, [...(periods.get(period) ?? []), fields[1]!]);
  }
  const last = Math.max(...periods.keys());
  const wrong: string[] = [];
  for (const [period, pages] of periods) {
    const ranked = [...tally(pages)].sort(([a, m], [b, n]) => m - n || (a < b ? -1 : 1));
    const kept = period === last ? ranked : ranked.slice(-KEEP);
    const found = await stage.ask<string[]>("ZRANGE", `top:{shop}:${period}`, 0, -1, "WITHSCORES");
    wrong.push(
      ...difference(
        `board ${period}`,
        found,
        kept.flatMap(([name, score]) => [name, String(score)]),
      ),
    );
    const secondsLeft = await stage.ask<number>("TTL", `top:{shop}:${period}`);
    if (secondsLeft > 0 !== period < last) wrong.push(`board ${period} has ${secondsLeft} seconds to live`);
  }
  return wrong;
}
