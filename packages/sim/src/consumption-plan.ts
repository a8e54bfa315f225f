/**
 * Streams of the long run of consumption, and what each of them is told: every group hands out again, gives up and forgets consumers by itself, and holds back
 * producers that are faster. The dead-letter streams are of the same shard and of another one (with two shards `b` and `c` are of one, `a` and `d` of the other).
 */

export const CONSUMING_GROUP = "g";
export const DELIVERIES_MAX = 3;
/** An entry that was delivered rests no longer. */
export const RETRY_MAX_MS = 6000;
/** Beyond what the longest work on one read takes. */
const CONSUMER_IDLE_MS = 25_000;
/** What streams keep of what their group has acknowledged. */
const KEPT_ENTRIES = 50;

export interface ConsumedStream {
  readonly name: string;
  readonly dead: string;
  /** In entries; 0: bytes alone are bounded. */
  readonly maxLag: number;
  /** How long an XADD may be held at either limit; 0: it is refused at once. */
  readonly holdMs: number;
  /** 0: not bounded. */
  readonly maxLagBytes: number;
  /** Nothing is trimmed; else what is acknowledged goes. */
  readonly isWhole: boolean;
  /** Some entries are added with a delay: those appear whatever the limit is. */
  readonly isDelayed: boolean;
  /** Dead letters come back now and then (REDRIVE), and those that were trimmed meanwhile are added anew. */
  readonly isSentBack: boolean;
  /** Of the bytes beside the payload. */
  readonly bodyBytesMax: number;
}

const NEITHER = { isWhole: false, isDelayed: false, isSentBack: false } as const;
const BOTH = { isWhole: false, isDelayed: true, isSentBack: true } as const;
const LITTLE_BYTES = 24 * 1024;
const NO_LIMIT = { maxLag: 0, holdMs: 0, maxLagBytes: 0 } as const;

export const CONSUMED: readonly ConsumedStream[] = [
  { ...NEITHER, ...NO_LIMIT, name: "v1:{b}", dead: "vdead:{b}", isWhole: true, maxLag: 60, bodyBytesMax: 600 },
  { ...BOTH, ...NO_LIMIT, name: "v2:{c}", dead: "vdead:{d}", maxLag: 40, holdMs: 1500, bodyBytesMax: 1500 },
  {
    ...BOTH,
    ...NO_LIMIT,
    name: "v3:{d}",
    dead: "vdead:{d}",
    maxLagBytes: LITTLE_BYTES,
    holdMs: 800,
    bodyBytesMax: 4000,
  },
  { ...NEITHER, ...NO_LIMIT, name: "v4:{a}", dead: "vdead:{b}", maxLag: 100, holdMs: 2500, bodyBytesMax: 1500 },
];

export const DEAD_STREAMS: readonly string[] = [...new Set(CONSUMED.map(({ dead }) => dead))];

export const consumptionPreparations: readonly (readonly string[])[] = CONSUMED.flatMap((stream) => {
  const { name, dead, maxLag, holdMs, maxLagBytes, isWhole } = stream;
  const policy = holdMs === 0 ? ["REJECT"] : ["DELAY", "MAX", String(holdMs)];
  return [
    ["XGROUP", "CREATE", name, CONSUMING_GROUP, "0", "MKSTREAM"],
    ["XGROUP", "SETRETRY", name, CONSUMING_GROUP, "MIN-IDLE", "800", "BACKOFF", "2", "MAX", String(RETRY_MAX_MS)],
    ["XGROUP", "SETDLQ", name, CONSUMING_GROUP, dead, "MAX_RETRIES", String(DELIVERIES_MAX)],
    ["XGROUP", "SETIDLE", name, CONSUMING_GROUP, String(CONSUMER_IDLE_MS)],
    ...(maxLag === 0 ? [] : [["XGROUP", "SETMAXLAG", name, CONSUMING_GROUP, String(maxLag), "POLICY", ...policy]]),
    ...(maxLagBytes === 0 ? [] : [["XCFGSET", name, "MAXLAG-BYTES", String(maxLagBytes), "POLICY", ...policy]]),
    ...(isWhole ? [] : [["XCFGSET", name, "RETENTION-ENTRIES", String(KEPT_ENTRIES), "RETENTION-KEEP", "UNACKED"]]),
  ];
});

/** Payloads end in a mark: nobody ever acknowledges poison. */
const POISON = "!";
/** What can be done in every second of these times only: somebody has mended the consumers, and breaks them again. */
const BROKEN_AT_TIMES = "?";
const MENDED_EVERY_MS = 300_000;

export interface Draw {
  chance(parts: number, whole: number): boolean;
}

export function markOf(random: Draw): string {
  if (random.chance(1, 10)) return POISON;
  return random.chance(1, 40) ? BROKEN_AT_TIMES : "";
}

export function isPoison(payload: string): boolean {
  return payload.endsWith(POISON);
}

export function canBeDone(payload: string, nowMs: number): boolean {
  if (payload.endsWith(BROKEN_AT_TIMES)) return Math.floor(nowMs / MENDED_EVERY_MS) % 2 === 1;
  return !isPoison(payload);
}
