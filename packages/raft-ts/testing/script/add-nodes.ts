/** The options of add-nodes: what the new nodes begin with and how they behave. */
import type { RaftConfig, Snapshot } from "../../src/index.ts";
import type { Argument } from "./directive.ts";
import type { ScriptedOptions } from "./scripted-raft.ts";

export interface NodeSettings {
  readonly config: Omit<RaftConfig, "id">;
  readonly options: ScriptedOptions;
  /** What the log begins behind; null for nothing at all. */
  readonly snapshot: Snapshot | null;
  readonly content: string;
}

const known: ReadonlySet<string> = new Set([
  "voters",
  "learners",
  "index",
  "content",
  "async-storage-writes",
  "prevote",
  "checkquorum",
  "inflight",
  "max-committed-size-per-ready",
  "disable-conf-change-validation",
  "step-down-on-removal",
  "commit-rides-along",
  "read-only",
]);

export function nodeSettings(args: readonly Argument[]): NodeSettings | { readonly error: string } {
  const given = new Map<string, readonly string[]>();
  for (const { key, values } of args) {
    if (!known.has(key)) return { error: `unknown option ${key}` };
    given.set(key, [...(given.get(key) ?? []), ...values]);
  }
  const numbers = (key: string): number[] => (given.get(key) ?? []).map(Number);
  const number = (key: string, otherwise: number): number => numbers(key).at(-1) ?? otherwise;
  const flag = (key: string): boolean => ["true", "t", "1"].includes(given.get(key)?.at(-1)?.toLowerCase() ?? "");
  for (const key of ["voters", "learners", "index", "inflight", "max-committed-size-per-ready"]) {
    if (numbers(key).some((value) => !Number.isSafeInteger(value) || value < 0))
      return { error: `${key} is not a number` };
  }
  const readOnly = given.get("read-only")?.at(-1) ?? "safe";
  if (readOnly !== "safe" && readOnly !== "lease-based") return { error: `invalid read-only option "${readOnly}"` };
  const hasLeaseReads = readOnly === "lease-based";
  if (hasLeaseReads && !flag("checkquorum")) {
    return { error: "CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased" };
  }
  const index = number("index", 0);
  const content = given.get("content")?.at(-1) ?? "";
  const voters = numbers("voters");
  const learners = numbers("learners");
  const isSeeded = index > 0 || content !== "" || voters.length > 0 || learners.length > 0;
  if (isSeeded && index <= 1) return { error: "index must be specified as > 1 due to bootstrap" };
  const confState = { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
  return {
    config: {
      electionTicks: 3,
      heartbeatTicks: 1,
      applied: index,
      maxBytesPerMessage: Number.MAX_SAFE_INTEGER,
      maxBytesPerApply: Number.MAX_SAFE_INTEGER,
      maxInflightMessages: number("inflight", 2 ** 31 - 1),
      maxInflightBytes: Number.MAX_SAFE_INTEGER,
      maxUncommittedBytes: Number.MAX_SAFE_INTEGER,
      preVote: flag("prevote"),
      checkQuorum: flag("checkquorum"),
      stepDownOnRemoval: flag("step-down-on-removal"),
      commitRidesAlong: flag("commit-rides-along"),
      // etcd draws 3, 4 or 5 ticks; here it is always 4, so that one election interval passes in silence and two make a campaign.
      randomBelow: () => 1,
    },
    options: {
      asyncStorage: flag("async-storage-writes"),
      maxAppliedBytes: number("max-committed-size-per-ready", 0) || Number.MAX_SAFE_INTEGER,
      validatesConfChanges: !flag("disable-conf-change-validation"),
      hasLeaseReads,
    },
    snapshot: isSeeded ? { meta: { index, term: 1, confState }, handle: 0 } : null,
    content,
  };
}
