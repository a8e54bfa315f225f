/**
 * Delayed entries (XADD DELAY, AT), from what clients saw, on streams of their own (`l…`) from which nobody removes anything: each message appears once, never
 * before its time, not after somebody was told that it is cancelled, and with everything healed all others are there. A handle stands for one message.
 *
 * A message is known by its payload up to `#`; what follows tells the attempts of one idempotent id apart. Log time at a moment is known from below: it was
 * at least the time in every id that somebody had seen by then.
 */
import type { Operation } from "../sim-client.ts";
import { delayedRows } from "../delay-work.ts";
import { type Entry, isRefused, payloadOf } from "./reading.ts";

export interface Delayed {
  readonly handle: string;
  readonly dueMs: number;
  readonly payload: string;
}

/** What a reader finds when all is due. */
export interface DelayView {
  readonly entries: readonly Entry[];
}

interface Message {
  readonly name: string;
  attempts: number;
  refused: number;
  /** It was answered so. */
  handle: string | null;
  id: string | null;
  /** Not before: from lists, and from what was known when it was sent with this delay. */
  dueMs: number;
  seenBy: string | null;
  /** From here on nobody who begins finds it waiting. */
  seenStep: number;
}

interface Cancels {
  /** Told that it was there. */
  done: Operation | null;
  /** Perhaps done: no answer is known. */
  doubtful: number;
}

/** Throws on the first contradiction. Answers how many messages appeared after a delay, and how many were cancelled. */
export function checkDelays(
  operations: readonly Operation[],
  views: ReadonlyMap<string, DelayView>,
): { readonly appeared: number; readonly cancelled: number } {
  let appeared = 0;
  let cancelled = 0;
  for (const [stream, { entries }] of views) {
    const judge = new StreamDelays(stream, operations);
    judge.check(entries);
    appeared += judge.appeared;
    cancelled += judge.cancelled;
  }
  return { appeared, cancelled };
}

class StreamDelays {
  appeared = 0;
  cancelled = 0;
  readonly #stream: string;
  readonly #operations: readonly Operation[];
  readonly #messages = new Map<string, Message>();
  readonly #byHandle = new Map<string, Message>();
  readonly #cancels = new Map<string, Cancels>();
  readonly #lists: { readonly rows: readonly Delayed[]; readonly by: Operation }[] = [];

  constructor(stream: string, operations: readonly Operation[]) {
    this.#stream = stream;
    this.#operations = operations.filter(
      ({ args }) => args[1] === stream || (args[0] === "XDELAYED" && args[2] === stream),
    );
  }

  check(final: readonly Entry[]): void {
    this.#collectAdds();
    this.#collectCancels();
    const byEnd = this.#operations
      .filter(({ completedStep }) => completedStep >= 0)
      .toSorted((a, b) => a.completedStep - b.completedStep);
    for (const operation of byEnd) this.#hear(operation);
    this.#see(final, "the final reader", Number.POSITIVE_INFINITY);
    this.#checkTimes();
    this.#checkCancels(final);
    this.#checkOrder(final);
  }

  #collectAdds(): void {
    for (const add of this.#operations) {
      if (add.args[0] !== "XADD") continue;
      const name = nameOf(payloadOf(add));
      const message = this.#messages.get(name) ?? {
        name,
        attempts: 0,
        refused: 0,
        handle: null,
        id: null,
        dueMs: Number.POSITIVE_INFINITY,
        seenBy: null,
        seenStep: Number.POSITIVE_INFINITY,
      };
      this.#messages.set(name, message);
      message.attempts++;
      if (isRefused(add)) message.refused++;
      else message.dueMs = Math.min(message.dueMs, this.#earliest(add));
    }
  }

  /** Before that log time the attempt lets nothing appear. */
  #earliest(add: Operation): number {
    const at = add.args.indexOf("DELAY");
    if (at < 0) return 0;
    let logTimeMs = 0;
    for (const { completedStep, args, reply } of this.#operations) {
      if (completedStep < 0 || completedStep >= add.invokedStep || args[0] !== "XRANGE" || !Array.isArray(reply))
        continue;
      const last = (reply as unknown as readonly Entry[]).at(-1);
      if (last !== undefined) logTimeMs = Math.max(logTimeMs, msOf(last[0]));
    }
    return logTimeMs + Number(add.args[at + 1]);
  }

  #collectCancels(): void {
    for (const operation of this.#operations) {
      const { args, reply } = operation;
      if (args[1] !== "CANCEL" || isRefused(operation)) continue;
      const handle = args[3]!;
      const cancels = this.#cancels.get(handle) ?? { done: null, doubtful: 0 };
      this.#cancels.set(handle, cancels);
      if (reply === 1) {
        if (cancels.done !== null)
          throw new Error(`${handle} was cancelled twice: for ${cancels.done.client} and for ${operation.client}`);
        cancels.done = operation;
        this.cancelled++;
      } else if (reply !== 0) {
        cancels.doubtful++;
      }
    }
  }

  #hear(operation: Operation): void {
    const { args, reply } = operation;
    if (args[0] === "XADD" && typeof reply === "string") {
      const message = this.#messages.get(nameOf(payloadOf(operation)))!;
      if (reply.startsWith("d")) this.#name(reply, message, operation);
    } else if (args[0] === "XRANGE" && Array.isArray(reply)) {
      this.#see(reply as unknown as readonly Entry[], operation.client, operation.completedStep);
    } else if (args[0] === "XDELAYED" && Array.isArray(reply)) {
      const rows = delayedRows(reply);
      this.#lists.push({ rows, by: operation });
      for (const row of rows) this.#meetRow(row, operation);
    }
  }

  /** The handle stands for the message. */
  #name(handle: string, message: Message, by: Operation): void {
    const known = this.#byHandle.get(handle);
    if (known !== undefined && known !== message)
      throw new Error(`${handle} of ${this.#stream} was given for ${known.name} and for ${message.name}`);
    if (message.handle !== null && message.handle !== handle)
      throw new Error(`${by.client}: ${message.name} is ${message.handle} and ${handle}`);
    message.handle = handle;
    this.#byHandle.set(handle, message);
  }

  #meetRow({ handle, dueMs, payload }: Delayed, by: Operation): void {
    const message = this.#messages.get(nameOf(payload));
    if (message === undefined || message.attempts === message.refused)
      throw new Error(`${payload} waits in ${this.#stream}, but nobody delayed it, or it was refused`);
    if (message.seenStep < by.invokedStep)
      throw new Error(`${message.name} waits for ${by.client}, but ${message.seenBy!} has seen it at ${message.id!}`);
    if (dueMs < message.dueMs)
      throw new Error(`${message.name} is due at ${dueMs}, but was delayed to ${message.dueMs} at least`);
    this.#name(handle, message, by);
    message.dueMs = dueMs;
    const done = this.#cancels.get(handle)?.done;
    if (done !== undefined && done !== null && done.completedStep < by.invokedStep)
      throw new Error(`${message.name} waits for ${by.client}, but ${done.client} has cancelled ${handle}`);
  }

  #see(entries: readonly Entry[], by: string, step: number): void {
    const shown = new Set<Message>();
    for (const [id, fields] of entries) {
      const message = this.#messages.get(nameOf(fields[1]!));
      if (message === undefined || message.attempts === message.refused)
        throw new Error(`${fields[1]!} is in ${this.#stream}, but nobody added it, or it was refused`);
      if (shown.has(message)) throw new Error(`${message.name} is twice in what ${by} saw of ${this.#stream}`);
      shown.add(message);
      if (message.id !== null && message.id !== id)
        throw new Error(`${message.name} is at ${message.id} and at ${id} of ${this.#stream}`);
      message.id = id;
      message.seenBy ??= by;
      message.seenStep = Math.min(message.seenStep, step);
    }
  }

  #checkTimes(): void {
    for (const { name, id, dueMs } of this.#messages.values()) {
      if (id !== null && msOf(id) < dueMs)
        throw new Error(`${name} appeared at ${id} of ${this.#stream}, and was due at ${dueMs}`);
    }
  }

  #checkCancels(final: readonly Entry[]): void {
    const there = new Set(final.map(([, fields]) => nameOf(fields[1]!)));
    for (const [handle, message] of this.#byHandle) {
      const { done, doubtful } = this.#cancels.get(handle) ?? { done: null, doubtful: 0 };
      if (done !== null && message.id !== null)
        throw new Error(`${message.name} was cancelled by ${done.client}, and appeared at ${message.id}`);
      if (done === null && doubtful === 0 && !there.has(message.name))
        throw new Error(`${message.name} (${handle} of ${this.#stream}) was delayed, and never appeared`);
      if (there.has(message.name)) this.appeared++;
    }
    for (const { name, seenBy } of this.#messages.values()) {
      if (seenBy !== null && !there.has(name)) throw new Error(`${name} was there for ${seenBy}, and is gone`);
    }
  }

  /** Those that waited together appear in the order in which they were listed. */
  #checkOrder(final: readonly Entry[]): void {
    const places = new Map(final.map(([, fields], place) => [nameOf(fields[1]!), place]));
    for (const { rows, by } of this.#lists) {
      let before = -1;
      let dueMs = 0;
      for (const row of rows) {
        if (row.dueMs < dueMs) throw new Error(`${by.client} saw a list of ${this.#stream} that is out of order`);
        dueMs = row.dueMs;
        const place = places.get(nameOf(row.payload)) ?? before;
        if (place < before) throw new Error(`${row.payload} appeared before what was due earlier, in ${this.#stream}`);
        before = place;
      }
    }
  }
}

function nameOf(payload: string): string {
  return payload.split("#")[0]!;
}

function msOf(id: string): number {
  return Number(id.split("-")[0]);
}
