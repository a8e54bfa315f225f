/**
 * Messages to partitions by the hash of a key. Each line of the input is a JSON object; all that have the same value of the key's field (`--key to`) are in
 * one partition, in the order of the input. A message that was sent is in its partition once.
 */
import { connected } from "../recipes/connection.ts";
import { addOnce, BATCH_MAX, type AddCounts, type Message } from "../recipes/idempotent-add.ts";
import { linesOf, optionsOf, report } from "../recipes/program.ts";
import { partitionName, partitionOf } from "./partition-name.ts";

const options = optionsOf({ input: "-", queue: "Email", key: "to", partitions: "8", name: "producer-1" });
const partitions = Number(options["partitions"]);
const redis = await connected(options["url"]!);
const counts: AddCounts = { added: 0, repeated: 0 };

for await (const lines of linesOf(options["input"]!, BATCH_MAX)) {
  const batches = new Map<number, Message[]>();
  for (const { number, text } of lines) {
    const message = JSON.parse(text) as Record<string, string | number>;
    const partition = partitionOf(String(message[options["key"]!]), partitions);
    const fields = Object.entries(message).flatMap(([name, value]) => [name, String(value)]);
    batches.set(partition, [...(batches.get(partition) ?? []), { id: String(number), fields }]);
  }
  // Side by side over the partitions; the next batch waits, so that each partition stays in order.
  await Promise.all(
    [...batches].map(([partition, messages]) =>
      addOnce(
        redis,
        { key: partitionName(options["queue"]!, partition), producer: options["name"]! },
        messages,
        counts,
      ),
    ),
  );
}
redis.disconnect();
report(counts);
