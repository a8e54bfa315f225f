/**
 * What the engine costs per entry, alone: leader append + seal, follower apply, range of 100. Run: `node bench/micro/engine-append.ts`.
 * Numbers of the last look: bench/results/engine-append.txt.
 */
import { ByteWriter, asciiBytes } from "@headrace/bytes";
import { MAX_ID, MIN_ID, ShardState, StreamId } from "@headrace/engine";

const BOUNDS = { maxEntries: 100, maxBytes: 4096 };
const BATCHES = 1000;
const PER_BATCH = 200;

function fieldsOf(valueBytes: number): Uint8Array {
  return asciiBytes(`$1\r\nf\r\n$${valueBytes}\r\n${"x".repeat(valueBytes)}\r\n`);
}

function nanosecondsPer(operations: number, startedAt: bigint): string {
  return (Number(process.hrtime.bigint() - startedAt) / operations).toFixed(0).padStart(6);
}

function round(valueBytes: number, keyCount: number): string {
  const source = fieldsOf(valueBytes);
  const leader = new ShardState();
  const follower = new ShardState();
  const keys = Array.from({ length: keyCount }, (_, i) => `stream:{${i}}`);
  const session = new Uint8Array(16);
  const payloads: Uint8Array[] = [];
  let sequence = 0;
  let startedAt = process.hrtime.bigint();
  for (let batch = 1; batch <= BATCHES; batch++) {
    const effects = leader.openBatch(batch, 1_800_000_000_000 + batch);
    const key = keys[batch % keyCount]!;
    for (let i = 0; i < PER_BATCH; i++) {
      leader.setOrigin(session, ++sequence);
      effects.append(key, StreamId.of(effects.logTimeMs, i), 2, source, 0, source.length, BOUNDS);
    }
    payloads.push(leader.sealBatch()!);
  }
  const append = nanosecondsPer(BATCHES * PER_BATCH, startedAt);

  startedAt = process.hrtime.bigint();
  payloads.forEach((payload, i) => follower.apply(payload, i + 1));
  const apply = nanosecondsPer(BATCHES * PER_BATCH, startedAt);

  const stream = leader.keyspace.existingStream(keys[0]!).stream;
  const writer = new ByteWriter(64 * 1024);
  const starts: StreamId[] = [];
  stream.range(MIN_ID, MAX_ID, -1, false).forEachId((id) => starts.push(id));
  startedAt = process.hrtime.bigint();
  for (let i = 0; i < 20_000; i++) {
    writer.clear();
    stream.range(starts[(i * 7919) % starts.length]!, MAX_ID, 100, false).writeTo(writer);
  }
  const range = nanosecondsPer(20_000, startedAt);

  startedAt = process.hrtime.bigint();
  const capture = leader.capture();
  const captured = nanosecondsPer(BATCHES * PER_BATCH, startedAt);
  return `value ${String(valueBytes).padStart(4)} B, ${keyCount} keys: append+seal ${append} ns/entry · follower ${apply} ns/entry · range of 100 ${range} ns · capture ${captured} ns/entry (${capture.rows.length} rows)`;
}

for (let i = 0; i < 3; i++) {
  console.log(round(256, 1));
  console.log(round(256, 8));
  console.log(round(16, 1));
}
