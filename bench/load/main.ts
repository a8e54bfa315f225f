/**
 * The load generator, a process of its own: `node bench/load/main.ts JOB`, where JOB is the JSON of `Job`. It says "measuring" when the load has run for a while,
 * "measured" with the figures at the end of the time that counts, or "failed".
 */
import { setTimeout as pause } from "node:timers/promises";
import { BatchLoad } from "./batch-load.ts";
import { ConsumeLoad } from "./consume-load.ts";
import { DeliverLoad } from "./deliver-load.ts";
import { GrowLoad } from "./grow-load.ts";
import type { Job, LoadEvent } from "./job.ts";
import type { Load } from "./load.ts";
import { NatsLoad } from "./nats-load.ts";
import { PacedLoad } from "./paced-load.ts";
import { PhasedLoad } from "./phased-load.ts";
import { RangeLoad } from "./range-load.ts";
import { SpreadLoad } from "./spread-load.ts";

const job = JSON.parse(process.argv[2] ?? "{}") as Job;

function loadOf({ port, work }: Job): Load {
  switch (work.kind) {
    case "batches":
      return new BatchLoad(port, work);
    case "consume":
      return new ConsumeLoad(port, work);
    case "ranges":
      return new RangeLoad(port, work);
    case "grow":
      return new GrowLoad(port, work);
    case "spread":
      return new SpreadLoad(port, work);
    case "deliver":
      return new DeliverLoad(port, work);
    case "paced":
      return new PacedLoad(port, work);
    case "phased":
      return new PhasedLoad(port, work);
    case "nats":
      return new NatsLoad(port, work);
  }
}

function say(event: LoadEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function fail(error: unknown): never {
  say({ event: "failed", message: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}

try {
  const load = loadOf(job);
  await load.prepare();
  load.start(fail);
  await pause(job.warmSeconds * 1000);
  say({ event: "measuring" });
  const fromMs = performance.now();
  const operations = load.operations;
  load.latencies.clear();
  const cpu = process.cpuUsage();
  await pause(job.seconds * 1000);
  const seconds = (performance.now() - fromMs) / 1000;
  const used = process.cpuUsage(cpu);
  say({
    event: "measured",
    operations: load.operations - operations,
    seconds,
    latencyMs: load.latencies.figures(),
    cpuSeconds: (used.user + used.system) / 1e6,
    ...(load.timeline === undefined ? {} : { timeline: load.timeline }),
  });
  load.stop();
} catch (error) {
  fail(error);
}
