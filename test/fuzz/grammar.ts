/**
 * What is typed in a differential run: one entry for each command. A NEW COMMAND is one entry in one of the grammar files: its name as the command table has
 * it, how often it comes (10 is common; each word of its syntax must come up a thousand times in a million commands), and its arguments. Entries of
 * Sequences are of one book each: about streams, lists, sets, hashes, other values, each with its own bars. Entries of
 * commands that the table does not have are left out; a command of the table that has neither an entry nor a line in `notCompared` fails a test.
 */
import fc from "fast-check";
import { findCommandByName } from "@headrace/commands";
import { keyEntries, transactionEntries } from "./grammar-keys.ts";
import { sessionEntries } from "./grammar-session.ts";
import { streamEntries } from "./grammar-stream.ts";
import { drawsForEver, hashEntries, hashNeighbours, mayEndListpack } from "./grammar-hashes.ts";
import { setEntries, setNeighbours } from "./grammar-sets.ts";
import { waitsShortly } from "./element-waits.ts";
import { listEntries, listNeighbours } from "./grammar-lists.ts";
import { mayEndSortedListpack, sortedSetClosing } from "./grammar-sorted-sets.ts";
import { valueEntries, valueNeighbours } from "./grammar-values.ts";
import { edgeWords } from "./parts.ts";
import type { Part } from "./parts.ts";
import type { Step, Word } from "./step.ts";

export interface Entry {
  /** As the command table has it. */
  readonly command: string;
  readonly weight: number;
  /** The whole command, its name included. */
  readonly make: Part;
}

/** Commands of the table that a differential run does not type, and why. */
export const notCompared: Readonly<Record<string, string>> = {
  quit: "ends the connection",
  info: "all of it is about the process",
  waitaof: "Redis 7.0 does not know it",
  xackdel: "Redis 7.0 does not know it",
  xcfgset: "Redis 7.0 does not know it",
  xdelex: "Redis 7.0 does not know it",
  xdelayed: "Headrace's own",
  xidmprecord: "Redis 7.0 does not know it",
  xnack: "Redis 7.0 does not know it",
  "client|ack": "Headrace's own",
  "client|backpressure": "Headrace's own",
  "xgroup|redrive": "Headrace's own",
  "xgroup|setdlq": "Headrace's own",
  "xgroup|setidle": "Headrace's own",
  "xgroup|setmaxlag": "Headrace's own",
  "xgroup|setretry": "Headrace's own",
  "xinfo|lag": "Headrace's own",
  "client|setinfo": "Redis 7.0 does not know it",
  "client|no-touch": "Redis 7.0 does not know it",
  "command|docs": "texts of the commands' documents",
  "command|list": "the list of the commands that there are",
  "command|count": "the list of the commands that there are",
  "acl|log": "about failed logins of more users than there are here",
  zrandmember: "gives chance",
  role: "about the process: its offset",
  command: "the list of the commands that there are",
  "cluster|*": "Redis answers it only with cluster-enabled",
  eval: "there are no scripts here",
  eval_ro: "there are no scripts here",
  evalsha: "there are no scripts here",
  evalsha_ro: "there are no scripts here",
  fcall: "there are no scripts here",
  fcall_ro: "there are no scripts here",
  "function|load": "there are no scripts here",
  "function|dump": "there are no scripts here",
  "function|restore": "there are no scripts here",
  "script|load": "there are no scripts here",
  "script|debug": "there are no scripts here",
  "acl|cat": "the list of the commands that there are",
  "acl|dryrun": "there is one user here",
  "acl|genpass": "gives chance",
  "acl|getuser": "there is one user here",
  "acl|list": "there is one user here",
  "acl|setuser": "there is one user here",
  bgrewriteaof: "about the process and its disk",
  bgsave: "about the process and its disk",
  save: "about the process and its disk",
  lastsave: "about the process and its disk",
  debug: "about the process",
  shutdown: "ends the process",
  monitor: "what the other connections do, with times",
  replicaof: "who is a replica is decided elsewhere here",
  slaveof: "who is a replica is decided elsewhere here",
  lolwut: "shows the version",
  "latency|doctor": "about the process",
  "latency|histogram": "about the process",
  "slowlog|get": "about the process",
  "module|load": "there are no modules here",
  "module|loadex": "there are no modules here",
  "module|unload": "there are no modules here",
  "object|idletime": "Redis looks at the clock for it ten times a second, however often that stands still",
  "memory|doctor": "about the process",
  "memory|malloc-stats": "about the process",
  "memory|purge": "about the process",
  "memory|stats": "about the process",
  subscribe: "makes the connection one of another kind; the transcripts show it",
  unsubscribe: "makes the connection one of another kind; the transcripts show it",
  psubscribe: "makes the connection one of another kind; the transcripts show it",
  punsubscribe: "makes the connection one of another kind; the transcripts show it",
  ssubscribe: "makes the connection one of another kind; the transcripts show it",
  sunsubscribe: "makes the connection one of another kind; the transcripts show it",
};

/** What sequences are about. */
export type Book = "streams" | "values" | "lists" | "sets" | "hashes";
export const books: readonly Book[] = ["streams", "values", "lists", "sets", "hashes"];

const aboutStreams = [...streamEntries, ...keyEntries, ...transactionEntries, ...sessionEntries];

/** Entries with bars in this book. */
export function entries(book: Book): readonly Entry[] {
  const all = {
    streams: aboutStreams,
    values: valueEntries,
    lists: listEntries,
    sets: setEntries,
    hashes: hashEntries,
  }[book];
  return all.filter(({ command }) => findCommandByName(command) !== null);
}

/** What its sequences are made of. */
function typedIn(book: Book): readonly Entry[] {
  const neighbours = {
    streams: [],
    values: valueNeighbours,
    lists: listNeighbours,
    sets: setNeighbours,
    hashes: hashNeighbours,
  }[book];
  return [...entries(book), ...neighbours];
}

/** What every sequence begins with, mostly: streams, groups, and something in them. */
const opening: readonly (readonly string[])[] = [
  ["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"],
  ["XGROUP", "CREATE", "s", "h", "$"],
  ["XGROUP", "CREATE", "t", "g", "0", "MKSTREAM"],
  ["XGROUP", "CREATE", "u", "g", "0", "MKSTREAM"],
  ["XGROUP", "CREATE", "u", "h", "0"],
  ["XGROUP", "CREATE", "w", "g", "0", "MKSTREAM"],
];

type Mutation =
  | { readonly kind: "none" }
  | { readonly kind: "drop" }
  | { readonly kind: "append" | "replace" | "insert"; readonly at: number; readonly word: string };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 92, arbitrary: fc.constant<Mutation>({ kind: "none" }) },
  { weight: 2, arbitrary: fc.constant<Mutation>({ kind: "drop" }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("append" as const, "replace" as const, "replace" as const, "insert" as const),
      at: fc.nat({ max: 9 }),
      word: fc.constantFrom(...edgeWords),
    }),
  },
);

function mutated(all: readonly Word[], change: Mutation): readonly Word[] {
  if (change.kind === "none") return all;
  if (change.kind === "drop") return all.slice(0, -1);
  if (change.kind === "append") return [...all, change.word];
  const at = 1 + (change.at % all.length);
  if (change.kind === "insert") return all.toSpliced(at, 0, change.word);
  return at < all.length ? all.with(at, change.word) : all;
}

const connection = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.constant(2) },
);

export interface Sequence {
  /** Of all connections at the beginning. */
  readonly version: 2 | 3;
  readonly steps: readonly Step[];
  /** What each key is asked in the end. */
  readonly closing: (key: string) => readonly (readonly string[])[];
}

const CLOSING: Readonly<Record<Book, Sequence["closing"]>> = {
  streams: (key) => [
    ["XINFO", "STREAM", key, "FULL", "COUNT", "0"],
    ["XINFO", "GROUPS", key],
    ["XINFO", "CONSUMERS", key, "g"],
  ],
  values: (key) => [["TYPE", key], ["MGET", key], ...sortedSetClosing(key), ["PEXPIRETIME", key]],
  lists: (key) => [
    ["TYPE", key],
    ["LRANGE", key, "0", "-1"],
    ["PTTL", key],
  ],
  hashes: (key) => [
    ["TYPE", key],
    ["OBJECT", "ENCODING", key],
    ["HLEN", key],
    ["HGETALL", key],
    ["PTTL", key],
  ],
  sets: (key) => [
    ["TYPE", key],
    ["SCARD", key],
    ["SMEMBERS", key],
    ["PTTL", key],
  ],
};

/** Sequences of up to `length` steps. */
export function sequences(length: number, book: Book): fc.Arbitrary<Sequence> {
  const beginning = book === "streams" ? opening : [];
  const command = fc.oneof(
    ...typedIn(book).map(({ weight, make }) => ({ weight: Math.round(weight * 10), arbitrary: make })),
  );
  const typed = fc
    .tuple(connection, command, mutation)
    .map(([client, all, change]): Step => ({ client, words: mutated(all, change) }))
    .filter((step) => !("words" in step) || (step.words.length > 0 && !isUncomparable(step.words)))
    .filter((step) => !("words" in step) || !endsListpack(book, step.words));
  const pause = fc.constantFrom<Step>({ advanceMs: 1 }, { advanceMs: 7 }, { advanceMs: 500 }, { advanceMs: 20_000 });
  const step = fc.oneof({ weight: 60, arbitrary: typed }, { weight: 1, arbitrary: pause });
  return fc
    .record({
      version: fc.constantFrom(2 as const, 3 as const),
      start: fc.subarray([...beginning], { minLength: Math.max(0, beginning.length - 1) }),
      rest: fc.array(step, { minLength: Math.ceil(length / 2), maxLength: length, size: "max" }),
    })
    .map(({ version, start, rest }) => ({
      version,
      closing: CLOSING[book],
      steps: [...start.map((all): Step => ({ client: 0, words: all })), ...rest],
    }));
}

function endsListpack(book: Book, all: readonly Word[]): boolean {
  const [name] = all;
  if (typeof name !== "string") return false;
  const lower = name.toLowerCase();
  return mayEndSortedListpack(lower, all) || (book === "hashes" && mayEndListpack(lower, all));
}

const INT_MAX = 2 ** 31 - 1;

/** A mutation may turn a subcommand into one that is not compared. */
function isUncomparable(all: readonly Word[]): boolean {
  const [name, sub] = all;
  if (typeof name !== "string") return true;
  const lower = name.toLowerCase();
  // 7.0 lets this rank overflow.
  if (lower === "lpos" && all.includes("-9223372036854775808")) return true;
  if (drawsForEver(lower, all)) return true;
  if (namesAStreamTwice(lower, all) || waitsHardly(lower, all) || waitsShortly(lower, all)) return true;
  // Without names it is the list of the commands that there are.
  if (all.length === 2 && lower === "command" && typeof sub === "string" && sub.toLowerCase() === "info") return true;
  const full = typeof sub === "string" ? `${lower}|${sub.toLowerCase()}` : lower;
  // Both sides would do nothing more.
  if (full === "client|pause" && Number(all[2]) > 0) return true;
  // 7.0 keeps the number in 32 bits: of one that does not fit it may answer at once.
  if (lower === "wait" && Number(sub) > INT_MAX) return true;
  return reasonNotCompared(findCommandByName(full) === null ? lower : full) !== null;
}

/** A blocked read that names a stream twice waits twice here; 7.0 keeps one of its ids. */
function namesAStreamTwice(name: string, all: readonly Word[]): boolean {
  if (name !== "xread" && name !== "xreadgroup") return false;
  const plain = all.filter((word) => typeof word === "string");
  if (!plain.some((word) => word.toUpperCase() === "BLOCK")) return false;
  const list = all.slice(all.indexOf("STREAMS") + 1);
  const keys = list.slice(0, Math.floor(list.length / 2));
  return new Set(keys).size < keys.length;
}

/** A read whose time may be over while both sides come to rest: only ours hears of time then. */
function waitsHardly(name: string, all: readonly Word[]): boolean {
  if (name !== "xread" && name !== "xreadgroup") return false;
  const at = all.findIndex((word) => typeof word === "string" && word.toUpperCase() === "BLOCK");
  const blockMs = at < 0 ? 0 : Number(all[at + 1]);
  return blockMs > 0 && blockMs < 10_000;
}

/** Why a differential run leaves the command out; null: it does not. */
export function reasonNotCompared(command: string): string | null {
  return notCompared[command] ?? notCompared[command.replace(/\|.*/, "|*")] ?? null;
}
