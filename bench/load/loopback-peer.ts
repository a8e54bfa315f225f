/**
 * The other end of raw TCP connections, a process of its own: says the ports that it listens on as one JSON line. Behind `echo` everything comes back as it
 * came; behind `sink` it is counted, and the count, as text, is the answer to the end of the stream.
 */
import { createServer, type AddressInfo, type Server } from "node:net";

export interface PeerPorts {
  readonly echo: number;
  readonly sink: number;
}

const BUFFER_BYTES = 256 * 1024;

const echo = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk: Buffer) => socket.write(chunk));
  socket.on("error", () => socket.destroy());
});
const sink = createServer({ allowHalfOpen: true, highWaterMark: BUFFER_BYTES }, (socket) => {
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
  socket.on("end", () => socket.end(String(bytes)));
  socket.on("error", () => socket.destroy());
});

function listening(server: Server): Promise<number> {
  return new Promise((port) => {
    server.listen(0, "127.0.0.1", () => port((server.address() as AddressInfo).port));
  });
}

const ports: PeerPorts = { echo: await listening(echo), sink: await listening(sink) };
process.stdout.write(`${JSON.stringify(ports)}\n`);
