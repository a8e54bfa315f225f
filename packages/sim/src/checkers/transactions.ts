/**
 * Transactions are all or nothing (I14): what one wrote to two streams is in both or in neither, for everybody who looks at both at once; it stands in one
 * log entry. WATCH is a comparison: of all that saw the same end of the chain only one may have appended to it.
 */
import { ErrorReply, type ReplyValue } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { CHAIN, NO_ENTRY, PAIR } from "../transaction-work.ts";
import { GROWING } from "../value-work.ts";
import type { Placement } from "./history.ts";
import { type Entry, isCommittedLevel } from "./reading.ts";

/** The streams as a quiet reader finds them at the end. */
export interface TransactionView {
  readonly pair: readonly [readonly Entry[], readonly Entry[]];
  readonly chain: readonly Entry[];
}

export interface TransactionReport {
  readonly chained: number;
  readonly aborted: number;
}

type Exec = Operation & { readonly parts: readonly (readonly string[])[] };

interface Write {
  readonly operation: Exec;
  readonly adds: readonly Add[];
}

interface Add {
  readonly stream: string;
  readonly payload: string;
  /** As it was answered; null: it was not. */
  readonly id: string | null;
}

/** Throws on the first contradiction. */
export function checkTransactions(
  operations: readonly Operation[],
  final: TransactionView,
  placements: ReadonlyMap<string, Placement>,
): TransactionReport {
  const execs = operations.filter((operation): operation is Exec => operation.parts !== undefined);
  const writes = execs.map(writeOf).filter(({ adds }) => adds.length > 0);
  checkPair(final.pair[0], final.pair[1], "at the end");
  for (const exec of execs) {
    checkFirstOfChain(exec, final.chain);
    const read = pairIn(exec);
    if (read === null) continue;
    checkPair(read[0], read[1], `for ${exec.client} (steps ${exec.invokedStep}–${exec.completedStep})`);
    checkSeen(exec, read[0], writes);
    checkKept(exec, read[0], final.pair[0]);
  }
  checkChain(final.chain);
  checkFates(writes, final);
  for (const write of writes) checkPlacement(write, placements);
  const ofChain = writes.filter(({ adds }) => adds.some(({ stream }) => stream === CHAIN));
  return {
    chained: ofChain.filter(({ operation }) => Array.isArray(operation.reply)).length,
    aborted: ofChain.filter(({ operation }) => operation.reply === null).length,
  };
}

function writeOf(operation: Exec): Write {
  const { parts, reply } = operation;
  const adds: Add[] = [];
  for (const [at, [command, stream, ...rest]] of parts.entries()) {
    const payload = rest[rest.indexOf("p") + 1]!;
    if (command !== "XADD" || rest[0] !== "*" || stream === GROWING.stream) continue;
    const answer: ReplyValue | undefined = Array.isArray(reply) ? reply[at] : undefined;
    if (Array.isArray(reply) && typeof answer !== "string")
      throw new Error(`${operation.client}: XADD ${stream} in a transaction was answered ${JSON.stringify(answer)}`);
    adds.push({ stream: stream!, payload, id: typeof answer === "string" ? answer : null });
  }
  return { operation, adds };
}

/** Both streams as one transaction read them. */
function pairIn({ parts, reply }: Exec): readonly [readonly Entry[], readonly Entry[]] | null {
  if (parts[0]?.[0] !== "XRANGE" || parts[0][1] !== PAIR[0] || !Array.isArray(reply)) return null;
  return reply as unknown as [Entry[], Entry[]];
}

/** A transaction takes two numbers, one after the other. */
function checkPair(first: readonly Entry[], second: readonly Entry[], where: string): void {
  const ofFirst = first.map(([, fields]) => nextPayload(fields[1]!));
  const ofSecond = second.map(([, fields]) => fields[1]!);
  if (ofFirst.length === ofSecond.length && ofFirst.every((payload, at) => payload === ofSecond[at])) return;
  const odd =
    ofFirst.find((payload) => !ofSecond.includes(payload)) ?? ofSecond.find((payload) => !ofFirst.includes(payload));
  throw new Error(`half a transaction ${where}: ${odd} is in one of ${PAIR.join(" and ")} and not in the other`);
}

function nextPayload(payload: string): string {
  const [client, serial] = payload.split(".");
  return `${client}.${Number(serial) + 1}`;
}

/** What was answered at ack=all before it was asked for is there. */
function checkSeen(exec: Operation, entries: readonly Entry[], writes: readonly Write[]): void {
  const there = new Set(entries.map(([, fields]) => fields[1]!));
  for (const { operation, adds } of writes) {
    if (!isSafe(operation) || operation.completedStep >= exec.invokedStep) continue;
    const missing = adds.find(({ stream, payload }) => stream === PAIR[0] && !there.has(payload));
    if (missing !== undefined)
      throw new Error(`${missing.payload} was answered to ${operation.client} and not seen later by ${exec.client}`);
  }
}

/** Nothing is ever taken out of the pair: what was seen stays (I6). */
function checkKept(exec: Exec, seen: readonly Entry[], last: readonly Entry[]): void {
  const there = new Set(last.map(([, fields]) => fields[1]!));
  const gone = seen.find(([, fields]) => !there.has(fields[1]!));
  if (gone !== undefined) throw new Error(`seen and gone: ${PAIR[0]} ${gone[0]} in a transaction of ${exec.client}`);
}

/** Each names the one before it: whoever was overtaken between WATCH and EXEC must not have appended. */
function checkChain(chain: readonly Entry[]): void {
  let before = NO_ENTRY;
  for (const [id, fields] of chain) {
    if (fields[3] !== before)
      throw new Error(`${CHAIN} ${id} (${fields[1]}) was written behind ${fields[3]}, but stands behind ${before}`);
    before = id;
  }
}

/** Nothing is ever taken out of the chain: whoever reads its beginning beside an append finds what is there at the end. */
function checkFirstOfChain({ client, parts, reply }: Exec, [first]: readonly Entry[]): void {
  const at = parts.findIndex(([command, stream]) => command === "XRANGE" && stream === CHAIN);
  if (at < 0 || !Array.isArray(reply)) return;
  const [seen] = reply[at] as unknown as [Entry?];
  if (seen === undefined ? at === 0 : seen[0] === first?.[0] && seen[1].join() === first[1].join()) return;
  throw new Error(
    `a transaction of ${client} read ${JSON.stringify(seen)} as the first of ${CHAIN}, which is ${first?.[0]}`,
  );
}

function checkFates(writes: readonly Write[], final: TransactionView): void {
  const places = new Map<string, string>();
  const streams = [...PAIR, CHAIN];
  for (const [at, entries] of [...final.pair, final.chain].entries()) {
    for (const [id, fields] of entries) {
      const payload = fields[1]!;
      if (places.has(payload)) throw new Error(`${payload} is there twice: a transaction was executed again`);
      places.set(payload, `${streams[at]} ${id}`);
    }
  }
  for (const { operation, adds } of writes) {
    const { reply } = operation;
    const isRefused = reply === null || (reply instanceof ErrorReply && reply.code !== "UNCERTAIN");
    for (const { stream, payload, id } of adds) {
      const place = places.get(payload);
      if (isRefused && place !== undefined)
        throw new Error(`${payload} is at ${place}, but its EXEC was answered ${JSON.stringify(reply)}`);
      if (id === null) continue;
      if (place !== undefined && place !== `${stream} ${id}`)
        throw new Error(`${payload} was answered with ${stream} ${id}, but is at ${place}`);
      if (place === undefined && isSafe(operation))
        throw new Error(`lost: ${payload} of a transaction that was acknowledged as ${stream} ${id}`);
    }
  }
}

/** Answered, and nothing may take it back: at ack=all, or because something was read beside it. */
function isSafe(operation: Exec): boolean {
  if (!Array.isArray(operation.reply)) return false;
  const reads = operation.parts.some(
    ([command, , id]) => command === "XLEN" || command === "XRANGE" || (command === "XADD" && id === "0-1"),
  );
  return reads || isCommittedLevel(operation);
}

function checkPlacement({ operation, adds }: Write, placements: ReadonlyMap<string, Placement>): void {
  const met = adds.map(({ payload }) => placements.get(payload)).filter((place) => place !== undefined);
  const [first] = met;
  if (first === undefined) return;
  const other = met.find(({ index, term }) => index !== first.index || term !== first.term);
  if (other !== undefined)
    throw new Error(`a transaction of ${operation.client} is in two log entries, ${first.index} and ${other.index}`);
}
