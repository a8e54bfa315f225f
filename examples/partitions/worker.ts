/**
 * Works on partitions side by side, and on each in its order: what it "does" with a message is to write its field `--value` down, once, in the list
 * `<queue>:log:{P0}:<key>`, the key being its field `--key` (one list for all with `--key ""`). Each partition has one worker at a time: `--partitions 0,1,2,3` here, `4,5,6,7` there. Whoever takes over a partition is given
 * first what the one before had in its hands, because the consumer's name is the group's.
 */
import { connected } from "../recipes/connection.ts";
import { consumeOnce, type ConsumeCounts } from "../recipes/exact-consumer.ts";
import { optionsOf, report, stopSignal } from "../recipes/program.ts";
import { partitionName } from "./partition-name.ts";

const options = optionsOf(
  { queue: "Email", key: "to", value: "text", group: "workers", partitions: "0,1,2,3,4,5,6,7" },
  ["drain"],
);
const stop = stopSignal();
const counts: ConsumeCounts = { done: 0, begunAgain: 0, overtaken: 0 };

await Promise.all(
  options["partitions"]!.split(",").map(async (partition) => {
    // WATCH belongs to a connection: each partition has its own.
    const redis = await connected(options["url"]!);
    const subscription = {
      key: partitionName(options["queue"]!, Number(partition)),
      group: options["group"]!,
      consumer: options["group"]!,
      retryMs: 0,
    };
    const log = partitionName(`${options["queue"]!}:log`, Number(partition));
    await consumeOnce(
      redis,
      subscription,
      { stop, drain: options["drain"] === "yes" },
      counts,
      (messages, transaction) => {
        for (const { fields } of messages) {
          const key = options["key"]! === "" ? "" : `:${fields.get(options["key"]!)!}`;
          transaction.rpush(`${log}${key}`, fields.get(options["value"]!)!);
        }
      },
    );
    redis.disconnect();
  }),
);
report(counts);
