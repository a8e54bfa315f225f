/**
 * Page views into a stream, one for each line of the input, which is the page's path: `npx node examples/page-views/producer.ts --input FILE`. A view that was
 * sent is in the stream once.
 */
import { addOnce, BATCH_MAX, type AddCounts } from "../recipes/idempotent-add.ts";
import { connected } from "../recipes/connection.ts";
import { linesOf, optionsOf, report } from "../recipes/program.ts";

const options = optionsOf({ input: "-", site: "shop", name: "web-1" });
const redis = await connected(options["url"]!);
const target = { key: `views:{${options["site"]!}}`, producer: options["name"]! };
const counts: AddCounts = { added: 0, repeated: 0 };

for await (const lines of linesOf(options["input"]!, BATCH_MAX)) {
  const views = lines.map(({ number, text }) => ({ id: String(number), fields: ["page", text] }));
  await addOnce(redis, target, views, counts);
}
redis.disconnect();
report(counts);
