/**
 * Groups that give entries up (XGROUP SETDLQ), from what clients saw, on streams of their own (`p…`) from which nobody removes anything: in the end each entry
 * was acknowledged once or is in the dead-letter stream once; none is in both, none in neither. Poison is in it. Nothing is delivered more often than the group
 * says, where nobody has sent it back.
 */
import { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { type Entry, isCommittedLevel, isRefused } from "./reading.ts";

/** What a reader finds with everything healed, who reads until nothing has come for long enough, and acknowledges what is no poison. */
export interface DeadLetterView {
  readonly dead: readonly Entry[];
  readonly streams: ReadonlyMap<string, LetteredView>;
}

export interface LetteredView {
  readonly entries: readonly Entry[];
  /** By that reader. */
  readonly acknowledged: readonly string[];
  readonly pendingCount: number;
}

export interface DeadLetterRules {
  readonly retriesMax: number;
  readonly group: string;
}

export function isPoison(payload: string): boolean {
  return payload.endsWith("!");
}

interface Letter {
  readonly payload: string;
  readonly reason: string;
}

/** Throws on the first contradiction. Answers how many entries ended as dead letters, and how often one came back from there to be acknowledged. */
export function checkDeadLetters(
  operations: readonly Operation[],
  view: DeadLetterView,
  rules: DeadLetterRules,
): { readonly dead: number } {
  const letters = lettersOf(view.dead, rules.group);
  let dead = 0;
  for (const [stream, each] of view.streams) {
    const own = letters.get(stream) ?? new Map<string, Letter>();
    letters.delete(stream);
    checkStream(stream, operations, { ...each, letters: own });
    checkDeliveries(stream, operations, rules);
    dead += own.size;
  }
  for (const stream of letters.keys()) throw new Error(`dead letters of ${stream}, which has none`);
  return { dead };
}

/** By stream and id. */
function lettersOf(dead: readonly Entry[], group: string): Map<string, Map<string, Letter>> {
  const found = new Map<string, Map<string, Letter>>();
  for (const [id, fields] of dead) {
    const pairs = new Map<string, string>();
    for (let i = 0; i < fields.length; i += 2) pairs.set(fields[i]!, fields[i + 1]!);
    const stream = pairs.get("dlq:stream") ?? "";
    const origin = pairs.get("dlq:id") ?? "";
    if (pairs.get("dlq:group") !== group || fields.length !== 16)
      throw new Error(`${id} of the dead-letter stream is no letter: ${JSON.stringify(fields)}`);
    const ofStream = found.get(stream) ?? new Map<string, Letter>();
    if (ofStream.has(origin)) throw new Error(`${stream} ${origin} is in the dead-letter stream twice`);
    ofStream.set(origin, { payload: pairs.get("p") ?? "", reason: pairs.get("dlq:reason") ?? "" });
    found.set(stream, ofStream);
  }
  return found;
}

function checkStream(
  stream: string,
  operations: readonly Operation[],
  { entries, acknowledged, pendingCount, letters }: LetteredView & { readonly letters: ReadonlyMap<string, Letter> },
): void {
  const there = new Map(entries.map(([id, fields]) => [id, fields[1]!]));
  const { done, perhaps } = acknowledgements(stream, operations);
  for (const operation of operations) {
    const { args, reply } = operation;
    if (args[0] !== "XADD" || args[1] !== stream || typeof reply !== "string" || !isCommittedLevel(operation)) continue;
    if (!there.has(reply)) throw new Error(`${stream} ${reply} was acknowledged to its writer, and is lost`);
  }
  for (const id of acknowledged) {
    if (done.has(id)) throw new Error(`${stream} ${id} was acknowledged, and delivered again at the end`);
    done.add(id);
  }
  for (const [id, letter] of letters) {
    const payload = there.get(id);
    if (payload !== letter.payload) throw new Error(`${stream} ${id} is another entry as a dead letter`);
    if (done.has(id)) throw new Error(`${stream} ${id} was acknowledged, and is in the dead-letter stream`);
  }
  for (const [id, payload] of there) {
    if (isPoison(payload) && !letters.has(id)) throw new Error(`${stream} ${id} is poison, and no dead letter`);
    if (!letters.has(id) && !done.has(id) && !perhaps.has(id))
      throw new Error(`${stream} ${id} was never acknowledged, and is no dead letter`);
  }
  if (pendingCount > 0) throw new Error(`${stream}: ${pendingCount} entries stay pending, and nobody is given them`);
}

/** Ids that count for sure, and those of which it is not known. Each request names one. */
function acknowledgements(
  stream: string,
  operations: readonly Operation[],
): { readonly done: Set<string>; readonly perhaps: ReadonlySet<string> } {
  const done = new Set<string>();
  const perhaps = new Set<string>();
  for (const operation of operations) {
    const { args, reply } = operation;
    if (args[0] !== "XACK" || args[1] !== stream || isRefused(operation)) continue;
    const id = args[3]!;
    if (reply === undefined || reply instanceof ErrorReply || !isCommittedLevel(operation)) perhaps.add(id);
    if (reply !== 1 || !isCommittedLevel(operation)) continue;
    if (done.has(id)) throw new Error(`${stream} ${id} was acknowledged twice`);
    done.add(id);
  }
  return { done, perhaps };
}

function checkDeliveries(stream: string, operations: readonly Operation[], { retriesMax }: DeadLetterRules): void {
  const isSentBack = operations.some(({ args }) => args[0] === "XGROUP" && args[1] === "REDRIVE" && args[2] === stream);
  if (isSentBack) return;
  const deliveries = new Map<string, number>();
  for (const operation of operations) {
    for (const id of deliveredIn(operation, stream)) {
      const count = (deliveries.get(id) ?? 0) + 1;
      if (count > retriesMax) throw new Error(`${stream} ${id} was delivered ${count} times, and may be ${retriesMax}`);
      deliveries.set(id, count);
    }
  }
}

function deliveredIn({ args, reply }: Operation, stream: string): readonly string[] {
  if (!Array.isArray(reply)) return [];
  if (args[0] === "XAUTOCLAIM" && args[1] === stream)
    return (reply[1] as unknown as readonly Entry[]).map(([id]) => id);
  if (args[0] !== "XREADGROUP") return [];
  const sections = reply as unknown as readonly (readonly [string, readonly Entry[]])[];
  return (sections.find(([name]) => name === stream)?.[1] ?? []).map(([id]) => id);
}
