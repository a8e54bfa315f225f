/**
 * The pages seen most, for each period of time: a sorted set `top:{site}:<period>`, in which every view counts once. The period of a view is that of its
 * entry's id. While a period runs its set has all pages; when the first view of a later one comes, it is cut to the best (`--keep`) and expires after
 * `--expire` seconds. To cut earlier would be wrong: a page that is cut off and comes back would start from nothing.
 *
 * One process for each site: views have to come in order for a period to be over.
 */
import { connected } from "../recipes/connection.ts";
import { consumeOnce, type ConsumeCounts } from "../recipes/exact-consumer.ts";
import { optionsOf, report, stopSignal } from "../recipes/program.ts";

const options = optionsOf({ site: "shop", "period-ms": "3600000", keep: "100", expire: "604800" }, ["drain"]);
const site = options["site"]!;
const periodMs = Number(options["period-ms"]);
const redis = await connected(options["url"]!);
const counts: ConsumeCounts = { done: 0, begunAgain: 0, overtaken: 0 };
const subscription = { key: `views:{${site}}`, group: "leaderboard", consumer: "leaderboard", retryMs: 0 };
const newest = `top:{${site}}:newest`;

await consumeOnce(
  redis,
  subscription,
  { stop: stopSignal(), drain: options["drain"] === "yes" },
  counts,
  async (views, transaction) => {
    let current = Number(await redis.get(newest));
    for (const { id, fields } of views) {
      const period = Math.floor(Number(id.split("-")[0]) / periodMs);
      if (period > current) {
        if (current > 0) {
          transaction.zremrangebyrank(boardOf(current), 0, -Number(options["keep"]) - 1);
          transaction.expire(boardOf(current), options["expire"]!);
        }
        transaction.set(newest, String(period));
        current = period;
      }
      transaction.zincrby(boardOf(period), 1, fields.get("page")!);
    }
  },
);
redis.disconnect();
report(counts);

function boardOf(period: number): string {
  return `top:{${site}}:${period}`;
}
