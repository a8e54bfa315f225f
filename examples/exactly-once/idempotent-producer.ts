/**
 * Orders into `orders:{shop}`, each in the stream once: a line of the input is a JSON object with the order's `id` and `amount`. The order's own id is what
 * the stream knows it by (recipes/idempotent-add.ts), so a file that is sent again within the stream's window adds nothing.
 */
import { connected } from "../recipes/connection.ts";
import { addOnce, BATCH_MAX, type AddCounts } from "../recipes/idempotent-add.ts";
import { linesOf, optionsOf, report } from "../recipes/program.ts";

interface Order {
  readonly id: string;
  readonly amount: number;
}

const options = optionsOf({ input: "-", shop: "bikes", name: "checkout-1" });
const redis = await connected(options["url"]!);
const target = { key: `orders:{${options["shop"]!}}`, producer: options["name"]! };
const counts: AddCounts = { added: 0, repeated: 0 };

for await (const lines of linesOf(options["input"]!, BATCH_MAX)) {
  const orders = lines.map(({ text }) => JSON.parse(text) as Order);
  const messages = orders.map(({ id, amount }) => ({ id, fields: ["order", id, "amount", String(amount)] }));
  await addOnce(redis, target, messages, counts);
}
redis.disconnect();
report(counts);
