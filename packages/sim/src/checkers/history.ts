/**
 * What clients saw, and whether it can be true: gathers requests and replies, and lets the parts judge them at the end of a run. Linear-time checks from
 * the reference's §4.4; none of them looks at the program.
 */
import { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { StreamEntries } from "./entries.ts";
import { checkDelays } from "./delays.ts";
import { checkGroupNames } from "./group-names.ts";
import { GroupHistory } from "./groups.ts";
import { LETTER_GROUP, RETRIES_MAX } from "../dead-letter-work.ts";
import { checkDeadLetters } from "./dead-letters.ts";
import { checkPressure } from "./pressure.ts";
import { checkRedelivery } from "./redelivery.ts";
import { checkIdempotence } from "./idempotence.ts";
import { checkLists } from "./lists.ts";
import { checkOwned } from "./owned.ts";
import {
  compareIds,
  entriesRead,
  type FinalView,
  isCommittedLevel,
  isFree,
  isRefused,
  goesAsAWhole,
  kindOf,
  namedIds,
  payloadOf,
  streamsRead,
} from "./reading.ts";
import { checkTransactions, type TransactionView } from "./transactions.ts";
import { checkValues, type ValueView } from "./values.ts";
import { checkWaits } from "./waits.ts";
import { checkZsets } from "./zsets.ts";

/** Where an entry was met in the log: seen by the simulator from outside the program. */
export interface Placement {
  readonly group: number;
  readonly term: number;
  readonly index: number;
}

export class History {
  readonly #operations: Operation[] = [];
  /** How often each kind of reply was seen: a run that saw no uncertain write has not looked. */
  readonly classes: Map<string, number> = new Map();

  add(operation: Operation): void {
    if (operation.isQueued === true) {
      checkQueued(operation);
      return;
    }
    this.#operations.push(operation);
    this.#classify(operation);
    checkShape(operation);
  }

  /** Throws on the first contradiction. */
  check(final: FinalView, placements: ReadonlyMap<string, Placement> = new Map(), isQuiet: boolean = false): void {
    this.#checkIdentity(final);
    const byStream = this.#byStream();
    for (const [stream, operations] of byStream) {
      if (
        final.entries.has(stream) ||
        !operations.some(({ args, reply }) => args[0] === "XADD" && typeof reply === "string")
      )
        continue;
      throw new Error(`the reader at the end did not look at ${stream}`);
    }
    const streams = new Map<string, StreamEntries>();
    for (const [stream, operations] of byStream) streams.set(stream, new StreamEntries(stream, operations, final));
    const there = payloadsOf(final);
    const isLost = (add: Operation): boolean => {
      if (typeof add.reply !== "string" || there.has(payloadOf(add))) return false;
      return streams.get(add.args[1]!)?.isDoomed(add.reply, payloadOf(add)) === false;
    };
    this.#checkAcknowledged(there, isLost);
    this.#checkPrefix(there, isLost, placements);
    this.#countMany("WAIT vouched for early acks", checkWaits(this.#operations, isLost).vouched);
    this.#countReadsOfTheUnknown();
    this.#countMany("BUSYGROUP judged as a read", checkGroupNames(this.#operations));
    if (final.transactions !== undefined) this.#checkTransactions(final.transactions, placements);
    if (final.values !== undefined) this.#checkValues(final.values);
    this.#countMany(
      "message sent again and answered with its entry",
      checkIdempotence(this.#operations, final.entries),
    );
    if (final.redeliveries !== undefined)
      this.#countMany("entry delivered again by its group", checkRedelivery(this.#operations, final.redeliveries));
    if (final.deadLetters !== undefined) {
      const rules = { retriesMax: RETRIES_MAX, group: LETTER_GROUP };
      const { dead } = checkDeadLetters(this.#operations, final.deadLetters, rules);
      this.#countMany("entry that became a dead letter", dead);
    }
    if (final.delays !== undefined) {
      const { appeared, cancelled } = checkDelays(this.#operations, final.delays);
      this.#countMany("delayed entry appeared", appeared);
      this.#countMany("delayed entry cancelled", cancelled);
    }
    if (final.pressed !== undefined)
      this.#countMany("a group seen at its limit of lag", checkPressure(this.#operations, final.pressed));
    this.#checkElements(final);
    for (const entries of streams.values()) entries.check();
    for (const [stream, operations] of byStream) {
      if (kindOf(stream) !== "s") continue;
      const entries = streams.get(stream)!;
      new GroupHistory(stream, operations, final, (id) => entries.isDoomed(id, ""), isQuiet).check();
    }
  }

  #checkElements({ lists, zsets, owned }: FinalView): void {
    if (lists !== undefined) {
      const { taken, waited, moved, looks } = checkLists(this.#operations, lists);
      this.#countMany("taken from a list", taken);
      this.#countMany("taken from a list by a call that may wait", waited);
      this.#countMany("moved from list to list", moved);
      this.#countMany("looked at a list", looks);
    }
    if (zsets !== undefined) {
      const { taken, waited, counted, cut, looks } = checkZsets(this.#operations, zsets);
      this.#countMany("taken from a sorted set", taken);
      this.#countMany("taken from a sorted set by a call that may wait", waited);
      this.#countMany("counted in a sorted set", counted);
      this.#countMany("a board cut back to its best", cut);
      this.#countMany("looked at a sorted set", looks);
    }
    if (owned !== undefined)
      this.#countMany("answers of lists and sorted sets that a model knew", checkOwned(this.#operations, owned));
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
    if (streamsRead(args).length > 1) this.#count(`${args[0]} of several streams ${kind}`);
  }

  #count(what: string): void {
    this.#countMany(what, 1);
  }

  #countMany(what: string, times: number): void {
    this.classes.set(what, (this.classes.get(what) ?? 0) + times);
  }

  /** stream → operations that name it, in the order in which they were sent. */
  #byStream(): Map<string, Operation[]> {
    const byStream = new Map<string, Operation[]>();
    const put = (stream: string, operation: Operation): void => {
      if (isFree(stream)) return;
      const list = byStream.get(stream) ?? [];
      list.push(operation);
      byStream.set(stream, list);
    };
    for (const operation of this.#operations) {
      const { args } = operation;
      const read = streamsRead(args);
      if (read.length > 0) {
        for (const stream of read) put(stream, operation);
      } else if (args[1] !== undefined && args[1].includes(":{")) put(args[1], operation);
    }
    for (const list of byStream.values()) list.sort((a, b) => a.invokedStep - b.invokedStep);
    return byStream;
  }

  /** A read that began before the writer had its ack=all reply, and shows the entry: it met what was not committed yet, and waited. */
  #countReadsOfTheUnknown(): void {
    const answeredAt = new Map<string, number>();
    for (const operation of this.#operations) {
      if (operation.args[0] !== "XADD" || typeof operation.reply !== "string" || !isCommittedLevel(operation)) continue;
      answeredAt.set(payloadOf(operation), operation.completedStep);
    }
    for (const operation of this.#operations) {
      for (const [, entries] of entriesRead(operation)) {
        const last = entries.at(-1);
        if (last === undefined) continue;
        const at = answeredAt.get(last[1][1]!);
        if (at !== undefined && at > operation.invokedStep) this.#count("read before the writer knew");
      }
    }
  }

  /** An id has one payload and a payload one id, over every reply and read. Where keys are deleted, an id may be given again. */
  #checkIdentity(final: FinalView): void {
    const payloads = new Map<string, string>();
    const places = new Map<string, string>();
    const meet = (stream: string, id: string, payload: string, where: () => string): void => {
      if (isFree(stream)) return;
      const key = `${stream} ${id}`;
      const known = goesAsAWhole(stream) ? undefined : payloads.get(key);
      if (known !== undefined && known !== payload)
        throw new Error(`${key} is ${payload} in ${where()}, but was ${known} before`);
      const other = places.get(payload);
      if (other !== undefined && other !== key)
        throw new Error(`${payload} is at ${key} in ${where()}, but also at ${other}`);
      payloads.set(key, payload);
      places.set(payload, key);
    };
    for (const operation of this.#operations) {
      const where = (): string => `the reply to ${operation.args.join(" ")}`;
      if (operation.args[0] === "XADD" && typeof operation.reply === "string" && isCommittedLevel(operation))
        meet(operation.args[1]!, operation.reply, payloadOf(operation), where);
      for (const [stream, entries] of entriesRead(operation))
        for (const [id, fields] of entries) meet(stream, id, fields[1]!, where);
    }
    for (const [stream, entries] of final.entries)
      for (const [id, fields] of entries) meet(stream, id, fields[1]!, () => "the final state");
    // At ack=0 and 1 the write may be lost and its id be given again; but if it is there, it is where its reply said.
    for (const operation of this.#operations) {
      if (operation.args[0] !== "XADD" || typeof operation.reply !== "string") continue;
      const found = places.get(payloadOf(operation));
      const said = `${operation.args[1]} ${operation.reply}`;
      if (found !== undefined && found !== said)
        throw new Error(`${operation.args.join(" ")} was answered with ${said}, but is at ${found}`);
    }
  }

  /** Every entry acknowledged at ack=all is there or somebody wanted it away; nothing is there that was refused; nobody saw what is lost. */
  #checkAcknowledged(there: ReadonlySet<string>, isLost: (add: Operation) => boolean): void {
    const lost = new Map<string, Operation>();
    for (const operation of this.#operations) {
      if (operation.args[0] !== "XADD") continue;
      const payload = payloadOf(operation);
      if (isLost(operation)) {
        if (isCommittedLevel(operation))
          throw new Error(`lost: ${operation.args.join(" ")} was acknowledged as ${JSON.stringify(operation.reply)}`);
        this.#count("early ack lost");
        lost.set(payload, operation);
      }
      if ((isRefused(operation) || operation.reply === null) && there.has(payload))
        throw new Error(
          `${operation.args.join(" ")} was refused (${JSON.stringify(operation.reply)}), but its entry is there`,
        );
    }
    for (const operation of this.#operations) {
      for (const [stream, entries] of entriesRead(operation)) {
        for (const [id, fields] of entries) {
          if (lost.has(fields[1]!))
            throw new Error(`seen and gone: ${stream} ${id} by ${operation.client} ${operation.args.join(" ")}`);
        }
      }
    }
  }

  #checkTransactions(final: TransactionView, placements: ReadonlyMap<string, Placement>): void {
    const { chained, aborted } = checkTransactions(this.#operations, final, placements);
    this.#countMany("compared by WATCH and set", chained);
    this.#countMany("compared by WATCH and not set", aborted);
  }

  #checkValues(final: ValueView): void {
    const { counted, doubtful, looks, sets, hashes } = checkValues(this.#operations, final);
    this.#countMany("drawn from a set", sets.drawn);
    this.#countMany("moved to another set", sets.moved);
    this.#countMany("looked at a set", sets.looks);
    this.#countMany("looked at a hash", hashes.looks);
    this.#countMany("fields of a hash seen", hashes.seen);
    this.#countMany("counted in a field of a hash", hashes.counted);
    this.#countMany("counted", counted);
    this.#countMany("perhaps counted", doubtful);
    this.#countMany("looked at what grows in transactions", looks);
  }

  /** What survives is a prefix of each leadership (I16): nothing is there that was logged behind a lost write in the same term. */
  #checkPrefix(
    there: ReadonlySet<string>,
    isLost: (add: Operation) => boolean,
    placements: ReadonlyMap<string, Placement>,
  ): void {
    const firstLost = new Map<string, number>();
    for (const operation of this.#operations) {
      const place = operation.args[0] === "XADD" ? placements.get(payloadOf(operation)) : undefined;
      if (place === undefined || !isLost(operation)) continue;
      const term = `${place.group}/${place.term}`;
      firstLost.set(term, Math.min(place.index, firstLost.get(term) ?? place.index));
    }
    for (const payload of there) {
      const place = placements.get(payload);
      if (place === undefined) continue;
      const lost = firstLost.get(`${place.group}/${place.term}`);
      if (lost !== undefined && place.index > lost)
        throw new Error(
          `not a prefix: ${payload} is there, at index ${place.index} of term ${place.term}; an answered write at ${lost} of the same term is lost`,
        );
    }
  }
}

function payloadsOf(final: FinalView): Set<string> {
  const payloads = new Set<string>();
  for (const [stream, entries] of final.entries) {
    if (!isFree(stream)) for (const [, fields] of entries) payloads.add(fields[1]!);
  }
  return payloads;
}

/** Nothing that is queued here is wrong. */
function checkQueued({ client, args, reply }: Operation): void {
  if (reply === undefined || reply === "QUEUED") return;
  throw new Error(`${client}: ${args.join(" ")} inside MULTI was answered ${JSON.stringify(reply)}`);
}

/** The reply is one that this request can have: were two replies of a client exchanged, it shows here. */
function checkShape(operation: Operation): void {
  const { args, reply } = operation;
  if (
    reply instanceof ErrorReply &&
    args[0] === "XADD" &&
    args.includes("*") &&
    reply.code === "ERR" &&
    !isFree(args[1]!)
  )
    throw new Error(`${operation.client}: ${args.join(" ")} found no id: ${reply.text}`);
  if (reply === undefined || reply instanceof ErrorReply) return;
  const good = ((): boolean => {
    switch (args[0]!) {
      case "ECHO":
        return reply === args[1];
      case "XADD":
        return reply === null || (typeof reply === "string" && (isDelayed(args) ? HANDLE : ID).test(reply));
      case "XRANGE":
      case "XREVRANGE":
        return isRange(reply, args[0] === "XRANGE" ? 1 : -1);
      case "XPENDING":
      case "XAUTOCLAIM":
      case "XCLAIM":
      case "WAITAOF":
        return Array.isArray(reply);
      case "XDELEX":
      case "XACKDEL":
        return isFree(args[1]!) || (Array.isArray(reply) && reply.length === namedIds(operation).length);
      case "XDELAYED":
        return args[1] === "CANCEL" ? typeof reply === "number" : Array.isArray(reply);
      case "XLEN":
      case "XACK":
      case "XNACK":
      case "XDEL":
      case "XTRIM":
      case "DEL":
      case "UNLINK":
      case "EXISTS":
      case "PEXPIRE":
      case "PERSIST":
      case "PTTL":
      case "WAIT":
        return typeof reply === "number";
      case "XREADGROUP":
      case "XREAD":
        return reply === null || (Array.isArray(reply) && isReadOf(args, reply as unknown as Section[]));
      default:
        return true;
    }
  })();
  if (!good)
    throw new Error(
      `${operation.client}: ${args.join(" ")} was answered with ${JSON.stringify(reply)}: replies out of order`,
    );
}

const ID = /^\d+-\d+$/;
/** An id for a message that was not delayed when it was sent first. */
const HANDLE = /^(d\d+|\d+-\d+)$/;

function isDelayed(args: readonly string[]): boolean {
  return args.includes("DELAY") || args.includes("AT") || args.includes("IDMP") || args.includes("IDMPAUTO");
}

type Section = readonly [stream: string, entries: readonly unknown[]];

/** Streams that were asked for, in the order of asking, within the bounds of the call. */
function isReadOf(args: readonly string[], sections: readonly Section[]): boolean {
  const asked = streamsRead(args);
  const bound = (name: string): number => {
    const at = args.indexOf(name);
    return at > 0 && at < args.indexOf("STREAMS") ? Number(args[at + 1]) : Infinity;
  };
  let next = 0;
  let total = 0;
  for (const [stream, entries] of sections) {
    while (next < asked.length && asked[next] !== stream) next++;
    if (next++ >= asked.length || entries.length > bound("COUNT")) return false;
    total += entries.length;
  }
  // The last entry may go beyond the size.
  const texts = sections.flatMap(([, entries]) => entries.map((entry) => JSON.stringify(entry)));
  const bytes = texts.slice(0, -1).reduce((sum, text) => sum + text.length, 0);
  return sections.length > 0 && total <= bound("MAXCOUNT") && bytes <= bound("MAXSIZE");
}

/** Entries in the order of their ids. */
function isRange(reply: unknown, direction: 1 | -1): boolean {
  if (!Array.isArray(reply)) return false;
  const ids = (reply as [string][]).map(([id]) => id);
  return ids.every((id, at) => at === 0 || compareIds(ids[at - 1]!, id) * direction < 0);
}
