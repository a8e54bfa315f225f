/**
 * Settings of the whole cluster, under Redis' names where Redis has one. They live in the metadata group so that every leader resolves
 * them alike; what only one process needs (ports, limits) is that process' own configuration.
 */
import type { JsonObject } from "./json-shape.ts";
import { notifyFlagsText, parseNotifyFlags } from "./notify-flags.ts";

/** The default acknowledgement level: 0 executed, 1 persisted by the leader, 2 (`all`) committed. */
export type AckSetting = 0 | 1 | 2;

export interface ClusterSettings {
  readonly ack: AckSetting;
  /** Redis' bounds of a stream node; 0 = no bound. */
  readonly streamNodeMaxEntries: number;
  readonly streamNodeMaxBytes: number;
  /** The window of idempotent ids that a new stream gets: seconds, and ids kept of each producer. */
  readonly streamIdmpDuration: number;
  readonly streamIdmpMaxSize: number;
  /** What streams keep that do not say it themselves; 0 = no bound. Age in ms, by the time in ids. */
  readonly streamRetentionMs: number;
  readonly streamRetentionBytes: number;
  readonly streamRetentionEntries: number;
  /** Whatever the bounds say, nothing goes that a consumer group has not acknowledged. */
  readonly streamRetentionKeepsUnacked: boolean;
  /** Delayed entries (XADD DELAY, AT) that a stream may have at a time; 0 = no bound. */
  readonly streamDelayedMaxEntries: number;
  /** Bytes of what a shard has to hand to others (dead letters, and what goes back); 0 = no bound. */
  readonly streamOutboxMaxBytes: number;
  /** Which events of keys are published, and where: Redis' bits. */
  readonly notifyKeyspaceEvents: number;
  /** Memory budget of each node, 0: none; null: each node's own counts. */
  readonly maxMemoryBytes: number | null;
}

export const defaultSettings: ClusterSettings = Object.freeze({
  ack: 2,
  streamNodeMaxEntries: 100,
  streamNodeMaxBytes: 4096,
  streamIdmpDuration: 100,
  streamIdmpMaxSize: 100,
  streamRetentionMs: 0,
  streamRetentionBytes: 0,
  streamRetentionEntries: 0,
  streamRetentionKeepsUnacked: false,
  streamDelayedMaxEntries: 100_000,
  streamOutboxMaxBytes: 8 * 1024 * 1024,
  notifyKeyspaceEvents: 0,
  maxMemoryBytes: null,
});

/** Of all of them, those that have no value included. */
const settingNames: ReadonlySet<string> = new Set([
  ...settingPairs(defaultSettings).map(([name]) => name),
  "maxmemory",
]);

type SettingResult =
  | { readonly ok: true; readonly settings: ClusterSettings }
  | { readonly ok: false; readonly error: string };

const ackWords: ReadonlyMap<string, AckSetting> = new Map([
  ["0", 0],
  ["1", 1],
  ["all", 2],
]);

/** Names and values as CONFIG GET shows them; one that has no value for the whole cluster is left out. */
export function settingPairs(settings: ClusterSettings): [name: string, value: string][] {
  const { maxMemoryBytes } = settings;
  return [
    ["ack", settings.ack === 2 ? "all" : String(settings.ack)],
    ...(maxMemoryBytes === null ? [] : [["maxmemory", String(maxMemoryBytes)] as [string, string]]),
    ["notify-keyspace-events", notifyFlagsText(settings.notifyKeyspaceEvents)],
    ["stream-delayed-max-entries", String(settings.streamDelayedMaxEntries)],
    ["stream-idmp-duration", String(settings.streamIdmpDuration)],
    ["stream-idmp-maxsize", String(settings.streamIdmpMaxSize)],
    ["stream-node-max-bytes", String(settings.streamNodeMaxBytes)],
    ["stream-node-max-entries", String(settings.streamNodeMaxEntries)],
    ["stream-outbox-max-bytes", String(settings.streamOutboxMaxBytes)],
    ["stream-retention-bytes", String(settings.streamRetentionBytes)],
    ["stream-retention-entries", String(settings.streamRetentionEntries)],
    ["stream-retention-keep", settings.streamRetentionKeepsUnacked ? "unacked" : "none"],
    ["stream-retention-ms", String(settings.streamRetentionMs)],
  ];
}

export function isClusterSetting(name: string): boolean {
  return settingNames.has(name);
}

/** The settings with one changed; the error is CONFIG SET's reason. */
export function parseSetting(settings: ClusterSettings, name: string, value: string): SettingResult {
  switch (name) {
    case "ack": {
      const ack = ackWords.get(value.toLowerCase());
      if (ack === undefined) return { ok: false, error: "argument(s) must be one of the following: 0, 1, all" };
      return { ok: true, settings: { ...settings, ack } };
    }
    case "notify-keyspace-events": {
      const flags = parseNotifyFlags(value);
      if (flags === null) return { ok: false, error: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." };
      return { ok: true, settings: { ...settings, notifyKeyspaceEvents: flags } };
    }
    case "maxmemory": {
      const parsed = parseMemory(value);
      if (parsed === null) return { ok: false, error: "argument must be a memory value" };
      return { ok: true, settings: { ...settings, maxMemoryBytes: parsed } };
    }
    case "stream-node-max-entries": {
      const parsed = parseCount(value);
      if (typeof parsed === "string") return { ok: false, error: parsed };
      return { ok: true, settings: { ...settings, streamNodeMaxEntries: parsed } };
    }
    case "stream-node-max-bytes": {
      const parsed = parseMemory(value);
      if (parsed === null) return { ok: false, error: "argument must be a memory value" };
      return { ok: true, settings: { ...settings, streamNodeMaxBytes: parsed } };
    }
    case "stream-delayed-max-entries": {
      const parsed = parseCount(value);
      if (typeof parsed === "string") return { ok: false, error: parsed };
      return { ok: true, settings: { ...settings, streamDelayedMaxEntries: parsed } };
    }
    case "stream-outbox-max-bytes": {
      const parsed = parseMemory(value);
      if (parsed === null) return { ok: false, error: "argument must be a memory value" };
      return { ok: true, settings: { ...settings, streamOutboxMaxBytes: parsed } };
    }
    case "stream-idmp-duration": {
      const parsed = parseInteger(value, 1, 86_400);
      if (typeof parsed === "string") return { ok: false, error: parsed };
      return { ok: true, settings: { ...settings, streamIdmpDuration: parsed } };
    }
    case "stream-idmp-maxsize": {
      const parsed = parseInteger(value, 1, 10_000);
      if (typeof parsed === "string") return { ok: false, error: parsed };
      return { ok: true, settings: { ...settings, streamIdmpMaxSize: parsed } };
    }
    case "stream-retention-ms": {
      const parsed = parseCount(value);
      if (typeof parsed === "string") return { ok: false, error: parsed };
      return { ok: true, settings: { ...settings, streamRetentionMs: parsed } };
    }
    case "stream-retention-bytes": {
      const parsed = parseMemory(value);
      if (parsed === null) return { ok: false, error: "argument must be a memory value" };
      return { ok: true, settings: { ...settings, streamRetentionBytes: parsed } };
    }
    case "stream-retention-entries": {
      const parsed = parseCount(value);
      if (typeof parsed === "string") return { ok: false, error: parsed };
      return { ok: true, settings: { ...settings, streamRetentionEntries: parsed } };
    }
    case "stream-retention-keep": {
      const word = value.toLowerCase();
      if (word !== "none" && word !== "unacked")
        return { ok: false, error: "argument(s) must be one of the following: none, unacked" };
      return { ok: true, settings: { ...settings, streamRetentionKeepsUnacked: word === "unacked" } };
    }
    default:
      return { ok: false, error: `unknown setting ${name}` };
  }
}

/** Reads the JSON form; missing settings (of an older program) get their default. */
export function settingsFromJson(fields: JsonObject): ClusterSettings {
  let settings = defaultSettings;
  for (const name of settingNames) {
    const value = fields[name];
    if (typeof value !== "string") continue;
    const parsed = parseSetting(settings, name, value);
    if (parsed.ok) settings = parsed.settings;
  }
  return settings;
}

const SIGNED_64_MAX = 2n ** 63n - 1n;

/** A count of at most 2^63−1 as Redis has it, kept as at most 2^53−1; or the error. */
function parseCount(text: string): number | string {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) {
    return "argument couldn't be parsed into an integer";
  }
  const value = BigInt(text);
  if (value < 0n) return `argument must be between 0 and ${SIGNED_64_MAX} inclusive`;
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

/** Or CONFIG SET's reason why it is none. Source: redis config.c numericConfigSet. */
function parseInteger(text: string, min: number, max: number): number | string {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return "argument couldn't be parsed into an integer";
  const value = Number(text);
  return value >= min && value <= max ? value : `argument must be between ${min} and ${max} inclusive`;
}

const memoryUnits: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1000],
  ["kb", 1024],
  ["m", 1000 ** 2],
  ["mb", 1024 ** 2],
  ["g", 1000 ** 3],
  ["gb", 1024 ** 3],
]);

/** Redis' memory values: digits and an optional unit, k = 1000, kb = 1024. Source: redis util.c memtoull. */
export function parseMemory(text: string): number | null {
  const match = /^(\d{1,16})([a-z]{0,2})$/.exec(text.toLowerCase());
  if (match === null) return null;
  const unit = memoryUnits.get(match[2] ?? "");
  if (unit === undefined) return null;
  const value = Number(match[1]) * unit;
  return Number.isSafeInteger(value) ? value : null;
}
