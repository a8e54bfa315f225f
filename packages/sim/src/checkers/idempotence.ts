/**
 * Idempotent producing, from what clients saw: however often a message is sent, and whatever happens to nodes and replies meanwhile, its stream holds it
 * once, at one id. On streams of their own (`i…`) from which nobody removes anything, with windows that nothing leaves.
 *
 * A message is known by its payload up to `#`; what follows tells the attempts of one iid apart. IDMPAUTO makes the iid of the fields: its attempts are equal.
 */
import type { Operation } from "../sim-client.ts";
import { type Entry, entriesRead, isCommittedLevel, isRefused, payloadOf } from "./reading.ts";

interface Message {
  /** First attempt: nobody can have it before. */
  asked: number;
  /** Answered at ack=all, or read: it is there, at this id, for everybody who asks later. */
  id: string | null;
  since: number;
  by: Operation | null;
  attempts: number;
  refused: number;
}

export function isIdempotentStream(stream: string): boolean {
  return stream.startsWith("i");
}

/** Throws on the first contradiction. Answers how many attempts were answered with what an earlier one had added. */
export function checkIdempotence(
  operations: readonly Operation[],
  final: ReadonlyMap<string, readonly Entry[]>,
): number {
  const messages = new Map<string, Message>();
  const adds = operations.filter(({ args }) => args[0] === "XADD" && isIdempotentStream(args[1]!));
  for (const add of adds) {
    const name = nameOf(add.args[1]!, payloadOf(add));
    const known = messages.get(name) ?? {
      asked: add.invokedStep,
      id: null,
      since: 0,
      by: null,
      attempts: 0,
      refused: 0,
    };
    known.attempts++;
    if (isRefused(add)) known.refused++;
    known.asked = Math.min(known.asked, add.invokedStep);
    messages.set(name, known);
  }
  const answers = [...adds, ...operations.filter(({ args }) => args[0] === "XRANGE" && isIdempotentStream(args[1]!))];
  answers.sort((a, b) => a.completedStep - b.completedStep);
  let repeated = 0;
  for (const operation of answers) {
    if (operation.args[0] !== "XADD") {
      for (const [stream, entries] of entriesRead(operation)) checkEntries(messages, stream, entries, operation);
      continue;
    }
    const { args, reply } = operation;
    if (typeof reply !== "string" || !isCommittedLevel(operation)) continue;
    const message = messages.get(nameOf(args[1]!, payloadOf(operation)))!;
    if (message.id !== null) repeated++;
    meet(message, args[1]!, reply, operation);
  }
  for (const [stream, entries] of final) if (isIdempotentStream(stream)) checkEntries(messages, stream, entries, null);
  return repeated;
}

function checkEntries(
  messages: ReadonlyMap<string, Message>,
  stream: string,
  entries: readonly Entry[],
  read: Operation | null,
): void {
  const shown = new Set<Message>();
  for (const [id, fields] of entries) {
    const name = nameOf(stream, fields[1]!);
    const message = messages.get(name);
    if (message === undefined || message.attempts === message.refused)
      throw new Error(`${name} is in ${stream}, but nobody added it, or it was refused`);
    if (shown.has(message)) throw new Error(`${name} is twice in what ${describe(read)} saw, again at ${id}`);
    shown.add(message);
    meet(message, stream, id, read);
  }
  for (const [name, message] of messages) {
    if (!name.startsWith(`${stream} `) || message.id === null || shown.has(message)) continue;
    if (read !== null && read.invokedStep <= message.since) continue;
    throw new Error(`${name} was at ${message.id} for ${describe(message.by)}, but ${describe(read)} did not see it`);
  }
}

function meet(message: Message, stream: string, id: string, by: Operation | null): void {
  if (message.id !== null && message.id !== id)
    throw new Error(
      `one message at two ids of ${stream}: ${message.id} for ${describe(message.by)}, ${id} for ${describe(by)}`,
    );
  if (message.id !== null) return;
  message.id = id;
  message.since = by?.completedStep ?? 0;
  message.by = by;
}

function nameOf(stream: string, payload: string): string {
  return `${stream} ${payload.split("#")[0]}`;
}

function describe(operation: Operation | null): string {
  return operation === null ? "the final reader" : `${operation.client} ${operation.args.join(" ")}`;
}
