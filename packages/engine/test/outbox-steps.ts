/** Effects about dead letters and the outbox, on a state and on what they mean: lists and maps, written from outbox.ts' rules. */
import { asciiBytes, slotOfKey } from "@headrace/bytes";
import { expect } from "vitest";
import { type Effects, MIN_ID, type OutboxContent, OutboxKind, type ShardState, StreamId } from "../src/index.ts";
import type { ModelGroup } from "./naive-model.ts";
import { sortedPending } from "./naive-model.ts";
import type { Step } from "./state-driver.ts";

/** Streams that letters go to; of two slots. */
const TARGETS = ["dead{t}", "dead{u}"];
const SENDERS = [77, 9000];

interface ModelItem {
  readonly number: number;
  readonly slot: number;
  readonly content: OutboxContent;
}

export class ModelOutbox {
  items: ModelItem[] = [];
  readonly taken: Map<string, number> = new Map();
  #last = 0;

  put(slot: number, content: OutboxContent, logTimeMs: number): void {
    this.#last = Math.max(this.#last + 1, logTimeMs * 1024);
    this.items.push({ number: this.#last, slot, content });
  }
}

export interface OutboxStepOn {
  readonly effects: Effects;
  readonly outbox: ModelOutbox;
  readonly key: string;
  readonly name: string;
  readonly group: ModelGroup;
}

export function outboxStep({ effects, outbox, key, name, group }: OutboxStepOn, { a, b, c }: Step): void {
  const target = TARGETS[c % 2]!;
  const value = "v".repeat(1 + (b % 300));
  const fields = asciiBytes(`$1\r\nf\r\n$${value.length}\r\n${value}\r\n`);
  const base = { key, group: name, target, upTo: MIN_ID, count: 0, elements: 2, fields };
  switch (a % 8) {
    case 0:
    case 1:
      group.deadLetters = c % 3 === 0 ? null : { key: target, retriesMax: 1 + (b % 9) };
      effects.outbox.setDeadLetters(key, name, group.deadLetters);
      return;
    case 2:
    case 3:
    case 4: {
      const pending = sortedPending(group);
      if (pending.length === 0) return;
      const [id] = pending[b % pending.length]!;
      const letter: OutboxContent = { ...base, kind: OutboxKind.letter, id: StreamId.of(id, 0) };
      effects.outbox.giveUp(letter, c % 2 === 0);
      outbox.put(slotOfKey(key), letter, effects.logTimeMs);
      group.pending.delete(id);
      group.deadLetterCount++;
      return;
    }
    case 5: {
      const slot = slotOfKey(key);
      const order = { kind: OutboxKind.order, elements: 0, fields: new Uint8Array(0), count: b % 5 };
      const content: OutboxContent =
        c % 3 === 0 ? { ...base, ...order, id: MIN_ID } : { ...base, kind: OutboxKind.giveBack, id: StreamId.of(b, c) };
      effects.outbox.put(slot, content);
      outbox.put(slot, content, effects.logTimeMs);
      return;
    }
    case 6: {
      // Any of them: a receiver may have refused those before.
      const gone = outbox.items.filter((_, i) => (i + b) % (1 + (c % 3)) === 0).slice(0, 4);
      if (gone.length === 0) return;
      effects.outbox.settle(gone.map(({ number }) => number));
      outbox.items = outbox.items.filter((item) => !gone.includes(item));
      return;
    }
    default: {
      const taken = { targetSlot: slotOfKey(target), slot: SENDERS[b % 2]!, number: 0 };
      const pair = `${taken.targetSlot} ${taken.slot}`;
      taken.number = (outbox.taken.get(pair) ?? 0) + 1 + (c % 1000);
      effects.outbox.take(taken);
      outbox.taken.set(pair, taken.number);
    }
  }
}

/** What the state shows of it. */
export function compareOutbox({ outbox }: Pick<ShardState, "outbox">, model: ModelOutbox): void {
  expect(outbox.size).toBe(model.items.length);
  const queues = new Map<string, ModelItem[]>();
  const waiting = new Map<string, number>();
  for (const item of model.items) {
    const { slot, content } = item;
    const pair = `${slotOfKey(content.target)} ${slot}`;
    queues.set(pair, [...(queues.get(pair) ?? []), item]);
    if (content.kind !== OutboxKind.letter) continue;
    const name = `${content.key} ${content.group}`;
    waiting.set(name, (waiting.get(name) ?? 0) + 1);
  }
  const seen = [...outbox.queues()].map((queue) => [
    `${queue.targetSlot} ${queue.slot}`,
    [...queue].map(({ number, kind, fields, id }) => [number, kind, fields.length, id.toString()]),
  ]);
  const expected = [...queues].map(([pair, items]) => [
    pair,
    items.map(({ number, content: { kind, fields, id } }) => [number, kind, fields.length, id.toString()]),
  ]);
  const byName = (x: readonly unknown[], y: readonly unknown[]): number => (String(x[0]) < String(y[0]) ? -1 : 1);
  expect(seen.sort(byName)).toEqual(expected.sort(byName));
  for (const [name, count] of waiting) {
    const [key, group] = name.split(" ");
    expect(outbox.waitingOf(key!, group!)).toBe(count);
  }
  for (const [pair, number] of model.taken) {
    const [targetSlot, slot] = pair.split(" ").map(Number);
    expect(outbox.isTaken({ targetSlot: targetSlot!, slot: slot! }, number)).toBe(true);
    expect(outbox.isTaken({ targetSlot: targetSlot!, slot: slot! }, number + 1)).toBe(false);
  }
}
