/**
 * What a hash takes for each field, beside what a redis-server takes for the same: one hash of a million fields, and 100,000 hashes of ten, in use and at rest
 * (packed, as when nobody has named them for a while); and what HSET, HGET and a walk cost the engine.
 * Run: `node --expose-gc bench/micro/hash-memory.ts [port of a redis-server, which is emptied]`. Numbers of the last look: bench/results/hash-memory.txt.
 */
import { ByteWriter, bytesOf } from "@headrace/bytes";
import { type Effects, type HashView, ShardState, writeFieldRecord } from "@headrace/engine";
import { inBatches, nanosecondsEach, PER_BATCH, redisBytesEach, redisBytesEachKey, usedBytes } from "./state-memory.ts";

const LARGE = 1_000_000;
const HASHES = 100_000;
const FIELDS = 10;

interface Kind {
  readonly name: string;
  readonly field: (i: number) => string;
  readonly value: (i: number) => string;
}

const LARGE_KINDS: readonly Kind[] = [
  { name: "ids of 13 bytes, integers of 7 digits", field: idOf, value: (i) => String(1_000_000 + i) },
  {
    name: "ids of 13 bytes, texts of 40",
    field: idOf,
    value: (i) => `value of the field ${String(i).padStart(21, "0")}`,
  },
];
const SMALL_KINDS: readonly Kind[] = [
  { name: "names of 7 bytes, integers of 7 digits", field: nameOf, value: (i) => String(1_000_000 + i) },
  { name: "names of 7 bytes, texts of 16", field: nameOf, value: (i) => `value ${String(i).padStart(10, "0")}` },
  {
    name: "names of 7 bytes, texts of 40",
    field: nameOf,
    value: (i) => `value of the field ${String(i).padStart(21, "0")}`,
  },
];

function idOf(i: number): string {
  return `id:${String(i).padStart(10, "0")}`;
}

function nameOf(i: number): string {
  return `field:${i % FIELDS}`;
}

function spanOf(text: string): { readonly bytes: Uint8Array; readonly start: number; readonly end: number } {
  const bytes = bytesOf(text);
  return { bytes, start: 0, end: bytes.length };
}

/** Fields from … to − 1. */
function put(effects: Effects, key: string, { field, value }: Kind, from: number, to: number): void {
  const records = new ByteWriter();
  for (let i = from; i < to; i++) writeFieldRecord(records, spanOf(field(i)), spanOf(value(i)));
  effects.values.hashes.put(key, records.bytes, 0, records.length, i32(from), "hset");
}

function i32(number: number): number {
  return Math.imul(number + 1, 0x9e37_79b9) >>> 0;
}

function viewOf(state: ShardState, key: string): HashView {
  return state.keyspace.existing(key).value as unknown as HashView;
}

function keyOf(i: number): string {
  // Bytes of its own, as a request's.
  return Buffer.from(`object:${String(i).padStart(6, "0")}`).toString("latin1");
}

async function large(kind: Kind, port: number): Promise<string> {
  const state = new ShardState();
  const before = usedBytes();
  const oneByOne = (): void =>
    inBatches(state, LARGE, (effects, from) => {
      for (let i = from; i < from + PER_BATCH; i++) put(effects, "k", kind, i, i + 1);
    });
  const set = nanosecondsEach(LARGE, oneByOne);
  state.capture();
  const taken = (usedBytes() - before) / LARGE;
  const counted = viewOf(state, "k").memoryBytes / LARGE;
  const again = nanosecondsEach(LARGE, oneByOne);
  const view = viewOf(state, "k");
  const get = nanosecondsEach(LARGE, () => {
    for (let i = 0; i < LARGE; i++) {
      const field = bytesOf(kind.field(i));
      if (view.find(field, 0, field.length) === null) throw new Error("a field is missing");
    }
  });
  const redis =
    port === 0
      ? ""
      : `, Redis ${(await redisBytesEach(port, "HSET", LARGE, (i) => [kind.field(i), kind.value(i)])).toFixed(1)}`;
  return `${kind.name}: ${taken.toFixed(1)} bytes a field (counted ${counted.toFixed(1)}${redis}); HSET ${set}, of a field that is there ${again}, HGET ${get}`;
}

async function small(kind: Kind, port: number): Promise<string> {
  const state = new ShardState();
  const before = usedBytes();
  inBatches(state, HASHES, (effects, from) => {
    for (let i = from; i < from + PER_BATCH; i++) put(effects, keyOf(i), kind, i * FIELDS, (i + 1) * FIELDS);
  });
  state.capture();
  const inUse = (usedBytes() - before) / HASHES / FIELDS;
  const counted = viewOf(state, keyOf(7)).memoryBytes / FIELDS;
  const set = nanosecondsEach(HASHES, () =>
    inBatches(state, HASHES, (effects, from) => {
      for (let i = from; i < from + PER_BATCH; i++) put(effects, keyOf(i), kind, i * FIELDS + 3, i * FIELDS + 4);
    }),
  );
  let bytes = 0;
  const walk = nanosecondsEach(HASHES, () => {
    for (let i = 0; i < HASHES; i++) {
      viewOf(state, keyOf(i)).forEachStretch((_, start, end) => {
        bytes += end - start;
      });
    }
  });
  state.capture();
  state.evict(Number.POSITIVE_INFINITY, state.index);
  const atRest = (usedBytes() - before) / HASHES / FIELDS;
  const request = (i: number): string[] => {
    const pairs = Array.from({ length: FIELDS }, (_, k) => [kind.field(i * FIELDS + k), kind.value(i * FIELDS + k)]);
    return ["HSET", keyOf(i), ...pairs.flat()];
  };
  const redis = port === 0 ? "" : `, Redis ${((await redisBytesEachKey(port, HASHES, request)) / FIELDS).toFixed(1)}`;
  return `${kind.name}: in use ${inUse.toFixed(1)} bytes a field (counted ${counted.toFixed(1)} without the key), at rest ${atRest.toFixed(1)}${redis}; HSET of one ${set}, a walk over ${(bytes / HASHES).toFixed(0)} bytes ${walk}`;
}

const port = Number(process.argv[2] ?? 0);
process.stdout.write("a hash of a million fields\n");
for (const kind of LARGE_KINDS) process.stdout.write(`  ${await large(kind, port)}\n`);
process.stdout.write("100,000 hashes of ten fields\n");
for (const kind of SMALL_KINDS) process.stdout.write(`  ${await small(kind, port)}\n`);
