/**
 * MEMORY USAGE key [SAMPLES n] | DOCTOR | MALLOC-STATS | PURGE | STATS | HELP. USAGE counts what the leader's memory holds; the others speak of the
 * process that answers. Source: object.c memoryCommand.
 */
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext, ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { datasetPercent } from "../server/info-sections.ts";
import { defineCommand, keyAt } from "../record.ts";

/** A key's own objects and its places in the tables. */
const KEY_BYTES = 200;
const HEALTHY =
  "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n";
const NO_STATS = "Stats not supported for the current allocator";

const usage = defineCommand({
  name: "memory|usage",
  arity: -3,
  flags: Flag.readonly,
  since: "4.0.0",
  group: "server",
  summary: "Estimate the memory usage of a key",
  complexity: "O(N) where N is the number of samples.",
  syntax: "key [SAMPLES count]",
  keys: keyAt(2, "RO"),
  execute({ request, reply, keyspace }: ShardContext) {
    for (let i = 3; i < request.count; i += 2) {
      if (!request.is(i, "SAMPLES") || i + 1 >= request.count) return reply.error(Errors.syntax);
      const samples = readLong(request, i + 1);
      if (Number.isNaN(samples)) return reply.error(Errors.notInteger);
      if (samples < 0) return reply.error(Errors.syntax);
    }
    const found = keyspace.peek(request.latin1(2));
    if (found === null) return reply.nullBulk();
    reply.integer(KEY_BYTES + found.key.length + (found.stream ?? found.value).memoryBytes);
  },
});

function processSub(
  word: string,
  summary: string,
  complexity: string,
  answer: (context: SessionContext) => void,
  tips: readonly string[] = ["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
): CommandRecord {
  return defineCommand({
    name: `memory|${word}`,
    arity: 2,
    since: "4.0.0",
    group: "server",
    summary,
    complexity,
    tips,
    answer,
  });
}

const doctor = processSub("doctor", "Outputs memory problems report", "O(1)", ({ reply }) => reply.verbatim(HEALTHY));

const mallocStats = processSub(
  "malloc-stats",
  "Show allocator internal stats",
  "Depends on how much memory is allocated, could be slow",
  ({ reply }) => reply.bulkLatin1(NO_STATS),
);

const purge = processSub(
  "purge",
  "Ask the allocator to release memory",
  "Depends on how much memory is allocated, could be slow",
  ({ reply }) => reply.ok(),
  ["request_policy:all_shards", "response_policy:all_succeeded"],
);

const stats = processSub("stats", "Show memory usage details", "O(1)", ({ reply, services }) => {
  const numbers = services.info();
  const { keys, blockBytes, fixedBytes } = numbers.shards;
  reply.map(10);
  const integer = (name: string, value: number): void => {
    reply.bulkLatin1(name);
    reply.integer(value);
  };
  integer("peak.allocated", Math.max(numbers.peakMemoryBytes, numbers.usedMemoryBytes));
  integer("total.allocated", numbers.usedMemoryBytes);
  integer("clients.normal", numbers.clientBufferBytes);
  integer("overhead.total", fixedBytes);
  integer("keys.count", keys);
  integer("keys.bytes-per-key", keys === 0 ? 0 : Math.floor((blockBytes + fixedBytes) / keys));
  integer("dataset.bytes", blockBytes);
  reply.bulkLatin1("dataset.percentage");
  reply.double(datasetPercent(numbers.shards));
  reply.bulkLatin1("allocator.resident");
  reply.integer(numbers.usedMemoryRssBytes);
  reply.bulkLatin1("fragmentation");
  reply.double(numbers.usedMemoryBytes === 0 ? 1 : numbers.usedMemoryRssBytes / numbers.usedMemoryBytes);
});

const help = helpCommand(
  "memory",
  "server",
  [],
  [
    "DOCTOR",
    "    Return memory problems reports.",
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
  ],
);

export const memory = defineCommand({
  name: "memory",
  arity: -2,
  since: "4.0.0",
  group: "server",
  summary: "A container for memory diagnostics commands",
  complexity: "Depends on subcommand.",
  subcommands: [doctor, help, mallocStats, purge, stats, usage],
});
