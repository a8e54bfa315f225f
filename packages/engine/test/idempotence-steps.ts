/** Random steps about a stream's settings and its idempotent ids for the driver: valid always, on the engine and on the model alike, and the comparison of both. */
import { asciiBytes } from "@headrace/bytes";
import { expect } from "vitest";
import { ownRetention, RetentionKeep, StreamId, type Effects, type StreamView } from "../src/index.ts";
import type { ModelIdempotence } from "./idempotence-model.ts";
import type { Step } from "./state-driver.ts";

const PRODUCERS = ["p", "q", "a producer with a long name", "r"];

function iidOf(pick: number): string {
  return `${pick % 40}`.repeat(1 + (pick % 7) * (pick % 5 === 0 ? 400 : 1));
}

/** One in ten steps; false: another kind of step is due. */
export function isIdempotenceStep({ a, b }: Step): boolean {
  return (a + 3 * b) % 10 === 0;
}

export function idempotenceStep(
  effects: Effects,
  key: string,
  view: StreamView,
  model: ModelIdempotence,
  step: Step,
): void {
  const { a, b, c } = step;
  const nowMs = effects.logTimeMs;
  switch (c % 16) {
    case 0: {
      const [seconds, iidsMax] = [1 + (a % 9), 1 + (b % 6)];
      effects.configureIdempotence(key, seconds, iidsMax);
      model.configure(seconds, iidsMax);
      return;
    }
    case 1:
      effects.configureIdempotence(key, model.seconds, model.iidsMax);
      return;
    case 2:
      effects.configureIdempotence(key, 5, 100);
      model.configure(5, 100);
      return;
    case 3:
      effects.setStreamAck(key, [0, 1, 2, null][a % 4] as 0 | 1 | 2 | null);
      return;
    case 4: {
      const keep = [RetentionKeep.nothing, RetentionKeep.unacknowledged, null][a % 3]!;
      effects.setStreamRetention(key, ownRetention(a % 2 === 0 ? null : a, b % 3 === 0 ? 0 : b, null, keep));
      return;
    }
    default:
  }
  for (let i = 0; i <= a % 30; i++) {
    const producer = PRODUCERS[(b + i * i) % PRODUCERS.length]!;
    const iid = iidOf(c + i);
    const bytes = asciiBytes(iid);
    const known = model.find(producer, iid, nowMs);
    expect(view.idempotence?.find(producer, bytes, 0, bytes.length, nowMs)?.id.ms() ?? null).toBe(known);
    if (known === null) {
      effects.recordIid(key, producer, bytes, 0, bytes.length, StreamId.of(nowMs + i, 0));
      model.record(producer, iid, nowMs + i, nowMs);
    } else {
      effects.countDuplicateIid(key);
      model.duplicates++;
    }
  }
}

export function compareIdempotence(view: StreamView, model: ModelIdempotence, nowMs: number): void {
  const { idempotence } = view;
  expect(idempotence?.durationSeconds ?? 100).toBe(model.seconds);
  expect(idempotence?.maxSize ?? 100).toBe(model.iidsMax);
  expect(idempotence?.iidsAdded ?? 0).toBe(model.added);
  expect(idempotence?.duplicates ?? 0).toBe(model.duplicates);
  for (const laterMs of [0, 1500, 6000, 99_000]) {
    const tracked = idempotence?.countTracked(nowMs + laterMs) ?? { producers: 0, iids: 0 };
    expect(tracked).toEqual(model.tracked(nowMs + laterMs));
  }
  for (const { producer, iid } of model.records) {
    const bytes = asciiBytes(iid);
    for (const laterMs of [0, 3000]) {
      const found = idempotence!.find(producer, bytes, 0, bytes.length, nowMs + laterMs);
      expect(found?.id.ms() ?? null).toBe(model.find(producer, iid, nowMs + laterMs));
    }
  }
}
