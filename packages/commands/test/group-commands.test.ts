/** Group commands in any order against a naive model, reply by reply: what redis-server 7.0.15 can't judge. The seed stands in the test's name. */
import { latin1 } from "@headrace/bytes";
import { behindHeader, headerNumber, skipReply } from "@headrace/resp";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CommandHarness, HARNESS_START_MS, type HarnessClient } from "../testing/command-harness.ts";
import { GroupModel, type Policy, type Retry, type Value } from "./group-model.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261121);
const POLICIES: readonly Policy[] = ["KEEPREF", "DELREF", "ACKED"];
const MODES = ["SILENT", "FAIL", "FATAL"];
const IDLE_TIMES = [0, 5, 40, 100_000];
/** Of a key and an entry or two with an id of one digit, then of two, and what is far from any. */
const SIZES = [1, 40, 71, 41, 73, 120];
const RETRIES: readonly (Retry | null)[] = [
  { minIdleMs: 5, factor: 2, maxIdleMs: 50 },
  { minIdleMs: 1, factor: 1, maxIdleMs: 1 },
  { minIdleMs: 20, factor: 1, maxIdleMs: 20 },
  { minIdleMs: 4, factor: 1.5, maxIdleMs: 100 },
  null,
];
const RETRY_COUNTS = [0n, 3n, 2n ** 63n - 2n];

interface Step {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

function valueAt(bytes: Uint8Array, at: number): Value {
  const content = behindHeader(bytes, at, bytes.length);
  const line = latin1(bytes, at + 1, content - 2);
  const type = latin1(bytes, at, at + 1);
  if (line === "-1" && type !== ":") return null;
  if (type === ":") return BigInt(line);
  if (type === "$") return latin1(bytes, content, content + Number(line));
  if (type !== "*") return line;
  const values: Value[] = [];
  let next = content;
  for (let left = headerNumber(bytes, at, bytes.length); left > 0; left--) {
    values.push(valueAt(bytes, next));
    next = skipReply(bytes, next, bytes.length);
  }
  return values;
}

/** Numbers of every kind alike. */
function alike(value: Value): unknown {
  if (typeof value === "number") return BigInt(value);
  return Array.isArray(value) ? value.map(alike) : value;
}

/** The factor is left out where it is 1. */
function retryWords({ minIdleMs, factor, maxIdleMs }: Retry): string {
  return `MIN-IDLE ${minIdleMs}${factor === 1 ? "" : ` BACKOFF ${factor} MAX ${maxIdleMs}`}`;
}

class Run {
  readonly #harness: CommandHarness = new CommandHarness();
  readonly #client: HarnessClient = this.#harness.connect();
  readonly #model: GroupModel = new GroupModel(HARNESS_START_MS, ["g", "h"]);
  #nextId = 1;

  constructor() {
    this.#type("XGROUP CREATE s g 0 MKSTREAM");
    this.#type("XGROUP CREATE s h 0");
    this.#type("XGROUP SETRETRY s h MIN-IDLE 20");
    this.#model.setRetry("h", RETRIES[2]!);
  }

  #type(line: string): Value {
    const [reply] = this.#harness.type(this.#client, line);
    return valueAt(reply!.bytes!, 0);
  }

  #expect(line: string, answer: Value): void {
    expect(alike(this.#type(line)), line).toEqual(alike(answer));
  }

  /** Some that are there, some that are pending, one that never was. */
  #ids(group: string, { a, b, c }: Step): number[] {
    const known = [...new Set([...this.#model.pendingIds(group), ...this.#model.ids])];
    const picked = [a, b, c, a + b].map((pick) => known[pick % Math.max(1, known.length)] ?? pick);
    return [...picked.slice(0, 1 + (c % 4)), ...(b % 5 === 0 ? [900 + (a % 3)] : [])];
  }

  step(step: Step): void {
    const { kind, a, b, c } = step;
    const model = this.#model;
    const group = a % 3 === 0 ? "h" : "g";
    const consumer = ["ann", "bob", "cy"][b % 3]!;
    const policy = POLICIES[c % 3]!;
    const ids = this.#ids(group, step);
    const texts = ids.map((id) => `${id}-0`).join(" ");
    const idleMs = IDLE_TIMES[a % IDLE_TIMES.length]!;
    switch (kind) {
      case 0:
      case 1:
        for (let i = 0; i <= b % 6; i++, this.#nextId += 1 + (c % 2))
          this.#expect(`XADD s ${this.#nextId}-0 f v`, model.add(this.#nextId));
        return;
      case 2:
      case 3:
      case 4:
        return this.#read(group, consumer, step);
      case 5:
        return this.#expect(`XACK s ${group} ${texts}`, model.acknowledge(group, ids));
      case 6: {
        const retryCount = b % 3 === 0 ? RETRY_COUNTS[a % RETRY_COUNTS.length]! : null;
        const mode = MODES[c % 3]!;
        const options = `${retryCount === null ? "" : ` RETRYCOUNT ${retryCount}`}${a % 2 === 0 ? " FORCE" : ""}`;
        const answer = model.nack(group, mode, ids, retryCount, a % 2 === 0);
        return this.#expect(`XNACK s ${group} ${mode} IDS ${ids.length} ${texts}${options}`, answer);
      }
      case 7: {
        const options = {
          justId: b % 2 === 0,
          idleMs: c % 3 === 0 ? 50 : null,
          retryCount: a % 4 === 0 ? RETRY_COUNTS[b % RETRY_COUNTS.length]! : null,
          force: c % 2 === 0,
        };
        let words = options.justId ? " JUSTID" : "";
        if (options.idleMs !== null) words += " IDLE 50";
        if (options.retryCount !== null) words += ` RETRYCOUNT ${options.retryCount}`;
        if (options.force) words += " FORCE";
        const answer = model.claim(group, consumer, idleMs, ids, options);
        return this.#expect(`XCLAIM s ${group} ${consumer} ${idleMs} ${texts}${words}`, answer);
      }
      case 8: {
        const count = 1 + (c % 4);
        const answer = model.autoClaim(group, consumer, idleMs, b % 20, count, c % 2 === 0);
        const words = `COUNT ${count}${c % 2 === 0 ? " JUSTID" : ""}`;
        return this.#expect(`XAUTOCLAIM s ${group} ${consumer} ${idleMs} ${b % 20} ${words}`, answer);
      }
      case 9:
        return this.#expect(`XDEL s ${texts}`, model.delete(ids));
      case 10:
        return this.#expect(`XDELEX s ${policy} IDS ${ids.length} ${texts}`, model.deleteBy(policy, ids));
      case 11: {
        const answer = model.acknowledgeAndDelete(group, policy, ids);
        return this.#expect(`XACKDEL s ${group} IDS ${ids.length} ${texts} ${policy}`, answer);
      }
      case 12: {
        const by = a % 2 === 0 ? "MAXLEN" : "MINID";
        const threshold = by === "MAXLEN" ? b % 12 : (model.ids[0] ?? 0) + (b % 6);
        return this.#expect(`XTRIM s ${by} ${threshold} ${policy}`, model.trim(policy, by, threshold));
      }
      case 13:
        this.#harness.nowMs += [1, 7, 60][a % 3]!;
        model.nowMs = this.#harness.nowMs;
        return;
      case 14:
        if (a % 2 === 0 && b % 2 === 0) {
          const retry = RETRIES[c % RETRIES.length]!;
          const words = retry === null ? "OFF" : retryWords(retry);
          return this.#expect(`XGROUP SETRETRY s ${group} ${words}`, model.setRetry(group, retry));
        }
        if (a % 2 === 0) return this.#expect(`XGROUP SETID s ${group} ${b % 20}`, model.setId(group, b % 20));
        if (b % 2 === 0)
          return this.#expect(`XGROUP DELCONSUMER s ${group} ${consumer} HANDBACK`, model.handBack(group, consumer));
        return this.#expect(`XGROUP DELCONSUMER s ${group} ${consumer}`, model.deleteConsumer(group, consumer));
      default:
        this.#look(group, consumer, step);
    }
  }

  #read(group: string, consumer: string, { a, b, c }: Step): void {
    const after = a % 4 === 0 ? b % 20 : null;
    const count = c % 3 === 0 ? Infinity : 1 + (c % 4);
    const maxCount = b % 4 === 0 ? (count === Infinity ? 1 : count) + (a % 3) : Infinity;
    const maxSize = a % 5 === 0 ? SIZES[c % SIZES.length]! + (b % 3) : Infinity;
    const claimMs = b % 3 === 0 ? IDLE_TIMES[c % IDLE_TIMES.length]! : null;
    const noAck = c % 7 === 0;
    let words = count === Infinity ? "" : ` COUNT ${count}`;
    if (maxCount !== Infinity) words += ` MAXCOUNT ${maxCount}`;
    if (maxSize !== Infinity) words += ` MAXSIZE ${maxSize}`;
    if (claimMs !== null) words += ` CLAIM ${claimMs}`;
    if (noAck) words += " NOACK";
    const answer = this.#model.read(group, consumer, "s", after, { count, maxCount, maxSize, claimMs, noAck });
    this.#expect(`XREADGROUP GROUP ${group} ${consumer}${words} STREAMS s ${after ?? ">"}`, answer);
  }

  #look(group: string, consumer: string, { a, b, c }: Step): void {
    const model = this.#model;
    this.#expect(`XPENDING s ${group}`, model.pendingSummary(group));
    this.#expect(`XPENDING s ${group} - + 100`, model.pendingRange(group, 0, 0, 100, null));
    const idleMs = IDLE_TIMES[c % IDLE_TIMES.length]!;
    const owned = model.pendingRange(group, idleMs, b % 20, 1 + (a % 5), consumer);
    this.#expect(`XPENDING s ${group} IDLE ${idleMs} ${b % 20} + ${1 + (a % 5)} ${consumer}`, owned);
    const all = this.#type("XRANGE s - +") as readonly (readonly Value[])[];
    expect(all.map(([id]) => id)).toEqual(model.ids.map((id) => `${id}-0`));
  }

  verify(): void {
    this.#harness.state.verify();
  }
}

const pick = fc.nat({ max: 10_000 });
const step = fc.record({ kind: fc.nat({ max: 15 }), a: pick, b: pick, c: pick });

test(`group commands answer as the reference says (seed ${SEED})`, () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 70 }), (steps) => {
      const run = new Run();
      for (const each of steps) run.step(each);
      run.step({ kind: 15, a: 0, b: 0, c: 0 });
      run.verify();
    }),
    { seed: SEED, numRuns: 300 },
  );
});
