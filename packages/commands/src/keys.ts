/**
 * Where a request's keys are: for routing, for the read gate and for COMMAND GETKEYS. One answer for all three.
 */
import { assert, latin1 } from "@headrace/bytes";
import type { StoredKeyspace } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "./command.ts";
import type { CommandRecord } from "./command.ts";

/** Writes the argument positions of the keys into `into`; returns how many, or −1 when the syntax does not show them. */
export function findKeys(record: CommandRecord, request: Request, into: number[]): number {
  const keys = record.keys;
  if (keys === null) return 0;
  if (keys.find !== null) return keys.find(request, into);
  const last = keys.last < 0 ? request.count + keys.last : keys.last;
  let found = 0;
  for (let i = keys.first; i <= last && i < request.count; i += keys.step) into[found++] = i;
  return found;
}

const positions: number[] = [];

/** Counts what reads look for. */
export interface LookupCounters {
  keyspaceHits: number;
  keyspaceMisses: number;
}

/**
 * The log index that commit must reach before the reply of a read may leave (I6): the last writer of its keys as seen at execution, or of the
 * whole state for commands over the whole keyspace. `lookups`: the keys are counted there by whether they exist.
 */
export function gateIndex(
  record: CommandRecord,
  request: Request,
  keyspace: Pick<StoredKeyspace, "lastWriterIndex" | "find">,
  stateIndex: number,
  lookups: LookupCounters | null = null,
): number {
  if ((record.flags & Flag.wholeKeyspace) !== 0) return stateIndex;
  const found = findKeys(record, request, positions);
  if (found < 0) return stateIndex;
  let gate = 0;
  for (let i = 0; i < found; i++) {
    const position = positions[i]!;
    const key = latin1(request.bytes, request.start(position), request.end(position));
    const index = keyspace.lastWriterIndex(key);
    if (index > gate) gate = index;
    if (lookups === null) continue;
    if (keyspace.find(key) === null) lookups.keyspaceMisses++;
    else lookups.keyspaceHits++;
  }
  assert(gate <= stateIndex, "a key's last writer is not ahead of the state");
  return gate;
}

/**
 * XREAD and XREADGROUP: the first half of what follows STREAMS, found from the left, since a group may itself be called STREAMS.
 * `valueCounts`: how many arguments each option takes.
 */
export function findStreamsKeys(request: Request, options: ReadonlyMap<string, number>, into: number[]): number {
  let i = 1;
  while (i < request.count) {
    if (request.is(i, "STREAMS")) {
      const rest = request.count - i - 1;
      if (rest === 0 || rest % 2 !== 0) return -1;
      for (let k = 0; k < rest / 2; k++) into[k] = i + 1 + k;
      return rest / 2;
    }
    let taken = -1;
    for (const [word, values] of options) {
      if (request.is(i, word)) taken = values;
    }
    if (taken < 0) return -1;
    i += 1 + taken;
  }
  return -1;
}
