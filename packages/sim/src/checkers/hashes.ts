/**
 * Fields of a hash, each set and deleted by one client alone: who looks sees of each field what was there last, or something newer; nothing is there that nobody
 * wrote; and of an HSET over several fields nobody sees a part. A write is known to have happened once it was acknowledged at ack=all, or seen. Fields that are
 * counted up are counters (counters.ts).
 */
import { COUNTED_FIELDS, FIELD_COUNTS, FIELD_QUARTERS, QUARTER, REGISTERS } from "../hash-work.ts";
import type { Operation } from "../sim-client.ts";
import { checkCounter, type Told } from "./counters.ts";
import { endOf, isCertain, isCommittedLevel, isRefused } from "./reading.ts";

/** As a quiet reader finds them at the end. */
export interface HashesView {
  /** HGETALL of the fields that have one writer: field, value, field … */
  readonly registers: readonly string[];
  /** HMGET of the counted fields: those that count by one, and those that count by quarters. */
  readonly counts: readonly (string | null)[];
  readonly quarters: readonly (string | null)[];
}

export interface HashesReport {
  readonly counted: number;
  readonly looks: number;
  /** Fields that looks have shown with a value. */
  readonly seen: number;
}

/** An HSET or HDEL that has not been refused. */
interface Write {
  /** By field; null: it is deleted, or was never there. No value is written twice. */
  readonly values: ReadonlyMap<string, string | null>;
  readonly invoked: number;
  readonly end: number;
  /** From this step on it is known to have happened. */
  safeFrom: number;
}

/** By field, what was written to it. */
type Writes = ReadonlyMap<string, readonly Write[]>;

interface Look {
  readonly client: string;
  readonly invoked: number;
  readonly completed: number;
  readonly shown: ReadonlyMap<string, string>;
}

const FOR_EVER = Number.POSITIVE_INFINITY;
/** What was before all writes. */
const NOTHING: Write = { values: new Map(), invoked: -1, end: -1, safeFrom: -1 };

/** Throws on the first contradiction. */
export function checkHashes(operations: readonly Operation[], final: HashesView): HashesReport {
  const about = operations.filter(({ args }) => args[1] === REGISTERS);
  const writes = writesOf(about.filter(({ args }) => args[0] !== "HGETALL"));
  const looks = about.flatMap((operation): Look[] => {
    const { args, reply, client, invokedStep, completedStep } = operation;
    if (args[0] !== "HGETALL" || !Array.isArray(reply)) return [];
    return [{ client, invoked: invokedStep, completed: completedStep, shown: pairs(reply as readonly string[]) }];
  });
  const end = { client: "a quiet reader", invoked: FOR_EVER, completed: FOR_EVER, shown: pairs(final.registers) };
  for (const look of looks) noteSeen(writes, look);
  for (const look of [...looks, end]) checkLook(writes, look);
  let counted = 0;
  for (const [i, field] of COUNTED_FIELDS.entries()) {
    counted += checkField(operations, FIELD_COUNTS, field, 1, Number(final.counts[i] ?? 0));
    counted += checkField(operations, FIELD_QUARTERS, field, QUARTER, Number(final.quarters[i] ?? 0));
  }
  return { counted, looks: looks.length, seen: looks.reduce((sum, { shown }) => sum + shown.size, 0) };
}

function pairs(flat: readonly string[]): Map<string, string> {
  const all = new Map<string, string>();
  for (let i = 0; i < flat.length; i += 2) {
    if (all.has(flat[i]!)) throw new Error(`${flat[i]!} is in a hash twice`);
    all.set(flat[i]!, flat[i + 1]!);
  }
  return all;
}

function writesOf(operations: readonly Operation[]): Writes {
  const writes = new Map<string, Write[]>();
  for (const operation of operations) {
    if (isRefused(operation)) continue;
    const { args, invokedStep: invoked } = operation;
    const isSafe = isCertain(operation) && isCommittedLevel(operation);
    const values =
      args[0] === "HDEL"
        ? new Map<string, string | null>(args.slice(2).map((field) => [field, null]))
        : pairs(args.slice(2));
    const safeFrom = isSafe ? operation.completedStep : FOR_EVER;
    const write: Write = { values, invoked, end: endOf(operation), safeFrom };
    for (const field of values.keys()) {
      const list = writes.get(field) ?? [NOTHING];
      list.push(write);
      writes.set(field, list);
    }
  }
  return writes;
}

function valueOf(write: Write, field: string): string | null {
  return write.values.get(field) ?? null;
}

/** Who sees a value knows its write. */
function noteSeen(writes: Writes, { shown, completed }: Look): void {
  for (const [field, value] of shown) {
    const write = writes.get(field)?.find((each) => valueOf(each, field) === value);
    if (write !== undefined) write.safeFrom = Math.min(write.safeFrom, completed);
  }
}

function checkLook(writes: Writes, look: Look): void {
  const { shown, client, invoked, completed } = look;
  for (const field of shown.keys()) if (!writes.has(field)) throw new Error(`${field} is there, and nobody wrote it`);
  for (const [field, list] of writes) {
    const value = shown.get(field) ?? null;
    const possible = list.filter((write) => valueOf(write, field) === value && write.invoked < completed);
    if (possible.length === 0) throw new Error(`${field} was ${value} for ${client}, and nobody wrote that`);
    // What it shows was not over when that was begun which it must know of.
    const newest = newestKnown(field, list, look);
    if (possible.some(({ end }) => end >= newest.invoked)) continue;
    throw new Error(
      `${field} was ${value} for ${client} (steps ${invoked}–${completed}), and ${valueOf(newest, field)} had been written since`,
    );
  }
}

/** Of the field's writes that happened before the look began, or that other fields show in it, the one that was begun last. */
function newestKnown(field: string, list: readonly Write[], { shown, invoked }: Look): Write {
  let newest = NOTHING;
  for (const write of list) {
    if (write.invoked <= newest.invoked) continue;
    if (write.safeFrom < invoked || isShownElsewhere(field, write, shown)) newest = write;
  }
  return newest;
}

function isShownElsewhere(field: string, { values }: Write, shown: Look["shown"]): boolean {
  for (const [other, value] of values) {
    if (other !== field && value !== null && shown.get(other) === value) return true;
  }
  return false;
}

/** Answers how many steps were answered. */
function checkField(operations: readonly Operation[], key: string, field: string, size: number, end: number): number {
  const about = operations.filter(({ args }) => args[1] === key && args[2] === field);
  const steps = about.filter(({ args }) => args[0] !== "HGET");
  const told = about.flatMap((operation): Told[] => {
    const { args, reply } = operation;
    const isStep = args[0] !== "HGET";
    if (typeof reply !== "number" && typeof reply !== "string" && (isStep || reply !== null)) return [];
    const count = Number(reply ?? 0) / size;
    return [{ operation, count, isStep, isSafe: !isStep || isCommittedLevel(operation) }];
  });
  checkCounter(`${key} ${field}`, told, steps, end / size);
  return told.filter(({ isStep }) => isStep).length;
}
