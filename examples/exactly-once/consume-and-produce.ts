/**
 * Reads orders, writes invoices: for each entry of `orders:{shop}` one of `invoices:{shop}`, and the amount added to `revenue:{shop}`, once. XADD, INCRBY
 * and XACK are one transaction of one slot (recipes/exact-consumer.ts).
 */
import { connected } from "../recipes/connection.ts";
import { consumeOnce, type ConsumeCounts } from "../recipes/exact-consumer.ts";
import { optionsOf, report, stopSignal } from "../recipes/program.ts";

const options = optionsOf({ shop: "bikes", name: "billing-1", "retry-ms": "30000" }, ["drain"]);
const shop = options["shop"]!;
const redis = await connected(options["url"]!);
const counts: ConsumeCounts = { done: 0, begunAgain: 0, overtaken: 0 };
const subscription = {
  key: `orders:{${shop}}`,
  group: "billing",
  consumer: options["name"]!,
  retryMs: Number(options["retry-ms"]),
};

await consumeOnce(
  redis,
  subscription,
  { stop: stopSignal(), drain: options["drain"] === "yes" },
  counts,
  (orders, transaction) => {
    for (const { id, fields } of orders) {
      const amount = fields.get("amount")!;
      transaction.xadd(`invoices:{${shop}}`, "*", "order", fields.get("order")!, "amount", amount, "entry", id);
      transaction.incrby(`revenue:{${shop}}`, amount);
    }
  },
);
redis.disconnect();
report(counts);
