/**
 * Consumer groups, from what clients saw (reference §4.4). `>` hands an entry out once, in the order of ids; a pending entry has one owner, the last one
 * who got or claimed it, or nobody since it was given back; delivery counts do not go back, but by XNACK SILENT; what was acknowledged stays so and is
 * counted once; at the end nothing is lost: every entry was acknowledged, is pending, or had not been handed out.
 */
import type { Operation } from "../sim-client.ts";
import { GROUP, ONCE_GROUP } from "../workload.ts";
import {
  compareIds,
  endOf,
  type Entry,
  type FinalView,
  isCertain,
  isCommittedLevel,
  isRefused,
  namedIds,
  NEVER,
  newEntries,
  type PendingRow,
} from "./reading.ts";

/** Who owns what XNACK has given back. */
const NOBODY = "";

/** Somebody became the owner of an entry, for sure or perhaps. */
interface Taking {
  readonly consumer: string;
  readonly operation: Operation;
  readonly isCertain: boolean;
  /** It has happened by then, if at all. */
  readonly end: number;
}

/** Somebody looked at who owns an entry. */
interface Look {
  readonly row: PendingRow;
  readonly began: number;
  readonly ended: number;
  readonly by: string;
}

export class GroupHistory {
  readonly #stream: string;
  readonly #operations: readonly Operation[];
  readonly #final: FinalView;
  readonly #isDoomed: (id: string) => boolean;
  readonly #isQuiet: boolean;
  readonly #takings: Map<string, Taking[]> = new Map();
  /** Operations without an answer that may have given anything of the stream to their consumer. */
  readonly #openTakings: Taking[] = [];
  /** Ids whose count may have gone back. */
  readonly #recounted: Set<string> = new Set();
  /** id → XACKs and XACKDELs that name it. */
  readonly #acknowledging: Map<string, Operation[]> = new Map();

  /** `isQuiet`: nothing went wrong in this run, so that nothing is in doubt that has an answer. */
  constructor(
    stream: string,
    operations: readonly Operation[],
    final: FinalView,
    isDoomed: (id: string) => boolean,
    isQuiet: boolean = false,
  ) {
    this.#stream = stream;
    this.#isQuiet = isQuiet;
    this.#operations = operations;
    this.#final = final;
    this.#isDoomed = isDoomed;
  }

  /** Throws on the first contradiction. */
  check(): void {
    this.#collect();
    this.#checkDeliveries(GROUP);
    this.#checkDeliveries(ONCE_GROUP);
    this.#checkAcknowledgements();
    const looks = this.#looks();
    this.#checkOwners(looks);
    this.#checkCounts(looks);
    this.#checkNothingLost();
  }

  /** At most once, and in the order of ids: what was delivered before is below what is delivered later. */
  #checkDeliveries(group: string): void {
    const given = new Map<string, string>();
    const deliveries: { readonly operation: Operation; readonly first: string; readonly last: string }[] = [];
    for (const operation of this.#operations) {
      if (!isDelivery(operation) || operation.args[2] !== group || !Array.isArray(operation.reply)) continue;
      // Given back by SILENT and claimed by JUSTID in the same millisecond, a pending entry looks like a new one.
      const isClear = (id: string): boolean => !operation.args.includes("CLAIM") || !this.#recounted.has(id);
      const ids = newEntries(operation, sectionOf(operation, this.#stream) ?? [])
        .map(([id]) => id)
        .filter(isClear);
      if (ids.length === 0) continue;
      for (const id of ids) {
        const before = given.get(id);
        if (before !== undefined)
          throw new Error(
            `${this.#stream} ${id} was delivered to ${before} and again to ${operation.client} (group ${group})`,
          );
        given.set(id, operation.client);
      }
      deliveries.push({ operation, first: ids[0]!, last: ids.at(-1)! });
    }
    const ends = deliveries.toSorted((a, b) => a.operation.completedStep - b.operation.completedStep);
    let highest: string | null = null;
    let next = 0;
    for (const { operation, first } of deliveries) {
      while (next < ends.length && ends[next]!.operation.completedStep < operation.invokedStep) {
        const { last } = ends[next++]!;
        if (highest === null || compareIds(last, highest) > 0) highest = last;
      }
      if (highest !== null && compareIds(first, highest) <= 0)
        throw new Error(
          `${this.#stream} ${first} was delivered to ${operation.client} after ${highest} had been delivered (group ${group})`,
        );
    }
  }

  #collect(): void {
    for (const operation of this.#operations) {
      const { args, client } = operation;
      if (isRefused(operation) || !isOfGroup(operation)) continue;
      const taking: Taking = { consumer: client, operation, isCertain: isCertain(operation), end: endOf(operation) };
      if (args[0] === "XACK" || args[0] === "XACKDEL") {
        for (const id of idsAcknowledged(operation)) pushTo(this.#acknowledging, id, operation);
      } else if (args[0] === "XNACK") {
        const ids = namedIds(operation);
        // Below ack=all it may be lost again after its answer: then the consumer still has them.
        const isSure = operation.reply === ids.length && isCommittedLevel(operation);
        const all: Taking = { ...taking, consumer: NOBODY, isCertain: isSure };
        for (const id of ids) pushTo(this.#takings, id, all);
        if (args[3] === "SILENT") for (const id of ids) this.#recounted.add(id);
      } else if (this.#mayHaveGivenMore(operation)) {
        this.#openTakings.push({ ...taking, isCertain: false, end: NEVER });
      } else if (isDelivery(operation) || args[0] === "XAUTOCLAIM") {
        if (taking.isCertain) for (const id of this.#idsTaken(operation)) pushTo(this.#takings, id, taking);
        else this.#openTakings.push(taking);
      } else if (args[0] === "XCLAIM") {
        const ids = taking.isCertain ? this.#idsTaken(operation) : args.slice(5).filter((arg) => /^\d+-\d+$/.test(arg));
        for (const id of ids) pushTo(this.#takings, id, taking);
      }
    }
  }

  /**
   * A read of several streams that shows others, but not this one: where it was to take from this one it may have failed, and what was taken is the
   * answer, never an error. Without faults nothing fails.
   */
  #mayHaveGivenMore(operation: Operation): boolean {
    if (this.#isQuiet || !isDelivery(operation) || !Array.isArray(operation.reply)) return false;
    return sectionOf(operation, this.#stream) === null;
  }

  /** Ids that the reply says were handed over. */
  #idsTaken(operation: Operation): readonly string[] {
    const { args, reply } = operation;
    if (!Array.isArray(reply)) return [];
    const rows =
      args[0] === "XREADGROUP"
        ? (sectionOf(operation, this.#stream) ?? [])
        : ((args[0] === "XAUTOCLAIM" ? reply[1] : reply) as readonly (string | Entry)[]);
    return rows.map((row) => (typeof row === "string" ? row : row[0]));
  }

  /** Each id is counted by one XACK at most, and a look that began afterwards doesn't show it. */
  #checkAcknowledgements(): void {
    const doneBy = this.#acknowledgedBy();
    const pending = new Set((this.#final.pending.get(this.#stream) ?? []).map(({ id }) => id));
    for (const [id, by] of doneBy) {
      if (pending.has(id)) throw new Error(`${this.#stream} ${id} was acknowledged and is pending again`);
      for (const { operation, isCertain: sure } of this.#takings.get(id) ?? []) {
        if (sure && operation.invokedStep > by.completedStep)
          throw new Error(
            `${this.#stream} ${id} was acknowledged by ${by.client} and handed to ${operation.client} afterwards (${operation.args.join(" ")})`,
          );
      }
    }
    let counted = 0;
    const named = new Set<string>();
    for (const operation of this.#operations) {
      const count = countOfAcknowledged(operation);
      if (count < 0 || !isOfGroup(operation)) continue;
      const ids = idsAcknowledged(operation);
      if (count > new Set(ids).size) throw new Error(`${operation.args.join(" ")} counted ${count}`);
      for (const id of ids) named.add(id);
      if (isCommittedLevel(operation)) counted += count;
    }
    if (counted > named.size)
      throw new Error(`${this.#stream}: ${counted} acknowledgements were counted for ${named.size} entries`);
  }

  /** id → the XACK or XACKDEL that counted it at ack=all. */
  #acknowledgedBy(): Map<string, Operation> {
    const doneBy = new Map<string, Operation>();
    for (const operation of this.#operations) {
      const count = countOfAcknowledged(operation);
      if (count < 0 || !isOfGroup(operation) || operation.ack !== "ALL") continue;
      const ids = idsAcknowledged(operation);
      if (count === ids.length) {
        for (const id of ids) {
          const before = doneBy.get(id);
          if (before !== undefined)
            throw new Error(
              `${this.#stream} ${id} was acknowledged twice: by ${before.client} and by ${operation.client}`,
            );
          doneBy.set(id, operation);
        }
      }
    }
    return doneBy;
  }

  /** Every reply that says who owns what. */
  #looks(): Look[] {
    const looks: Look[] = [];
    for (const operation of this.#operations) {
      const { args, reply, client, invokedStep, completedStep } = operation;
      if (!Array.isArray(reply) || !isOfGroup(operation)) continue;
      const by = args.join(" ");
      if (args[0] === "XPENDING") {
        for (const [id, consumer, , deliveries] of reply as unknown as [string, string, number, number][])
          looks.push({ row: { id, consumer, deliveries }, began: invokedStep, ended: completedStep, by });
      }
      // Its own history: what it owns.
      if (args[0] === "XREADGROUP" && !isDelivery(operation)) {
        for (const id of idsRead(operation, this.#stream))
          looks.push({ row: { id, consumer: client, deliveries: 0 }, began: invokedStep, ended: completedStep, by });
      }
    }
    for (const row of this.#final.pending.get(this.#stream) ?? [])
      looks.push({ row, began: NEVER, ended: NEVER, by: "the final look" });
    return looks;
  }

  /** One owner: somebody took it, and nobody else for sure after that and before the look. */
  #checkOwners(looks: readonly Look[]): void {
    for (const { row, began, ended, by } of looks) {
      const { id, consumer } = row;
      const takings = this.#takings.get(id) ?? [];
      const isPossible = (taking: Taking): boolean =>
        taking.consumer === consumer &&
        taking.operation.invokedStep < ended &&
        !takings.some(
          (other) =>
            other.isCertain &&
            other.consumer !== consumer &&
            other.operation.invokedStep > taking.end &&
            other.operation.completedStep < began,
        );
      if (takings.some(isPossible) || this.#openTakings.some(isPossible)) continue;
      const known = takings.map(({ consumer: name, operation }) => `${name} (${operation.args[0]})`);
      throw new Error(
        `${this.#stream} ${id} belongs to ${consumer}, says ${by}; it was taken by ${known.join(", ") || "nobody"}`,
      );
    }
  }

  /** Never fewer than somebody saw before. */
  #checkCounts(looks: readonly Look[]): void {
    const byId = new Map<string, Look[]>();
    for (const look of looks) {
      if (look.row.deliveries > 0 && !this.#recounted.has(look.row.id)) pushTo(byId, look.row.id, look);
    }
    for (const [id, list] of byId) {
      const ends = list.toSorted((a, b) => a.ended - b.ended);
      let most = 0;
      let next = 0;
      for (const { row, began } of list.toSorted((a, b) => a.began - b.began)) {
        while (next < ends.length && ends[next]!.ended < began) most = Math.max(most, ends[next++]!.row.deliveries);
        if (row.deliveries < most)
          throw new Error(`${this.#stream} ${id} was delivered ${row.deliveries} times, and ${most} times before`);
      }
    }
  }

  /** What was handed out is pending or somebody wanted to acknowledge it; the rest came with the drain. */
  #checkNothingLost(): void {
    const pending = new Set((this.#final.pending.get(this.#stream) ?? []).map(({ id }) => id));
    const drained = new Set(this.#final.drained.get(this.#stream) ?? []);
    for (const id of drained) {
      const taking = this.#takings.get(id)?.find(({ isCertain: sure }) => sure);
      if (taking !== undefined)
        throw new Error(`${this.#stream} ${id} was delivered to ${taking.consumer}, and at the end once more`);
      if (pending.has(id)) throw new Error(`${this.#stream} ${id} was pending, and delivered as new at the end`);
    }
    for (const [id] of this.#final.entries.get(this.#stream) ?? []) {
      if (drained.has(id) || pending.has(id) || this.#acknowledging.has(id)) continue;
      throw new Error(`${this.#stream} ${id} is in no list: not pending, never acknowledged, not to be delivered`);
    }
    for (const [id, takings] of this.#takings) {
      const taking = takings.find(({ isCertain: sure }) => sure);
      if (taking === undefined || pending.has(id) || this.#acknowledging.has(id) || this.#isDoomed(id)) continue;
      throw new Error(
        `${this.#stream} ${id} was delivered to ${taking.consumer}, never acknowledged, and is not pending`,
      );
    }
  }
}

function isDelivery({ args }: Operation): boolean {
  return args[0] === "XREADGROUP" && args.at(-1) === ">";
}

function isOfGroup({ args }: Operation): boolean {
  return args[2] === GROUP;
}

/** What the reply to an XREADGROUP shows of the stream; null: it is not in it. */
function sectionOf({ reply }: Operation, stream: string): readonly Entry[] | null {
  const sections = reply as unknown as readonly (readonly [string, readonly Entry[]])[];
  return sections.find(([name]) => name === stream)?.[1] ?? null;
}

function idsRead(operation: Operation, stream: string): readonly string[] {
  return (sectionOf(operation, stream) ?? []).map(([id]) => id);
}

function idsAcknowledged(operation: Operation): readonly string[] {
  return operation.args[0] === "XACK" ? operation.args.slice(3) : namedIds(operation);
}

/** How many ids the reply says were acknowledged by it; −1 when it is no such reply. */
function countOfAcknowledged({ args, reply }: Operation): number {
  if (args[0] === "XACK" && typeof reply === "number") return reply;
  if (args[0] !== "XACKDEL" || !Array.isArray(reply)) return -1;
  return (reply as readonly unknown[]).filter((outcome) => outcome !== -1).length;
}

function pushTo<T>(table: Map<string, T[]>, key: string, item: T): void {
  const list = table.get(key);
  if (list === undefined) table.set(key, [item]);
  else list.push(item);
}
