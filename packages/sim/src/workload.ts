/**
 * What simulated clients do: a table of requests with their weights; add a kind of request here and nowhere else. Every entry carries a payload that
 * exists once, so that id and payload identify each other. The first letter of a stream says what may be done to it, since each kind of removal has its
 * own rules (checkers/reading.ts).
 */
import { isFree, RETAINED_ENTRIES, UNACKED_ENTRIES } from "./checkers/reading.ts";
import { DeadLetterWork, deadLetterPreparations } from "./dead-letter-work.ts";
import { delayPreparations, DelayWork } from "./delay-work.ts";
import { ListWork } from "./list-work.ts";
import { OwnedWork } from "./owned-work.ts";
import { pressurePreparations, pressureRequest } from "./pressure-work.ts";
import { REDELIVERED, redeliveryPreparations, redeliveryRequest } from "./redelivery-work.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation } from "./sim-client.ts";
import { anyCommand, nameGroup } from "./workload-commands.ts";
import { ZsetWork } from "./zset-work.ts";

export const GROUP = "g";
/** Delivers without a pending list (NOACK): at most once. */
export const ONCE_GROUP = "once";

export interface WorkStreams {
  /** Entries are added and deleted by id; groups read here. */
  readonly grouped: readonly string[];
  readonly trimmed: readonly string[];
  /** Deleted as a whole now and then. */
  readonly deleted: readonly string[];
  /** Given a time to go now and then. */
  readonly expiring: readonly string[];
  /** Messages are sent again and again under their own ids (XADD IDMP); nothing is ever removed. */
  readonly idempotent: readonly string[];
  /** Trimmed by the leader itself; their entries are large, so that they have many blocks. */
  readonly retained: readonly string[];
  /** The same, but what the group has not acknowledged stays. */
  readonly unacked: readonly string[];
  /** Nobody ever makes it. */
  readonly missing: string;
}

/** `round` keeps the streams of several runs on one cluster apart. */
export function workStreams(round: string = ""): WorkStreams {
  return {
    grouped: ["a", "b", "c", "d"].map((tag) => `s${round}:{${tag}}`),
    trimmed: ["a", "b"].map((tag) => `t${round}:{${tag}}`),
    deleted: ["a", "b"].map((tag) => `d${round}:{${tag}}`),
    expiring: ["a", "c"].map((tag) => `e${round}:{${tag}}`),
    idempotent: ["a", "c"].map((tag) => `i${round}:{${tag}}`),
    retained: [`r${round}:{b}`],
    unacked: [`u${round}:{d}`],
    missing: `n${round}:{a}`,
  };
}

/** Those that the reader at the end has to look at with nothing in between: what is not in its view counts as lost. */
export function judgedStreams(streams: WorkStreams): readonly string[] {
  const { grouped, trimmed, deleted, expiring, retained, unacked } = streams;
  return [...grouped, ...trimmed, ...deleted, ...expiring, ...retained, ...unacked];
}

/** What a stream may hold when its leader has had a turn: its bound and not a whole block more. Infinity: anything. */
export function lengthBelow(stream: string, { retained }: WorkStreams): number {
  return retained.includes(stream) ? RETAINED_ENTRIES + LARGE_PER_BLOCK : Number.POSITIVE_INFINITY;
}

/** What has to be there before clients begin: each answers OK, or BUSYGROUP when it was done before. */
export function preparations(streams: WorkStreams): readonly (readonly string[])[] {
  const groups = streams.grouped.flatMap((stream) =>
    [GROUP, ONCE_GROUP].map((group) => ["XGROUP", "CREATE", stream, group, "0", "MKSTREAM"]),
  );
  const windows = streams.idempotent.flatMap((stream) => [
    ["XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM"],
    // No message leaves it while a run lasts, whatever becomes of clocks.
    ["XCFGSET", stream, "IDMP-DURATION", "86400", "IDMP-MAXSIZE", "10000"],
  ]);
  const bounds = streams.retained.flatMap((stream) => [
    ["XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM"],
    ["XCFGSET", stream, "RETENTION-ENTRIES", String(RETAINED_ENTRIES)],
  ]);
  const kept = streams.unacked.flatMap((stream) => [
    ["XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM"],
    ["XCFGSET", stream, "RETENTION-ENTRIES", String(UNACKED_ENTRIES), "RETENTION-KEEP", "UNACKED"],
  ]);
  return [
    ...groups,
    ...windows,
    ...bounds,
    ...kept,
    ...redeliveryPreparations,
    ...deadLetterPreparations,
    ...delayPreparations,
    ...pressurePreparations,
  ];
}

/** Bytes that make an entry large, and how many of those a block of 32 KiB holds. */
const LARGE_BYTES = 6000;
const LARGE_PER_BLOCK = 5;

/** A stream of that many would have lost some, were they not needed. */
export const UNACKED_LENGTH = UNACKED_ENTRIES + LARGE_PER_BLOCK;

/** Messages that a client may send again. */
const MESSAGES_KEPT = 8;

/** From at once to beyond an election. */
const EXPIRY_MS = ["0", "30", "200", "1000", "5000"];
const TRIM_LIMITS = ["5", "20", "60"];

interface WorkRow {
  readonly weight: number;
  readonly make: (work: ClientWork, random: SeededRandom) => readonly string[];
}

const writers: readonly WorkRow[] = [
  { weight: 30, make: (work) => work.add(work.grouped()) },
  { weight: 12, make: (work) => ["XRANGE", work.grouped(), "-", "+"] },
  { weight: 3, make: (work) => ["XLEN", work.grouped()] },
  { weight: 2, make: (work, random) => work.delete(work.grouped(), random) },
  { weight: 11, make: (work, random) => work.readGroup(work.grouped(), random) },
  { weight: 9, make: (work, random) => work.acknowledge(work.grouped(), random) },
  { weight: 2, make: (work, random) => work.giveBack(work.grouped(), random) },
  { weight: 1, make: (work, random) => ["XTRIM", work.grouped(), "MAXLEN", random.pick(TRIM_LIMITS), "ACKED"] },
  { weight: 2, make: (work, random) => work.autoclaim(work.grouped(), random) },
  { weight: 2, make: (work) => work.claim(work.grouped()) },
  { weight: 2, make: (work) => ["XPENDING", work.grouped(), GROUP, "-", "+", "1000"] },
  { weight: 2, make: (work) => ["XPENDING", work.grouped(), GROUP, "-", "+", "1000", work.name] },
  {
    weight: 2,
    make: (work) => ["XREADGROUP", "GROUP", GROUP, work.name, "STREAMS", work.grouped(), "0"],
  },
  {
    weight: 2,
    make: (work, random) => [
      "XREADGROUP",
      "GROUP",
      ONCE_GROUP,
      work.name,
      "COUNT",
      String(random.between(1, 3)),
      "NOACK",
      "STREAMS",
      work.grouped(),
      ">",
    ],
  },
  { weight: 3, make: (work) => ["XREVRANGE", work.grouped(), "+", "-", "COUNT", "1"] },
  { weight: 2, make: (work) => ["XADD", work.grouped(), "NOMKSTREAM", "0-1", "p", work.payload()] },
  { weight: 2, make: (work) => ["XADD", work.streams.missing, "NOMKSTREAM", "*", "p", work.payload()] },
  { weight: 2, make: (_work, random) => ["WAIT", String(random.between(1, 2)), "100"] },
  { weight: 1, make: (_work, random) => ["WAITAOF", "1", String(random.between(1, 2)), "100"] },
  { weight: 2, make: (work) => ["XREAD", "COUNT", "10", "BLOCK", "50", "STREAMS", work.grouped(), "$"] },
  { weight: 1, make: (work) => ["XREAD", "COUNT", "10", "STREAMS", work.grouped(), "0"] },
  { weight: 2, make: (work, random) => work.readOver(random) },
  { weight: 5, make: (work, random) => work.readGroupOver(random) },
  { weight: 4, make: (work, random) => work.addTrimming(work.trimmed(), random) },
  { weight: 2, make: (work, random) => work.trim(work.trimmed(), random) },
  { weight: 3, make: (work) => ["XRANGE", work.trimmed(), "-", "+"] },
  { weight: 4, make: (work) => work.add(work.deleted()) },
  { weight: 1, make: (work, random) => [random.pick(["DEL", "UNLINK"]), work.deleted()] },
  { weight: 3, make: (work) => ["XRANGE", work.deleted(), "-", "+"] },
  { weight: 1, make: (work) => ["EXISTS", work.deleted()] },
  { weight: 4, make: (work) => work.add(work.expiring()) },
  { weight: 1, make: (work, random) => ["PEXPIRE", work.expiring(), random.pick(EXPIRY_MS)] },
  { weight: 1, make: (work, random) => [random.pick(["PERSIST", "PTTL", "EXISTS"]), work.expiring()] },
  { weight: 4, make: (work) => ["XRANGE", work.expiring(), "-", "+"] },
  { weight: 7, make: (work, random) => work.addOnce(random) },
  { weight: 2, make: (work, random) => ["XRANGE", random.pick(work.streams.idempotent), "-", "+"] },
  { weight: 3, make: (work, random) => work.addLarge(random.pick(work.streams.retained)) },
  { weight: 1, make: (work, random) => ["XRANGE", random.pick(work.streams.retained), "-", "+"] },
  { weight: 3, make: (work, random) => work.addLarge(random.pick(work.streams.unacked)) },
  { weight: 2, make: (work, random) => work.readGroup(random.pick(work.streams.unacked), random) },
  { weight: 4, make: (work, random) => work.acknowledge(random.pick(work.streams.unacked), random) },
  { weight: 1, make: (work, random) => ["XREAD", "COUNT", "10", "STREAMS", random.pick(work.streams.unacked), "0"] },
  { weight: 4, make: (work) => work.add(work.redelivered()) },
  { weight: 8, make: (work, random) => work.redeliver(random) },
  { weight: 20, make: (work) => work.letters.next() },
  { weight: 12, make: (work, random) => work.delays.next(random) },
  { weight: 12, make: (work, random) => pressureRequest(random, work.name, (stream) => work.add(stream)) },
  { weight: 14, make: (work, random) => work.lists.next(random) },
  { weight: 12, make: (work, random) => work.zsets.next(random) },
  { weight: 8, make: (work, random) => work.own(random) },
  { weight: 4, make: (work) => ["ECHO", work.payload()] },
  { weight: 8, make: (work, random) => anyCommand(random, work.name) },
  { weight: 6, make: (work, random) => work.nameGroup(random) },
];

const readers: readonly WorkRow[] = [
  { weight: 4, make: (work) => ["XRANGE", work.grouped(), "-", "+"] },
  { weight: 4, make: (work) => ["XREVRANGE", work.grouped(), "+", "-", "COUNT", "1"] },
  { weight: 1, make: (work) => ["XLEN", work.grouped()] },
  { weight: 1, make: (work, random) => ["XRANGE", random.pick(work.streams.idempotent), "-", "+"] },
  { weight: 1, make: (work) => ["XREAD", "COUNT", "10", "STREAMS", work.grouped(), "0"] },
  { weight: 2, make: (work, random) => work.readOver(random) },
  { weight: 1, make: (work, random) => ["XRANGE", random.chance(1, 2) ? work.trimmed() : work.deleted(), "-", "+"] },
  { weight: 1, make: (work) => ["XRANGE", work.expiring(), "-", "+"] },
  { weight: 1, make: (work) => ["XPENDING", work.grouped(), GROUP, "-", "+", "1000"] },
  { weight: 2, make: (work, random) => work.nameGroup(random) },
];

/** What all clients may be told to do instead of everything. */
export type WorkName = "deadLetters" | "lists" | "zsets";
const works: Readonly<Record<WorkName, readonly WorkRow[]>> = {
  deadLetters: [{ weight: 1, make: (work) => work.letters.next() }],
  lists: [
    { weight: 4, make: (work, random) => work.lists.next(random) },
    { weight: 1, make: (work, random) => work.own(random, "list") },
  ],
  zsets: [
    { weight: 4, make: (work, random) => work.zsets.next(random) },
    { weight: 1, make: (work, random) => work.own(random, "zset") },
  ],
};

/** Null: there is no work of that name. */
export function workNamed(name: string | undefined): WorkName | null {
  return name !== undefined && Object.hasOwn(works, name) ? (name as WorkName) : null;
}

/** How often all clients together ask for a name before the next one is taken. */
const ASKS_PER_NAME = 6;

/**
 * The name of the group that all clients are at. They ask for it at about the same time: whoever is told that it exists learns that from a write that
 * was made a moment ago, which is the one that may not be committed yet.
 */
export class GroupNames {
  #asked = 0;

  next(): number {
    return Math.floor(this.#asked++ / ASKS_PER_NAME);
  }
}

/** Makes the requests of one client. */
export class ClientWork {
  readonly name: string;
  readonly streams: WorkStreams;
  readonly delays: DelayWork;
  readonly #random: SeededRandom;
  readonly #table: readonly WorkRow[];
  readonly #weights: number;
  readonly #names: GroupNames;
  readonly letters: DeadLetterWork;
  readonly lists: ListWork;
  readonly zsets: ZsetWork;
  readonly owned: OwnedWork;
  /** Its answers are kept, whatever becomes of leaders: only so it knows what keys of its own hold. */
  mayOwn: boolean = false;
  #serial = 0;
  /** Delivered to this consumer and not acknowledged by it: stream → ids. */
  readonly #mine: Map<string, string[]> = new Map();
  /** Seen in a pending list: stream → ids of others. */
  readonly #others: Map<string, string[]> = new Map();
  /** Sent to the idempotent streams, the last ones. */
  readonly #messages: { readonly stream: string; readonly name: string; readonly isAuto: boolean; attempts: number }[] =
    [];
  /** Added by this client and not deleted by it. */
  readonly #added: Map<string, string[]> = new Map();

  /** `isReader`: only looks. Where nobody writes, nothing but the proof of leadership stands between a reader and a deposed leader's past. */
  constructor(
    name: string,
    random: SeededRandom,
    options: {
      readonly streams: WorkStreams;
      readonly names: GroupNames;
      readonly isReader: boolean;
      readonly only?: WorkName | null;
    },
  ) {
    this.name = name;
    this.streams = options.streams;
    this.delays = new DelayWork(name);
    this.#names = options.names;
    this.#random = random;
    this.letters = new DeadLetterWork(name, random.fork());
    this.lists = new ListWork(name);
    this.zsets = new ZsetWork(name);
    this.owned = new OwnedWork(name);
    const { only = null } = options;
    this.#table = only !== null ? works[only] : options.isReader ? readers : writers;
    this.#weights = this.#table.reduce((sum, { weight }) => sum + weight, 0);
  }

  next(): readonly string[] {
    let dice = this.#random.below(this.#weights);
    for (const row of this.#table) {
      dice -= row.weight;
      if (dice < 0) return row.make(this, this.#random);
    }
    throw new Error("the weights add up");
  }

  /** Takes notice of what it was given. */
  heard(operation: Operation): void {
    const { args, reply } = operation;
    this.letters.heard(operation);
    this.delays.heard(operation);
    this.lists.heard(operation);
    this.owned.heard(operation);
    if (isFree(args[1] ?? "")) return;
    if (args[0] === "XADD" && typeof reply === "string") this.#keep(this.#added, args[1]!, [reply]);
    if (!Array.isArray(reply)) return;
    if (args[0] === "XAUTOCLAIM") this.#keep(this.#mine, args[1]!, idsOf(reply[1]));
    if (args[0] === "XCLAIM") this.#keep(this.#mine, args[1]!, idsOf(reply));
    if (args[0] === "XPENDING") this.#others.set(args[1]!, idsOf(reply).slice(0, 20));
    if (args[0] !== "XREADGROUP" || args[2] !== GROUP) return;
    for (const [stream, entries] of reply as unknown as [string, unknown][])
      this.#keep(this.#mine, stream, idsOf(entries));
  }

  grouped(): string {
    return this.#random.pick(this.streams.grouped);
  }

  trimmed(): string {
    return this.#random.pick(this.streams.trimmed);
  }

  deleted(): string {
    return this.#random.pick(this.streams.deleted);
  }

  expiring(): string {
    return this.#random.pick(this.streams.expiring);
  }

  redelivered(): string {
    return this.#random.pick(REDELIVERED);
  }

  redeliver(random: SeededRandom): readonly string[] {
    const stream = this.redelivered();
    return redeliveryRequest(random, this.name, stream, this.#mine.get(stream) ?? []) ?? this.add(stream);
  }

  /** Something with a key of its own. */
  own(random: SeededRandom, kind: "list" | "zset" = random.pick(["list", "zset"])): readonly string[] {
    if (!this.mayOwn) return kind === "list" ? this.lists.next(random) : this.zsets.next(random);
    return kind === "list" ? this.owned.nextOnList(random) : this.owned.nextOnSet(random);
  }

  payload(): string {
    return `${this.name}.${++this.#serial}`;
  }

  add(stream: string): readonly string[] {
    return ["XADD", stream, ...this.#ack(), "*", "p", this.payload()];
  }

  addLarge(stream: string): readonly string[] {
    return ["XADD", stream, ...this.#ack(), "*", "p", `${this.payload()} ${"x".repeat(LARGE_BYTES)}`];
  }

  /** A new message, or one of the last few again, whatever has become of it: that is what its id is for. */
  addOnce(random: SeededRandom): readonly string[] {
    const again = this.#messages.length > 0 && random.chance(3, 5);
    if (!again) {
      const stream = random.pick(this.streams.idempotent);
      this.#messages.push({ stream, name: this.payload(), isAuto: random.chance(1, 3), attempts: 0 });
      if (this.#messages.length > MESSAGES_KEPT) this.#messages.shift();
    }
    const message = again ? random.pick(this.#messages) : this.#messages.at(-1)!;
    const { stream, name, isAuto } = message;
    const iid = isAuto ? ["IDMPAUTO", this.name] : ["IDMP", this.name, name];
    // Attempts under one iid may have other fields: the first one's count. IDMPAUTO's iid is the fields.
    const payload = isAuto ? name : `${name}#${++message.attempts}`;
    return ["XADD", stream, ...this.#ack(), ...iid, "*", "p", payload];
  }

  /** `~` leaves more than the limit, never less. */
  addTrimming(stream: string, random: SeededRandom): readonly string[] {
    const policy = random.chance(1, 4) ? [random.pick(["KEEPREF", "DELREF", "ACKED"])] : [];
    const limit = random.chance(1, 2) ? [...policy, "MAXLEN", random.pick(["=", "~"]), random.pick(TRIM_LIMITS)] : [];
    return ["XADD", stream, ...this.#ack(), ...limit, "*", "p", this.payload()];
  }

  trim(stream: string, random: SeededRandom): readonly string[] {
    const added = this.#added.get(stream) ?? [];
    if (added.length > 0 && random.chance(1, 2)) return ["XTRIM", stream, "MINID", "=", random.pick(added)];
    return ["XTRIM", stream, "MAXLEN", random.pick(["=", "~"]), random.pick(TRIM_LIMITS)];
  }

  /** One of its own entries, most often one that was added just now. */
  delete(stream: string, random: SeededRandom): readonly string[] {
    const list = this.#added.get(stream);
    if (list === undefined || list.length === 0) return this.add(stream);
    const at = this.#random.chance(1, 2) ? list.length - 1 : this.#random.below(list.length);
    const ids = list.splice(at, 1);
    if (random.chance(1, 2)) return ["XDEL", stream, ...ids];
    return ["XDELEX", stream, random.pick(["KEEPREF", "DELREF", "ACKED"]), "IDS", "1", ...ids];
  }

  readGroup(stream: string, random: SeededRandom): readonly string[] {
    const block = random.chance(1, 4) ? ["BLOCK", "60"] : [];
    const count = String(random.between(1, 5));
    const claim = random.chance(1, 4) ? ["CLAIM", random.pick(["0", "20", "60", "5000"])] : [];
    const bound = random.chance(1, 8) ? ["MAXSIZE", String(random.between(1, 300)), "MAXCOUNT", "5"] : [];
    const options = [...bound, ...block, ...claim];
    return ["XREADGROUP", "GROUP", GROUP, this.name, "COUNT", count, ...options, "STREAMS", stream, ">"];
  }

  /** Streams of several shards, most often. */
  readOver(random: SeededRandom): readonly string[] {
    const streams = this.#someGrouped(random);
    const block = random.chance(1, 2) ? ["BLOCK", random.pick(["20", "60", "200"])] : [];
    const ids = streams.map(() => (block.length > 0 && random.chance(2, 3) ? "$" : "0"));
    // One kind of id for all: what a reader from the start on sees is judged as a whole.
    const most = random.chance(1, 3) ? [random.pick(["MAXCOUNT", "MAXSIZE"]), String(random.between(10, 200))] : [];
    return ["XREAD", "COUNT", "10", ...most, ...block, "STREAMS", ...streams, ...ids.map(() => ids[0]!)];
  }

  readGroupOver(random: SeededRandom): readonly string[] {
    const streams = this.#someGrouped(random);
    const block = random.chance(1, 2) ? ["BLOCK", random.pick(["20", "60", "200"])] : [];
    const count = String(random.between(1, 3));
    const most = random.chance(1, 3) ? ["MAXCOUNT", String(random.between(Number(count), 5))] : [];
    const options = ["COUNT", count, ...most, ...block];
    const ids = streams.map(() => ">");
    return ["XREADGROUP", "GROUP", GROUP, this.name, ...options, "STREAMS", ...streams, ...ids];
  }

  #someGrouped(random: SeededRandom): readonly string[] {
    const first = random.pick(this.streams.grouped);
    const others = this.streams.grouped.filter((stream) => stream !== first && random.chance(1, 2));
    return [first, ...others];
  }

  nameGroup(random: SeededRandom): readonly string[] {
    return nameGroup(random, this.#names.next());
  }

  acknowledge(stream: string, random: SeededRandom): readonly string[] {
    const mine = this.#mine.get(stream);
    if (mine === undefined || mine.length === 0)
      return this.streams.unacked.includes(stream) ? this.addLarge(stream) : this.add(stream);
    const ids = mine.splice(0, this.#random.between(1, Math.min(4, mine.length)));
    if (random.chance(7, 8)) return ["XACK", stream, GROUP, ...ids];
    const policy = random.pick(["KEEPREF", "DELREF", "ACKED"]);
    return ["XACKDEL", stream, GROUP, policy, "IDS", String(ids.length), ...ids];
  }

  /** Some of what it got last. */
  giveBack(stream: string, random: SeededRandom): readonly string[] {
    const mine = this.#mine.get(stream);
    if (mine === undefined || mine.length === 0) return this.add(stream);
    const ids = mine.splice(-random.between(1, Math.min(3, mine.length)));
    const mode = random.pick(["SILENT", "FAIL", "FAIL", "FATAL"]);
    return ["XNACK", stream, GROUP, mode, "IDS", String(ids.length), ...ids];
  }

  autoclaim(stream: string, random: SeededRandom): readonly string[] {
    const justId = random.chance(1, 4) ? ["JUSTID"] : [];
    return ["XAUTOCLAIM", stream, GROUP, this.name, "0", "-", "COUNT", String(random.between(1, 3)), ...justId];
  }

  claim(stream: string): readonly string[] {
    const others = this.#others.get(stream) ?? [];
    if (others.length === 0) return ["XPENDING", stream, GROUP, "-", "+", "20"];
    const ids = [this.#random.pick(others), this.#random.pick(others)];
    return ["XCLAIM", stream, GROUP, this.name, "0", ...new Set(ids)];
  }

  #ack(): readonly string[] {
    const level = this.#random.pick(["ALL", "ALL", "ALL", "1", "0", ""]);
    return level === "" ? [] : ["ACK", level];
  }

  #keep(table: Map<string, string[]>, stream: string, ids: readonly string[]): void {
    const list = table.get(stream) ?? [];
    list.push(...ids);
    table.set(stream, list);
  }
}

/** Of entries, of rows of a pending list, or ids as they are. */
function idsOf(rows: unknown): readonly string[] {
  return (rows as readonly (string | readonly [string, unknown])[]).map((row) =>
    typeof row === "string" ? row : row[0],
  );
}
