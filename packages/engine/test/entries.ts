/** Short ways to fill a state in tests. */
import { asciiBytes, ByteWriter } from "@headrace/bytes";
import { type Effects, type NodeBounds, type ShardState, StreamId, type StreamView } from "../src/index.ts";

export const DEFAULT_BOUNDS: NodeBounds = { maxEntries: 100, maxBytes: 4096 };

export function bulk(...texts: readonly string[]): Uint8Array {
  return asciiBytes(texts.map((text) => `$${text.length}\r\n${text}\r\n`).join(""));
}

export function add(effects: Effects, key: string, ms: number, bounds: NodeBounds = DEFAULT_BOUNDS, value = "v"): void {
  const fields = bulk("f", value);
  effects.append(key, StreamId.of(ms, 0), 2, fields, 0, fields.length, bounds);
}

/** One log entry; answers its payload. */
export function batch(state: ShardState, run: (effects: Effects) => void): Uint8Array | null {
  run(state.openBatch(state.index + 1, 1000 * (state.index + 1)));
  return state.sealBatch();
}

export function streamOf(state: ShardState, key: string): StreamView {
  return state.keyspace.existingStream(key).stream;
}

export function wireOf(view: StreamView, start: StreamId, end: StreamId, reverse = false): string {
  const writer = new ByteWriter();
  view.range(start, end, -1, reverse).writeTo(writer);
  return Buffer.from(writer.view()).toString("latin1");
}

export function id(ms: number, seq = 0): StreamId {
  return StreamId.of(ms, seq);
}
