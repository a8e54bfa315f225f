/**
 * Random requests over everything that streams have, what Redis 7.0 lacks above all: for tests that compare two ways of living through the same
 * sequence. A request may name ids that replies have shown: `@3` is the id of the third last XADD, so that sequences stay meaningful.
 */
import type { SeededRandom } from "./manual-world.ts";

const KEYS = ["s", "s", "s", "t", "u"];
const GROUPS = ["g", "g", "h"];
const CONSUMERS = ["ann", "bob", "cy"];
const POLICIES = ["KEEPREF", "DELREF", "ACKED"];

export class StreamSequences {
  readonly #random: SeededRandom;
  #serial = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** One request as words; `@n` stands for an id. */
  next(): string {
    let dice = this.#random.below(TOTAL);
    for (const [weight, make] of table) {
      dice -= weight;
      if (dice < 0) return make(this);
    }
    throw new Error("the weights add up");
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!;
  }

  below(n: number): number {
    return this.#random.below(n);
  }

  maybe(text: string, ofTen: number = 5): string {
    return this.#random.below(10) < ofTen ? ` ${text}` : "";
  }

  key(): string {
    return this.pick(KEYS);
  }

  group(): string {
    return this.pick(GROUPS);
  }

  consumer(): string {
    return this.pick(CONSUMERS);
  }

  id(): string {
    return this.#random.below(12) === 0 ? this.pick(["0-1", "5-5", "99999999-0"]) : `@${this.#random.below(12)}`;
  }

  ids(): string {
    return Array.from({ length: 1 + this.#random.below(4) }, () => this.id()).join(" ");
  }

  /** `IDS n id …` */
  counted(): string {
    const ids = this.ids();
    return `IDS ${ids.split(" ").length} ${ids}`;
  }

  policy(): string {
    return this.maybe(this.pick(POLICIES), 6);
  }

  trim(): string {
    const how = this.pick(["", "= ", "~ "]);
    const by = this.pick([`MAXLEN ${how}${this.below(12)}`, `MINID ${how}${this.id()}`]);
    return how === "~ " ? `${by}${this.maybe(`LIMIT ${this.below(9)}`)}` : by;
  }

  iid(): string {
    const producer = this.pick(["p", "q", "r"]);
    return this.pick([`IDMP ${producer} i${this.below(9)}`, `IDMPAUTO ${producer}`]);
  }

  fields(): string {
    const serial = ++this.#serial;
    return this.pick([
      `f ${serial}`,
      `f ${this.below(3)}`,
      `f ${serial} g ${"x".repeat(this.below(300))}`,
      `n${this.below(4)} v`,
    ]);
  }

  budgets(): string {
    const count = 1 + this.below(4);
    return `${this.maybe(`COUNT ${count}`)}${this.maybe(`MAXCOUNT ${count + this.below(3)}`, 2)}${this.maybe(`MAXSIZE ${this.below(400) + 1}`, 2)}`;
  }

  source(): string {
    return this.pick(["0", "$", this.id()]);
  }
}

type Make = (draw: StreamSequences) => string;

const table: readonly (readonly [weight: number, make: Make])[] = [
  [14, (draw) => `XADD ${draw.key()} * ${draw.fields()}`],
  [14, (draw) => `XADD ${draw.key()}${draw.maybe("NOMKSTREAM", 1)} ${draw.iid()} * ${draw.fields()}`],
  [5, (draw) => `XADD ${draw.key()} ${draw.iid()}${draw.policy()} ${draw.trim()} * ${draw.fields()}`],
  [4, (draw) => `XADD ${draw.key()}${draw.policy()} ${draw.trim()} * ${draw.fields()}`],
  [2, (draw) => `XADD ${draw.key()} ${draw.pick(["5-*", "5-5", "99999999-*", draw.id()])} ${draw.fields()}`],
  [3, (draw) => `XTRIM ${draw.key()} ${draw.trim()}${draw.policy()}`],
  [3, (draw) => `XDEL ${draw.key()} ${draw.ids()}`],
  [6, (draw) => `XDELEX ${draw.key()}${draw.policy()} ${draw.counted()}`],
  [6, (draw) => `XACKDEL ${draw.key()} ${draw.group()}${draw.policy()} ${draw.counted()}`],
  [
    6,
    (draw) =>
      `XNACK ${draw.key()} ${draw.group()} ${draw.pick(["SILENT", "FAIL", "FATAL"])} ${draw.counted()}${draw.maybe(`RETRYCOUNT ${draw.below(9)}`, 3)}${draw.maybe("FORCE", 3)}`,
  ],
  [3, (draw) => `XACK ${draw.key()} ${draw.group()} ${draw.ids()}`],
  [
    14,
    (draw) =>
      `XREADGROUP GROUP ${draw.group()} ${draw.consumer()}${draw.budgets()}${draw.maybe("NOACK", 1)} STREAMS ${draw.key()} >`,
  ],
  [
    8,
    (draw) =>
      `XREADGROUP GROUP ${draw.group()} ${draw.consumer()}${draw.budgets()} CLAIM ${draw.pick([0, 5, 3000])} STREAMS ${draw.key()} >`,
  ],
  [3, (draw) => `XREADGROUP GROUP ${draw.group()} ${draw.consumer()}${draw.budgets()} STREAMS s t > >`],
  [3, (draw) => `XREADGROUP GROUP ${draw.group()} ${draw.consumer()} COUNT 5 STREAMS ${draw.key()} 0`],
  [3, (draw) => `XREAD${draw.budgets()} STREAMS s t ${draw.pick(["0", "+", draw.id()])} ${draw.pick(["0", "$", "+"])}`],
  [
    4,
    (draw) =>
      `XCLAIM ${draw.key()} ${draw.group()} ${draw.consumer()} ${draw.pick([0, 10, 3000])} ${draw.ids()}${draw.maybe(`IDLE ${draw.below(5000)}`, 2)}${draw.maybe(`RETRYCOUNT ${draw.below(9)}`, 2)}${draw.maybe("FORCE", 2)}${draw.maybe("JUSTID", 3)}`,
  ],
  [4, (draw) => `XAUTOCLAIM ${draw.key()} ${draw.group()} ${draw.consumer()} ${draw.pick([0, 10, 3000])} - COUNT 3`],
  [4, (draw) => `XPENDING ${draw.key()} ${draw.group()}`],
  [
    4,
    (draw) =>
      `XPENDING ${draw.key()} ${draw.group()}${draw.maybe("IDLE 10", 3)} - + 20${draw.maybe(draw.consumer(), 3)}`,
  ],
  [5, (draw) => `XGROUP CREATE ${draw.key()} ${draw.group()} ${draw.source()}${draw.maybe("MKSTREAM")}`],
  [1, (draw) => `XGROUP SETID ${draw.key()} ${draw.group()} ${draw.source()}${draw.maybe("ENTRIESREAD 3", 3)}`],
  [1, (draw) => `XGROUP DELCONSUMER ${draw.key()} ${draw.group()} ${draw.consumer()}`],
  [1, (draw) => `XGROUP DESTROY ${draw.key()} ${draw.group()}`],
  [
    3,
    (draw) =>
      `XCFGSET ${draw.key()} ${draw.pick([`IDMP-DURATION ${1 + draw.below(20)}`, `IDMP-MAXSIZE ${1 + draw.below(4)}`, "IDMP-DURATION 7 IDMP-MAXSIZE 3"])}`,
  ],
  [5, (draw) => `XIDMPRECORD ${draw.key()} ${draw.pick(["p", "q"])} i${draw.below(9)} ${draw.id()}`],
  [1, (draw) => `XSETID ${draw.key()} 99999999-7 ENTRIESADDED 900`],
  [6, (draw) => `XINFO STREAM ${draw.key()} FULL COUNT 0`],
  [4, (draw) => `XINFO STREAM ${draw.key()}`],
  [2, (draw) => `XINFO GROUPS ${draw.key()}`],
  [2, (draw) => `XINFO CONSUMERS ${draw.key()} ${draw.group()}`],
  [2, (draw) => `XRANGE ${draw.key()} - + COUNT 20`],
  [1, (draw) => `XLEN ${draw.key()}`],
  [1, (draw) => `DEL ${draw.key()}`],
  [
    3,
    (draw) =>
      `PEXPIRE ${draw.key()} ${draw.pick([1, 600, 3000, 60_000])}${draw.maybe(draw.pick(["NX", "GT", "LT"]), 3)}`,
  ],
  [1, (draw) => `PERSIST ${draw.key()}`],
  [3, (draw) => `PTTL ${draw.key()}`],
  [2, (draw) => `RENAME ${draw.key()} ${draw.key()}`],
  [2, (draw) => `COPY ${draw.key()} ${draw.key()}${draw.maybe("REPLACE")}`],
  [2, (draw) => `DUMP ${draw.key()}`],
  [1, () => `EXISTS s t u`],
];

const TOTAL = table.reduce((sum, [weight]) => sum + weight, 0);

/** What shows the whole state: asked at the end of a sequence. */
export const lastLook: readonly string[] = ["s", "t", "u"].flatMap((key) => [
  `XINFO STREAM ${key} FULL COUNT 0`,
  `XINFO STREAM ${key}`,
  `XINFO GROUPS ${key}`,
  `PTTL ${key}`,
  `DUMP ${key}`,
  ...["g", "h"].flatMap((group) => [`XPENDING ${key} ${group} - + 1000`, `XINFO CONSUMERS ${key} ${group}`]),
]);
