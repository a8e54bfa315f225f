/**
 * Entries of streams, from what clients saw. Every payload is unique and ids are ordered, so the order of the stream is known and no search is needed
 * (reference §4.4). An entry's life: added once, there for everybody, removed at most once by something that somebody asked for, never back.
 */
import type { Operation } from "../sim-client.ts";
import {
  compareIds,
  endOf,
  entriesRead,
  type Entry,
  type FinalView,
  isCertain,
  isCommittedLevel,
  isRefused,
  isWholeRead,
  goesAsAWhole,
  kindOf,
  NEVER,
  namedIds,
  payloadOf,
  RETAINED_ENTRIES,
  showsEnd,
} from "./reading.ts";

/** One entry as it became known. */
interface Known {
  readonly id: string;
  readonly payload: string;
  /** Its XADD was sent; nobody can have it before. */
  asked: number;
  /** Answered at ack=all, or shown to a reader: it is there for everybody from here on. */
  born: number;
  bornBy: Operation | null;
  /** A reply proves that it is not there any more. */
  gone: number;
  goneBy: Operation | null;
  /** From this step on its absence is explained. */
  excused: number;
  /** The last reader that began and saw it. */
  seen: number;
  seenBy: Operation | null;
}

/** What may remove entries of a stream, in the order of asking. */
interface Remover {
  readonly operation: Operation;
  readonly asked: number;
  /** MAXLEN: leaves at least these many. */
  readonly keeps: number | null;
  /** MINID: removes only what is below. */
  readonly below: string | null;
}

/** The leader's own trims: any time, and nobody asks for them. */
const RETENTION: Operation = {
  client: "the leader",
  args: ["XTRIM"],
  ack: "ALL",
  connection: 0,
  invokedStep: -1,
  completedStep: -1,
  reply: undefined,
  open: true,
};

export class StreamEntries {
  readonly #stream: string;
  readonly #operations: readonly Operation[];
  readonly #final: readonly Entry[];
  readonly #known: Map<string, Known> = new Map();
  /** Ids that somebody asked to delete: they may be gone. */
  readonly #deletions: Map<string, number> = new Map();
  readonly #removers: Remover[] = [];
  readonly #asked: Map<string, number> = new Map();

  /** `operations`: all that name the stream, ascending by invokedStep. */
  constructor(stream: string, operations: readonly Operation[], final: FinalView) {
    this.#stream = stream;
    this.#operations = operations;
    this.#final = final.entries.get(stream) ?? [];
    if (stream.startsWith("r"))
      this.#removers.push({ operation: RETENTION, asked: -1, keeps: RETAINED_ENTRIES, below: null });
    for (const operation of operations) this.#collect(operation);
    this.#collectAcknowledged();
  }

  /** Throws on the first contradiction. */
  check(): void {
    this.#learn();
    this.#checkLives();
    if (goesAsAWhole(this.#stream)) return;
    this.#checkContiguous();
    this.#checkOrder();
    this.#checkLengths();
  }

  /** Whether somebody wanted to remove the entry, so that it need not be there at the end. */
  isDoomed(id: string, payload: string): boolean {
    switch (kindOf(this.#stream)) {
      case "s":
        return this.#deletions.has(id);
      case "d":
      case "e":
        return this.#removers.length > 0;
      case "t": {
        const first = this.#final[0];
        if (this.#final.some(([, fields]) => fields[1] === payload)) return false;
        if (first !== undefined) return compareIds(id, first[0]) < 0;
        // Nothing is left: MAXLEN always leaves something, MINID with the id of a lost write need not.
        return this.#removers.some(({ below }) => below !== null && compareIds(id, below) < 0);
      }
    }
  }

  #collect(operation: Operation): void {
    const { args, invokedStep } = operation;
    if (isRefused(operation)) return;
    const limit = (name: string): string | null => {
      const at = args.indexOf(name);
      if (at < 0) return null;
      return args[at + 1] === "=" || args[at + 1] === "~" ? args[at + 2]! : args[at + 1]!;
    };
    if (args[0] === "XADD") this.#asked.set(payloadOf(operation), invokedStep);
    if (args[0] === "XDEL") for (const id of args.slice(2)) this.#mayDelete(id, invokedStep);
    if (args[0] === "XDELEX" || args[0] === "XACKDEL")
      for (const id of namedIds(operation)) this.#mayDelete(id, invokedStep);
    if (kindOf(this.#stream) === "s") return;
    if (args[0] === "PEXPIRE") this.#removers.push({ operation, asked: invokedStep, keeps: null, below: null });
    const maxlen = limit("MAXLEN");
    const minid = limit("MINID");
    if (args[0] === "DEL" || args[0] === "UNLINK")
      this.#removers.push({ operation, asked: invokedStep, keeps: null, below: null });
    else if (maxlen !== null)
      this.#removers.push({ operation, asked: invokedStep, keeps: Number(maxlen), below: null });
    else if (minid !== null) this.#removers.push({ operation, asked: invokedStep, keeps: null, below: minid });
  }

  #mayDelete(id: string, step: number): void {
    this.#deletions.set(id, Math.min(step, this.#deletions.get(id) ?? NEVER));
  }

  /** XTRIM with ACKED takes entries that somebody acknowledged, and no others; so does retention that keeps the others. */
  #collectAcknowledged(): void {
    let trimmedFrom = this.#stream.startsWith("u") ? -1 : NEVER;
    const acknowledged = new Map<string, number>();
    for (const operation of this.#operations) {
      const { args, invokedStep } = operation;
      if (isRefused(operation)) continue;
      if (args[0] === "XTRIM" && args.includes("ACKED")) trimmedFrom = Math.min(trimmedFrom, invokedStep);
      if (args[0] !== "XACK") continue;
      for (const id of args.slice(3)) acknowledged.set(id, Math.min(invokedStep, acknowledged.get(id) ?? NEVER));
    }
    if (trimmedFrom === NEVER || kindOf(this.#stream) !== "s") return;
    for (const [id, from] of acknowledged) this.#mayDelete(id, Math.max(from, trimmedFrom));
  }

  /** Ids may be given again where a whole key was deleted: then only the payload names the entry. */
  #learn(): void {
    for (const operation of this.#operations) {
      const { args, reply } = operation;
      if (args[0] === "XADD" && typeof reply === "string" && isCommittedLevel(operation)) {
        const known = this.#meet(reply, payloadOf(operation));
        if (operation.completedStep < known.born)
          Object.assign(known, { born: operation.completedStep, bornBy: operation });
      }
      for (const [stream, entries] of entriesRead(operation)) {
        if (stream !== this.#stream) continue;
        for (const [id, fields] of entries) {
          const known = this.#meet(id, fields[1]!);
          if (operation.completedStep < known.born)
            Object.assign(known, { born: operation.completedStep, bornBy: operation });
          if (operation.invokedStep > known.seen)
            Object.assign(known, { seen: operation.invokedStep, seenBy: operation });
        }
      }
    }
    for (const [id, fields] of this.#final) {
      const known = this.#meet(id, fields[1]!);
      known.seen = NEVER;
    }
  }

  #meet(id: string, payload: string): Known {
    const known = this.#known.get(payload);
    if (known !== undefined) return known;
    const asked = this.#asked.get(payload) ?? -1;
    const made: Known = {
      id,
      payload,
      asked,
      born: NEVER,
      bornBy: null,
      gone: NEVER,
      goneBy: null,
      excused: NEVER,
      seen: -1,
      seenBy: null,
    };
    this.#known.set(payload, made);
    return made;
  }

  /** There from birth on, for every reader that begins later; and when one did not see it, or a deletion was answered, never again. */
  #checkLives(): void {
    const all = [...this.#known.values()].sort((a, b) => a.born - b.born);
    for (const operation of this.#operations) {
      if (isWholeRead(operation)) {
        const shown = new Set((operation.reply as unknown as Entry[]).map(([, fields]) => fields[1]!));
        this.#checkAbsences(operation, all, shown);
      } else if (
        operation.args[0] === "XDEL" &&
        operation.args.length === 3 &&
        operation.reply === 1 &&
        isCommittedLevel(operation)
      ) {
        for (const known of all) if (operation.args[2] === known.id) this.#died(known, operation);
      } else if (operation.args[0] === "DEL" && isCertain(operation) && isCommittedLevel(operation)) {
        for (const known of all) if (known.born < operation.invokedStep) this.#died(known, operation);
      }
    }
    const there = new Set(this.#final.map(([, fields]) => fields[1]!));
    this.#checkAbsences(null, all, there);
    for (const { id, seen, seenBy, gone, goneBy } of all) {
      if (seen <= gone) continue;
      throw new Error(
        `${this.#stream} ${id} is there again: ${seenBy?.args.join(" ") ?? "the final reader"} saw it, after ${describe(goneBy)} had shown that it is gone`,
      );
    }
  }

  #died(known: Known, by: Operation): void {
    if (by.completedStep < known.gone) Object.assign(known, { gone: by.completedStep, goneBy: by });
  }

  /** `read` null: the reader at the end, who comes after everything. */
  #checkAbsences(read: Operation | null, all: readonly Known[], shown: ReadonlySet<string>): void {
    const began = read === null ? NEVER : read.invokedStep;
    const ended = read === null ? NEVER : read.completedStep;
    for (const known of all) {
      if (known.born >= began) break;
      if (shown.has(known.payload)) continue;
      const reason = known.excused <= ended ? null : this.#mayBeGone(known, ended);
      if (reason === null) known.excused = Math.min(known.excused, ended);
      if (reason !== null) {
        throw new Error(
          `lost: ${this.#stream} ${known.id} (${known.payload}) was there for ${describe(known.bornBy)}, but not for ${describe(read)}: ${reason}`,
        );
      }
      if (read !== null) this.#died(known, read);
    }
  }

  /** Null: something that was asked for before `step` can have removed it. */
  #mayBeGone(known: Known, step: number): string | null {
    switch (kindOf(this.#stream)) {
      case "s":
        return (this.#deletions.get(known.id) ?? NEVER) < step ? null : "nobody had asked to delete it";
      case "d":
        return this.#removers.some(({ asked, operation }) => asked < step && endOf(operation) > known.asked)
          ? null
          : "nobody had asked to delete its key";
      case "e":
        // It goes some time later, and what was added meanwhile goes along.
        return this.#removers.some(({ asked }) => asked < step) ? null : "nobody had set a time for its key";
      case "t":
        return this.#removers.some((remover) => remover.asked < step && this.#canTrim(remover, known, step))
          ? null
          : "nobody had asked to trim as much";
    }
  }

  #canTrim({ keeps, below, operation }: Remover, known: Known, step: number): boolean {
    if (endOf(operation) < known.asked) return false;
    if (below !== null) return compareIds(known.id, below) < 0;
    let above = 0;
    for (const other of this.#known.values()) {
      if (other.asked < step && compareIds(other.id, known.id) > 0) above++;
    }
    // Entries that nobody was told of may have been there as well.
    for (const [payload, asked] of this.#asked) if (asked < step && !this.#known.has(payload)) above++;
    return above >= keeps!;
  }

  /** A reader sees what lies between the first and the last entry that it sees, or from the start on: no hole (I16). */
  #checkContiguous(): void {
    const all = [...this.#known.values()].filter(({ id }) => !this.#deletions.has(id));
    const ids = all.map(({ id }) => id).sort(compareIds);
    const place = new Map(ids.map((id, at) => [id, at]));
    for (const operation of this.#operations) {
      if (!["XRANGE", "XREVRANGE", "XREAD"].includes(operation.args[0]!)) continue;
      for (const [stream, entries] of entriesRead(operation)) {
        if (stream !== this.#stream) continue;
        const kept = entries.filter(([id]) => !this.#deletions.has(id));
        if (kept.length === 0) continue;
        const first = place.get(kept[0]![0])!;
        const last = place.get(kept.at(-1)![0])!;
        const fromStart = kindOf(stream) === "s" && (isWholeRead(operation) || operation.args.at(-1) === "0");
        const expected = Math.abs(last - first) + 1;
        const missing = fromStart && first !== 0;
        if (expected !== kept.length || missing) {
          throw new Error(
            `a hole: ${operation.client} read ${kept.length} entries of ${stream} from ${kept[0]![0]} to ${kept.at(-1)![0]}, where ${fromStart ? last + 1 : expected} are (${operation.args.join(" ")})`,
          );
        }
      }
    }
  }

  /** What finished before another began has the smaller id; a reader sees the end at least as far as what was known before it began. */
  #checkOrder(): void {
    const counts = this.#operations.filter(
      (operation) =>
        operation.completedStep >= 0 &&
        ((operation.args[0] === "XADD" && typeof operation.reply === "string" && isCommittedLevel(operation)) ||
          (showsEnd(operation) && Array.isArray(operation.reply))),
    );
    const ends = counts
      .filter((operation) => this.#highest(operation, true) !== null)
      .sort((a, b) => a.completedStep - b.completedStep);
    // MINID with the id of a lost write, which was ahead of all that are there, leaves nothing; whether that was asked for is judged with the lives.
    const mayBeEmpty = this.#removers.some((remover) => remover.below !== null);
    let highest: { readonly id: string; readonly by: Operation } | null = null;
    let next = 0;
    for (const operation of counts) {
      while (next < ends.length && ends[next]!.completedStep < operation.invokedStep) {
        const id = this.#highest(ends[next]!, true)!;
        if (highest === null || compareIds(id, highest.id) > 0) highest = { id, by: ends[next]! };
        next++;
      }
      if (highest === null) continue;
      const own = this.#highest(operation, false);
      const behind =
        operation.args[0] === "XADD"
          ? own !== null && operation.args.includes("*") && compareIds(own, highest.id) <= 0
          : own === null
            ? !mayBeEmpty
            : compareIds(own, highest.id) < 0;
      if (behind) {
        throw new Error(
          `stale: ${operation.args.join(" ")} came to ${own}, but ${highest.by.args.join(" ")} had come to ${highest.id} before it began`,
        );
      }
    }
  }

  /** The highest id that the reply showed, or of those the highest that nobody wanted to delete. */
  #highest({ reply, args }: Operation, keptOnly: boolean): string | null {
    if (typeof reply === "string") return keptOnly && this.#deletions.has(reply) ? null : reply;
    if (!Array.isArray(reply)) return null;
    const ids = (reply as unknown as Entry[]).map(([id]) => id);
    if (args[0] === "XREVRANGE") ids.reverse();
    return (keptOnly ? ids.findLast((id) => !this.#deletions.has(id)) : ids.at(-1)) ?? null;
  }

  /** XLEN: at least what was there before it began and nobody wanted away, at most what was asked for before it ended. */
  #checkLengths(): void {
    if (kindOf(this.#stream) !== "s") return;
    const kept = [...this.#known.values()].filter(({ id }) => !this.#deletions.has(id));
    const born = kept.map((known) => known.born).sort((a, b) => a - b);
    const asked = [...this.#asked.values()].sort((a, b) => a - b);
    for (const { args, reply, invokedStep, completedStep } of this.#operations) {
      if (args[0] !== "XLEN" || typeof reply !== "number") continue;
      const least = below(born, invokedStep);
      const most = below(asked, completedStep);
      if (reply < least || reply > most)
        throw new Error(`XLEN ${this.#stream} answered ${reply}; it has at least ${least} and at most ${most}`);
    }
  }
}

function describe(operation: Operation | null): string {
  if (operation === null) return "the final reader";
  return `${operation.client} ${operation.args.join(" ")} (steps ${operation.invokedStep}–${operation.completedStep})`;
}

/** How many of the ascending numbers are below the limit. */
function below(sorted: readonly number[], limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
