/**
 * Publishes each line of the input to a topic that remembers: the stream `news:{topic}`, of which the last `--keep` messages (about that) stay for
 * subscribers that were away. PUBLISH would reach only who listens.
 */
import { connected } from "../recipes/connection.ts";
import { addOnce, BATCH_MAX, type AddCounts } from "../recipes/idempotent-add.ts";
import { linesOf, optionsOf, report } from "../recipes/program.ts";

const options = optionsOf({ input: "-", topic: "sport", keep: "100000", name: "newsroom-1" });
const redis = await connected(options["url"]!);
const counts: AddCounts = { added: 0, repeated: 0 };
const target = {
  key: `news:{${options["topic"]!}}`,
  producer: options["name"]!,
  options: ["MAXLEN", "~", options["keep"]!],
};

for await (const lines of linesOf(options["input"]!, BATCH_MAX)) {
  const messages = lines.map(({ number, text }) => ({ id: String(number), fields: ["text", text] }));
  await addOnce(redis, target, messages, counts);
}
redis.disconnect();
report(counts);
