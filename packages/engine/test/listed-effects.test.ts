/** Effects that name entries by position, and lists of ids: their forms, their bounds, and the older forms that are still read. */
import { ByteReader, ByteWriter } from "@headrace/bytes";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ENTRY_PLACE_BYTES_MAX, EntryRuns, visitEntryRuns } from "../src/entry-runs.ts";
import { IdListWriter, LISTED_ID_BYTES_MAX, visitIdList } from "../src/id-list.ts";
import { EffectType } from "../src/effect-format.ts";
import { MAX_ID, MIN_ID, ReferencePolicy, ShardState, StreamId } from "../src/index.ts";
import { add, batch, id, streamOf } from "./entries.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);

function listed(ids: readonly StreamId[]): ByteWriter {
  const writer = new ByteWriter();
  const list = new IdListWriter();
  list.begin(writer);
  for (const { msHi, msLo, seqHi, seqLo } of ids) list.add(writer, msHi, msLo, seqHi, seqLo);
  list.end(writer);
  return writer;
}

describe(`a list of ids (seed ${SEED})`, () => {
  test("gives back any ascending ids, in no more bytes than it says", () => {
    const half = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(0x1f_ffff, 0x20_0000, 0xffff_ffff), fc.nat());
    const anyId = fc.tuple(half, half, half, half).map(([a, b, c, d]) => new StreamId(a, b, c, d));
    fc.assert(
      fc.property(fc.array(anyId), (ids) => {
        const ascending = ids.sort((a, b) => a.compare(b));
        const writer = listed(ascending);
        expect(writer.length).toBeLessThanOrEqual(4 + ids.length * LISTED_ID_BYTES_MAX);
        const read: string[] = [];
        const reader = new ByteReader(writer.view());
        visitIdList(reader, (each) => read.push(each.toString()));
        expect(read).toEqual(ascending.map((each) => each.toString()));
        expect(reader.remaining).toBe(0);
      }),
      { seed: SEED },
    );
  });

  test("takes two bytes for an id of the next millisecond, or of the same one", () => {
    const ids = Array.from({ length: 100 }, (_, i) => StreamId.of(1_800_000_000_000 + (i >>> 1), i % 2));
    expect(listed(ids).length).toBeLessThan(4 + 200 + 8);
  });
});

test("entries by position come back as runs, in no more bytes than they say", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 200 })), fc.integer({ min: 1, max: 60 }), (picks, perBlock) => {
      const places = picks
        .sort((a, b) => a - b)
        .map((pick) => [1 + Math.floor(pick / perBlock) * 1000, pick % perBlock]);
      const runs = new EntryRuns();
      for (const [block, entry] of places) runs.add(block!, entry!);
      const writer = new ByteWriter();
      runs.write(writer);
      expect(writer.length).toBeLessThanOrEqual(runs.bytesMax);
      expect(runs.bytesMax).toBeLessThanOrEqual(8 + places.length * ENTRY_PLACE_BYTES_MAX);
      const read: number[][] = [];
      visitEntryRuns(
        new ByteReader(writer.view()),
        (block, from, to) => {
          for (let entry = from; entry < to; entry++) read.push([block, entry]);
        },
        () => undefined,
      );
      expect(read).toEqual(places);
    }),
    { seed: SEED },
  );
});

/** Entries 1…20 over several nodes and blocks; 1…10 delivered to c, of which 3 is deleted. */
function grown(): ShardState {
  const state = new ShardState();
  batch(state, (effects) => {
    for (let ms = 1; ms <= 20; ms++) add(effects, "k", ms, { maxEntries: 3, maxBytes: 0 }, "x".repeat(5000));
    effects.createGroup("k", "g", MIN_ID, 0);
    effects.createConsumer("k", "g", "c", 1);
    effects.deliver("k", "g", "c", id(10), 10, 1, false);
    effects.deleteEntries("k", [id(3)]);
  });
  return state;
}

/** One effect of an older form as a log entry. */
function applied(state: ShardState, type: number, write: (writer: ByteWriter) => void): string {
  const body = new ByteWriter();
  body.string("k");
  write(body);
  const writer = new ByteWriter();
  for (const byte of [1, 1, 0, 0]) writer.u8(byte);
  writer.f64(2000);
  writer.u32(1);
  writer.u8(type);
  writer.u8(1);
  writer.u16(0);
  writer.u32(body.length);
  writer.all(body.view());
  state.apply(writer.view(), 2);
  state.verify();
  return state.stateHash();
}

function hashAfter(run: Parameters<typeof batch>[1], state: ShardState = grown()): string {
  batch(state, run);
  state.verify();
  return state.stateHash();
}

function ids(writer: ByteWriter, ...milliseconds: readonly number[]): void {
  writer.u32(milliseconds.length);
  for (const ms of milliseconds) id(ms).write(writer);
}

describe("an effect that names entries by id alone, as it was written before, does the same", () => {
  test("a cut, and a removal of nodes at the end", () => {
    const lived = grown();
    const cut = streamOf(lived, "k").trimByLength(8, false, 0);
    expect(
      applied(grown(), EffectType.trim, (writer) => {
        writer.u8(0);
        id(13).write(writer);
      }),
    ).toBe(hashAfter((effects) => effects.trim("k", cut), lived));
    expect(applied(grown(), EffectType.deleteEntries, (writer) => ids(writer, 20, 7, 19, 20))).toBe(
      hashAfter((effects) => effects.deleteEntries("k", [id(20), id(7), id(19)])),
    );
  });

  test("trims that ask for references", () => {
    for (const policy of [ReferencePolicy.drop, ReferencePolicy.acknowledged] as const) {
      const lived = grown();
      batch(lived, (effects) => effects.acknowledge("k", "g", [id(1), id(4), id(5)]));
      const old = grown();
      batch(old, (effects) => effects.acknowledge("k", "g", [id(1), id(4), id(5)]));
      const cut = streamOf(lived, "k").trimByPolicy(policy, { maxLength: 12, minId: null }, 0, Infinity);
      expect(cut.count).toBe(policy === ReferencePolicy.drop ? 7 : 3);
      batch(lived, (effects) => effects.trimByPolicy("k", cut));
      const body = new ByteWriter();
      body.string("k");
      body.u8(policy);
      id(policy === ReferencePolicy.drop ? 8 : 5).write(body);
      const writer = new ByteWriter();
      for (const byte of [1, 1, 0, 0]) writer.u8(byte);
      writer.f64(3000);
      writer.u32(1);
      for (const byte of [EffectType.trimByPolicy, 1, 0, 0]) writer.u8(byte);
      writer.u32(body.length);
      writer.all(body.view());
      old.apply(writer.view(), 3);
      expect(old.stateHash()).toBe(lived.stateHash());
    }
  });

  test("a delivery, one out of history, and a last id that moves back", () => {
    const group = (writer: ByteWriter): void => {
      writer.string("g");
      writer.string("c");
    };
    expect(
      applied(grown(), EffectType.deliver, (writer) => {
        group(writer);
        id(15).write(writer);
        for (const number of [15, 7]) writer.f64(number);
        writer.u8(0);
      }),
    ).toBe(hashAfter((effects) => effects.deliver("k", "g", "c", id(15), 15, 7, false)));
    expect(
      applied(grown(), EffectType.redeliverRange, (writer) => {
        group(writer);
        writer.f64(9);
        id(2).write(writer);
        id(5).write(writer);
      }),
    ).toBe(hashAfter((effects) => effects.redeliver("k", "g", "c", id(2), id(5), 9)));
    expect(
      applied(grown(), EffectType.setStreamId, (writer) => {
        MAX_ID.write(writer);
        writer.f64(99);
        id(3).write(writer);
      }),
    ).toBe(hashAfter((effects) => effects.setStreamId("k", MAX_ID, 99, id(3))));
  });
});

describe("a trim that goes entry by entry ends where its effect has no more room", () => {
  test("with ACKED after as many scattered entries as fit", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      for (let ms = 1; ms <= 1000; ms++) add(effects, "k", ms);
      effects.createGroup("k", "g", MIN_ID, 0);
      effects.createConsumer("k", "g", "c", 1);
      effects.deliver("k", "g", "c", id(1000), 1000, 1, false);
      effects.acknowledge(
        "k",
        "g",
        Array.from({ length: 500 }, (_, i) => id(2 * i + 1)),
      );
    });
    const cut = streamOf(state, "k").trimByPolicy(ReferencePolicy.acknowledged, { maxLength: 0, minId: null }, 0, 400);
    expect(cut.count).toBeGreaterThan(50);
    const payload = batch(state, (effects) => effects.trimByPolicy("k", cut))!;
    expect(payload.length).toBeLessThan(16 + 8 + 64 + 400);
    expect(streamOf(state, "k").length).toBe(1000 - cut.count);
  });

  test("with DELREF before ids that are pending without an entry and find no room", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      for (let ms = 1; ms <= 300; ms++) add(effects, "k", ms);
      effects.createGroup("k", "g", MIN_ID, 0);
      effects.createConsumer("k", "g", "c", 1);
      effects.deliver("k", "g", "c", id(300), 300, 1, false);
      effects.deleteEntries(
        "k",
        Array.from({ length: 100 }, (_, i) => id(100 + i)),
      );
    });
    const cut = streamOf(state, "k").trimByPolicy(ReferencePolicy.drop, { maxLength: 0, minId: null }, 0, 50 * 17);
    // 1…99, then fifty that stay pending.
    expect(cut.count).toBe(99);
    batch(state, (effects) => effects.trimByPolicy("k", cut));
    expect(streamOf(state, "k").firstId.ms()).toBe(200);
    expect(streamOf(state, "k").group("g")!.pending.firstId!.ms()).toBe(100);
    expect(streamOf(state, "k").group("g")!.pending.count).toBe(201);
    state.verify();
  });
});
