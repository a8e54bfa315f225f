/** Payments as somebody sends them who knows no idempotent ids: again whenever the answer does not come, and every tenth batch for no reason. */
import { connected, overcome } from "../../examples/recipes/connection.ts";
import { linesOf, optionsOf, report } from "../../examples/recipes/program.ts";

const options = optionsOf({ input: "-", bank: "north" });
const redis = await connected(options["url"]!);
const counts = { sent: 0, repeated: 0 };
let batches = 0;

for await (const lines of linesOf(options["input"]!, 50)) {
  const doubts = ++batches % 10 === 0;
  for (let isSent = false, again = doubts; !isSent || again;) {
    const pipeline = redis.pipeline();
    for (const { text } of lines) {
      const { id, amount } = JSON.parse(text) as { id: string; amount: number };
      pipeline.xadd(`payments:{${options["bank"]!}}`, "*", "payment", id, "amount", amount);
    }
    try {
      const replies = await pipeline.exec();
      const error = replies!.find(([failure]) => failure !== null)?.[0];
      if (error !== undefined && error !== null) throw error;
      if (isSent) again = false;
      isSent = true;
    } catch (error) {
      counts.repeated++;
      await overcome(error, redis);
    }
  }
  counts.sent += lines.length;
}
redis.disconnect();
report(counts);
