/** Steps of a random life that are about delayed entries, with the model of them: a list, by when they are due, then by arrival. */
import { asciiBytes } from "@headrace/bytes";
import { expect } from "vitest";
import { type AppendTrim, type Effects, ReferencePolicy, StreamId, type StreamView } from "../src/index.ts";
import type { ShardState } from "../src/index.ts";
import type { ModelStream } from "./naive-model.ts";
import type { Step } from "./state-driver.ts";

export interface ModelDelayed {
  readonly number: number;
  readonly dueMs: number;
  readonly fields: string;
  readonly trim: AppendTrim | null;
}

export const FIRST_DELAY_KIND = 36;
export const LAST_DELAY_KIND = 38;

const TRIMS: readonly (AppendTrim | null)[] = [
  null,
  null,
  { minId: null, maxLength: 7, approximate: true, limit: -1, policy: ReferencePolicy.keep },
  { minId: StreamId.of(3, 9), maxLength: 0, approximate: false, limit: 0, policy: ReferencePolicy.drop },
  { minId: null, maxLength: 0, approximate: true, limit: 50, policy: ReferencePolicy.acknowledged },
];

export function isDelayStep({ kind }: Step): boolean {
  return kind >= FIRST_DELAY_KIND && kind <= LAST_DELAY_KIND;
}

/** `given`: all numbers that were ever given. `nextId`: the id of the stream's next entry. */
export function delayStep(
  effects: Effects,
  key: string,
  stream: ModelStream,
  nextId: () => number,
  options: { readonly given: Set<number>; readonly nodeMaxEntries: number },
  { kind, a, b, c }: Step,
): void {
  const { delays } = effects;
  const delayed = inOrder(stream);
  if (kind === FIRST_DELAY_KIND || delayed.length === 0) {
    for (let i = 0; i <= b % 4; i++) {
      const value = "v".repeat(1 + ((c + i) % 900));
      const fields = `$1\r\nf\r\n$${value.length}\r\n${value}\r\n`;
      const bytes = asciiBytes(`x${fields}x`);
      // Some at the same time, some in the past, some far away.
      const dueMs = effects.logTimeMs + ((a + i) % 3 === 0 ? 1000 : ((b * 7 + i * c) % 9000) - 3000);
      const trim = TRIMS[(a + i) % TRIMS.length]!;
      const number = delays.delay(key, dueMs, trim, 2, bytes, 1, bytes.length - 1);
      expect(options.given.has(number), "a handle is given twice").toBe(false);
      options.given.add(number);
      stream.delayed.push({ number, dueMs, fields, trim });
    }
    return;
  }
  if (a % 3 === 0) {
    const [cancelled] = delayed.splice(b % delayed.length, 1);
    delays.cancel(key, cancelled!.number);
    stream.delayed = delayed;
    return;
  }
  for (let left = 1 + (b % 3); left > 0 && delayed.length > 0; left--) {
    const { number, fields } = delayed.shift()!;
    const id = nextId();
    delays.lookAhead(key);
    delays.release(key, number, StreamId.of(id, 0), { maxEntries: options.nodeMaxEntries, maxBytes: 0 });
    const text = `${id}-0`;
    stream.append(id, `*2\r\n$${text.length}\r\n${text}\r\n*2\r\n${fields}`, options.nodeMaxEntries);
  }
  stream.delayed = delayed;
}

export function compareDelays(state: ShardState, model: ReadonlyMap<string, ModelStream>): void {
  const all: number[] = [];
  for (const [key, stream] of model) {
    compareDelayed(state.keyspace.findStream(key)!.stream, stream);
    all.push(...stream.delayed.map(({ dueMs }) => dueMs));
  }
  expect(state.delays.count).toBe(all.length);
  expect(state.delays.firstDueMs).toBe(Math.min(...all));
}

function compareDelayed(view: StreamView, stream: ModelStream): void {
  const expected = inOrder(stream);
  const seen: ModelDelayed[] = [];
  view.delayed?.visit(({ number, dueMs, elementCount, fields, trim }) => {
    expect(elementCount).toBe(2);
    seen.push({ number, dueMs, fields: Buffer.from(fields).toString("latin1"), trim });
    return true;
  });
  expect(seen).toEqual(expected);
  expect(view.delayed?.count ?? 0).toBe(expected.length);
  expect(view.delayed?.firstDueMs ?? Infinity).toBe(expected[0]?.dueMs ?? Infinity);
  expect(view.delayed?.first?.number).toBe(expected[0]?.number);
  for (const { number, dueMs } of expected) expect(view.delayed!.find(number)?.dueMs).toBe(dueMs);
  expect(view.delayed?.find(999_999) ?? null).toBe(null);
}

function inOrder({ delayed }: ModelStream): ModelDelayed[] {
  return delayed.toSorted((x, y) => x.dueMs - y.dueMs || x.number - y.number);
}
