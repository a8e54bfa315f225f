/**
 * LATENCY: spikes above latency-monitor-threshold and how long commands take. There is one event, `command`: a reply that took long, as this process
 * measured it. Source of texts: redis latency.c.
 */
import type { ReplyWriterApi } from "@headrace/resp";
import { Flag } from "../command.ts";
import { noLatencySamples } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import type { CommandNumbers } from "./info-numbers.ts";
import type { LatencyEvent, LatencyView } from "./slow-views.ts";

const shared = {
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  since: "2.8.13",
  group: "server",
  complexity: "O(1)",
} as const;

const latest = defineCommand({
  ...shared,
  name: "latency|latest",
  arity: 2,
  summary: "Return the latest latency samples for all events.",
  tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
  answer({ reply, services }) {
    const events = [...services.latency.events()];
    reply.array(events.length);
    for (const { name, samples, maxMs } of events) {
      const last = samples.at(-1)!;
      reply.array(4);
      reply.bulkLatin1(name);
      reply.integer(last.unixSeconds);
      reply.integer(last.latencyMs);
      reply.integer(maxMs);
    }
  },
});

const history = defineCommand({
  ...shared,
  name: "latency|history",
  arity: 3,
  summary: "Return timestamp-latency samples for the event.",
  syntax: "event",
  tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
  answer({ request, reply, services }) {
    const samples = findEvent(services.latency, request.latin1(2))?.samples ?? [];
    reply.array(samples.length);
    for (const { unixSeconds, latencyMs } of samples) {
      reply.array(2);
      reply.integer(unixSeconds);
      reply.integer(latencyMs);
    }
  },
});

const reset = defineCommand({
  ...shared,
  name: "latency|reset",
  arity: -2,
  summary: "Reset latency data for one or more events.",
  syntax: "[event [event ...]]",
  tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
  answer({ request, reply, services }) {
    const names: string[] = [];
    for (let i = 2; i < request.count; i++) names.push(request.latin1(i));
    reply.integer(services.latency.reset(names));
  },
});

const graph = defineCommand({
  ...shared,
  name: "latency|graph",
  arity: 3,
  summary: "Return a latency graph for the event.",
  syntax: "event",
  tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
  answer({ request, reply, services }) {
    const event = findEvent(services.latency, request.latin1(2));
    if (event === null) return reply.error(noLatencySamples(request.latin1(2)));
    const latencies = event.samples.map((sample) => sample.latencyMs);
    const [low, high] = [Math.min(...latencies), Math.max(...latencies)];
    const head = `${event.name} - high ${high} ms, low ${low} ms (all time high ${event.maxMs} ms)\n`;
    const now = Math.floor(services.wallMs / 1000);
    const bars = latencies.map((latency) => barOf(latency, low, high));
    const ages = event.samples.map((sample) => ageOf(now - sample.unixSeconds));
    reply.verbatim(`${head}${"-".repeat(80)}\n${columns(bars)}\n${columns(ages)}\n`);
  },
});

const BAR_HEIGHT = 4;

/** A column of characters, the topmost first, as high as the sample is between the lowest and the highest. */
function barOf(latencyMs: number, lowMs: number, highMs: number): string {
  const share = highMs === lowMs ? 1 : (latencyMs - lowMs) / (highMs - lowMs);
  const height = Math.max(1, Math.round(share * BAR_HEIGHT));
  return `${" ".repeat(BAR_HEIGHT - height)}_${"|".repeat(height - 1)}`;
}

function ageOf(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** Texts written downwards, side by side. */
function columns(texts: readonly string[]): string {
  const height = Math.max(0, ...texts.map((text) => text.length));
  const rows: string[] = [];
  for (let row = 0; row < height; row++) rows.push(texts.map((text) => text[row] ?? " ").join(""));
  return rows.join("\n");
}

const doctor = defineCommand({
  ...shared,
  name: "latency|doctor",
  arity: 2,
  summary: "Return a human readable latency analysis report.",
  tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
  answer: ({ reply, services }) => reply.verbatim(diagnosis(services.latency)),
});

function diagnosis(latency: LatencyView): string {
  const events = [...latency.events()];
  if (latency.thresholdMs === 0 && events.length === 0) return NOT_MONITORED;
  if (events.length === 0) return NOTHING_SEEN;
  const lines = ["Dave, I have observed latency spikes in this Redis instance.", ""];
  for (const [i, { name, samples, maxMs }] of events.entries()) {
    const sum = samples.reduce((total, sample) => total + sample.latencyMs, 0);
    lines.push(
      `${i + 1}. ${name}: ${samples.length} latency spikes (average ${Math.floor(sum / samples.length)}ms). ` +
        `Worst all time event ${maxMs}ms.`,
    );
  }
  lines.push(
    "",
    "These are replies that came late, as the gateway saw them. SLOWLOG GET names the requests; a shard without a leader,",
    "a slow disk and a slow network between nodes show in the cluster's metrics.",
    "",
  );
  return lines.join("\n");
}

const NOT_MONITORED =
  "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n";
const NOTHING_SEEN =
  "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";

const histogram = defineCommand({
  ...shared,
  name: "latency|histogram",
  arity: -2,
  since: "7.0.0",
  summary: "Return the cumulative distribution of latencies of a subset of commands or all.",
  complexity: "O(N) where N is the number of commands with latency information being retrieved.",
  syntax: "[command [command ...]]",
  tips: ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
  answer({ request, reply, services }) {
    const wanted: string[] = [];
    for (let i = 2; i < request.count; i++) wanted.push(request.latin1(i).toLowerCase());
    const found: CommandNumbers[] = [];
    for (const command of services.latency.commands()) {
      if (command.latency !== null && isNamed(command.name, wanted)) found.push(command);
    }
    reply.map(found.length);
    for (const command of found) writeHistogram(reply, command);
  },
});

/** No names: all. A container names its subcommands. */
function isNamed(name: string, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return true;
  return wanted.some((one) => name === one || name.startsWith(`${one}|`));
}

function writeHistogram(reply: ReplyWriterApi, { name, latency }: CommandNumbers): void {
  const buckets = latency!.powersOfTwo();
  reply.bulkLatin1(name);
  reply.map(2);
  reply.bulkLatin1("calls");
  reply.integer(latency!.count);
  reply.bulkLatin1("histogram_usec");
  reply.map(buckets.length);
  for (const { microseconds, calls } of buckets) {
    reply.integer(microseconds);
    reply.integer(calls);
  }
}

function findEvent(latency: LatencyView, name: string): LatencyEvent | null {
  for (const event of latency.events()) if (event.name === name) return event;
  return null;
}

const help = helpCommand(
  "latency",
  "server",
  [],
  [
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
    "    If no commands are specified then all histograms are replied.",
  ],
);

export const latency = defineCommand({
  name: "latency",
  arity: -2,
  since: "2.8.13",
  group: "server",
  summary: "A container for latency diagnostics commands",
  complexity: "Depends on subcommand.",
  subcommands: [doctor, graph, help, histogram, history, latest, reset],
});
