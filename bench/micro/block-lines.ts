/**
 * What a start does for each block of a long stream: its line of the index is read from pages and taken in. The first load counts, in a process where
 * none of this has run before, as it is when a node begins; later ones show what a compiled one takes.
 * Run: `node bench/micro/block-lines.ts [blocks]`. The last look: bench/results/restart-log.txt.
 */
import { asciiBytes, latin1 } from "@headrace/bytes";
import { type ShardHeader, ShardLoader, ShardState, slotOfRow, type StateRow, StreamId } from "@headrace/engine";

const BLOCKS = Number(process.argv[2] ?? 45_000);
const STREAMS = 8;
const LOADS = 10;
const PER_CAPTURE = 1000;
const BOUNDS = { maxEntries: 100, maxBytes: 4096 };
/** An entry that is a block of its own. */
const VALUE_BYTES = 40_000;
const fields = asciiBytes(`$1\r\nf\r\n$${VALUE_BYTES}\r\n${"v".repeat(VALUE_BYTES)}\r\n`);

const source = new ShardState();
const opened = new Map<string, StateRow>();
let header: ShardHeader;
for (let made = 0; made < BLOCKS;) {
  const effects = source.openBatch(source.index + 1, 1_800_000_000_000);
  for (const end = Math.min(BLOCKS, made + PER_CAPTURE); made < end; made++) {
    const id = StreamId.of(1_800_000_000_000, made);
    effects.append(`race:${made % STREAMS}`, id, 2, fields, 0, fields.length, BOUNDS);
  }
  source.sealBatch();
  source.committedTo(source.index);
  const capture = source.capture();
  header = capture.header;
  for (const row of capture.rows) {
    // Rows of entries are not read to open a state.
    if (slotOfRow(row.slot) === row.slot) opened.set(`${row.slot} ${latin1(row.subkey, 0, row.subkey.length)}`, row);
  }
  source.evict(Number.POSITIVE_INFINITY, source.index);
}

const tookMs: number[] = [];
for (let load = 0; load < LOADS; load++) {
  const from = performance.now();
  const loader = new ShardLoader();
  for (const { slot, subkey, value } of opened.values()) loader.row(slot, subkey, value!);
  const state = loader.finish(header!, source.index);
  tookMs.push(performance.now() - from);
  if (state.stateHash() !== source.stateHash()) throw new Error("not what was captured");
}
const text = tookMs.map((ms) => ms.toFixed(1)).join(", ");
console.log(`${BLOCKS} blocks in ${STREAMS} streams, ${opened.size} rows: ${text} ms`);
