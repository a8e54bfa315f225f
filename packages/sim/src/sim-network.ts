/**
 * The simulated network: peers' frames may be lost, doubled, delayed and reordered; byte connections are TCP-like (in order, delayed, held back by
 * a partition, reset when a side dies). Partitions are directed: a may reach b while b does not reach a.
 */
import type { ByteConnection, ByteConnectionEvents, ByteListener, ByteNetwork, CloseReason } from "@headrace/ports";
import type { EventLoop, Life } from "./event-loop.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** How bad the network is, in parts per thousand and milliseconds. Changed during a run by the faults. */
export interface NetworkFaults {
  /** Frames of snapshots that arrive with another bit than they left with. The other channels trust the transport; a snapshot must not. */
  snapshotFlipPerMille: number;
  lossPerMille: number;
  duplicatePerMille: number;
  /** A frame may overtake others by up to this much extra delay. */
  reorderMaxMs: number;
  minDelayMs: number;
  maxDelayMs: number;
}

export class SimNetwork {
  readonly loop: EventLoop;
  readonly random: SeededRandom;
  readonly faults: NetworkFaults = {
    snapshotFlipPerMille: 20,
    lossPerMille: 0,
    duplicatePerMille: 0,
    reorderMaxMs: 0,
    minDelayMs: 0.05,
    maxDelayMs: 0.5,
  };
  readonly listeners: Map<string, { life: Life; onConnection: (connection: ByteConnection) => void }> = new Map();
  /** Directed pairs of machine names between which nothing passes, each with how many cuts hold it. */
  readonly #cut: Map<string, number> = new Map();
  readonly #held: Map<string, (() => void)[]> = new Map();
  readonly #connections: Set<SimConnection> = new Set();

  constructor(loop: EventLoop, random: SeededRandom) {
    this.loop = loop;
    this.random = random;
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** Cuts directed paths; the answer ends this cut, and no other that may hold the same path. */
  cut(paths: readonly (readonly [from: string, to: string])[]): () => void {
    const cuts = this.#cut;
    const names = paths.map(([from, to]) => `${from}>${to}`);
    for (const name of names) cuts.set(name, (cuts.get(name) ?? 0) + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      for (const name of names) this.#release(name);
    };
  }

  #release(path: string): void {
    const count = this.#cut.get(path);
    if (count === undefined) return;
    if (count > 1) {
      this.#cut.set(path, count - 1);
      return;
    }
    this.#cut.delete(path);
    const held = this.#held.get(path) ?? [];
    this.#held.delete(path);
    for (const deliver of held) deliver();
  }

  /** Ends all cuts. */
  heal(): void {
    for (const path of Array.from(this.#cut.keys())) {
      this.#cut.set(path, 1);
      this.#release(path);
    }
  }

  delayMs(): number {
    const { minDelayMs, maxDelayMs } = this.faults;
    return minDelayMs + (this.random.below(1000) / 1000) * (maxDelayMs - minDelayMs);
  }

  /** Runs `deliver` now, or when the path from → to is whole again. */
  whenConnected(from: string, to: string, deliver: () => void): void {
    const path = `${from}>${to}`;
    if (!this.#cut.has(path)) {
      deliver();
      return;
    }
    const list = this.#held.get(path) ?? [];
    list.push(deliver);
    this.#held.set(path, list);
  }

  register(connection: SimConnection): void {
    this.#connections.add(connection);
  }

  forget(connection: SimConnection): void {
    this.#connections.delete(connection);
  }

  /** A process died: its listeners close, the other sides of its connections see a reset. */
  processDied(life: Life): void {
    for (const [address, listener] of this.listeners) {
      if (listener.life === life) this.listeners.delete(address);
    }
    for (const connection of this.#connections) {
      if (connection.life !== life) continue;
      connection.other?.closeFromAfar("reset");
      this.#connections.delete(connection);
    }
  }
}

/** One end of a simulated TCP connection. */
export class SimConnection implements ByteConnection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly life: Life;
  other: SimConnection | null = null;
  readonly #network: SimNetwork;
  #events: ByteConnectionEvents | null = null;
  #closed = false;
  #paused = false;
  readonly #inbox: Uint8Array[] = [];
  /** Written before the connection was made. */
  readonly #unsent: Uint8Array[] = [];
  #lastArrivalMs = 0;
  #unread = 0;
  #closing: CloseReason | null = null;

  constructor(network: SimNetwork, life: Life, localAddress: string, remoteAddress: string) {
    this.#network = network;
    this.life = life;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    network.register(this);
  }

  /** Joins the two ends and sends what was written meanwhile. */
  connectTo(far: SimConnection): void {
    this.other = far;
    far.other = this;
    for (const chunk of this.#unsent.splice(0)) this.write(chunk);
  }

  listen(events: ByteConnectionEvents): void {
    this.#events = events;
    // What was there before is heard in an event of its own, like everything.
    if (this.#inbox.length > 0 || this.#closing !== null) {
      this.#network.loop.after(0, "soon", this.life, "heard", () => this.#drain());
    }
  }

  write(chunk: Uint8Array): boolean {
    const other = this.other;
    if (this.#closed) return false;
    if (other === null) {
      this.#unsent.push(chunk);
      return true;
    }
    // What is on its way must not change any more; a copy makes a writer that breaks the contract visible only here.
    const sent = chunk.slice();
    other.#unread += sent.length;
    this.#send(other, `${sent.length} bytes`, () => {
      if (other.#closed) return;
      other.#inbox.push(sent);
      other.#drain();
    });
    return other.#unread < 1024 * 1024;
  }

  bufferedBytes(): number {
    return this.other === null ? 0 : this.other.#unread;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#network.loop.after(0, "soon", this.life, "resume", () => this.#drain());
  }

  end(): void {
    if (this.#closed || this.other === null) return;
    const other = this.other;
    this.#send(other, "end", () => other.#closeWhenRead("ended"));
    this.#closed = true;
    this.#network.loop.after(0, "soon", this.life, "closed", () => this.#events?.onClose("local"));
    this.#network.forget(this);
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.forget(this);
    const other = this.other;
    if (other !== null) this.#send(other, "reset", () => other.#closeNow("reset"));
    this.#network.loop.after(0, "soon", this.life, "closed", () => this.#events?.onClose("local"));
  }

  /** The other side's process is gone. */
  closeFromAfar(reason: CloseReason): void {
    this.#network.loop.after(this.#network.delayMs(), "message", this.life, "reset", () => this.#closeNow(reason));
  }

  #send(to: SimConnection, label: string, arrive: () => void): void {
    const network = this.#network;
    const at = Math.max(to.#lastArrivalMs, network.loop.nowMs + network.delayMs());
    to.#lastArrivalMs = at;
    network.loop.at(at, "message", to.life, `tcp ${label}`, () =>
      network.whenConnected(this.life.name, to.life.name, arrive),
    );
  }

  #drain(): void {
    while (!this.#paused && !this.#closed && this.#events !== null) {
      const chunk = this.#inbox.shift();
      if (chunk === undefined) break;
      const wasFull = this.#unread >= 1024 * 1024;
      this.#unread -= chunk.length;
      if (wasFull && this.#unread < 1024 * 1024) {
        const other = this.other;
        if (other !== null && !other.#closed) {
          this.#network.loop.after(0, "message", other.life, "drain", () => other.#events?.onDrain());
        }
      }
      this.#events.onData(chunk);
    }
    if (this.#closing !== null && this.#inbox.length === 0) this.#closeNow(this.#closing);
  }

  #closeWhenRead(reason: CloseReason): void {
    this.#closing = reason;
    this.#drain();
  }

  #closeNow(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.forget(this);
    this.#events?.onClose(reason);
  }
}

/** One process's door to the byte network. */
export class SimByteNetwork implements ByteNetwork {
  readonly #network: SimNetwork;
  readonly #life: Life;
  #nextPort = 40_000;

  constructor(network: SimNetwork, life: Life) {
    this.#network = network;
    this.#life = life;
  }

  connect(address: string): ByteConnection {
    const network = this.#network;
    const near = new SimConnection(network, this.#life, `${this.#life.name}:${this.#nextPort++}`, address);
    network.loop.after(network.delayMs(), "message", this.#life, `connect ${address}`, () => {
      const listener = network.listeners.get(address);
      if (listener === undefined || !listener.life.alive || network.isCut(this.#life.name, listener.life.name)) {
        near.closeFromAfar("refused");
        return;
      }
      const far = new SimConnection(network, listener.life, address, near.localAddress);
      near.connectTo(far);
      network.loop.after(network.delayMs(), "message", listener.life, "accept", () => listener.onConnection(far));
    });
    return near;
  }

  accept(
    address: string,
    onConnection: (connection: ByteConnection) => void,
    onListening: (failure: string | null) => void,
  ): ByteListener {
    const network = this.#network;
    const taken = network.listeners.has(address);
    if (!taken) network.listeners.set(address, { life: this.#life, onConnection });
    network.loop.after(0, "soon", this.#life, "listening", () =>
      onListening(taken ? `${address} is already in use` : null),
    );
    return {
      close: (done) => {
        network.listeners.delete(address);
        network.loop.after(0, "soon", this.#life, "listener closed", done);
      },
    };
  }
}
