/**
 * Settings of this process that CONFIG may change while it runs: those that do something here, then Redis' tunables (redis-settings.ts). Each knows how to
 * read a value without taking it, so that CONFIG SET of several is all or nothing.
 */
import type { LatencyMonitor } from "./latency-monitor.ts";
import { outputLimitsText, parseOutputLimits } from "./output-limits.ts";
import type { OutputLimits } from "./output-limits.ts";
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
  output: OutputLimits;
  transactionBytes: number;
  clusterEnabled: boolean;
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
      "cluster-enabled",
      setting(
        { kind: "yesNo" },
        () => (limits.clusterEnabled ? "yes" : "no"),
        (value) => {
          limits.clusterEnabled = value === "yes";
        },
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

function outputLimit(limits: AdjustableLimits): LocalSetting {
  return {
    show: () => outputLimitsText(limits.output),
    read: (text) => {
      const changed = parseOutputLimits(limits.output, text);
      return typeof changed === "string" ? refused(changed) : taken(text);
    },
    take: (value) => {
      const changed = parseOutputLimits(limits.output, value);
      if (typeof changed !== "string") limits.output = changed;
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
