/**
 * What commands cost on a pending list of a million entries, and on one of twenty thousand: where both take as long, the length does not matter. Three
 * consumers own nearly all, a fourth a hundred entries scattered over the list. Every command is a log entry of its own; `XLEN` is what that costs
 * alone, and writes pay for the payload and its collection besides. Run: `node bench/micro/pending-list.ts`. Numbers of the last look: bench/results/pending-list.txt.
 */
import { asciiBytes, concatBytes } from "@headrace/bytes";
import { CommandHarness, type HarnessClient } from "../../packages/commands/testing/command-harness.ts";

const SIZES = [20_000, 1_000_000];
const SCATTERED = 100;
const RUNS = 7;
const PER_RUN = 200;

interface Measured {
  readonly name: string;
  readonly nanoseconds: readonly number[];
}

class Bench {
  readonly harness: CommandHarness = new CommandHarness();
  readonly client: HarnessClient = this.harness.connect();
  readonly size: number;

  constructor(size: number) {
    this.size = size;
    const value = "x".repeat(16);
    for (let id = 1; id <= size; id++) this.run(`XADD s ${id}-0 f ${value}`);
    this.run("XGROUP CREATE s g 0");
    // Turn by turn, a second apart, so that delivery times differ.
    const share = Math.ceil(size / 30);
    for (let done = 0; done < size; done += share) {
      this.harness.nowMs += 1000;
      this.run(`XREADGROUP GROUP g c${(done / share) % 3} COUNT ${share} STREAMS s >`);
    }
    for (let i = 0; i < SCATTERED; i++) this.run(`XCLAIM s g few 0 ${this.id(i / SCATTERED)} JUSTID`);
    this.harness.nowMs += 1000;
  }

  /** The id at this part of the list. */
  id(part: number): string {
    return `${Math.floor(part * this.size) + 1}-0`;
  }

  run(line: string): void {
    this.harness.send(this.client, request(line));
  }

  /** `make` may name other ids each time. */
  measure(name: string, make: (i: number) => string): Measured {
    const nanoseconds: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const requests: Uint8Array[] = [];
      for (let i = 0; i < PER_RUN; i++) requests.push(request(make(run * PER_RUN + i)));
      const startedAt = process.hrtime.bigint();
      for (const each of requests) this.harness.send(this.client, each);
      nanoseconds.push(Number(process.hrtime.bigint() - startedAt) / PER_RUN);
    }
    return { name, nanoseconds: nanoseconds.sort((a, b) => a - b) };
  }

  all(): Measured[] {
    /** Spread over the list without coming twice to the same place soon. */
    const place = (i: number): string => this.id(((i * 7919) % 10_007) / 10_007);
    const read = "XREADGROUP GROUP g";
    return [
      this.measure("XLEN", () => "XLEN s"),
      this.measure("XPENDING summary", () => "XPENDING s g"),
      this.measure("XPENDING range, 10 from anywhere", (i) => `XPENDING s g ${place(i)} + 10`),
      this.measure("XPENDING consumer, 10 from anywhere", (i) => `XPENDING s g ${place(i)} + 10 c1`),
      this.measure("XPENDING consumer with few, 10 from anywhere", (i) => `XPENDING s g ${place(i)} + 10 few`),
      this.measure("XPENDING IDLE, the first 10 are old enough", () => "XPENDING s g IDLE 2000 - + 10"),
      this.measure("XREADGROUP history, 10 from anywhere", (i) => `${read} c2 COUNT 10 STREAMS s ${place(i)}`),
      this.measure("XREADGROUP history of few, 10 from anywhere", (i) => `${read} few COUNT 10 STREAMS s ${place(i)}`),
      this.measure("XCLAIM of one", (i) => `XCLAIM s g c0 0 ${place(i)} JUSTID`),
      this.measure("XAUTOCLAIM, 10 from anywhere", (i) => `XAUTOCLAIM s g c0 0 ${place(i)} COUNT 10 JUSTID`),
      this.measure("XREADGROUP CLAIM, the 10 oldest", () => `${read} c0 COUNT 10 CLAIM 0 STREAMS s >`),
      this.measure("XREADGROUP CLAIM, nothing is old enough", () => `${read} c0 COUNT 10 CLAIM 99999999 STREAMS s >`),
      this.measure("XNACK of one", (i) => `XNACK s g FAIL IDS 1 ${place(i)}`),
      this.measure(
        "XREADGROUP CLAIM of one that was given back",
        () => `${read} c0 COUNT 1 CLAIM 99999999 STREAMS s >`,
      ),
      this.measure("XACK of one", (i) => `XACK s g ${place(i)}`),
      this.measure("XACKDEL ACKED of one", (i) => `XACKDEL s g ACKED IDS 1 ${place(i + 5000)}`),
      this.measure("XDELEX DELREF of one", (i) => `XDELEX s DELREF IDS 1 ${place(i + 7000)}`),
    ];
  }
}

function request(line: string): Uint8Array {
  const words = line.split(" ");
  return concatBytes([
    asciiBytes(`*${words.length}\r\n`),
    ...words.map((word) => asciiBytes(`$${word.length}\r\n${word}\r\n`)),
  ]);
}

// Once for the compiler.
new Bench(SIZES[0]!).all();
const columns = SIZES.map((size) => new Bench(size).all());
console.log(
  `nanoseconds a command: the fastest of ${RUNS} × ${PER_RUN} (and the median), on a machine that others use too`,
);
console.log(`${"".padEnd(48)}${SIZES.map((size) => `${size} pending`.padStart(24)).join("")}`);
columns[0]!.forEach(({ name }, row) => {
  const figures = columns.map((column) => {
    const { nanoseconds } = column[row]!;
    return `${nanoseconds[0]!.toFixed(0)} (${nanoseconds[nanoseconds.length >> 1]!.toFixed(0)})`.padStart(24);
  });
  console.log(`${name.padEnd(48)}${figures.join("")}`);
});
