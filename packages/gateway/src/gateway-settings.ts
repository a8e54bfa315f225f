/**
 * Settings of this process that CONFIG may change while it runs: those that do something here, then Redis' tunables (redis-settings.ts). Each knows how to
 * read a value without taking it, so that CONFIG SET of several is all or nothing.
 */
import type { LatencyMonitor } from "./latency-monitor.ts";
import { TUNABLE_SETTINGS } from "./redis-settings.ts";
import type { SettingForm } from "./redis-settings.ts";
import { readBytes, readValue, refused, taken } from "./setting-forms.ts";
import type { ReadValue } from "./setting-forms.ts";
import type { SlowLog } from "./slow-log.ts";
import type { Statistics } from "./statistics.ts";

/** Limits that may change while running. */
export interface AdjustableLimits {
  maxClients: number;
  holdMs: number;
  replyTimeoutMs: number;
  outputBytes: number;
  transactionBytes: number;
  /** 0: never. */
  idleTimeoutSeconds: number;
  readonly decoder: { maxBulkBytes: number; maxRequestBytes: number };
}

export interface LocalSetting {
  show(): string;
  read(text: string): ReadValue;
  /** `value` as `read` gave it. */
  take(value: string): void;
}

export interface SettingRooms {
  readonly limits: AdjustableLimits;
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  readonly statistics: Statistics;
}

const LONG_MAX = Number.MAX_SAFE_INTEGER;
const INTERVAL_MAX_MS = 3_600_000;

/** By name, in the order in which CONFIG GET shows them. */
export function localSettings(rooms: SettingRooms): ReadonlyMap<string, LocalSetting> {
  const { limits, slowLog, latency, statistics } = rooms;
  const { decoder } = limits;
  const found = new Map<string, LocalSetting>([
    ["client-output-buffer-limit", outputLimit(limits)],
    /**
     * A larger request would be refused by a node, together with the link that all clients share; with arguments smaller than the least nobody could
     * take that back.
     */
    [
      "client-query-buffer-limit",
      bytes(
        64 * 1024,
        64 * 1024 * 1024,
        () => decoder.maxRequestBytes,
        (value) => (decoder.maxRequestBytes = value),
      ),
    ],
    [
      "hold-ms",
      integer(
        1,
        INTERVAL_MAX_MS,
        () => limits.holdMs,
        (value) => (limits.holdMs = value),
      ),
    ],
    [
      "latency-monitor-threshold",
      integer(
        0,
        LONG_MAX,
        () => latency.thresholdMs,
        (value) => (latency.thresholdMs = value),
      ),
    ],
    [
      "latency-tracking",
      setting(
        { kind: "yesNo" },
        () => (statistics.tracksLatency ? "yes" : "no"),
        (value) => {
          statistics.tracksLatency = value === "yes";
        },
      ),
    ],
    ["latency-tracking-info-percentiles", percentiles(statistics)],
    [
      "maxclients",
      integer(
        1,
        1_000_000,
        () => limits.maxClients,
        (value) => (limits.maxClients = value),
      ),
    ],
    [
      "max-transaction-bytes",
      bytes(
        1024,
        32 * 1024 * 1024,
        () => limits.transactionBytes,
        (value) => (limits.transactionBytes = value),
      ),
    ],
    [
      "proto-max-bulk-len",
      bytes(
        1024,
        512 * 1024 * 1024,
        () => decoder.maxBulkBytes,
        (value) => (decoder.maxBulkBytes = value),
      ),
    ],
    [
      "reply-timeout-ms",
      integer(
        1,
        INTERVAL_MAX_MS,
        () => limits.replyTimeoutMs,
        (value) => (limits.replyTimeoutMs = value),
      ),
    ],
    [
      "slowlog-log-slower-than",
      integer(
        -1,
        LONG_MAX,
        () => slowLog.thresholdUs,
        (value) => (slowLog.thresholdUs = value),
      ),
    ],
    [
      "slowlog-max-len",
      integer(
        0,
        100_000,
        () => slowLog.maxLength,
        (value) => (slowLog.maxLength = value),
      ),
    ],
    [
      "timeout",
      integer(
        0,
        2_147_483_647,
        () => limits.idleTimeoutSeconds,
        (value) => (limits.idleTimeoutSeconds = value),
      ),
    ],
  ]);
  for (const { name, value, form, aliases } of TUNABLE_SETTINGS) {
    let kept = value;
    const tunable = setting(
      form,
      () => kept,
      (next) => (kept = next),
    );
    for (const one of [name, ...aliases]) found.set(one, tunable);
  }
  return found;
}

function setting(form: SettingForm, show: () => string, take: (value: string) => void): LocalSetting {
  return { show, read: (text) => readValue(form, text), take };
}

function integer(least: number, most: number, get: () => number, set: (value: number) => void): LocalSetting {
  return setting(
    { kind: "integer", least, most },
    () => String(get()),
    (value) => set(Number(value)),
  );
}

function bytes(least: number, most: number, get: () => number, set: (value: number) => void): LocalSetting {
  return {
    show: () => String(get()),
    read: (text) => readBytes(text, least, most),
    take: (value) => set(Number(value)),
  };
}

const CLASSES: readonly string[] = ["normal", "slave", "pubsub"];
const OUTPUT_LEAST_BYTES = 64 * 1024;

/**
 * Redis' list of classes with hard limit, soft limit and seconds. Here the hard limit of `normal` counts, for every client, and there is no soft one.
 */
function outputLimit(limits: AdjustableLimits): LocalSetting {
  const others = new Map([
    ["slave", "268435456 67108864 60"],
    ["pubsub", "33554432 8388608 60"],
  ]);
  const show = (): string =>
    `normal ${limits.outputBytes} 0 0 slave ${others.get("slave")!} pubsub ${others.get("pubsub")!}`;
  return {
    show,
    read(text) {
      const words = text.trim().split(/\s+/);
      if (words.length % 4 !== 0) return refused("Wrong number of arguments in buffer limit configuration.");
      for (let i = 0; i < words.length; i += 4) {
        const name = words[i]!.toLowerCase().replace("replica", "slave");
        if (!CLASSES.includes(name)) return refused("Invalid client class specified in buffer limit configuration.");
        const numbers = [readBytes(words[i + 1]!, 0, LONG_MAX), readBytes(words[i + 2]!, 0, LONG_MAX)];
        const isWhole = numbers.every((number) => number.ok) && /^\d+$/.test(words[i + 3]!);
        if (!isWhole) return refused("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        if (name === "normal" && !readBytes(words[i + 1]!, OUTPUT_LEAST_BYTES, LONG_MAX).ok) {
          return refused(
            `the hard limit of class normal must be at least ${OUTPUT_LEAST_BYTES} bytes: output is always bounded here`,
          );
        }
      }
      return taken(words.join(" "));
    },
    take(value) {
      const words = value.split(" ");
      for (let i = 0; i < words.length; i += 4) {
        const name = words[i]!.toLowerCase().replace("replica", "slave");
        const [hard, soft] = [readBytes(words[i + 1]!, 0, LONG_MAX), readBytes(words[i + 2]!, 0, LONG_MAX)];
        if (!hard.ok || !soft.ok) continue;
        if (name === "normal") limits.outputBytes = Number(hard.value);
        else others.set(name, `${hard.value} ${soft.value} ${words[i + 3]!}`);
      }
    },
  };
}

function percentiles(statistics: Statistics): LocalSetting {
  return {
    show: () => statistics.latencyPercentiles.join(" "),
    read(text) {
      const words = text.trim() === "" ? [] : text.trim().split(/\s+/);
      const isEach = words.every((word) => /^\d+(\.\d+)?$/.test(word) && Number(word) <= 100);
      return isEach
        ? taken(words.join(" "))
        : refused("latency-tracking-info-percentiles should contain only floats between 0 and 100");
    },
    take(value) {
      statistics.latencyPercentiles = value === "" ? [] : value.split(" ").map(Number);
    },
  };
}
