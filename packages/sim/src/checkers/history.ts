/**
 * What clients saw, and whether it can be true. Linear-time checks from the reference's §4.4: ids and payloads identify each other, and the ids give the
 * order, so no search is needed.
 */
import { ErrorReply, type ReplyValue } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { GROUP } from "../workload.ts";

type Entry = readonly [id: string, fields: readonly string[]];

/** What a quiet reader finds at the end, with everything healed. */
export interface FinalView {
  readonly entries: ReadonlyMap<string, readonly Entry[]>;
  /** stream → ids pending in the group. */
  readonly pending: ReadonlyMap<string, ReadonlySet<string>>;
}

export class History {
  readonly #operations: Operation[] = [];
  /** `stream id` that somebody tried to delete: it may be there or not. */
  readonly #doomed: Set<string> = new Set();
  /** How often each kind of reply was seen: a run that saw no uncertain write has not looked. */
  readonly classes: Map<string, number> = new Map();

  add(operation: Operation): void {
    this.#operations.push(operation);
    const { args } = operation;
    if (args[0] === "XDEL") for (const id of args.slice(2)) this.#doomed.add(`${args[1]} ${id}`);
    this.#classify(operation);
    this.#checkShape(operation);
  }

  /** Throws on the first contradiction. */
  check(final: FinalView): void {
    const payloadOf = this.#checkIdentity(final);
    this.#checkAcknowledged(final, payloadOf);
    this.#checkReads(final);
    this.#checkDeletions(final);
    this.#checkWaits(final);
    this.#countReadsOfTheUnknown();
    this.#checkRealTimeOrder();
    this.#checkGroups(final);
  }

  /** The reply is one that this request can have: were two replies of a client exchanged, it shows here. */
  #checkShape(operation: Operation): void {
    const { args, reply } = operation;
    if (reply instanceof ErrorReply && args[0] === "XADD" && args.includes("*") && reply.code === "ERR") {
      throw new Error(`${operation.client}: ${args.join(" ")} found no id: ${reply.text}`);
    }
    if (reply === undefined || reply instanceof ErrorReply) return;
    const good = ((): boolean => {
      switch (args[0]!) {
        case "ECHO":
          return reply === args[1];
        case "XADD":
          return reply === null || (typeof reply === "string" && /^\d+-\d+$/.test(reply));
        case "XRANGE":
        case "XREVRANGE":
        case "XPENDING":
        case "XAUTOCLAIM":
        case "WAITAOF":
          return Array.isArray(reply);
        case "XLEN":
        case "XACK":
        case "XDEL":
        case "WAIT":
          return typeof reply === "number";
        case "XREADGROUP":
        case "XREAD":
          return reply === null || (Array.isArray(reply) && (reply as [string][])[0]?.[0] === args.at(-2));
        default:
          return true;
      }
    })();
    if (!good) {
      throw new Error(
        `${operation.client}: ${args.join(" ")} was answered with ${JSON.stringify(reply)}: replies out of order`,
      );
    }
  }

  #classify(operation: Operation): void {
    const { reply, args } = operation;
    const kind =
      reply === undefined
        ? "no reply"
        : reply instanceof ErrorReply
          ? `-${reply.code}`
          : reply === null
            ? "nil"
            : "answered";
    this.#count(`${args[0]} ${kind}`);
  }

  #count(what: string): void {
    this.classes.set(what, (this.classes.get(what) ?? 0) + 1);
  }

  /** A read that began before the writer had its ack=all reply, and shows the entry: it met what was not committed yet, and waited. */
  #countReadsOfTheUnknown(): void {
    const answeredAt = new Map<string, number>();
    for (const operation of this.#operations) {
      if (operation.args[0] !== "XADD" || typeof operation.reply !== "string" || !isCommittedLevel(operation)) continue;
      answeredAt.set(`${operation.args[1]} ${operation.reply}`, operation.completedStep);
    }
    for (const operation of this.#operations) {
      for (const [stream, entries] of entriesRead(operation)) {
        const last = entries.at(-1);
        if (last === undefined) continue;
        const at = answeredAt.get(`${stream} ${last[0]}`);
        if (at !== undefined && at > operation.invokedStep) this.#count("read before the writer knew");
      }
    }
  }

  /** An id has one payload and a payload one id, over every reply and read. */
  #checkIdentity(final: FinalView): Map<string, string> {
    const payloadOf = new Map<string, string>();
    const idOf = new Map<string, string>();
    const meet = (stream: string, id: string, payload: string, where: string): void => {
      const key = `${stream} ${id}`;
      const known = payloadOf.get(key);
      if (known !== undefined && known !== payload) {
        throw new Error(`${key} is ${payload} in ${where}, but was ${known} before`);
      }
      const other = idOf.get(payload);
      if (other !== undefined && other !== key)
        throw new Error(`${payload} is at ${key} in ${where}, but also at ${other}`);
      payloadOf.set(key, payload);
      idOf.set(payload, key);
    };
    for (const operation of this.#operations) {
      if (operation.args[0] === "XADD" && typeof operation.reply === "string" && isCommittedLevel(operation)) {
        meet(operation.args[1]!, operation.reply, operation.args.at(-1)!, `the reply to ${operation.args.join(" ")}`);
      }
      for (const [stream, entries] of entriesRead(operation)) {
        for (const [id, fields] of entries) meet(stream, id, fields[1]!, operation.args.join(" "));
      }
    }
    for (const [stream, entries] of final.entries) {
      for (const [id, fields] of entries) meet(stream, id, fields[1]!, "the final state");
    }
    // At ack=0 and 1 the write may be lost and its id be given again; but if it is there, it is where its reply said.
    for (const operation of this.#operations) {
      if (operation.args[0] !== "XADD" || typeof operation.reply !== "string") continue;
      const found = idOf.get(operation.args.at(-1)!);
      const said = `${operation.args[1]} ${operation.reply}`;
      if (found !== undefined && found !== said)
        throw new Error(`${operation.args.join(" ")} was answered with ${said}, but is at ${found}`);
    }
    return payloadOf;
  }

  /** Every entry acknowledged at ack=all is there; nothing is there that was definitely refused. */
  #checkAcknowledged(final: FinalView, payloadOf: ReadonlyMap<string, string>): void {
    const there = new Set<string>();
    for (const [stream, entries] of final.entries) {
      for (const [id] of entries) there.add(payloadOf.get(`${stream} ${id}`)!);
    }
    for (const operation of this.#operations) {
      if (operation.args[0] !== "XADD") continue;
      const payload = operation.args.at(-1)!;
      const isGone = typeof operation.reply === "string" && !this.#isThereOrDoomed(operation, there);
      if (isGone && isCommittedLevel(operation)) {
        throw new Error(`lost: ${operation.args.join(" ")} was acknowledged as ${JSON.stringify(operation.reply)}`);
      }
      if (isGone) this.#count("early ack lost");
      const refused = operation.reply instanceof ErrorReply && operation.reply.code !== "UNCERTAIN";
      if ((refused || operation.reply === null) && there.has(payload)) {
        throw new Error(
          `${operation.args.join(" ")} was refused (${JSON.stringify(operation.reply)}), but its entry is there`,
        );
      }
    }
  }

  #isThereOrDoomed(add: Operation, payloads: ReadonlySet<string>): boolean {
    return payloads.has(add.args.at(-1)!) || this.#doomed.has(`${add.args[1]} ${idIn(add)}`);
  }

  /** Nobody ever saw an entry that is not there at the end, unless somebody wanted to delete it. */
  #checkReads(final: FinalView): void {
    const ids = new Map([...final.entries].map(([stream, entries]) => [stream, new Set(entries.map(([id]) => id))]));
    for (const operation of this.#operations) {
      for (const [stream, entries] of entriesRead(operation)) {
        const known = ids.get(stream);
        const kept = entries.filter(([id]) => !this.#doomed.has(`${stream} ${id}`));
        for (const [id] of kept) {
          if (known?.has(id) !== true) throw new Error(`seen and gone: ${stream} ${id} by ${operation.args.join(" ")}`);
        }
        const last = kept.at(-1)?.[0];
        if (operation.args[0] !== "XRANGE" || last === undefined) continue;
        // A range read is the whole stream up to some id: no hole.
        const upTo = final.entries
          .get(stream)!
          .filter(([id]) => compareIds(id, last) <= 0 && !this.#doomed.has(`${stream} ${id}`));
        if (upTo.length !== kept.length) {
          throw new Error(
            `a hole: ${operation.client} read ${kept.length} of ${upTo.length} entries of ${stream} up to ${last}`,
          );
        }
      }
    }
  }

  /** What was deleted at ack=all is deleted once and for ever. */
  #checkDeletions(final: FinalView): void {
    const deletedAt = new Map<string, number>();
    for (const { args, ack, reply, completedStep } of this.#operations) {
      if (args[0] !== "XDEL" || reply !== 1 || ack !== "ALL") continue;
      const key = `${args[1]} ${args[2]}`;
      if (deletedAt.has(key)) throw new Error(`${key} was deleted twice`);
      deletedAt.set(key, completedStep);
    }
    for (const [stream, entries] of final.entries) {
      for (const [id] of entries) {
        if (deletedAt.has(`${stream} ${id}`)) throw new Error(`${stream} ${id} was deleted, and is there again`);
      }
    }
    for (const operation of this.#operations) {
      for (const [stream, entries] of entriesRead(operation)) {
        for (const [id] of entries) {
          const at = deletedAt.get(`${stream} ${id}`);
          if (at !== undefined && at < operation.invokedStep) {
            throw new Error(`stale: ${operation.args.join(" ")} showed ${id}, deleted before it began`);
          }
        }
      }
    }
  }

  /** A majority has it on disk, says WAIT: then it survives, whatever ack the write had (I15). */
  #checkWaits(final: FinalView): void {
    const there = new Set<string>();
    for (const entries of final.entries.values()) for (const [, fields] of entries) there.add(fields[1]!);
    const written = new Map<string, Operation[]>();
    for (const operation of this.#operations) {
      const { args, reply, client } = operation;
      const connection = `${client} ${operation.connection}`;
      if (args[0] === "XADD" && typeof reply === "string") {
        const list = written.get(connection) ?? [];
        list.push(operation);
        written.set(connection, list);
      }
      // That a failover may have taken some back is said once; then WAIT speaks of what came after.
      if ((args[0] === "WAIT" || args[0] === "WAITAOF") && reply instanceof ErrorReply) written.delete(connection);
      if (!isSafeCount(operation)) continue;
      const list = written.get(connection) ?? [];
      const lost = list.find((add) => !this.#isThereOrDoomed(add, there));
      if (lost !== undefined) {
        throw new Error(
          `${client}: ${args.join(" ")} gave ${JSON.stringify(reply)}, but ${lost.args.join(" ")}, answered ${idIn(lost)} before, is lost`,
        );
      }
      if (list.some((add) => add.ack !== "ALL")) this.#count("WAIT vouched for early acks");
    }
  }

  /** What finished before another began has the smaller id; what was acknowledged at ack=all before a read began is in it. */
  #checkRealTimeOrder(): void {
    const byStream = new Map<string, Operation[]>();
    for (const operation of this.#operations) {
      const [name, stream] = operation.args;
      if ((name === "XADD" || isWholeRead(operation)) && operation.completedStep >= 0) {
        const list = byStream.get(stream!) ?? [];
        list.push(operation);
        byStream.set(stream!, list);
      }
    }
    for (const [stream, operations] of byStream) {
      const ends = operations
        .filter(
          (operation) =>
            this.#highestKept(operation) !== null && (isWholeRead(operation) || isCommittedLevel(operation)),
        )
        .sort((a, b) => a.completedStep - b.completedStep);
      const begins = operations
        // A deposed leader may still answer at ack=0 and 1, with ids of its own past: nobody ever sees them.
        .filter((operation) => isWholeRead(operation) || isCommittedLevel(operation))
        .filter((operation) => highestId(operation) !== null || Array.isArray(operation.reply))
        .sort((a, b) => a.invokedStep - b.invokedStep);
      let highest: { readonly id: string; readonly by: Operation } | null = null;
      let next = 0;
      for (const operation of begins) {
        while (next < ends.length && ends[next]!.completedStep < operation.invokedStep) {
          const id = this.#highestKept(ends[next]!)!;
          if (highest === null || compareIds(id, highest.id) > 0) highest = { id, by: ends[next]! };
          next++;
        }
        if (highest === null) continue;
        const own = highestId(operation);
        const behind =
          operation.args[0] === "XADD"
            ? own !== null && operation.args.includes("*") && compareIds(own, highest.id) <= 0
            : own === null || compareIds(own, highest.id) < 0;
        if (behind) {
          throw new Error(
            `stale: ${operation.args.join(" ")} on ${stream} came to ${own}, but ${highest.by.args.join(" ")} had come to ${highest.id} before it began`,
          );
        }
      }
    }
  }

  /** The highest id that the reply showed and that nobody wanted to delete. */
  #highestKept(operation: Operation): string | null {
    const { reply, args } = operation;
    const ids = Array.isArray(reply) ? (reply as unknown as Entry[]).map(([id]) => id) : [];
    if (typeof reply === "string") ids.push(reply);
    return ids.findLast((id) => !this.#doomed.has(`${args[1]} ${id}`)) ?? null;
  }

  /** `>` hands an entry out once: a reply that left was committed. What was acknowledged stays acknowledged. */
  #checkGroups(final: FinalView): void {
    const givenTo = new Map<string, string>();
    const acknowledged = new Set<string>();
    for (const operation of this.#operations) {
      const { args, reply, client } = operation;
      if (args[0] === "XREADGROUP") {
        for (const [stream, entries] of entriesRead(operation)) {
          for (const [id] of entries) {
            const key = `${stream} ${id}`;
            const before = givenTo.get(key);
            if (before !== undefined) throw new Error(`${key} was delivered to ${before} and again to ${client}`);
            givenTo.set(key, client);
          }
        }
      }
      if (args[0] === "XACK" && args[2] === GROUP && typeof reply === "number" && isCommittedLevel(operation)) {
        for (const id of args.slice(3)) acknowledged.add(`${args[1]} ${id}`);
      }
    }
    for (const key of acknowledged) {
      const [stream, id] = key.split(" ") as [string, string];
      if (final.pending.get(stream)?.has(id) === true) throw new Error(`${key} was acknowledged and is pending again`);
    }
    for (const [key, consumer] of givenTo) {
      const [stream, id] = key.split(" ") as [string, string];
      const tried = this.#operations.some(
        (operation) => operation.args[0] === "XACK" && operation.args[1] === stream && operation.args.includes(id, 3),
      );
      if (!tried && !this.#doomed.has(key) && final.pending.get(stream)?.has(id) !== true) {
        throw new Error(`${key} was delivered to ${consumer}, never acknowledged, and is not pending`);
      }
    }
  }
}

/** Entries in a reply: stream → entries. */
function entriesRead(operation: Operation): readonly (readonly [string, readonly Entry[]])[] {
  const { args, reply } = operation;
  if (!Array.isArray(reply)) return [];
  switch (args[0]!) {
    case "XRANGE":
    case "XREVRANGE":
      return [[args[1]!, reply as unknown as Entry[]]];
    case "XREAD":
    case "XREADGROUP":
      return reply as unknown as [string, Entry[]][];
    default:
      return [];
  }
}

/** Of an XADD that was answered with one. */
function idIn(add: Operation): string {
  return typeof add.reply === "string" ? add.reply : "no id";
}

function isCommittedLevel(operation: Operation): boolean {
  return operation.ack === "ALL";
}

/** Shows the end of the stream. */
function isWholeRead(operation: Operation): boolean {
  return operation.args[0] === "XRANGE" || operation.args[0] === "XREVRANGE";
}

/** WAIT counts followers that have it durable: two of them are a majority of three, and so are one and the leader's own log. */
function isSafeCount({ args, reply }: Operation): boolean {
  if (args[0] === "WAIT") return typeof reply === "number" && reply >= 2;
  if (args[0] !== "WAITAOF" || !Array.isArray(reply)) return false;
  const [local, replicas] = reply as number[];
  return replicas! >= 2 || (replicas! >= 1 && local! >= 1);
}

function highestId(operation: Operation): string | null {
  const reply: ReplyValue | undefined = operation.reply;
  if (typeof reply === "string") return reply;
  if (Array.isArray(reply) && reply.length > 0) return (reply.at(-1) as unknown as Entry)[0];
  return null;
}

export function compareIds(a: string, b: string): number {
  const [aMs, aSeq] = a.split("-").map(Number) as [number, number];
  const [bMs, bSeq] = b.split("-").map(Number) as [number, number];
  return aMs - bMs || aSeq - bSeq;
}
