/** What requests and replies say about streams: shared by the checkers, which never look at the program itself. */
import { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import type { DeadLetterView } from "./dead-letters.ts";
import type { DelayView } from "./delays.ts";
import type { ZsetView } from "../zset-work.ts";
import type { PressureView } from "./pressure.ts";
import type { RedeliveryView } from "./redelivery.ts";
import type { TransactionView } from "./transactions.ts";
import type { ValueView } from "./values.ts";

export type Entry = readonly [id: string, fields: readonly string[]];

/** What a quiet reader finds at the end, with everything healed. */
export interface FinalView {
  readonly entries: ReadonlyMap<string, readonly Entry[]>;
  /** stream → what is pending in the group, before it is drained. */
  readonly pending: ReadonlyMap<string, readonly PendingRow[]>;
  /** stream → ids that the group had not handed out yet, in the order in which the drain got them. */
  readonly drained: ReadonlyMap<string, readonly string[]>;
  /** Where nobody wrote in transactions: left out. */
  readonly transactions?: TransactionView;
  /** Counters and what grows with them; where nobody counted: left out. */
  readonly values?: ValueView;
  /** stream → what was handed out again and again; where nobody asked for it: left out. */
  readonly redeliveries?: ReadonlyMap<string, RedeliveryView>;
  /** Where no group gives anything up: left out. */
  readonly deadLetters?: DeadLetterView;
  /** stream → what has appeared in it later; where nobody delayed anything: left out. */
  readonly delays?: ReadonlyMap<string, DelayView>;
  /** stream → how it stands with its limit; where there is none: left out. */
  readonly pressed?: ReadonlyMap<string, PressureView>;
  /** list → its elements; where nobody pushed any: left out. */
  readonly lists?: ReadonlyMap<string, readonly string[]>;
  /** Where nobody put anything into a sorted set: left out. */
  readonly zsets?: ZsetView;
  /** Keys with one writer, all of them; where there are none: left out. */
  readonly owned?: ReadonlyMap<string, readonly string[]>;
}

export interface PendingRow {
  readonly id: string;
  readonly consumer: string;
  readonly deliveries: number;
}

/**
 * By its first letters: `s` entries are added and deleted by id, `t` trimmed, `d` the whole key is deleted now and then, `e` it expires now and then. What
 * retention does to `r` is a trim, and to `u`, where it keeps what is not acknowledged, a deletion of what is.
 */
export type StreamKind = "s" | "t" | "d" | "e";

export function kindOf(stream: string): StreamKind {
  const letter = stream[0]!;
  if (letter === "r") return "t";
  return letter === "t" || letter === "d" || letter === "e" ? letter : "s";
}

/** The key goes as a whole, so that ids may be given again. */
export function goesAsAWhole(stream: string): boolean {
  const kind = kindOf(stream);
  return kind === "d" || kind === "e";
}

/** Nobody judges what is in it, as anything may happen to it (workload-commands.ts), or it has a judge of its own (group-names.ts, idempotence.ts,
 * dead-letters.ts, delays.ts, lists.ts, owned.ts, pressure.ts, redelivery.ts, transactions.ts, zsets.ts). */
export function isFree(stream: string): boolean {
  return /^[xgyiwqplb]/.test(stream);
}

/** What the streams `r` and `u` are told to keep. */
export const RETAINED_ENTRIES = 12;
export const UNACKED_ENTRIES = 4;

export const NEVER: number = Number.POSITIVE_INFINITY;

/** When the operation was over; one without an answer may take effect at any time later. */
export function endOf(operation: Operation): number {
  const { reply } = operation;
  if (reply === undefined) return NEVER;
  return reply instanceof ErrorReply && reply.code === "UNCERTAIN" ? NEVER : operation.completedStep;
}

/** It answered, and nothing but what it says can have happened. */
export function isCertain(operation: Operation): boolean {
  return operation.reply !== undefined && !(operation.reply instanceof ErrorReply);
}

/** Refused: nothing of it has happened and nothing will. */
export function isRefused({ reply }: Operation): boolean {
  return reply instanceof ErrorReply && reply.code !== "UNCERTAIN";
}

/** Nobody knows whether it happened. */
export function isDoubtful({ reply }: Operation): boolean {
  return reply === undefined || (reply instanceof ErrorReply && reply.code === "UNCERTAIN");
}

export function isCommittedLevel(operation: Operation): boolean {
  return operation.ack === "ALL";
}

/** Entries in a reply: stream → entries. Of a history read those that were deleted meanwhile are left out. */
export function entriesRead(operation: Operation): readonly (readonly [string, readonly Entry[]])[] {
  const { args, reply } = operation;
  if (!Array.isArray(reply)) return [];
  switch (args[0]!) {
    case "XRANGE":
    case "XREVRANGE":
      return [[args[1]!, reply as unknown as Entry[]]];
    case "XREAD":
    case "XREADGROUP":
      return (reply as unknown as [string, [string, readonly string[] | null][]][]).map(([stream, entries]) => [
        stream,
        entries.filter(([, fields]) => fields !== null) as Entry[],
      ]);
    case "XCLAIM":
      return args.includes("JUSTID") ? [] : [[args[1]!, reply as unknown as Entry[]]];
    case "XAUTOCLAIM":
      return args.includes("JUSTID") ? [] : [[args[1]!, reply[1] as unknown as Entry[]]];
    default:
      return [];
  }
}

/** What an XREAD or XREADGROUP names, in its order. */
export function streamsRead(args: readonly string[]): readonly string[] {
  if (args[0] !== "XREAD" && args[0] !== "XREADGROUP") return [];
  const listed = args.slice(args.indexOf("STREAMS") + 1);
  return listed.slice(0, listed.length / 2);
}

export function payloadOf(add: Operation): string {
  return add.args.at(-1)!;
}

/** What XDELEX, XACKDEL and XNACK name behind IDS. */
export function namedIds({ args }: Operation): readonly string[] {
  const at = args.indexOf("IDS");
  return args.slice(at + 2, at + 2 + Number(args[at + 1]));
}

/** Those of a group read's entries that it had not handed out before; with CLAIM they show two zeros. */
export function newEntries({ args }: Operation, entries: readonly Entry[]): readonly Entry[] {
  if (!args.includes("CLAIM")) return entries;
  return entries.filter((entry) => {
    const [, , idleMs, deliveries] = entry as readonly unknown[];
    return idleMs === 0 && deliveries === 0;
  });
}

/** Shows the whole stream. */
export function isWholeRead({ args, reply }: Operation): boolean {
  return args[0] === "XRANGE" && args.length === 4 && Array.isArray(reply);
}

/** Shows the end of the stream. */
export function showsEnd(operation: Operation): boolean {
  return operation.args[0] === "XRANGE" || operation.args[0] === "XREVRANGE";
}

export function compareIds(a: string, b: string): number {
  const [aMs, aSeq] = a.split("-").map(Number) as [number, number];
  const [bMs, bSeq] = b.split("-").map(Number) as [number, number];
  return aMs - bMs || aSeq - bSeq;
}
