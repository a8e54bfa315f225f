/**
 * What the gateway costs per request, alone: clients pipeline XADDs, a node in the same process answers each frame with canned replies, all
 * over connections in memory. One thread; the node's few instructions per frame are part of the figure.
 * Run: `node bench/micro/gateway-pass.ts`. Numbers of the last look: bench/results/gateway-pass.txt.
 */
import { asciiBytes } from "@headrace/bytes";
import { forgetTasks, openGateway, pipe, REPLY, runTasks } from "./memory-gateway.ts";

interface Load {
  readonly clients: number;
  readonly pipeline: number;
  readonly valueBytes: number;
  /** A client's requests go to this many streams in turn. */
  readonly streams: number;
  readonly shards: number;
  readonly requests: number;
}

function run(load: Load): number {
  const gateway = openGateway(load.shards);
  const value = "x".repeat(load.valueBytes);
  let text = "";
  for (let i = 0; i < load.pipeline; i++) {
    const key = `stream:${i % load.streams}`;
    text += `*5\r\n$4\r\nXADD\r\n$${key.length}\r\n${key}\r\n$1\r\n*\r\n$1\r\nf\r\n$${load.valueBytes}\r\n${value}\r\n`;
  }
  let answered = 0;
  for (let i = 0; i < load.clients; i++) {
    const [near, far] = pipe();
    let open = load.pipeline * REPLY.length;
    near.listen({
      onData: (chunk) => {
        open -= chunk.length;
        if (open > 0) return;
        open = load.pipeline * REPLY.length;
        answered += load.pipeline;
        near.write(asciiBytes(text));
      },
      onDrain: () => {},
      onClose: () => {},
    });
    gateway.attach(far);
    near.write(asciiBytes(text));
  }
  const startedAt = performance.now();
  runTasks(() => answered >= load.requests);
  const seconds = (performance.now() - startedAt) / 1000;
  forgetTasks();
  return answered / seconds;
}

const loads: Load[] = [
  { clients: 8, pipeline: 100, valueBytes: 256, streams: 1, shards: 8, requests: 1_000_000 },
  { clients: 1, pipeline: 500, valueBytes: 256, streams: 1, shards: 8, requests: 1_000_000 },
  { clients: 50, pipeline: 1, valueBytes: 256, streams: 1, shards: 8, requests: 500_000 },
  { clients: 8, pipeline: 100, valueBytes: 256, streams: 32, shards: 8, requests: 500_000 },
];
for (let round = 0; round < 3; round++) {
  for (const load of loads) {
    const { clients, pipeline, valueBytes, streams } = load;
    const rate = run(load);
    console.log(
      `${clients} clients × ${pipeline} in flight, ${valueBytes} B, ${streams} stream(s) a client: ` +
        `${Math.round(rate / 1000)} k XADD/s, ${Math.round(1e9 / rate)} ns each`,
    );
  }
}
