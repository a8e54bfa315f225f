/**
 * Userspace TCP proxies between real processes: each named place listens through one, and the way from any place to any other can be cut in one
 * direction or both, delayed, or reset, while the processes know nothing of it. What TCP does is kept: nothing is lost or exchanged inside a connection;
 * what is cut stalls and comes late, a connection that is opened over a cut way hangs, the end of a process is not seen through a cut.
 *
 *   a ──► proxy of b ──► b     bytes from a on way a>b, bytes from b on way b>a
 *
 * Who dialled is found in /proc (the socket's inode among the known processes' descriptors): the protocols need not be understood. Linux only.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Bytes on a way before its source is no longer read. */
const BUFFER_BYTES = 1024 * 1024;

/** One direction between two places. */
class Way {
  isCut = false;
  delayMs = 0;
  jitterMs = 0;
  readonly pipes: Set<Pipe> = new Set();

  changed(): void {
    for (const pipe of Array.from(this.pipes)) pipe.pump();
  }
}

/** The bytes of one connection in one direction. */
class Pipe {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #way: Way;
  readonly #chance: () => number;
  #queue: { readonly bytes: Buffer; readonly dueAtMs: number }[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #ended = false;
  #broken = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(ends: { readonly source: Socket; readonly sink: Socket }, way: Way, chance: () => number) {
    this.#source = ends.source;
    this.#sink = ends.sink;
    this.#way = way;
    this.#chance = chance;
    way.pipes.add(this);
    ends.source.on("data", (bytes: Buffer) => {
      const delayMs = way.delayMs + way.jitterMs * this.#chance();
      this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + delayMs);
      this.#queue.push({ bytes, dueAtMs: this.#lastDueMs });
      this.#queuedBytes += bytes.length;
      if (this.#queuedBytes > BUFFER_BYTES) ends.source.pause();
      this.pump();
    });
    ends.source.on("end", () => {
      this.#ended = true;
      this.pump();
    });
    ends.source.on("close", (hadError: boolean) => {
      this.#broken ||= hadError || !this.#ended;
      this.pump();
    });
    ends.sink.on("drain", () => this.pump());
    ends.sink.on("close", () => this.#close());
  }

  pump(): void {
    if (this.#way.isCut || this.#sink.destroyed) return;
    if (this.#broken) {
      // As the kernel does: a reset overtakes what is on the way.
      this.#sink.resetAndDestroy();
      return;
    }
    const nowMs = performance.now();
    while (this.#queue.length > 0 && this.#sink.writableLength < BUFFER_BYTES) {
      const { bytes, dueAtMs } = this.#queue[0]!;
      if (dueAtMs > nowMs) return this.#later(dueAtMs - nowMs);
      this.#queue.shift();
      this.#queuedBytes -= bytes.length;
      this.#sink.write(bytes);
    }
    if (this.#queuedBytes <= BUFFER_BYTES && this.#source.isPaused()) this.#source.resume();
    if (this.#queue.length === 0 && this.#ended) this.#sink.end();
  }

  #later(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.pump();
    }, Math.ceil(delayMs));
  }

  #close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#way.pipes.delete(this);
  }
}

interface Connection {
  readonly from: string;
  readonly to: string;
  readonly sockets: readonly Socket[];
}

export class FaultyNetwork {
  readonly #pids: Map<string, number> = new Map();
  readonly #ways: Map<string, Way> = new Map();
  readonly #servers: Server[] = [];
  readonly #connections: Set<Connection> = new Set();
  readonly #chance: () => number;
  /** Connections whose dialler was not found: it had gone already. */
  unknownDiallers = 0;
  connectionsMade = 0;

  /** `chance`: uniform in [0, 1), for jitter. */
  constructor(chance: () => number) {
    this.#chance = chance;
  }

  /** Who runs as what: to be told after every start. */
  setProcess(place: string, pid: number): void {
    this.#pids.set(place, pid);
  }

  /** A port by which others reach `port` of the place. */
  async listen(place: string, port: number): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (dialler) =>
      this.#accept(place, port, dialler),
    );
    this.#servers.push(server);
    await new Promise<void>((listening, failed) => {
      server.once("error", failed);
      server.listen(0, "127.0.0.1", listening);
    });
    return (server.address() as { port: number }).port;
  }

  cut(from: string, to: string): void {
    this.#way(from, to).isCut = true;
  }

  join(from: string, to: string): void {
    const way = this.#way(from, to);
    way.isCut = false;
    way.changed();
  }

  /** Every chunk takes that much longer, and up to `jitterMs` more; the order stays. */
  delay(from: string, to: string, delayMs: number, jitterMs: number): void {
    Object.assign(this.#way(from, to), { delayMs, jitterMs });
  }

  /** Ends the connections between the two with a reset on both sides, as a middlebox that lost its table does. */
  reset(a: string, b: string): number {
    let ended = 0;
    for (const connection of Array.from(this.#connections)) {
      const { from, to, sockets } = connection;
      if (!((from === a && to === b) || (from === b && to === a))) continue;
      ended++;
      for (const socket of sockets) socket.resetAndDestroy();
    }
    return ended;
  }

  /** Every way is open and as fast as it can be. */
  heal(): void {
    for (const way of this.#ways.values()) {
      Object.assign(way, { isCut: false, delayMs: 0, jitterMs: 0 });
      way.changed();
    }
  }

  async close(): Promise<void> {
    for (const { sockets } of this.#connections) for (const socket of sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((closed) => server.close(closed))));
  }

  #way(from: string, to: string): Way {
    const key = `${from}>${to}`;
    let way = this.#ways.get(key);
    if (way === undefined) {
      way = new Way();
      this.#ways.set(key, way);
    }
    return way;
  }

  #accept(to: string, port: number, dialler: Socket): void {
    this.connectionsMade++;
    const from = this.#ownerOf(dialler.remotePort ?? 0);
    const target = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const connection = { from, to, sockets: [dialler, target] };
    this.#connections.add(connection);
    for (const socket of connection.sockets) {
      socket.on("error", () => {
        // `close` follows and says so.
      });
      socket.on("close", () => {
        if (dialler.destroyed && target.destroyed) this.#connections.delete(connection);
      });
    }
    new Pipe({ source: dialler, sink: target }, this.#way(from, to), this.#chance);
    new Pipe({ source: target, sink: dialler }, this.#way(to, from), this.#chance);
  }

  #ownerOf(port: number): string {
    const inode = inodeOf(port);
    if (inode !== null) {
      const wanted = `socket:[${inode}]`;
      for (const [place, pid] of this.#pids) if (hasDescriptor(pid, wanted)) return place;
    }
    this.unknownDiallers++;
    return "unknown";
  }
}

/** Of the established socket with this local port on 127.0.0.1 (0100007F in /proc's order of bytes). */
function inodeOf(port: number): string | null {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n")) {
    const words = line.trim().split(/\s+/);
    if (words[1] === local && words[9] !== "0") return words[9] ?? null;
  }
  return null;
}

function hasDescriptor(pid: number, target: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => {
      try {
        return readlinkSync(`${folder}/${fd}`) === target;
      } catch {
        // Closed between the listing and the look.
        return false;
      }
    });
  } catch {
    // The process is gone.
    return false;
  }
}
