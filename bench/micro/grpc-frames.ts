/**
 * Frames from one node to another in another process over the append channel (server → client): bytes and frames a second, for sizes that
 * a busy node sends. The sender keeps its byte budget full.
 *
 *   node bench/micro/grpc-frames.ts [seconds per size]
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PeerChannel, type Logger } from "@headrace/ports";
import { createGrpcPeerNetwork, type GrpcPeerNetwork } from "@headrace/transport";

const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (event, fields) => console.error(event, fields),
  error: (event, fields) => console.error(event, fields),
  child: () => quiet,
};

interface Hearing {
  onUp(): void;
  onFrame(frame: Uint8Array): void;
  onWritable(): void;
}

async function node(nodeId: number, hearing: Hearing): Promise<GrpcPeerNetwork> {
  const network = createGrpcPeerNetwork({ bindAddress: "127.0.0.1:0", secret: null, logger: quiet });
  await new Promise<void>((resolve, reject) =>
    network.start(
      {
        onFrame: (_from, _channel, frame) => hearing.onFrame(frame),
        onPeerUp: () => hearing.onUp(),
        onPeerDown: () => undefined,
        onPeerRefused: () => undefined,
        onWritable: () => hearing.onWritable(),
        onMetaRequest: () => undefined,
      },
      (result) => (result.ok ? resolve() : reject(new Error(result.message))),
    ),
  );
  network.identify({ clusterId: "bench", nodeId, incarnation: 1 });
  return network;
}

/** Counts what comes; a line on standard output whenever asked by a one-byte frame. */
async function receiver(senderAddress: string): Promise<void> {
  let bytes = 0;
  let frames = 0;
  const network = await node(2, {
    onUp: () => undefined,
    onWritable: () => undefined,
    onFrame: (frame) => {
      if (frame.length > 1) {
        bytes += frame.length;
        frames++;
        return;
      }
      const cpu = process.cpuUsage();
      console.log(JSON.stringify({ bytes, frames, cpuMicros: cpu.user + cpu.system }));
    },
  });
  network.setPeers([{ nodeId: 1, address: senderAddress }]);
  console.log(network.boundPort());
}

interface Count {
  readonly bytes: number;
  readonly frames: number;
  readonly cpuMicros: number;
}

async function sender(seconds: number): Promise<void> {
  let isUp: () => void = () => undefined;
  const up = new Promise<void>((resolve) => (isUp = resolve));
  let onWritable: () => void = () => undefined;
  const network = await node(1, { onUp: () => isUp(), onWritable: () => onWritable(), onFrame: () => undefined });
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), "receive", `127.0.0.1:${network.boundPort()}`],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const port = String((await lines.next()).value);
  network.setPeers([{ nodeId: 2, address: `127.0.0.1:${port}` }]);
  await up;
  const marker = [new Uint8Array(1)];
  const count = async (): Promise<Count> => {
    while (!network.send(2, PeerChannel.append, marker)) await new Promise<void>((resolve) => (onWritable = resolve));
    return JSON.parse(String((await lines.next()).value)) as Count;
  };
  console.log("frame bytes    MB/s   frames/s   CPU us a frame: sender  receiver");
  for (const frameBytes of [4 * 1024, 64 * 1024, 256 * 1024]) {
    // Two chunks, as a node sends: its own header and the log entry's bytes.
    const chunks = [new Uint8Array(64), new Uint8Array(frameBytes - 64).fill(7)];
    await run(network, chunks, 0.5, (wake) => (onWritable = wake));
    const before = await count();
    const cpuBefore = process.cpuUsage();
    const startedMs = performance.now();
    await run(network, chunks, seconds, (wake) => (onWritable = wake));
    const after = await count();
    const elapsedSeconds = (performance.now() - startedMs) / 1000;
    const cpu = process.cpuUsage(cpuBefore);
    const frames = after.frames - before.frames;
    console.log(
      [
        String(frameBytes).padStart(11),
        ((after.bytes - before.bytes) / elapsedSeconds / 1e6).toFixed(0).padStart(7),
        (frames / elapsedSeconds).toFixed(0).padStart(10),
        ((cpu.user + cpu.system) / frames).toFixed(1).padStart(23),
        ((after.cpuMicros - before.cpuMicros) / frames).toFixed(1).padStart(9),
      ].join(" "),
    );
  }
  child.kill();
  network.close(() => undefined);
}

async function run(
  network: GrpcPeerNetwork,
  chunks: readonly Uint8Array[],
  seconds: number,
  setWake: (wake: () => void) => void,
): Promise<void> {
  const untilMs = performance.now() + seconds * 1000;
  while (performance.now() < untilMs) {
    const writable = new Promise<void>((resolve) => setWake(resolve));
    while (network.send(2, PeerChannel.append, chunks));
    await writable;
  }
}

if (process.argv[2] === "receive") await receiver(process.argv[3]!);
else await sender(Number(process.argv[2] ?? 3));
