/**
 * Books payments of producers that send one twice when in doubt: `payments:{bank}` may have a payment several times, `balance:{bank}` has its amount once.
 * What was booked stands in a set of ids; SADD, INCRBY and XACK are one transaction (recipes/exact-consumer.ts).
 *
 * There is one set a day, of the day of the payment's entry, and it expires: so memory has a bound. A payment that is sent again within a day is found in
 * the set of its day or of the day before.
 */
import { connected } from "../recipes/connection.ts";
import { consumeOnce, type ConsumeCounts } from "../recipes/exact-consumer.ts";
import { optionsOf, report, stopSignal } from "../recipes/program.ts";

const DAY_MS = 86_400_000;
const KEPT_SECONDS = (3 * DAY_MS) / 1000;

const options = optionsOf({ bank: "north", name: "ledger-1", "retry-ms": "30000" }, ["drain"]);
const bank = options["bank"]!;
const redis = await connected(options["url"]!);
const counts: ConsumeCounts = { done: 0, begunAgain: 0, overtaken: 0 };
const subscription = {
  key: `payments:{${bank}}`,
  group: "ledger",
  consumer: options["name"]!,
  retryMs: Number(options["retry-ms"]),
};

await consumeOnce(
  redis,
  subscription,
  { stop: stopSignal(), drain: options["drain"] === "yes" },
  counts,
  async (entries, transaction, client) => {
    const payments = entries.map(({ id, fields }) => ({
      day: Math.floor(Number(id.split("-")[0]) / DAY_MS),
      payment: fields.get("payment")!,
      amount: fields.get("amount")!,
    }));
    // Also the day after: an entry may be handed out again when its repetition was booked already.
    const days = new Set(payments.flatMap(({ day }) => [day - 1, day, day + 1]));
    const booked = new Set<string>();
    for (const day of days) {
      const ids = [...new Set(payments.map(({ payment }) => payment))];
      if (ids.length === 0) continue;
      const known = await client.smismember(bookedOn(day), ...ids);
      for (const [at, isKnown] of known.entries()) if (isKnown === 1) booked.add(ids[at]!);
    }
    for (const { day, payment, amount } of payments) {
      if (booked.has(payment)) continue;
      booked.add(payment);
      transaction.sadd(bookedOn(day), payment);
      transaction.expire(bookedOn(day), KEPT_SECONDS);
      transaction.incrby(`balance:{${bank}}`, amount);
    }
  },
);
redis.disconnect();
report(counts);

function bookedOn(day: number): string {
  return `booked:{${bank}}:${day}`;
}
