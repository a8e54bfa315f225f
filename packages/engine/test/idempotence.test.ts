/** What a stream knows of its producers' iids: against a model through long lives, and the corners one by one. */
import { asciiBytes, ByteReader, ByteWriter } from "@headrace/bytes";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DamagedRowError, StreamId } from "../src/index.ts";
import { DirtyMeter } from "../src/dirty-meter.ts";
import { Idempotence } from "../src/idempotence.ts";
import { readIdempotence, writeIdempotence } from "../src/idempotence-rows.ts";
import { type batch, id, streamOf } from "./entries.ts";
import { ModelIdempotence } from "./idempotence-model.ts";
import { ShardState } from "../src/index.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261121);

function record(idempotence: Idempotence, producer: string, iid: string, ms: number): void {
  const bytes = asciiBytes(iid);
  idempotence.record(producer, bytes, 0, bytes.length, StreamId.of(ms, 0));
}

function find(idempotence: Idempotence, producer: string, iid: string, nowMs: number): number | null {
  const bytes = asciiBytes(iid);
  return idempotence.find(producer, bytes, 0, bytes.length, nowMs)?.id.ms() ?? null;
}

function copyOf(idempotence: Idempotence): Idempotence {
  const writer = new ByteWriter();
  writeIdempotence(writer, idempotence);
  const reader = new ByteReader(writer.view());
  const copy = readIdempotence(reader, new DirtyMeter());
  expect(reader.remaining).toBe(0);
  copy.verify();
  return copy;
}

describe(`random lives (seed ${SEED})`, () => {
  const step = fc.record({ producer: fc.nat(6), iid: fc.nat(60), ms: fc.nat(700), odd: fc.nat(400) });

  test("finds, forgets and counts what the model does, copies too", () => {
    let compacted = 0;
    fc.assert(
      fc.property(fc.nat(4), fc.array(step, { minLength: 1, maxLength: 900, size: "max" }), (window, steps) => {
        let idempotence = new Idempotence(new DirtyMeter());
        const model = new ModelIdempotence();
        const configure = (seconds: number, iids: number): void => {
          idempotence.configure(seconds, iids);
          model.configure(seconds, iids);
        };
        configure([1, 5, 40, 86_400, 3][window]!, [1, 100, 10_000, 7, 2][window]!);
        let nowMs = 1_000_000;
        let segmentsBefore = 0;
        for (const { producer, iid, ms, odd } of steps) {
          nowMs += ms % 7 === 0 ? ms : ms % 3;
          // One producer adds once and is then silent, behind the others' crowds.
          const name = producer === 0 ? `once ${odd % 5}` : `producer ${producer % (1 + (odd % 3))}`;
          const text = String(iid).repeat(odd === 1 ? 5000 : 1 + (iid % 4));
          if (odd === 0) configure(1 + (ms % 20), 1 + (iid % 20));
          if (odd % 50 === 2) idempotence = copyOf(idempotence);
          if (odd % 3 === 0) idempotence.purge(nowMs);
          const known = model.find(name, text, nowMs);
          expect(find(idempotence, name, text, nowMs)).toBe(known);
          if (known !== null) continue;
          // As a log entry does: first what its time forgets.
          idempotence.purge(nowMs);
          record(idempotence, name, text, nowMs);
          model.record(name, text, nowMs, nowMs);
          if (idempotence.segments.length < segmentsBefore - 2) compacted++;
          segmentsBefore = idempotence.segments.length;
        }
        idempotence.verify();
        expect(idempotence.countTracked(nowMs)).toEqual(model.tracked(nowMs));
        for (const { producer, iid, ms } of model.records) {
          expect(find(copyOf(idempotence), producer, iid, nowMs)).toBe(ms >= nowMs - model.seconds * 1000 ? ms : null);
        }
      }),
      { seed: SEED, numRuns: 60 },
    );
    expect(compacted).toBeGreaterThan(0);
  });
});

test("memory follows what is known, not what was: one silent producer among a million iids of another", () => {
  const idempotence = new Idempotence(new DirtyMeter());
  idempotence.configure(86_400, 100);
  for (let i = 0; i < 200_000; i++) {
    if (i % 1000 === 0) record(idempotence, `silent ${i}`, "x", i);
    record(idempotence, "busy", `iid ${i}`, i);
  }
  idempotence.verify();
  expect(idempotence.countTracked(200_000)).toEqual({ producers: 201, iids: 300 });
  expect(idempotence.recordCount).toBeLessThan(4 * 300 + 600);
});

test("an iid that is too old but stands behind a younger one is unknown, and can be recorded again", () => {
  const idempotence = new Idempotence(new DirtyMeter());
  record(idempotence, "p", "young", 500_000);
  record(idempotence, "p", "old", 1000);
  record(idempotence, "p", "other", 500_001);
  expect(find(idempotence, "p", "old", 500_000)).toBe(null);
  idempotence.purge(500_000);
  expect(idempotence.tracked).toBe(3);
  record(idempotence, "p", "old", 500_002);
  idempotence.verify();
  expect(find(idempotence, "p", "old", 500_002)).toBe(500_002);
  expect(find(idempotence, "p", "other", 500_002)).toBe(500_001);
  expect(idempotence.tracked).toBe(3);
});

test("a window ends behind its last millisecond", () => {
  const idempotence = new Idempotence(new DirtyMeter());
  idempotence.configure(3, 10);
  record(idempotence, "p", "a", 5000);
  expect(find(idempotence, "p", "a", 8000)).toBe(5000);
  expect(find(idempotence, "p", "a", 8001)).toBe(null);
  expect(idempotence.purge(8000)).toBe(false);
  expect(idempotence.purge(8001)).toBe(true);
  expect(idempotence.producerCount).toBe(0);
});

test("bytes that no writer made are refused, not taken in", () => {
  const idempotence = new Idempotence(new DirtyMeter());
  for (let i = 0; i < 300; i++) record(idempotence, `p${i % 7}`, `iid ${i}`, i);
  const writer = new ByteWriter();
  writeIdempotence(writer, idempotence);
  const whole = writer.view();
  let refused = 0;
  for (let at = 0; at < whole.length; at += 3) {
    const bytes = Uint8Array.from(whole);
    bytes[at]! ^= 0x41;
    try {
      readIdempotence(new ByteReader(bytes), new DirtyMeter()).verify();
    } catch (error) {
      refused++;
      expect(error instanceof DamagedRowError || (error as Error).name === "TruncatedError", String(error)).toBe(true);
    }
  }
  expect(refused).toBeGreaterThan(100);
});

test("other streams' iids are forgotten by any log entry, before its first effect, on leader and follower alike", () => {
  const leader = new ShardState();
  const follower = new ShardState();
  const run = (nowMs: number, step: Parameters<typeof batch>[1]): void => {
    const effects = leader.openBatch(leader.index + 1, nowMs);
    step(effects);
    follower.apply(leader.sealBatch()!, follower.index + 1);
    expect(follower.stateHash()).toBe(leader.stateHash());
  };
  run(1000, (effects) => {
    effects.createStream("quiet");
    effects.recordIid("quiet", "p", asciiBytes("abc"), 0, 3, id(1000));
    effects.createStream("busy");
  });
  const known = streamOf(leader, "quiet").idempotence!;
  run(101_000, (effects) => effects.countDuplicateIid("busy"));
  expect(known.countTracked(101_000)).toEqual({ producers: 1, iids: 1 });
  const writerBefore = leader.keyspace.lastWriterIndex("quiet");
  run(101_001, (effects) => effects.countDuplicateIid("busy"));
  expect(known.countTracked(1000)).toEqual({ producers: 0, iids: 0 });
  expect(leader.keyspace.lastWriterIndex("quiet")).toBe(writerBefore);
});
