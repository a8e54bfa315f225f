/**
 * What one XADD costs a leader before the log: RESP bytes → decoder → command table → handler → effects → seal. 256-byte values, one key and
 * eight, pipelined in chunks of 64 KiB as a socket delivers them. Run: `node bench/micro/command-xadd.ts`.
 * Numbers of the last look: bench/results/command-xadd.txt.
 */
import { asciiBytes, ByteWriter, concatBytes } from "@headrace/bytes";
import { executeShardCommand, findCommand } from "@headrace/commands";
import { ShardState } from "@headrace/engine";
import { DecodeResult, ReplyWriter, RequestDecoder } from "@headrace/resp";
import { BenchContext, LIMITS } from "./bench-context.ts";

const CHUNK_BYTES = 64 * 1024;
const TURNS = 800;
/** Old entries go, so that the heap does not grow with the run. */
const KEPT_TURNS = 50;

function chunks(keyCount: number, valueBytes: number): { readonly bytes: Uint8Array; readonly commands: number } {
  const value = "x".repeat(valueBytes);
  const commands: Uint8Array[] = [];
  for (let bytes = 0, i = 0; bytes < CHUNK_BYTES; i++) {
    const key = `stream:{${i % keyCount}}`;
    commands.push(
      asciiBytes(
        `*5\r\n$4\r\nXADD\r\n$${key.length}\r\n${key}\r\n$1\r\n*\r\n$1\r\nf\r\n$${valueBytes}\r\n${value}\r\n`,
      ),
    );
    bytes += commands[i]!.length;
  }
  return { bytes: concatBytes(commands), commands: commands.length };
}

function round(keyCount: number, valueBytes: number): string {
  const { bytes, commands } = chunks(keyCount, valueBytes);
  const state = new ShardState();
  const decoder = new RequestDecoder(LIMITS);
  const reply = new ReplyWriter(new ByteWriter(64 * 1024));
  const session = new Uint8Array(16);
  let sequence = 0;
  let index = 0;
  let elapsed = 0n;
  for (let turn = 0; turn < TURNS; turn++) {
    const startedAt = process.hrtime.bigint();
    const effects = state.openBatch(++index, 1_800_000_000_000 + turn);
    const context = new BenchContext(decoder, reply, state, effects);
    context.nowMs = effects.logTimeMs;
    reply.writer.clear();
    decoder.feed(bytes);
    while (decoder.next() === DecodeResult.request) {
      state.setOrigin(session, ++sequence);
      executeShardCommand(findCommand(decoder.request), context);
    }
    state.sealBatch();
    elapsed += process.hrtime.bigint() - startedAt;
    if (turn % KEPT_TURNS !== KEPT_TURNS - 1) continue;
    state.openBatch(++index, 1_800_000_000_000 + turn).flush();
    state.sealBatch();
  }
  const perCommand = Number(elapsed) / (TURNS * commands);
  return `value ${valueBytes} B, ${keyCount} keys: ${perCommand.toFixed(0).padStart(5)} ns/command`;
}

for (let i = 0; i < 5; i++) {
  console.log(round(1, 256));
  console.log(round(8, 256));
  console.log(round(1, 16));
}
