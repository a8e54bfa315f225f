/**
 * Jobs to partitions in turn, whoever sends them: INCR gives each its number, and the number its partition. An INCR whose answer is lost is asked for again;
 * then a number is left out, and a partition gets a job less. A job that was sent is in one partition, once: it keeps the number that it has.
 */
import type { Redis } from "ioredis";
import { connected, overcome } from "../recipes/connection.ts";
import { addOnce, BATCH_MAX, type AddCounts, type Message } from "../recipes/idempotent-add.ts";
import { linesOf, optionsOf, report } from "../recipes/program.ts";
import { partitionName } from "./partition-name.ts";

const options = optionsOf({ input: "-", queue: "Jobs", partitions: "8", name: "producer-1" });
const queue = options["queue"]!;
const partitions = Number(options["partitions"]);
const redis = await connected(options["url"]!);
const counts: AddCounts & { numbersLeftOut: number } = { added: 0, repeated: 0, numbersLeftOut: 0 };

for await (const lines of linesOf(options["input"]!, BATCH_MAX)) {
  const last = await numbersFor(redis, lines.length);
  const batches = new Map<number, Message[]>();
  for (const [at, { number, text }] of lines.entries()) {
    const partition = (last - lines.length + 1 + at) % partitions;
    batches.set(partition, [...(batches.get(partition) ?? []), { id: String(number), fields: ["job", text] }]);
  }
  await Promise.all(
    [...batches].map(([partition, messages]) =>
      addOnce(redis, { key: partitionName(queue, partition), producer: options["name"]! }, messages, counts),
    ),
  );
}
redis.disconnect();
report(counts);

/** The last of `count` numbers that nobody else gets. */
async function numbersFor(client: Redis, count: number): Promise<number> {
  for (;;) {
    try {
      return await client.incrby(`${queue}:number`, count);
    } catch (error) {
      // At the most: it may not have happened.
      counts.numbersLeftOut += count;
      await overcome(error, client);
    }
  }
}
