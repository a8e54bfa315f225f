/**
 * A group that hands out again what was not acknowledged (XGROUP SETRETRY), from what clients saw, on streams of their own (`q…`) from which nobody removes
 * anything: what was acknowledged is not handed out again, and at the end plain readers have been given all the rest; nothing is left that somebody
 * would have to look for.
 */
import type { Operation } from "../sim-client.ts";
import { type Entry, isCommittedLevel, isRefused } from "./reading.ts";

/** What a reader finds with everything healed, who reads and acknowledges until nothing has come for long enough. */
export interface RedeliveryView {
  readonly entries: readonly Entry[];
  /** Ids that it got, in that order. */
  readonly drained: readonly string[];
  /** What the group has pending afterwards. */
  readonly pendingCount: number;
}

/** Throws on the first contradiction. Answers how many deliveries were of entries that had been delivered before. */
export function checkRedelivery(operations: readonly Operation[], views: ReadonlyMap<string, RedeliveryView>): number {
  let again = 0;
  for (const [stream, view] of views) again += checkStream(stream, operations, view);
  return again;
}

function checkStream(stream: string, operations: readonly Operation[], view: RedeliveryView): number {
  const there = new Set(view.entries.map(([id]) => id));
  const { done, attempted } = acknowledgements(stream, operations);
  const delivered = new Set<string>();
  let again = 0;
  for (const operation of operations) {
    const { args, reply } = operation;
    if (args[0] === "XADD" && args[1] === stream && typeof reply === "string" && isCommittedLevel(operation)) {
      if (!there.has(reply)) throw new Error(`${stream} ${reply} was acknowledged to its writer, and is lost`);
    }
    if (args[0] !== "XREADGROUP" || !Array.isArray(reply)) continue;
    for (const id of idsOf(operation, stream)) {
      const by = done.get(id);
      if (by !== undefined && by.completedStep < operation.invokedStep)
        throw new Error(
          `${stream} ${id} was acknowledged by ${by.client} and delivered to ${operation.client} afterwards`,
        );
      if (delivered.has(id)) again++;
      delivered.add(id);
    }
  }
  const drained = new Set<string>();
  for (const id of view.drained) {
    if (done.has(id)) throw new Error(`${stream} ${id} was acknowledged, and delivered again at the end`);
    if (drained.has(id)) throw new Error(`${stream} ${id} was acknowledged at the end, and delivered once more`);
    drained.add(id);
  }
  for (const id of there) {
    if (!drained.has(id) && !attempted.has(id))
      throw new Error(`${stream} ${id} was never acknowledged, and nobody is given it`);
  }
  if (view.pendingCount > 0)
    throw new Error(`${stream}: ${view.pendingCount} entries stay pending, and nobody is given them`);
  return again;
}

/** Those that count for sure, and all that were perhaps made. */
function acknowledgements(
  stream: string,
  operations: readonly Operation[],
): { readonly done: ReadonlyMap<string, Operation>; readonly attempted: ReadonlySet<string> } {
  const done = new Map<string, Operation>();
  const attempted = new Set<string>();
  for (const operation of operations) {
    const { args, reply } = operation;
    if (args[0] !== "XACK" || args[1] !== stream || isRefused(operation)) continue;
    const ids = args.slice(3);
    for (const id of ids) attempted.add(id);
    if (reply !== ids.length || !isCommittedLevel(operation)) continue;
    for (const id of ids) {
      const before = done.get(id);
      if (before !== undefined)
        throw new Error(`${stream} ${id} was acknowledged twice: by ${before.client} and by ${operation.client}`);
      done.set(id, operation);
    }
  }
  return { done, attempted };
}

function idsOf({ reply }: Operation, stream: string): readonly string[] {
  const sections = reply as unknown as readonly (readonly [string, readonly Entry[]])[];
  return (sections.find(([name]) => name === stream)?.[1] ?? []).map(([id]) => id);
}
